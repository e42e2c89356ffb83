"""Downstream regressors that need more than a scikit-learn class or a network.

A regressor here is any scikit-learn regressor; the networks are in `experiments.models.estimators`. Attributes
that the pipeline reads: ``input`` ("flat" or "windows"), ``uses_validation``, and ``skip()``, which gives the
reason why it cannot run here, or None.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y

TABPFN_WEIGHTS = "tabpfn-v2-regressor.ckpt"

REPEATING = {
    "Ridge": {"alpha"},
    "KNeighborsRegressor": {"n_neighbors"},
    "XGBRegressor": {"n_estimators", "max_depth", "learning_rate"},
}
"""Classes that, trained on one single value of the target, predict that value whatever the features, and the parameters
that do not change this. Networks come near it and TabPFN need not: their errors, 1e-12 to 1e-3, are results."""


def repeats_a_constant(estimator: Any) -> bool:
    """Whether it is known without a fit what `estimator` learns from a target of one single value: to predict it.

    Of Ridge the centred target is 0, and so is every weight; of k nearest neighbours every mean is the value; of
    XGBoost, which starts from the mean, no gradient is left. To the rounding of the library (XGBoost: float32).

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> repeats_a_constant(Ridge(alpha=2.0)), repeats_a_constant(Ridge(fit_intercept=False))
    (True, False)
    """
    cls = type(estimator)
    if cls.__name__ not in REPEATING or cls.__module__.partition(".")[0] not in ("sklearn", "xgboost"):
        return False
    harmless = REPEATING[cls.__name__] | {"random_state", "n_jobs", "device"}
    usual, params = cls().get_params(), estimator.get_params()
    return all(repr(params[name]) == repr(usual[name]) for name in params.keys() - harmless)  # NaN among them


class TabPFN(RegressorMixin, BaseEstimator):
    """TabPFN version 2 (Hollmann et al. 2025, Nature 637), a transformer that regresses in context.

    Needs the extra ``tabpfn`` and the weights of version 2, which no package includes; see `skip`.
    Similar packages, as of 2026, download theirs as well: TabICL, TabDPT, Mitra (in AutoGluon), PredictLM,
    Causilo, Synthefy Tabular, TabForge and TabTune.

    Parameters
    ----------
    n_estimators : int
        Members of the ensemble.
    max_rows : int
        Training rows beyond this number are left out, by a seeded draw.
    model_path : str or None
        File of the weights; None looks into the package's own cache folder.
    device : {"auto", "cpu", "cuda"}
    random_state : int
        Seed of the draw and of the ensemble.
    """

    uses: ClassVar[tuple[str, ...]] = ("tabpfn",)
    input: ClassVar[Literal["flat", "windows"]] = "flat"
    uses_validation: ClassVar[bool] = False
    revision: ClassVar[int] = 1

    def __init__(
        self,
        n_estimators: int = 1,
        max_rows: int = 3000,
        model_path: str | None = None,
        device: str = "auto",
        random_state: int = 0,
    ):
        self.n_estimators = n_estimators
        self.max_rows = max_rows
        self.model_path = model_path
        self.device = device
        self.random_state = random_state

    def skip(self) -> str | None:
        """Say what is missing and how to get it, or None; asks the file system alone, never the network."""
        if importlib.util.find_spec("tabpfn") is None:
            return "the package tabpfn is not installed: pip install 'denograd-harness[tabpfn]'"
        if not self._weights.is_file():
            shown = str(self._weights).replace(str(Path.home()), "~", 1)  # reasons are kept in shared results
            return (
                f"no TabPFN weights at {shown}: download {TABPFN_WEIGHTS} (43 MB, free) from "
                "https://huggingface.co/Prior-Labs/TabPFN-v2-reg and put it there, or name its folder in "
                "TABPFN_MODEL_CACHE_DIR"
            )
        return None

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Take in at most `max_rows` rows ``(n, d)`` and their targets ``(n,)``.

        Raises
        ------
        RuntimeError
            If package or weights are missing (see `skip`).
        """
        if reason := self.skip():
            raise RuntimeError(reason)
        from tabpfn import TabPFNRegressor

        rows, target = check_X_y(X, y, dtype=np.float64, y_numeric=True)
        if len(rows) > self.max_rows:
            draw = np.random.default_rng(self.random_state).choice(len(rows), self.max_rows, replace=False)
            rows, target = rows[np.sort(draw)], target[np.sort(draw)]
        self.n_features_in_ = rows.shape[1]
        self.model_ = TabPFNRegressor(
            n_estimators=self.n_estimators,
            model_path=str(self._weights),
            device=self.device,
            ignore_pretraining_limits=True,  # else 1,000 rows are too many on a CPU
            random_state=self.random_state,
        ).fit(rows, target)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predict ``(n,)`` values for the rows ``(n, d)``."""
        check_is_fitted(self, "model_")
        return np.asarray(self.model_.predict(check_array(X, dtype=np.float64)), dtype=np.float64)

    @property
    def _weights(self) -> Path:
        if self.model_path is not None:
            return Path(self.model_path)
        os.environ.setdefault("TABPFN_DISABLE_TELEMETRY", "1")
        from tabpfn.model_loading import get_cache_dir

        return get_cache_dir() / TABPFN_WEIGHTS


class ARIMA(RegressorMixin, BaseEstimator):
    """Seasonal ARIMA of the target alone: the whole horizon is forecast at once, from the end of training.

    The inputs are ignored; only their number of rows counts. Rows must follow each other in time: those of
    `predict` come right after the validation part, or after the training part where there was none.

    Parameters
    ----------
    order : (p, d, q)
    seasonal_order : (P, D, Q, s)
    max_steps : int
        Only so many steps at the end of the training part are used.
    """

    uses: ClassVar[tuple[str, ...]] = ("statsmodels",)
    input: ClassVar[Literal["flat", "windows"]] = "windows"  # ignored, and so need not be flattened
    uses_validation: ClassVar[bool] = True
    revision: ClassVar[int] = 1

    def __init__(
        self,
        order: Sequence[int] = (7, 0, 0),
        seasonal_order: Sequence[int] = (0, 0, 1, 30),
        max_steps: int = 1000,
    ):
        self.order = order
        self.seasonal_order = seasonal_order
        self.max_steps = max_steps

    def fit(self, X: ArrayLike, y: ArrayLike, validation: tuple[ArrayLike, ArrayLike] | None = None) -> Self:
        """Estimate by maximum likelihood.

        Parameters
        ----------
        X : ignored
        y : (n,) array
        validation : (X, y) or None
            Only its length is used: the forecast has to bridge it.

        Raises
        ------
        ValueError
            If `y` is shorter than the lags of the model, or not finite.
        """
        from statsmodels.tsa.arima.model import ARIMA as Model

        series = check_array(y, ensure_2d=False)[-self.max_steps :]
        (p, d, q), (P, D, Q, s) = self.order, self.seasonal_order
        least = max(p + s * P, q + s * Q) + d + s * D + 2
        if len(series) < least:
            model = f"ARIMA{tuple(self.order)}{tuple(self.seasonal_order)}"
            raise ValueError(f"{model} needs at least {least} time steps to train on, got {len(series)}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # start values; whether it converged is kept in converged_
            found = Model(series, order=(p, d, q), seasonal_order=(P, D, Q, s)).fit()
        self.converged_ = bool(found.mle_retvals["converged"])
        self.model_ = found
        self.gap_ = 0 if validation is None else len(np.asarray(validation[1]))
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Forecast as many steps ``(n,)`` as `X` has rows."""
        check_is_fitted(self, "model_")
        horizon = self.gap_ + len(np.asarray(X))
        return np.asarray(self.model_.forecast(horizon)[self.gap_ :], dtype=np.float64)
