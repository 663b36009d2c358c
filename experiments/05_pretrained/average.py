"""Average the weights of two networks: python -m experiments.05_pretrained.average OLD.h5 NEW.h5 OUT.h5 [--share 0.75]

A training that goes on from OLD to NEW gains what it was for and loses a little of what OLD knew; between the two lies a network that has
most of both (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022. arXiv:2109.01903). OUT has the facts of NEW.
"""

import argparse

from keras_mri.saving import checkpoints


def averaged(old, new, share):
    """Return the checkpoint `new` with weights of which `share` is its own and the rest that of `old`, of the same form."""
    pairs = zip(old.network.get_weights(), new.network.get_weights(), strict=True)
    new.network.set_weights([(1 - share) * before + share * after for before, after in pairs])
    return new


def main(arguments=None):
    """Write OUT."""
    parser = argparse.ArgumentParser(prog="python -m experiments.05_pretrained.average", description=__doc__.splitlines()[0])
    for name in ("old", "new", "out"):
        parser.add_argument(name)
    parser.add_argument("--share", type=float, default=0.75, help="of NEW (default: 0.75)")
    chosen = parser.parse_args(arguments)
    old, new = (checkpoints.load(path, "wgan") for path in (chosen.old, chosen.new))
    checkpoints.save(averaged(old, new, chosen.share), chosen.out)


if __name__ == "__main__":
    main()
