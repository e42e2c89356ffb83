"""Your own denoiser: values far from the median of their column are clipped to a limit (Hampel 1974)."""

import numpy as np

from baselines.base import Denoiser, stack, unstack


class MedianClip(Denoiser):
    features_only, causal, sequential = True, True, False

    def __init__(self, width=3.0):
        self.width = width  # in standard deviations, estimated as 1.4826 times the median absolute deviation

    def fit(self, X, y=None, *, seed=0, problem=None):
        frame = stack(X, y)
        self.median = np.median(frame, axis=0)
        spread = 1.4826 * np.median(np.abs(frame - self.median), axis=0)
        self.reach = np.where(spread > 0, self.width * spread, np.inf)  # a column of mostly one value stays
        return self

    def denoise(self, X, y=None, *, causal=False):
        return unstack(np.clip(stack(X, y), self.median - self.reach, self.median + self.reach), y)
