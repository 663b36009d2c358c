"""Tables and figure of real and drawn noise on heads that no network knows: python -m experiments.05_pretrained.head_tables

Reads real_filters.csv, real_networks.csv, simulated_filters.csv and simulated_networks.csv beside this file; prints Markdown, and draws
heads.png. Of drawn noise every cell is a mean ± SD over heads, one draw for each; of real noise the squares of the distances are averaged
over frames. Where filters saw only some frames or heads, the number is in brackets. `goals` sets our networks against what was asked.
"""

import argparse
import pathlib
import sys

import numpy as np

from experiments.data import read_rows

from . import gain

_HERE = pathlib.Path(__file__).parent
_NETWORK_OF = {"T1w": "wgan_t1w", "EPI": "wgan_epi", "other": "wgan_any"}
_COLOURED = ("zero-filled .5", "zero-filled .65", "zero-filled .75", "partial Fourier .75", "smoothed", "growing")
_TEXTS = ("set", "head", "frame", "group", "noise", "method", "network", "told")


def main(arguments=None):
    """Print the tables and draw the figure; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m experiments.05_pretrained.head_tables", description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=pathlib.Path, default=_HERE, help="of the CSV files and the figure (default: beside this file)")
    folder = parser.parse_args(arguments).folder
    real, simulated = rows_of(folder, "real"), rows_of(folder, "simulated")
    parts = [goals(real, simulated), real_table(real), other_shares(real)]
    parts += [*(simulated_table(simulated, group, "psnr") for group in _NETWORK_OF), rician_table(simulated), flat_table(simulated)]
    parts += [*(simulated_table(simulated, group, "ssim") for group in _NETWORK_OF)]
    print("\n\n".join(part for part in parts if part))
    if real and simulated:
        from .head_figure import draw

        draw(real, simulated, folder / "heads.png")
    return 0


def rows_of(folder, what):
    """Return the rows of the filters and of the networks: list of dict, numbers as float, None where there is none."""
    paths = [pathlib.Path(folder) / f"{what}_{part}.csv" for part in ("filters", "networks")]
    rows = [row for path in paths if path.exists() for row in read_rows(path)]
    return [{name: value if name in _TEXTS else float(value) if value else None for name, value in row.items()} for row in rows]


def real_table(rows):
    """Return the table of real noise: share of the possible gain, the lowest of a frame, RMS distance out / in; what the sets are like."""
    sets = _unique(rows, "set")
    body = [[method, told, *(_real_cell(mine, rows) for mine in found)] for method, told, found in _by_set(rows)]
    facts = ["SD of the noise, % of the mean", "", *(_mean_of(rows, name, "sigma", 2) for name in sets)]
    drift = ["noise's part of d_in²", "", *(_noise_part(rows, name) for name in sets)]
    colour = ["neighbours' correlation x, y, z", "", *(", ".join(_mean_of(rows, name, axis, 2) for axis in "xyz") for name in sets)]
    title = "Real noise: share of the possible gain in variance (0: as it is, 1: free of noise), in brackets the lowest of a frame; RMS "
    title += "distance out / in:"
    return "\n".join([title, "", *_table(["method", "told", *sets], [*body, facts, drift, colour])]) if rows else ""


def other_shares(rows):
    """Return the table of real noise by other measures: share of RMS, of what noise alone would gain, and in quiet voxels."""
    body = [[method, *(_other_cell(mine) for mine in found)] for method, _, found in _by_set(rows)]
    title = "The same in RMS; over the variance of the noise alone, without drift and physiology; in quiet voxels:"
    return "\n".join([title, "", *_table(["method", *_unique(rows, "set")], body)]) if rows else ""


def share_of_set(rows, names=("d_in", "d_out")):
    """Return the share of the possible gain of one method on one set: of the mean squares of the distances of its frames."""
    return gain.share(*(_rms(rows, name) for name in names), rows[0]["count"])


def simulated_table(rows, group, score):
    """Return the table of drawn noise of one group of heads; `score` is psnr or ssim."""
    rows = [row for row in rows if row["group"] == group]
    cases, heads = _cases(rows), _unique(rows, "head")
    if not rows:
        return ""
    body = []
    for method in _unique(rows, "method"):
        mine = [row for row in rows if row["method"] == method]
        cells = [_spread([row[score] for row in mine if _case(row) == case], 2 if score == "psnr" else 3, len(heads)) for case in cases]
        body.append([method, mine[0]["told"], *cells])
    title = f"{group}, {'PSNR, dB' if score == 'psnr' else 'SSIM'}, mean ± SD over {len(heads)} heads ({', '.join(heads)}):"
    return "\n".join([title, "", *_table(["method", "told", *(f"{noise}, {percent:g} %" for noise, percent in cases)], body)])


def rician_table(rows):
    """Return the bias of air of magnitudes, % of the maximum, and over that of the input; and what became of zeros."""
    rows = [row for row in rows if row["noise"] in ("rician", "masked")]
    body = []
    for method in _unique(rows, "method"):
        mine = [row for row in rows if row["method"] == method]
        cells = [_spread([row["air"] for row in mine if _case(row) == ("rician", p) and row["air"] is not None], 2) for p in (5, 9)]
        zeros = [row["zeros"] for row in mine if row["noise"] == "masked" and row["zeros"] is not None]
        body.append([method, *cells, f"{max(zeros):.2f}" if zeros else ""])
    columns = ["method", "bias of air, Rician 5 %", "9 %", "exact zeros that change, %, worst head"]
    title = "Bias of air, % of the maximum, mean ± SD over heads of all groups:"
    return "\n".join([title, "", *_table(columns, body)]) if rows else ""


def flat_table(rows):
    """Return the bias of flat tissue at 5 % of white and Rician noise, % of the maximum: its darker and its brighter half."""
    cases = [("white", 5), ("white", 15), ("rician", 5), ("rician", 9)]
    body = []
    for method in _unique(rows, "method"):
        mine = [[row for row in rows if row["method"] == method and _case(row) == case] for case in cases]
        body.append([method, *("; ".join(_spread([row[half] for row in some], 2) for half in ("dark", "bright")) for some in mine)])
    title = "Bias of flat tissue, % of the maximum, its darker and its brighter half, mean ± SD over heads of all groups:"
    return "\n".join([title, "", *_table(["method", *(f"{noise}, {p} %" for noise, p in cases)], body)]) if rows else ""


def goals(real, simulated):
    """Return our networks against what was asked: differences in dB are means over heads, in brackets the worst head."""
    body = []
    for name in _unique(real, "set"):
        for method in _ours(real):
            mine = [row for row in real if row["method"] == method and row["set"] == name]
            if mine:
                wanted = "≥ .5, never < 0" if name in ("forrest-bold", "philips-3t") else "≥ .4, never < 0"
                body.append([f"{method}, {name}", wanted, f"{share_of_set(mine):.3f} (lowest {min(row['share'] for row in mine):.3f})"])
    for group in _NETWORK_OF:
        for method in _ours(row for row in simulated if row["group"] == group):
            body += [[f"{method}, {group}", *line] for line in _goals_of(method, [row for row in simulated if row["group"] == group])]
    return "\n".join(["What was asked:", "", *_table(["network", "asked", "found"], body)]) if body else ""


def difference(rows, method, reference, case, score="psnr"):
    """Return `method` − `reference` head by head: ndarray of float64, of the heads that have both."""
    values = [{row["head"]: row[score] for row in rows if row["method"] == name and _case(row) == case} for name in (method, reference)]
    return np.array([values[0][head] - values[1][head] for head in values[0] if head in values[1]])


def _goals_of(method, rows):
    """Yield what was asked of drawn noise and what was found: pairs of str."""
    white = [(("white", p), -0.3 if p == 1 else 0) for p in (1, 3, 5, 9, 15)]
    yield "white 1, 3, 5, 9, 15 % − BM4D told σ: ≥ −0.3, 0, 0, 0, 0 dB", _differences(rows, method, [(case, "BM4D") for case, _ in white])
    told = [((noise, 5), "BM4D" if noise == "growing" else "BM4D, spectrum") for noise in _COLOURED]
    yield f"{', '.join(_COLOURED)} 5 % − BM4D told the spectrum: ≥ −0.3 dB", _differences(rows, method, told)
    yield "the same − best Gaussian: ≥ +1 dB", _differences(rows, method, [(case, "best Gaussian") for case, _ in told])
    yield "Rician 5, 9 % − BM4D: ≥ +1 dB", _differences(rows, method, [(("rician", p), "BM4D") for p in (5, 9)])
    yield "Rician 5, 9 %, bias of air over the input's: ≤ .1", ", ".join(_air(rows, method, p) for p in (5, 9))
    found = [(value, case) for case in _cases(rows) for value in difference(rows, method, "input", case)]
    lowest = min(found, default=None)
    yield "worst row − input: ≥ −0.05 dB", f"{lowest[0]:+.2f} ({lowest[1][0]}, {lowest[1][1]:g} %)" if lowest else ""


def _differences(rows, method, pairs):
    found = [difference(rows, method, reference, case) for case, reference in pairs]
    return ", ".join(f"{values.mean():+.2f} ({values.min():+.2f})" if len(values) else "—" for values in found)


def _air(rows, method, percent):
    mine, other = ([row["air"] for row in _chosen(rows, name, percent) if row["air"] is not None] for name in (method, "input"))
    return f"{np.mean(mine) / np.mean(other):+.2f}" if mine and other else "—"


def _chosen(rows, method, percent):
    return [row for row in rows if row["method"] == method and _case(row) == ("rician", percent)]


def _by_set(rows):
    """Yield each method, what it is told, and its rows of each set."""
    for method in _unique(rows, "method"):
        mine = [row for row in rows if row["method"] == method]
        yield method, mine[0]["told"], [[row for row in mine if row["set"] == name] for name in _unique(rows, "set")]


def _real_cell(mine, rows):
    if not mine:
        return ""
    wanted = len({row["frame"] for row in rows if row["set"] == mine[0]["set"]})
    some = "" if len(mine) == wanted else f" [{len(mine)} of {wanted}]"
    before, after = (_rms(mine, name) for name in ("d_in", "d_out"))
    return f"{share_of_set(mine):.3f} ({min(row['share'] for row in mine):.3f}); {after / before:.3f}{some}"


def _other_cell(mine):
    if not mine:
        return ""
    before, after, sigma = (_rms(mine, name) for name in ("d_in", "d_out", "sigma"))
    shares = gain.share_of_rms(before, after, mine[0]["count"]), gain.share_of_noise(before, after, sigma)
    return "; ".join(f"{value:.3f}" for value in (*shares, share_of_set(mine, ("quiet_in", "quiet_out"))))


def _rms(rows, name):
    return np.sqrt(np.mean([row[name] ** 2 for row in rows]))


def _noise_part(rows, name):
    """Return σ²(1 + 1 / (n − 1)) over the mean d_in²: what is missing to 1 is drift and physiology."""
    mine = [row for row in rows if row["set"] == name and row["method"] == "input"]
    if not mine:
        return ""
    count = mine[0]["count"]
    return f"{_rms(mine, 'sigma') ** 2 * count / (count - 1) / np.mean([row['d_in'] ** 2 for row in mine]):.2f}"


def _mean_of(rows, name, column, digits):
    return f"{np.mean([row[column] for row in rows if row['set'] == name]):.{digits}f}"


def _spread(values, digits, wanted=0):
    if not values:
        return ""
    some = f" [{len(values)}]" if len(values) < wanted else ""
    return f"{np.mean(values):.{digits}f}" + (f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else "") + some


def _ours(rows):
    return [method for method in _unique(rows, "method") if method.startswith("ours")]


def _case(row):
    return row["noise"], row["percent"]


def _cases(rows):
    """Return the kinds of noise and their levels: white first, then as they came."""
    return sorted({_case(row): None for row in rows}, key=lambda case: (case[0] != "white", case[0] in ("rician", "masked"), case))


def _unique(rows, name):
    return list(dict.fromkeys(row[name] for row in rows))


def _table(columns, rows):
    return ["| " + " | ".join(cells) + " |" for cells in (columns, ["---"] * len(columns), *rows)]


if __name__ == "__main__":
    sys.exit(main())
