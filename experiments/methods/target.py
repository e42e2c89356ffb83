"""The blind-spot target behind the interface of every other denoiser: features stay, the training target changes."""

from __future__ import annotations

from typing import Self

import numpy as np

from baselines.base import Array, Denoised, Problem, stack
from denograd import BlindSpot


class DenoGradTarget:
    """Replace the training target of a series by its blind-spot prediction (`denograd.smooth_target`).

    All channels stay as observed, the target's history among them; so do the target's values in rows that were
    not fitted, such as those of the validation part. Needs no noise level. The gain is not closeness to the
    truth but a training target with less variance.

    Parameters
    ----------
    context : int
        Steps on both sides that the prediction sees.
    hidden : int
        Units of the blind-spot backbone's networks; 0 leaves its ridge alone.
    device : {"cpu", "cuda"}
        Where the backbone is trained and used.
    """

    features_only = False
    causal = True
    sequential = True
    revision = 1

    def __init__(self, context: int = 8, hidden: int = 32, device: str = "cpu") -> None:
        self.context = context
        self.hidden = hidden
        self.device = device

    def skip(self, problem: Problem) -> str | None:
        """A table's target has no neighbours in time."""
        if problem.kind == "tabular":
            return (
                "no column but the features tells of a table's target: that is a prediction, not a refinement"
            )
        return None

    def fit(self, X: Array, y: Array | None = None, *, seed: int = 0, problem: Problem = Problem()) -> Self:  # noqa: B008
        """Train the blind-spot backbone on the steps of `X`, channel 0 being the target."""
        if reason := self.skip(problem):
            raise ValueError(reason)
        self._fitted_rows = stack(X, y)
        backbone = BlindSpot(
            "series", context=self.context, hidden=self.hidden, verbose=True, device=self.device
        )
        self._blind = backbone.fit(self._fitted_rows, seed=seed)
        return self

    def denoise(self, X: Array, y: Array | None = None, *, causal: bool = False) -> Denoised:
        """Give the target of the fitted steps without what their neighbours do not confirm.

        The causal pass, for features that are to be predicted from, changes nothing. Of a series other than the
        fitted one, every step gets the mean prediction of all models.
        """
        if not hasattr(self, "_blind"):
            raise RuntimeError("fit the denoiser before it denoises")
        frame, n = stack(X, y), len(self._fitted_rows)
        if frame.shape[1] != self._fitted_rows.shape[1]:
            raise ValueError(
                f"X has {frame.shape[1]} columns, the fitted series had {self._fitted_rows.shape[1]}"
            )
        target = frame[:, 0].copy()
        if causal:
            return Denoised(frame, target)
        again = len(frame) >= n and np.array_equal(frame[:n], self._fitted_rows)
        end = n if again else len(frame)
        target[:end] = self._blind.predict(frame, fitted_rows=n if again else 0)[:end, 0]
        r2 = 1.0 - self._blind.mse_[0] / max(float(self._fitted_rows[:, 0].var()), np.finfo(float).tiny)
        return Denoised(frame, target, {"target_r2": round(float(r2), 6)})
