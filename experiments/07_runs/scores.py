"""Scores of a denoiser of runs: what it keeps of known activations, what it adds, and what it makes of noise."""

import numpy as np
from scipy import ndimage

# A null voxel is found once in a thousand.
_FALSE_POSITIVES = 0.999


def design_matrix(courses):
    """Return the regressors of a GLM: the courses without their means, a constant, and slow cosines; shape (t, regressors)."""
    courses = np.asarray(courses).T
    n_frames = len(courses)
    drifts = np.stack([np.cos(np.pi * k * (np.arange(n_frames) + 0.5) / n_frames) for k in range(1 + max(1, n_frames // 60))], axis=1)
    return np.hstack([courses - courses.mean(axis=0), drifts])


def fit(data, design):
    """Fit a GLM by least squares.

    Parameters
    ----------
    data : ndarray, shape (voxels, t)
    design : ndarray, shape (t, regressors)

    Returns
    -------
    ndarray of float64, shape (regressors, voxels)
    """
    return np.linalg.pinv(design) @ np.asarray(data, np.float64).T


def prewhitened_t(data, design, column):
    """Return t of one regressor after AR(1) prewhitening with each voxel's own coefficient: ndarray, shape (voxels,)."""
    data = np.asarray(data, np.float64)
    residual = data - (design @ fit(data, design)).T
    rho = (residual[:, 1:] * residual[:, :-1]).sum(1) / np.maximum((residual**2).sum(1), 1e-30)
    bins, result = np.clip(np.round(rho / 0.02).astype(int), -45, 47), np.zeros(len(data))
    for value in np.unique(bins):
        chosen, r = bins == value, value * 0.02
        x, y = design[1:] - r * design[:-1], data[chosen, 1:] - r * data[chosen, :-1]
        beta = np.linalg.pinv(x) @ y.T
        variance = ((y.T - x @ beta) ** 2).sum(0) / (len(x) - x.shape[1])
        scale = np.linalg.inv(x.T @ x)[column, column]
        result[chosen] = beta[column] / np.sqrt(np.maximum(variance * scale, 1e-30))
    return result


class Scorer:
    """Scores runs against a known truth.

    Parameters
    ----------
    truth : ndarray of float32, shape (x, y, z, t)
        A run with activations, its intensities scaled to a peak of 1.
    mask : ndarray of bool, shape (x, y, z)
    places : list of Place
    """

    def __init__(self, truth, mask, places):
        self.truth, self.mask, self.places = truth, mask, places
        self.mean = truth.mean(axis=3)
        # Without their part of the truth's mean, only places far from every other one tell what nothing looks like.
        active = np.zeros_like(mask)
        for place in places:
            active[place.box] |= place.profile > 0
        self.null = ndimage.binary_erosion(mask) & ~ndimage.binary_dilation(active, iterations=4)
        shared = {place.design: place.course for place in places if place.design != "own"}
        self.designs = list(shared)
        self.design = design_matrix([shared[name] for name in self.designs])
        self.true_maps = self._maps(truth)

    def _maps(self, run):
        """Return amplitude maps in % of the mean, by design: ndarray of float64, shape (x, y, z)."""
        maps = {}
        beta = fit(run[self.mask], self.design)[: len(self.designs)] / self.mean[self.mask] * 100
        for name, values in zip(self.designs, beta):
            maps[name] = np.zeros(self.mask.shape)
            maps[name][self.mask] = values
        return maps

    def __call__(self, run):
        """Return the scores of one denoised run: dict of str to float; see the README beside this file for the columns."""
        maps = self._maps(run)
        row = self._errors(run)
        for name in self.designs:
            row.update({f"{key}_{name}": value for key, value in self._of_design(name, maps[name]).items()})
            row.update({f"{key}_{name}": value for key, value in self._t(run, name).items()})
        row["kept_own"] = self._kept_own(run)
        row.update(self._smoothness(run))
        return row

    def _errors(self, run):
        error = (run - self.truth)[self.mask].astype(np.float64)
        return {"psnr": -10 * np.log10((error**2).mean() + 1e-12), "mean_psnr": -10 * np.log10((error.mean(1) ** 2).mean() + 1e-12)}

    def _of_design(self, name, found):
        true, null = self.true_maps[name], found[self.null]
        row = {"null_sd": null.std()}
        threshold = np.quantile(null, _FALSE_POSITIVES)
        groups = {f"r{radius}": lambda p, r=radius: p.shape == "sphere" and p.radius == r for radius in (1, 2, 3)}
        groups |= {"sheets": lambda p: p.shape == "sheet", "all": lambda p: True}
        for group, belongs in groups.items():
            chosen = [p for p in self.places if p.design == name and belongs(p)]
            if not chosen:
                continue
            out, aim, ideal = (
                np.concatenate([m[p.box][p.profile > p.profile.max() / 2] for p in chosen]) for m in (found, true, self._ideal(chosen))
            )
            row[f"kept_{group}"] = (out * ideal).sum() / (aim * ideal).sum()
            row[f"found_{group}"] = (out > threshold).mean()
            if group == "all":
                row["rmse"] = np.sqrt(((out - aim) ** 2).mean())
                row["area"] = _area(out, null)
        row["spread_1"], row["spread_2_3"] = self._spread(name, found - true)
        return row

    def _ideal(self, places):
        ideal = np.zeros(self.mask.shape)
        for place in places:
            ideal[place.box] += 100 * place.profile
        return ideal

    def _spread(self, name, excess):
        """Return the amplitude added in the shells around spheres, relative to the amplitude inside."""
        near, far, inside = [], [], []
        for place in self.places:
            if place.design != name or place.shape != "sphere":
                continue
            body = np.zeros_like(self.mask)
            body[place.box] = place.profile > 0
            one, three = ndimage.binary_dilation(body), ndimage.binary_dilation(body, iterations=3)
            near.append(excess[one & ~body & self.mask])
            far.append(excess[three & ~one & self.mask])
            inside.append(np.full(len(near[-1]), 100 * place.profile.max()))
        total = np.concatenate(inside).mean()
        return np.concatenate(near).mean() / total, np.concatenate(far).mean() / total

    def _t(self, run, name):
        column = self.designs.index(name)
        active = np.zeros_like(self.mask)
        for place in self.places:
            if place.design == name:
                active[place.box] |= place.profile > place.profile.max() / 2
        return {
            "t": float(np.median(prewhitened_t(run[active], self.design, column))),
            "t_null_sd": float(prewhitened_t(run[self.null], self.design, column).std()),
        }

    def _kept_own(self, run):
        """Return the share of amplitude kept where each place has a time course of its own."""
        out, aim = 0.0, 0.0
        for place in self.places:
            if place.design == "own":
                design = design_matrix([place.course, *(self.design[:, k] for k in range(len(self.designs)))])
                chosen = place.profile > place.profile.max() / 2
                weight = 100 * place.profile[chosen] / self.mean[place.box][chosen]
                out += (fit(run[place.box][chosen], design)[0] * weight).sum()
                aim += (fit(self.truth[place.box][chosen], design)[0] * weight).sum()
        return out / aim if aim else np.nan

    def _smoothness(self, run):
        differences = np.diff(run, axis=3)
        inner, widths = ndimage.binary_erosion(self.mask), []
        for axis in range(3):
            n = run.shape[axis]
            a, b = (np.take(differences, range(k, n - 1 + k), axis) for k in (0, 1))
            both = np.take(inner, range(n - 1), axis) & np.take(inner, range(1, n), axis)
            r = float((a[both] * b[both]).sum() / np.sqrt((a[both] ** 2).sum() * (b[both] ** 2).sum()))
            # Lag-1 correlation of white noise smoothed by a Gaussian of SD s: exp(-1 / (4 s²)).
            widths.append(2.3548 * np.sqrt(-1 / (4 * np.log(r))) if r > 0.01 else 0.0)
        residual = run[self.null] - (self.design @ fit(run[self.null], self.design)).T
        lag = (residual[:, 1:] * residual[:, :-1]).sum() / (residual**2).sum()
        return {
            "fwhm": float(np.mean(widths)),
            "lag_1_in_time": float(lag),
            "tsnr": float(np.median(run[self.null].mean(1) / residual.std(1))),
        }


def _area(active, null):
    """Return the area under the ROC curve."""
    order = np.argsort(np.concatenate([active, null]), kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    return (ranks[: len(active)].sum() - len(active) * (len(active) + 1) / 2) / (len(active) * len(null))
