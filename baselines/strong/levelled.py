"""Denoisers that are told the noise level."""

from __future__ import annotations

import numpy as np

from baselines.base import Array, Problem, levels_of
from baselines.frame import FrameDenoiser


class Levelled(FrameDenoiser):
    """A denoiser of frames that knows the noise level of every column, and holds those without noise.

    A subclass defines ``_learn_noisy(frame, level)`` where there is anything to learn, and
    ``_refine_noisy(frame, level) -> (frame, info)``; both see the columns with noise alone.
    """

    causal = False

    def __init__(self) -> None:
        super().__init__("sound")

    def skip(self, problem: Problem) -> str | None:
        """Without a noise level there is nothing to shrink by; a table has no order to smooth along."""
        if self.sequential and problem.kind == "tabular":
            return "the order of a table's rows means nothing"
        if not problem.is_noisy:
            return "no noise level: none was injected and none is given"
        return None

    def _learn(self, frame: Array, seed: int, problem: Problem) -> None:
        varies = np.ptp(frame, axis=0) > 0
        self._level = np.where(varies, levels_of(problem, frame.shape[1], self._has_target), 0.0)
        noisy = self._level > 0
        self._learn_noisy(frame[:, noisy], self._level[noisy])

    def _refine(self, frame: Array, causal: bool) -> tuple[Array, dict]:
        noisy = self._level > 0
        if not noisy.any():
            return frame, {}
        refined = frame.copy()
        refined[:, noisy], info = self._refine_noisy(frame[:, noisy], self._level[noisy])
        return refined, info

    def _learn_noisy(self, frame: Array, level: Array) -> None:
        """Nothing to learn, unless a subclass says otherwise."""

    def _refine_noisy(self, frame: Array, level: Array) -> tuple[Array, dict]:
        raise NotImplementedError
