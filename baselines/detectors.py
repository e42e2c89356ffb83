"""Baselines for detection: they score rows and leave the data as they are."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch

from baselines.base import Array, Denoised, Problem, Settings
from baselines.frame import FrameDenoiser


class IsolationForest(FrameDenoiser):
    """Suspect rows that random splits isolate early.

    Parameters
    ----------
    settings : {"paper", "sound"}
        The same: there is one form.
    trees : int

    References
    ----------
    F. T. Liu, K. M. Ting and Z.-H. Zhou, Isolation forest, ICDM 2008.
    """

    uses = ("sklearn",)

    def __init__(self, settings: Settings = "paper", trees: int = 100) -> None:
        super().__init__(settings)
        self.trees = trees

    def _learn(self, frame: Array, seed: int, problem: Problem) -> None:
        from sklearn.ensemble import IsolationForest as Forest

        self._forest = Forest(n_estimators=self.trees, random_state=seed).fit(frame)

    def _refine(self, frame: Array, causal: bool) -> tuple[Array, dict[str, Any]]:
        return frame, {"score": -self._forest.score_samples(frame)}


class Residual(FrameDenoiser):
    """Suspect rows whose target the backbone misses: score = |f(x) - y|.

    On a series the score of a step is the residual of the window that ends just before it; the first steps,
    which no window predicts, get the median. On a table the target is needed.

    Parameters
    ----------
    settings : {"paper", "sound"}
        The same: there is one form.
    """

    features_only = False
    needs_backbone = True

    def skip(self, problem: Problem) -> str | None:
        """The residual is a backbone's."""
        return "needs a trained backbone" if problem.backbone is None else None

    def fit(self, X: Array, y: Array | None = None, *, seed: int = 0, problem: Problem | None = None) -> Self:
        """Fetch the trained backbone; nothing is learnt from `X` and `y`.

        Raises
        ------
        ValueError
            If `problem` has no backbone or, on a table, there is no target.
        """
        problem = problem or Problem()
        if problem.backbone is None:
            raise ValueError("Residual needs problem.backbone, a callable that gives a trained backbone")
        if problem.kind == "tabular" and y is None:
            raise ValueError("Residual needs the target y of a table, got None")
        super().fit(X, y, seed=seed, problem=problem)
        self._module, self._kind, self._window = (
            problem.backbone("target").module,
            problem.kind,
            problem.window,
        )
        return self

    def denoise(self, X: Array, y: Array | None = None, *, causal: bool = False) -> Denoised:
        """Return the data as they are, with the score of every row in ``info``."""
        unchanged = super().denoise(X, y, causal=causal)
        if self._kind == "tabular":
            inputs, target, blind = unchanged.X, unchanged.y, 0
        else:
            windows = np.lib.stride_tricks.sliding_window_view(unchanged.X, self._window, axis=0)
            inputs, target, blind = windows[:-1].swapaxes(1, 2), unchanged.X[self._window :, 0], self._window
        self._module.eval()
        device = next(self._module.parameters()).device
        with torch.inference_mode():
            parts = [
                self._module(torch.tensor(inputs[start : start + 4096], dtype=torch.float32, device=device))
                for start in range(0, len(inputs), 4096)
            ]
        predicted = torch.cat(parts).cpu().numpy().reshape(len(inputs), -1)[:, 0]
        residual = np.abs(predicted - target)
        score = np.concatenate([np.full(blind, np.median(residual)), residual])
        return Denoised(unchanged.X, unchanged.y, {"score": score})

    def _refine(self, frame: Array, causal: bool) -> tuple[Array, dict[str, Any]]:
        return frame, {}
