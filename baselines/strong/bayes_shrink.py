"""Wavelet shrinkage with a threshold for every scale, for a known noise level."""

from __future__ import annotations

import numpy as np

from baselines.base import Array
from baselines.strong.levelled import Levelled
from baselines.wavelet import soften


class BayesShrink(Levelled):
    """Soft-threshold every column's wavelet details at ``sigma^2 / s``, s^2 the signal's variance at that scale.

    Near the best threshold for details that follow a Laplace distribution. Where no signal is left at a scale, all
    of it goes.

    Parameters
    ----------
    wavelet : str
        A name that PyWavelets knows.

    References
    ----------
    S. G. Chang, B. Yu and M. Vetterli, Adaptive wavelet thresholding for image denoising and compression, IEEE
    Trans. Image Process. 9 (2000).
    """

    uses = ("pywt",)
    sequential = True

    def __init__(self, wavelet: str = "db4") -> None:
        super().__init__()
        self.wavelet = wavelet

    def _refine_noisy(self, frame: Array, level: Array) -> tuple[Array, dict]:
        import pywt

        n = len(frame)
        depth = max(pywt.dwt_max_level(n, self.wavelet) - 3, 0)  # the coarsest scales hold too few details
        if depth == 0:
            return frame, {"level": 0}
        approximation, *details = pywt.wavedec(frame.T, self.wavelet, mode="symmetric", level=depth)
        noise = level[:, None] ** 2
        details = [soften(d, threshold(d, noise)) for d in details]
        refined = pywt.waverec([approximation, *details], self.wavelet, mode="symmetric")
        return np.ascontiguousarray(refined[:, :n].T), {"level": depth}


def threshold(details: Array, noise: Array) -> Array:
    """``noise / s`` per row, with s^2 the mean square of the details minus `noise`; infinite where that is negative."""
    signal = (details**2).mean(axis=1, keepdims=True) - noise
    return np.where(signal > 0, noise / np.sqrt(np.where(signal > 0, signal, 1.0)), np.inf)
