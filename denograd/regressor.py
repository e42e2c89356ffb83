"""A regressor that refines its training data first; scikit-learn's conventions, without needing scikit-learn."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from denograd.data.arrays import Array, is_column, is_frame, read, with_gaps
from denograd.data.checks import check_count, check_positive, check_targets, not_fitted
from denograd.data.threads import one_thread
from denograd.data.time_index import check_labels
from denograd.estimator import DenoGrad
from denograd.models.training import split_rows, train_best
from denograd.regressor_base import RegressorBase
from denograd.rules.registry import RuleName

Factory = Callable[[int, int], nn.Module]

PATIENCE = 15

UNFIT = {
    "global": "it is for series; use rule='fixed' or 'gauss_newton', or refine a series with denograd.DenoGrad",
    "map": "it needs a noise level, and every column predicted; use rule='fixed' or 'gauss_newton', or refine "
    "features and target together beforehand with denograd.denoise(frame, sigma)",
}


def perceptron(inputs: int, targets: int) -> nn.Module:
    """Give the default backbone: a perceptron of 64 and 32 units."""
    return nn.Sequential(
        nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, targets)
    )


class DenoisedRegressor(RegressorBase):
    """Train a backbone on noisy data, refine the data with it, fit a regressor on the result.

    The inner regressor predicts, on features as observed. The estimator can be cloned, tuned and put into
    pipelines like any scikit-learn regressor; under cross-validation, each fold trains and refines with its
    own training rows only. Columns are standardised internally, so ``nrr`` and ``nr_threshold`` are in
    standard deviations.

    Parameters
    ----------
    regressor : object
        Any regressor with ``fit`` and ``predict``; a clone of it is fitted.
    backbone : callable, optional
        ``backbone(n_features, n_targets) -> Module``, an untrained model for standardised rows; by default a
        perceptron of 64 and 32 units.
    rule : {"fixed", "gauss_newton"}
        Update rule (`DenoGrad.transform`).
    nrr, nr_threshold, max_epochs : optional
        The rule's parameters; None takes its defaults.
    denoise_y : bool
        Whether the target is refined too.
    epochs : int
        Maximum number of training epochs of the backbone (Adam); the best by the error on a held-out tenth of the
        rows is kept, and the training ends after 15 epochs without an improvement.
    lr : float
        Learning rate of the training.
    batch_size : int
        Rows per step of the training.
    random_state : int or None
        Seed of the backbone's weights and of the order of the rows; None draws a new one for every fit.

    Attributes
    ----------
    regressor_ : object
        Fitted on the refined data.
    backbone_ : Module
        Trained on the noisy data (standardised).
    X_, y_ : arrays
        The refined training data in their original units.
    n_features_in_ : int

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = DenoisedRegressor(Ridge(), nrr=0.01, max_epochs=20).fit(X[:300], y[:300])
    >>> model.predict(X[300:]).shape
    (142,)
    """

    def __init__(
        self,
        regressor: Any,
        backbone: Factory | None = None,
        rule: RuleName = "fixed",
        nrr: float | None = None,
        nr_threshold: float | None = None,
        max_epochs: int | None = None,
        denoise_y: bool = True,
        epochs: int = 100,
        lr: float = 1e-3,
        batch_size: int = 128,
        random_state: int | None = 0,
    ):
        self.regressor = regressor
        self.backbone = backbone
        self.rule = rule
        self.nrr = nrr
        self.nr_threshold = nr_threshold
        self.max_epochs = max_epochs
        self.denoise_y = denoise_y
        self.epochs = epochs
        self.lr = lr
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(self, X: Any, y: Any, **fit_params: Any) -> Self:
        """Train the backbone, refine the data, fit a clone of the regressor.

        Parameters
        ----------
        X : (n, d) array or DataFrame
        y : (n,) or (n, k) array, Series or DataFrame
        **fit_params
            Further parameters of the regressor's own `fit`, such as ``sample_weight`` (the backbone does not see
            it). Where scikit-learn's metadata routing is enabled, those that the regressor requests.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If the regressor has no ``fit`` and ``predict``, or values are not numbers.
        ValueError
            For parameters out of range, an unsuitable rule, or data that cannot be refined.
        """
        if not all(callable(getattr(self.regressor, name, None)) for name in ("fit", "predict")):
            raise TypeError(
                f"regressor must have fit(X, y) and predict(X), such as Ridge(), got {self.regressor!r}"
            )
        check_count(epochs=self.epochs, batch_size=self.batch_size)
        check_positive(lr=self.lr)
        if self.rule in UNFIT:
            raise ValueError(f"rule={self.rule!r} does not serve here: {UNFIT[self.rule]}")
        inner = self._routed(fit_params)
        check_labels(X, y)
        values, wrap_X = read(_table(X), "X")
        target, wrap_y = read(_numbers(y, "y"), "y")
        check_targets(target, len(values))
        if len(values) < 2:
            raise ValueError("n_samples=1: one row teaches nothing, give at least 2")
        rows = np.ascontiguousarray(target.reshape(len(target), -1))
        X_mean, X_scale = _standard(values)
        y_mean, y_scale = _standard(rows)
        noisy_X, noisy_y = (values - X_mean) / X_scale, (rows - y_mean) / y_scale
        self.backbone_ = self._train(noisy_X, noisy_y)
        denoiser = DenoGrad(self.backbone_, nn.MSELoss()).fit(noisy_X, noisy_y)
        new_X, new_y, _, _ = denoiser.transform(
            self.nrr,
            self.nr_threshold,
            self.max_epochs,
            self.denoise_y,
            save_gradients=False,
            rule=self.rule,
            verbose=False,
        )
        self.history_ = denoiser.history_
        self.X_ = wrap_X(new_X * X_scale + X_mean)
        self.y_ = wrap_y((new_y * y_scale + y_mean).reshape(target.shape))
        self.n_features_in_ = values.shape[1]
        if is_frame(X):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.regressor_ = _clone(self.regressor).fit(self.X_, self.y_, **inner)
        return self

    def predict(self, X: Any) -> Any:
        """Predict for features as observed, shape ``(n,)`` or ``(n, k)``."""
        if not hasattr(self, "regressor_"):
            raise not_fitted(f"this {type(self).__name__}", "call fit(X, y) before predict()")
        return self.regressor_.predict(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Coefficient of determination R^2, averaged over targets."""
        truth = np.asarray(y, dtype=float).reshape(len(y), -1)
        guess = np.asarray(self.predict(X), dtype=float).reshape(truth.shape)
        weight = np.ones(len(truth)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
        left = weight @ (truth - guess) ** 2
        spread = weight @ (truth - np.average(truth, axis=0, weights=weight)) ** 2
        return float(np.mean(1 - left / spread))

    def get_metadata_routing(self) -> Any:
        """Tell scikit-learn that the parameters of `fit` are passed on to the regressor."""
        from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

        router = MetadataRouter(owner=self)
        if not hasattr(self.regressor, "get_metadata_routing"):
            return router
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return router.add(regressor=self.regressor, method_mapping=mapping)

    def _routed(self, fit_params: dict[str, Any]) -> dict[str, Any]:
        """Parameters of the regressor's own `fit`."""
        if not (fit_params and "sklearn" in sys.modules):
            return fit_params
        import sklearn
        from sklearn.utils.metadata_routing import process_routing

        if not sklearn.get_config()["enable_metadata_routing"]:
            return fit_params
        return dict(process_routing(self, "fit", **fit_params).regressor.fit)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "regressor_")

    @one_thread()
    def _train(self, X: Array, y: Array) -> nn.Module:
        """Train a fresh backbone with early stopping; the global random state stays as it is."""
        seed = self.random_state
        if seed is None:
            seed = int(np.random.default_rng().integers(2**31))
        rng = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = (self.backbone or perceptron)(X.shape[1], y.shape[1])
            order = torch.as_tensor(rng.permutation(len(X)))
            inputs, goals = torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
            valid, seen = order[: max(1, len(X) // 10)], order[max(1, len(X) // 10) :]

            def batches() -> list[Tensor]:
                return split_rows(seen[torch.as_tensor(rng.permutation(len(seen)))], self.batch_size)

            def loss(rows: Tensor) -> Tensor:
                return nn.functional.mse_loss(model(inputs[rows]).view_as(goals[rows]), goals[rows])

            train_best(
                model,
                batches,
                loss,
                lambda: loss(valid).item(),
                epochs=self.epochs,
                patience=PATIENCE,
                lr=self.lr,
            )
        return model.eval()


def _table(X: Any) -> Any:
    """Numbers of any type as floats, in rows and columns."""
    X = _numbers(X, "X")
    shape = X.shape
    if len(shape) != 2:
        raise ValueError(
            f"Expected 2D array, got {len(shape)}D array instead, of shape {shape}: X has rows and columns"
        )
    if shape[1] == 0:
        raise ValueError(f"0 feature(s) (shape={shape}) while a minimum of 1 is required.")
    return X


def _numbers(data: Any, name: str) -> Any:
    """Let numbers of any type in, as scikit-learn does (and in its words, where it has some)."""
    if data is None:
        raise ValueError(f"This estimator requires {name} to be passed, but the target {name} is None")
    if hasattr(data, "tocsr"):
        raise TypeError(f"{name} is sparse, and sparse input is not supported: hand over {name}.toarray()")
    if is_frame(data) or is_column(data):
        kinds = data.dtypes if is_frame(data) else [data.dtype]
        return data.astype(float) if all(getattr(t, "kind", "O") in "iubf" for t in kinds) else data
    values = np.asarray(with_gaps(data))
    if values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} has values of type {values.dtype}")
    return values.astype(float) if values.dtype.kind in "iubO" else values


def _standard(values: Array) -> tuple[Array, Array]:
    """Mean and standard deviation per column; a constant column is only centred."""
    scale = values.std(0)
    return values.mean(0), np.where(scale > 0, scale, 1.0)


def _clone(regressor: Any) -> Any:
    if hasattr(regressor, "get_params"):
        from sklearn.base import clone

        return clone(regressor)
    return copy.deepcopy(regressor)
