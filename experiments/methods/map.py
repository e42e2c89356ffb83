"""DenoGrad's rule ``map`` behind the interface of every other denoiser, in three forms."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, Self, get_args

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from baselines.base import Array, Denoised, NotApplicable, Problem, is_target, levels_of, stack, unstack
from denograd import DenoGrad, NoiseLevelMissing, refine
from denograd.map import LEAST_SHARE, Solver, one_step
from experiments.methods.blind_spots import BlindSpots

Refine = Literal["both", "features", "target"]
Level = Literal["known", "auto", "common", "wavelet"]

TRAILING = (401, 100)
"""Steps over which a forecast's recent squared error is averaged."""


class _Levelled:
    """What the forms of the rule `map` share: a noise level, and what may move."""

    levels: tuple[str, ...] = get_args(Level)
    revision = 1

    def __init__(self, sigma: Level | float, refine: Refine) -> None:
        if refine not in get_args(Refine):
            raise ValueError(f"refine must be one of {', '.join(get_args(Refine))}, got {refine!r}")
        if sigma not in self.levels and not (isinstance(sigma, int | float) and sigma > 0):
            raise ValueError(f"sigma must be positive or one of {', '.join(self.levels)}, got {sigma!r}")
        self.sigma = sigma
        self.refine = refine
        self._problem = Problem()

    def skip(self, problem: Problem) -> str | None:
        """Without a noise level there is nothing to weigh the backbone against."""
        if self.sigma == "known" and not problem.is_noisy:
            return "no noise level: none was injected and none is given"
        if self.sigma == "wavelet" and problem.kind == "tabular":
            return "a noise level can be estimated from wavelets in a series only"
        return None

    def _level(self, columns: int, has_target: bool) -> Array | str:
        """Noise level of every column, 0 holding it; or how to estimate it."""
        if self.sigma == "known":
            level = levels_of(self._problem, columns, has_target)
        elif isinstance(self.sigma, str):
            return self.sigma
        else:
            level = np.full(columns, float(self.sigma))
        if self.refine != "both":
            level[is_target(self._problem.kind, columns, has_target) == (self.refine == "features")] = 0.0
        return level

    def _as_told(self, out: Denoised, X: Array, y: Array | None) -> Denoised:
        """Undo what was not to move, also where an estimated level could not hold it.

        The target of a series and its history, channel 0 of the features, are two things: a refined target goes
        beside features that stay as they are.
        """
        series = self._problem.kind == "series"
        if self.refine == "target":
            target = out.X[:, 0].copy() if series and out.y is None else out.y
            return Denoised(np.array(X, dtype=out.X.dtype), target, out.info)
        if self.refine == "features" and series:
            out.X[:, 0] = X[:, 0]
        if self.refine == "features" and y is not None:
            return Denoised(out.X, np.array(y, dtype=out.X.dtype), out.info)
        return out


