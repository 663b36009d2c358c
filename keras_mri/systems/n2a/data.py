"""From repetitions to batches: where the training blocks are, which are held out, and the target of each repetition."""

import typing

import numpy as np

from keras_mri.data.corruption import repetition_pairs
from keras_mri.data.pipelines import PatchSource, listed_patches, with_random_flips
from keras_mri.data.splits import hold_out_blocks
from keras_mri.io.grids import bounding_box, mirror_axes

_STEPS_PER_EPOCH = 50
# Places of training blocks, and held-out pairs, of all frames together.
_MOST_CORNERS, _MOST_HELD_OUT = 200_000, 96
# Share of the lesser of two mixed repetitions: the input's noise is then 0.79 of one repetition's (the average's: 0.71).
_MIXED = 0.25


class BlockOptions(typing.NamedTuple):
    """Which blocks train, and on which pairs.

    Parameters
    ----------
    patch_shape : tuple of int
        Voxels of a block; cut to what fits the mask.
    blocks : {"random", "covering"}
        Blocks anywhere in the mask, or the fewest that cover it.
    target : {"others", "average"}
        The first target of a repetition: the average of the others, or of all.
    mirror_axes : tuple of int
        Axes along which blocks are mirrored at random.
    batch_size : int
    steps_per_epoch : int or None
        None: 50, or every covering block and its mirror image once.
    seed : int
        Chooses the blocks that are held out.
    """

    patch_shape: tuple[int, int, int]
    blocks: str
    target: str
    mirror_axes: tuple[int, ...]
    batch_size: int
    steps_per_epoch: int | None
    seed: int

    @classmethod
    def of(cls, config, affine):
        """Take the options from the settings of a training and the affine of its scan."""
        axes = mirror_axes(affine, config.mirror_training)
        return cls(config.patch_shape, config.blocks, config.target, axes, config.batch_size, config.steps_per_epoch, config.seed)


class RepetitionBlocks:
    """The blocks of a scan's repetitions.

    Parameters
    ----------
    units : ndarray of float32, shape (repetitions, x, y, z, frames)
        In network units.
    mask : ndarray of bool, shape (x, y, z)
    channels : int
        Frames that the network sees together: all of them, or 1.
    options : BlockOptions

    Raises
    ------
    InputError
        If the mask has no room for blocks to hold out.
    """

    def __init__(self, units, mask, channels, options):
        self.box = bounding_box(mask, options.patch_shape)
        self.units, self.mask = units[(slice(None), *self.box)], mask[self.box]
        self.channels, self.options = channels, options
        covering = options.blocks == "covering"
        self.shape, self.corners, self.held_out = hold_out_blocks(self.mask, options.patch_shape, options.seed, covering)
        pairs = len(units) * units.shape[-1] // channels * len(self.corners)
        # Covering: every block and its mirror image, once.
        self.steps = options.steps_per_epoch or (max(1, 2 * pairs // options.batch_size) if covering else _STEPS_PER_EPOCH)

    def training(self, target, seed):
        """Return batches of (input, target, mask), without end.

        Parameters
        ----------
        target : ndarray of float32, shape (x, y, z, frames), or None
            The denoised average in network units; None takes the repetitions themselves.
        seed : int

        Returns
        -------
        tf.data.Dataset
        """
        inputs, others = self._measured()
        targets = others
        if target is not None:
            # The member after the repetitions.
            targets = np.eye(len(self.units) + 1)[[-1] * len(inputs)]
        elif self.options.target == "average":
            inputs = inputs[: len(self.units)]
            targets = np.append(np.full((len(inputs), len(inputs)), 1 / len(inputs)), np.zeros((len(inputs), 1)), axis=1)
        source = self._source(None if target is None else target[self.box], self.corners, _MOST_CORNERS)
        patches = with_random_flips(listed_patches([source], self.shape, self._width, seed), seed, self.options.mirror_axes)
        return repetition_pairs(patches, self.options.batch_size, self.channels, inputs, targets)

    def validation(self):
        """Return the held-out blocks: inputs, and targets of repetitions whose noise is independent of theirs.

        Returns
        -------
        tf.data.Dataset
        """
        inputs, others = self._measured()
        source = self._source(None, np.repeat(self.held_out, len(inputs), axis=0), _MOST_HELD_OUT)
        patches = listed_patches([source], self.shape, self._width)
        return repetition_pairs(patches, min(self.options.batch_size, len(source.corners)), self.channels, inputs, others).cache()

    def _measured(self):
        """Return weights of inputs and targets: each repetition and the average of the others, and pairs nearer to the average.

        What is restored in the end is the average of all. Of three or more, an input can be the average of all but one. Of two,
        it can be a mixture w a + (1 − w) b, whose noise is independent of that of ((1 − w) a − w b) / (1 − 2 w).
        """
        count = len(self.units)
        single = np.eye(count)
        if count > 2:
            others = (1 - single) / (count - 1)
            inputs, targets = np.concatenate([single, others]), np.concatenate([others, single])
        else:
            share = np.array([1, 0, 1 - _MIXED, _MIXED])
            inputs = np.column_stack([share, 1 - share])
            targets = np.column_stack([1 - share, -share]) / (1 - 2 * share)[:, None]
        # No share of the last member, the denoised average.
        return np.pad(inputs, [(0, 0), (0, 1)]), np.pad(targets, [(0, 0), (0, 1)])

    @property
    def _width(self):
        """Channels of a patch: every repetition, the denoised average, the mask."""
        return (len(self.units) + 1) * self.channels + 1

    def _source(self, target, corners, most):
        """Lay out all that belongs to one group of frames side by side, group after group: windows start where groups do.

        Two repetitions a, b, the target t, the mask m, three frames seen one by one: a0 b0 t0 m a1 b1 t1 m a2 b2 t2 m.
        """
        last = np.zeros_like(self.units[:1]) if target is None else target[None]
        members = np.moveaxis(np.concatenate([self.units, last]), 0, 3)
        groups = members.shape[4] // self.channels
        run = np.empty((*self.mask.shape, groups, self._width), np.float32)
        for group in range(groups):
            frames = slice(group * self.channels, (group + 1) * self.channels)
            run[..., group, :-1] = members[..., frames].reshape(*self.mask.shape, -1)
        run[..., -1] = self.mask[..., None]
        chosen = np.arange(groups * len(corners))
        if len(chosen) > most:
            chosen = np.sort(np.random.default_rng(self.options.seed).choice(len(chosen), most, replace=False))
        places = np.column_stack([corners[chosen % len(corners)], self._width * (chosen // len(corners))])
        return PatchSource(run.reshape(*self.mask.shape, -1), places.astype(np.int32))
