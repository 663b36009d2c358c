"""The filters a researcher would use otherwise, with one calling convention.

Each takes a noisy volume (x, y, z) or run (x, y, z, t) scaled to a maximum near 1 and the SD of its noise, float32; those that
take a run also a mask, outside of which they do nothing.
Install them with `pip install -r requirements-experiments.txt`; bm4d is for non-commercial use.
"""

import numpy as np


def smooth(data, fwhm):
    """Gaussian smoothing; `fwhm` in voxels."""
    from scipy.ndimage import gaussian_filter

    sigma = fwhm / np.sqrt(8 * np.log(2))
    return gaussian_filter(data, [sigma] * 3 + [0] * (data.ndim - 3))


def skimage_nlm(volume, sigma):
    """Non-local means of scikit-image."""
    from skimage.restoration import denoise_nl_means

    return denoise_nl_means(volume, patch_size=3, patch_distance=5, h=0.8 * sigma, sigma=sigma, fast_mode=True)


def skimage_tv(volume, sigma):
    """Total variation (Chambolle) of scikit-image, weight = σ."""
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(volume, weight=sigma)


def skimage_wavelet(volume, sigma):
    """Wavelet shrinkage (BayesShrink) of scikit-image."""
    from skimage.restoration import denoise_wavelet

    return denoise_wavelet(volume, sigma=sigma, method="BayesShrink", mode="soft")


def dipy_nlm(volume, sigma, rician=False):
    """Non-local means of DIPY, the classic method; `rician` for a magnitude image."""
    from dipy.denoise.nlmeans import nlmeans

    restored = nlmeans(volume.astype(np.float32), sigma=sigma, block_radius=5, rician=rician, method="classic")
    # It averages squares, whose mean is mean² + σ², and takes σ² off only where it is told that noise is Rician.
    return restored if rician else np.sqrt(np.maximum(restored**2 - sigma**2, 0))


def bm4d(volume, sigma):
    """BM4D, the yardstick; `sigma` is the SD of white noise, or the power of each frequency as `spectral_power` gives it."""
    from bm4d import bm4d as run

    # bm4d 4.2.5 calls what NumPy 2.4 no longer has under this name.
    if not hasattr(np, "trapz"):
        np.trapz = np.trapezoid
    return run(volume, sigma)


def spectral_power(spectrum, sigma):
    """Return the power of noise in the unit of BM4D, |fftn|²: `spectrum` has mean 1 for noise of SD `sigma`, ndarray (x, y, z)."""
    return spectrum.size * sigma**2 * spectrum


def dipy_mppca(run, sigma, mask):
    """Marchenko–Pastur PCA of DIPY, on a run; estimates the noise itself."""
    from dipy.denoise.localpca import mppca

    return mppca(run.astype(np.float32), mask=mask, patch_radius=2)


def patch_denoise(run, sigma, mask):
    """Optimal shrinkage of singular values (nuclear norm) of patch-denoise, on a run."""
    from patch_denoise.denoise import optimal_thresholding

    # With its default, half a patch inside the mask, voxels at the mask's edge that no patch covers come out as NaN. The Frobenius
    # norm is out of order in 1.4.4: √((…) / s) in place of √(…) / s enlarges every singular value.
    options = dict(patch_shape=(5, 5, 5), patch_overlap=(2, 2, 2), loss="nuc", noise_std=float(sigma), mask=mask, mask_threshold=0)
    restored = optimal_thresholding(run.astype(np.float32), **options)[0]
    return np.where(np.isfinite(restored), restored, run)


# name: (function, "σ given" or "blind", whether it takes the whole run)
BASELINES = {
    "scikit-image NLM": (skimage_nlm, "σ given", False),
    "scikit-image TV": (skimage_tv, "σ given", False),
    "scikit-image wavelet": (skimage_wavelet, "σ given", False),
    "DIPY NLM (classic)": (dipy_nlm, "σ given", False),
    "BM4D": (bm4d, "σ given", False),
    "DIPY mppca (run)": (dipy_mppca, "blind", True),
    "patch-denoise (run)": (patch_denoise, "σ given", True),
}