@contextmanager
def _estimating() -> Iterator[None]:
    """Let an estimated level pass without a warning; one that cannot be estimated ends the cell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except NoiseLevelMissing as error:
            raise NotApplicable(str(error)) from error


class DenoGradMap(_Levelled):
    """The rule `map` with its blind-spot backbone, which it trains itself.

    Parameters
    ----------
    sigma : "known", "auto", "common", "wavelet" or float
        Noise level in standard deviations of a column; "known" takes the one that the harness injected, and
        the denoiser is skipped where there is none; the other names ask for an estimate (`denograd.refine`).
    refine : {"both", "features", "target"}
        What may move. Of a series, "features" are the channels but the target's, and "target" is the value to be
        predicted alone, not the target's history among the features.
    solver : {"auto", "lbfgs", "one_step"}
    max_epochs : int
        Iterations of L-BFGS.
    device : {"cpu", "cuda"}
        Where the backbone is trained and the rule is run.
    blind_spots : BlindSpots or None
        Where the forms of a run find the backbone that one of them has trained; None trains one.

    Attributes
    ----------
    shared_s : float
        Seconds that another form spent on this one's backbone: they are part of this one's cost.
    """

    revision = 4
    seeded_as = "denograd_map"  # all forms train the same backbone
    features_only = True
    causal = False
    sequential = False

    def __init__(
        self,
        sigma: Level | float = "known",
        refine: Refine = "both",
        solver: Solver = "auto",
        max_epochs: int = 40,
        device: str = "cpu",
        blind_spots: BlindSpots | None = None,
    ) -> None:
        super().__init__(sigma, refine)
        self.solver = solver
        self.max_epochs = max_epochs
        self.device = device
        self.blind_spots = blind_spots
        self.shared_s = 0.0

    def fit(self, X: Array, y: Array | None = None, *, seed: int = 0, problem: Problem = Problem()) -> Self:  # noqa: B008
        """Train the blind-spot backbone on the rows of `X` (and of `y`)."""
        frame = stack(X, y)
        self._problem = problem
        self._fitted_rows = frame
        trained = (self.blind_spots or BlindSpots()).trained(problem.kind, frame, seed, self.device)
        self._blind = trained.backbone
        self.shared_s = trained.seconds if trained.again else 0.0
        return self

    def denoise(self, X: Array, y: Array | None = None, *, causal: bool = False) -> Denoised:
        """Refine rows, the fitted ones with models that were not trained on them."""
        if causal:
            raise ValueError("a blind-spot backbone looks both ways: it has no causal pass")
        frame = stack(X, y)
        n = len(self._fitted_rows)
        again = len(frame) >= n and np.array_equal(frame[:n], self._fitted_rows)
        level = self._level(frame.shape[1], y is not None)
        with _estimating():
            found = refine(
                self._blind,
                frame,
                level,
                fitted_rows=n if again else 0,
                solver=self.solver,
                max_iter=self.max_epochs,
                verbose=True,
            )
        info = {
            "history": found.history,
            "iterations": found.iterations,
            "evaluations": found.evaluations,
            # A row that the backbone cannot explain hardly moves: not the displacement finds it but the residual.
            "score": found.score,
            "evidence": sorted(set(found.evidence)),
            "sigma_used": found.sigma.round(6).tolist()
            if len(found.sigma) <= 32
            else float(found.sigma.max()),
        }
        refined = found.values.astype(np.result_type(frame, np.float16), copy=False)
        return self._as_told(unstack(refined, y, info), X, y)


class DenoGradMapBackbone(_Levelled):
    """The rule `map` driven by the pipeline's backbone, as the published rules are.

    On a table the backbone predicts the target from the features, so features move only as far as they explain the
    target; on a series it forecasts every channel. Its residual on the rows that it was trained on is too small
    (`folds`).

    Parameters
    ----------
    sigma : "known", "auto", "common", "wavelet" or float
        As in `DenoGradMap`.
    refine : {"both", "features", "target"}
        What may move, as in `DenoGradMap`.
    solver : {"auto", "lbfgs", "one_step"}
    max_epochs : int
        Iterations of L-BFGS.
    folds : int or None
        Number of retrained, cross-fitted copies of the backbone, each to refine the part that it has not seen; None
        takes the backbone as it is.
    device : {"cpu", "cuda"}
        Where the rule is run.
    """

    revision = 4
    needs_backbone = True
    backbone_outputs = "all"
    features_only = False
    causal = False
    sequential = False

    def __init__(
        self,
        sigma: Level | float = "known",
        refine: Refine = "both",
        solver: Solver = "auto",
        max_epochs: int = 40,
        folds: int | None = None,
        device: str = "cpu",
    ) -> None:
        super().__init__(sigma, refine)
        self.device = device
        self.options: dict[str, Any] = {
            "solver": solver,
            "max_epochs": max_epochs if solver != "one_step" else None,
            "folds": 1 if folds is None else folds,
        }

    def fit(self, X: Array, y: Array | None = None, *, seed: int = 0, problem: Problem = Problem()) -> Self:  # noqa: B008
        """Take the trained backbone; the rule itself learns nothing."""
        if problem.backbone is None:
            raise ValueError("DenoGrad needs a trained backbone: problem.backbone is None")
        self._problem = problem
        self._backbone = problem.backbone("all")
        return self

    def denoise(self, X: Array, y: Array | None = None, *, causal: bool = False) -> Denoised:
        """Refine the rows of `X` and the target, which in a series is channel 0."""
        if causal:
            raise ValueError("the rule 'map' looks both ways: it has no causal pass")
        method = DenoGrad(self._backbone.module, torch.nn.MSELoss(), device=self.device)
        if self._problem.kind == "series":
            frame = stack(X, y)
            method.fit(
                frame, is_ts=True, window_size=self._problem.window, target_cols=list(range(frame.shape[1]))
            )
        else:
            if y is None:
                raise ValueError("the backbone of a table predicts the target, which is not there")
            frame = stack(X, y)
            method.fit(X, y)
        with _estimating():
            refined_X, refined_y, _, _ = method.transform(
                rule="map", sigma=self._level(frame.shape[1], has_target=True), **self.options
            )
        info = {"history": method.history_}
        if self._problem.kind == "series":
            return self._as_told(unstack(refined_X, y, info), X, y)
        return self._as_told(Denoised(refined_X, refined_y.reshape(len(X)), info), X, y)


class DenoGradMapForecast(_Levelled):
    """The rule `map` in closed form with a forecasting backbone: no value sees its own future.

    The backbone predicts every channel of a step from the window before it. With r forecast minus value, V the
    mean of r^2 on the validation part, V(t) the largest of V and the means of the last 401 and the last 100 r^2,
    and ``s^2 = max(V(t) - sigma^2, V(t) / 10)``, a value moves by
    ``clip(sigma^2 / (s^2 + sigma^2) r, +-1.345 sigma^2 / s)``. A drifting series makes a backbone worse with
    time, and a step does harm where the true V exceeds twice the assumed one: the mean over 401 steps alone
    reacts too late.

    Parameters
    ----------
    sigma : "known" or float
        Noise level in standard deviations of a column; "known" takes the one that the harness injected, and
        the denoiser is skipped where there is none.
    refine : {"both", "features", "target"}
        What may move, as in `DenoGradMap`.
    """

    levels = ("known",)
    needs_backbone = True
    backbone_outputs = "all"
    features_only = False
    causal = True
    sequential = True

    def __init__(self, sigma: Literal["known"] | float = "known", refine: Refine = "both") -> None:
        super().__init__(sigma, refine)

    def skip(self, problem: Problem) -> str | None:
        """A table has no past, and without a noise level there is nothing to weigh the forecast against."""
        if problem.kind == "tabular":
            return "a table has no past to forecast from"
        return super().skip(problem)

    def fit(self, X: Array, y: Array | None = None, *, seed: int = 0, problem: Problem = Problem()) -> Self:  # noqa: B008
        """Take the backbone that forecasts all channels, and its error on the validation part."""
        if problem.backbone is None:
            raise ValueError("a forecasting backbone is needed: problem.backbone is None")
        self._problem = problem
        self._backbone = problem.backbone("all")
        return self

    def denoise(self, X: Array, y: Array | None = None, *, causal: bool = False) -> Denoised:
        """Refine the steps of `X`; the first window has no forecast and stays."""
        X, window = stack(X, y), self._problem.window
        # A forecast of every step from the window before it.
        windows = sliding_window_view(X[:-1], window, axis=0).transpose(0, 2, 1)
        residual = self._backbone.predict(windows) - X[window:]
        # V(t): how far forecasts are off, now rather than when the backbone was trained.
        mse = np.broadcast_to(self._backbone.valid_mse, residual.shape)
        variance = np.maximum.reduce([mse, *(trailing_mean(residual**2, n) for n in TRAILING)])
        # Of that sigma^2 is noise, the rest the backbone's own error.
        sigma = np.minimum(self._level(X.shape[1], True), np.sqrt((1 - LEAST_SHARE) * variance))
        scale = np.sqrt(np.maximum(variance - sigma**2, LEAST_SHARE * variance))
        refined = X.copy()
        refined[window:] += np.where(
            scale > 0, one_step(residual, np.where(scale > 0, scale, 1.0), sigma), 0.0
        )
        return self._as_told(unstack(refined, y), X, y)


def trailing_mean(values: Array, steps: int, least: int = 100) -> Array:
    """Mean of the last `steps` rows, the row itself among them; 0 where there are fewer than `least` so far."""
    total = np.cumsum(values, axis=0, dtype=float)
    count = np.minimum(np.arange(1, len(values) + 1), steps)[:, None]
    total[steps:] -= total[:-steps].copy()
    return np.where(count >= least, total / count, 0.0)
