"""A denoiser of one's own: what lies far from the median of its column is pulled back to the edge."""

import numpy as np

from baselines.base import Denoised


class MedianClip:
    """Clip every column to its median plus or minus `width` robust standard deviations (Hampel 1974).

    Parameters
    ----------
    width : float
        In standard deviations, estimated as 1.4826 times the median absolute deviation from the median.
    """

    features_only = True  # can be fitted and applied without a target
    causal = True  # with causal=True it uses no later row: it uses no other row at all
    sequential = False  # does not run along the order of the rows

    def __init__(self, width=3.0):
        self.width = width

    def skip(self, problem):
        return None  # runs on every problem; else the reason why not

    def fit(self, X, y=None, *, seed=0, problem=None):
        self.low, self.high = self._edges(X)
        if y is not None:
            self.y_low, self.y_high = self._edges(y[:, None])
        return self

    def denoise(self, X, y=None, *, causal=False):
        frame = np.clip(X, self.low, self.high)
        target = None if y is None else np.clip(y, self.y_low, self.y_high)
        return Denoised(frame, target, info={"clipped": float((frame != X).mean())})

    def _edges(self, frame):
        median = np.median(frame, axis=0)
        spread = 1.4826 * np.median(np.abs(frame - median), axis=0)
        half = np.where(spread > 0, self.width * spread, np.inf)  # a column that is mostly one value stays
        return median - half, median + half
