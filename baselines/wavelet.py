"""Wavelet shrinkage with the universal threshold."""

from __future__ import annotations

import numpy as np

from baselines.base import Array, Settings
from baselines.frame import FrameDenoiser


class Wavelet(FrameDenoiser):
    """Soft-threshold the wavelet coefficients of each column (VisuShrink).

    Assumes that the clean series is smooth between a few jumps and the noise is white and of one level:
    sigma = MAD(finest details) / 0.6745, threshold sigma sqrt(2 log n). `paper` also shrinks the coarse
    approximation and pads with straight lines (`smooth`); `sound` shrinks details only and pads by
    mirroring, both ways. Maximal level in both.

    Parameters
    ----------
    settings : {"paper", "sound"}
    wavelet : str
        A name that PyWavelets knows.

    References
    ----------
    D. L. Donoho and I. M. Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 81 (1994).
    """

    uses = ("pywt",)
    causal = False
    sequential = True

    def __init__(self, settings: Settings = "paper", wavelet: str = "db4") -> None:
        super().__init__(settings)
        self.wavelet = wavelet

    def _refine(self, frame: Array, causal: bool) -> tuple[Array, dict]:
        import pywt

        n = len(frame)
        level = pywt.dwt_max_level(n, self.wavelet)
        if level == 0:
            return frame, {"level": 0}
        mode = "symmetric" if self.sound else "smooth"
        columns = np.ascontiguousarray(frame.T)
        approximation, *details = pywt.wavedec(columns, self.wavelet, mode=mode, level=level)
        sigma = np.median(np.abs(details[-1]), axis=1, keepdims=True) / 0.6745
        threshold = sigma * np.sqrt(2 * np.log(n))
        details = [soften(coefficients, threshold) for coefficients in details]
        if not self.sound:
            approximation = soften(approximation, threshold)
        refined = pywt.waverec([approximation, *details], self.wavelet, mode=mode)
        return np.ascontiguousarray(refined[:, :n].T), {"level": level}


def soften(coefficients: Array, threshold: Array) -> Array:
    """Soft threshold; unlike PyWavelets', 0 where both are 0."""
    return np.sign(coefficients) * np.maximum(np.abs(coefficients) - threshold, 0)
