"""Regressors of the benchmark that learn from a refined target, as far as their own cross-validation supports it.

Features stay as observed, in training and prediction. The versions of the target are, for a series, its blind-spot
prediction (`denograd.smooth_target`) and that of a ridge; for a table, that of a ridge and light trees
(`denograd.ChosenTarget`). Everything is computed from the training part; the validation part is the future of its last
steps and serves early stopping, with its targets as observed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.utils.validation import check_is_fitted
from xgboost import XGBRegressor

from denograd import ChosenTarget, smooth_target
from experiments.base.resources import torch_device
from experiments.models.estimators import DNN, DLinearRegressor

CONTEXT = 8
"""Steps on both sides that a blind-spot prediction sees: what a fold must keep away from its judge, with the window."""


class ChosenRegressor(RegressorMixin, BaseEstimator):
    """A regressor behind `denograd.ChosenTarget`; subclasses say which.

    Parameters
    ----------
    regressor : mapping or None
        Parameters of the regressor.
    epochs : int or None
        Of a network.
    folds, se, mix
        Of the choice, see `denograd.ChosenTarget`.
    device : {"auto", "cpu", "cuda"}
    threads : int
        CPU threads of one fit.
    random_state : int

    Attributes
    ----------
    chosen_ : ChosenTarget
        With its weights, gain and report.
    smoothed_ : (n,) array or None
        Of windows, the blind-spot prediction of the target.
    info_ : dict
        What is kept with the result: ``target_weights`` by version, ``target_gain``.
    """

    regressor_class: ClassVar[type]
    seeded_as: ClassVar[str]
    """The plain regressor: with its seed, so that a difference between the two is no luck of the draw."""
    input: ClassVar[Literal["flat", "windows"]] = "windows"
    uses_validation: ClassVar[bool] = True
    revision: ClassVar[int] = 3
    uses: ClassVar[tuple[str, ...]] = ("sklearn",)

    def __init__(
        self,
        regressor: Mapping[str, Any] | None = None,
        epochs: int | None = None,
        folds: int = 4,
        se: float | None = None,
        mix: Literal["auto", "labels", "predictions"] = "auto",
        device: str = "auto",
        threads: int = 1,
        random_state: int = 0,
    ):
        self.regressor = regressor
        self.epochs = epochs
        self.folds = folds
        self.se = se
        self.mix = mix
        self.device = device
        self.threads = threads
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, validation: tuple[ArrayLike, ArrayLike] | None = None) -> Self:
        """Choose the target and learn from it.

        Parameters
        ----------
        X : (n, d) array, or (n, W, C) array of consecutive windows
            Of windows, channel 0 is the target's history.
        y : (n,) array
        validation : (X, y) or None
        """
        X, y = np.asarray(X), np.asarray(y, dtype=float)
        series = X.ndim == 3
        self.smoothed_ = None
        if series:
            later = None if validation is None else np.asarray(validation[0])
            place = torch_device(self.device)
            self.smoothed_ = smoothed_windows_target(X, y, later, seed=self.random_state, device=place)
        inner = self.plain()
        extra = {}
        if validation is not None and getattr(inner, "uses_validation", False):
            extra["validation"] = (self.shaped(validation[0]), validation[1])
        self.chosen_ = ChosenTarget(
            inner,
            ordered=series,
            gap=X.shape[1] + CONTEXT if series else 0,
            folds=self.folds,
            se=self.se,
            mix=self.mix,
            verbose=True,
        ).fit(self.shaped(X), y, versions=self.smoothed_, **extra)
        names = [name.replace("version 1", "smoothed") for name in self.chosen_.names_]
        weights = self.chosen_.weights_.round(6).tolist()
        self.info_ = {
            "target_weights": dict(zip(names, weights, strict=True)),
            "target_gain": round(self.chosen_.gain_, 6),
        }
        self.n_features_in_ = X.shape[-1]
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predict ``(n,)`` values for rows or windows as observed."""
        check_is_fitted(self, "chosen_")
        return np.asarray(self.chosen_.predict(self.shaped(X)), dtype=np.float64)

    def plain(self) -> Any:
        """Build the plain regressor, with the seed, threads and device that it takes."""
        known = self.regressor_class().get_params()
        run = {"random_state": self.random_state, "device": self.device, "threads": self.threads}
        params = dict(self.regressor or {})
        if self.epochs is not None:
            params["epochs"] = self.epochs
        if "n_jobs" in params and params["n_jobs"] is None:
            params["n_jobs"] = self.threads
        ours = self.regressor_class.__module__.startswith("experiments.")
        own = {k: v for k, v in run.items() if k in known and (ours or k == "random_state")}
        return self.regressor_class(**{**own, **params})

    def shaped(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """Give `X` as the plain regressor takes it: windows as they are or flattened."""
        X = np.asarray(X)
        flat = getattr(self.regressor_class, "input", "flat") == "flat"
        return X.reshape(len(X), -1) if flat and X.ndim == 3 else X


class ChosenRidge(ChosenRegressor):
    """Ridge on the target that pays for it."""

    regressor_class, seeded_as = Ridge, "ridge"


class ChosenKNN(ChosenRegressor):
    """K nearest neighbours on the target that pays for it."""

    regressor_class, seeded_as = KNeighborsRegressor, "knn"


class ChosenXGBoost(ChosenRegressor):
    """XGBoost on the target that pays for it."""

    regressor_class, seeded_as = XGBRegressor, "xgboost"
    uses = ("sklearn", "xgboost")


class ChosenDNN(ChosenRegressor):
    """The multi-layer perceptron on the target that pays for it."""

    regressor_class, seeded_as = DNN, "dnn"


class ChosenDLinear(ChosenRegressor):
    """DLinear on the target that pays for it."""

    regressor_class, seeded_as = DLinearRegressor, "dlinear"


def smoothed_windows_target(
    X: NDArray[np.floating[Any]],
    y: NDArray[np.floating[Any]],
    later: NDArray[np.floating[Any]] | None = None,
    *,
    seed: int,
    device: str = "cpu",
) -> NDArray[np.floating[Any]]:
    """Smooth the target of consecutive windows, whose steps are the series.

    Parameters
    ----------
    X : (n, W, C) array
        Channel 0 of the step behind window i is that of the target.
    y : (n,) array
        The target as it is to be learnt: it stands in that channel where a denoiser has refined it apart from its
        history.
    later : (m, W, C) array or None
        The windows that follow: their steps are the future of the last targets, nothing is learnt from them.
        Without them the last target, whose other channels no window shows, stays as it is.
    seed : int
    device : str
        Where the blind-spot backbone is trained.

    Returns
    -------
    (n,) array

    Raises
    ------
    ValueError
        If the windows do not follow each other by one step.
    """
    n, window, _ = X.shape
    steps = np.concatenate([X[0], X[1:, -1]])
    if n > 1 and not (X[1:, :-1] == X[:-1, 1:]).all():
        raise ValueError("the windows do not follow each other by one step: they are no series to smooth")
    end = len(steps)
    if later is not None and len(later) and (later[0, :-1] == steps[end - window + 1 :]).all():
        steps = np.concatenate([steps, later[:, -1]])
        end += 1
    steps[window:end, 0] = y[: end - window]
    found = smooth_target(steps, 0, valid_from=end, seed=seed, device=device).values[window:end]
    return np.concatenate([found, y[len(found) :]])
