"""The two controls of every table: the scores of doing nothing and of erasing everything."""

from __future__ import annotations

import numpy as np

from baselines.base import Array, Problem
from baselines.frame import FrameDenoiser


class Identity(FrameDenoiser):
    """Return the data as they are."""

    def _refine(self, frame: Array, causal: bool) -> tuple[Array, dict]:
        return frame, {}


class Constant(FrameDenoiser):
    """Replace every column by its mean over the fitted rows: it destroys all information.

    Scored against its own denoised target it is perfect, which is why it stands in the tables.
    """

    def _learn(self, frame: Array, seed: int, problem: Problem) -> None:
        self._mean = frame.mean(axis=0)

    def _refine(self, frame: Array, causal: bool) -> tuple[Array, dict]:
        return np.broadcast_to(self._mean, frame.shape).copy(), {}
