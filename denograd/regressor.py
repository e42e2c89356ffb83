"""A regressor that refines its training data first; scikit-learn's conventions, without needing scikit-learn."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from denograd.data.arrays import Array, is_column, is_frame, read
from denograd.data.checks import check_count, check_positive, check_targets
from denograd.estimator import DenoGrad
from denograd.models.training import split_rows, train_best
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


class DenoisedRegressor:
    """Train a backbone on noisy data, refine the data with it, fit a regressor on the result.

    Prediction is the inner regressor's, on features as they come. The whole is cloned, searched and put into
    pipelines like any regressor of scikit-learn; under cross-validation, each fold trains and refines with its
    own training rows only. Columns are standardised inside, so that ``nrr`` and ``nr_threshold`` are in
    standard deviations.

    Parameters
    ----------
    regressor : object
        Any regressor with ``fit`` and ``predict``; never fitted itself, a clone is.
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
        At most so many of the backbone's training (Adam); the best on a tenth of the rows is kept, and the
        training ends after 15 without an improvement.
    lr : float
        Learning rate of the training.
    batch_size : int
        Rows per step of the training.
    random_state : int or None
        Seed of the backbone's weights and of the order of the rows; None draws one anew for every fit.

    Attributes
    ----------
    regressor_ : object
        Fitted on the refined data.
    backbone_ : Module
        Trained on the noisy data (standardised).
    X_, y_ : arrays
        The refined training data in their own units.
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

    def fit(self, X: Any, y: Any) -> Self:
        """Train the backbone, refine the data, fit a clone of the regressor.

        Parameters
        ----------
        X : (n, d) array or DataFrame
        y : (n,) or (n, k) array, Series or DataFrame

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If the regressor has no ``fit`` and ``predict``, or values are no numbers.
        ValueError
            For parameters out of range, a rule that does not serve here, or data that cannot be refined.
        """
        if not all(callable(getattr(self.regressor, name, None)) for name in ("fit", "predict")):
            raise TypeError(
                f"regressor must have fit(X, y) and predict(X), such as Ridge(), got {self.regressor!r}"
            )
        check_count(epochs=self.epochs, batch_size=self.batch_size)
        check_positive(lr=self.lr)
        if self.rule in UNFIT:
            raise ValueError(f"rule={self.rule!r} does not serve here: {UNFIT[self.rule]}")
        values, wrap_X = read(_as_float(X), "X")
        target, wrap_y = read(_as_float(y), "y")
        check_targets(target, len(values))
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
        self.regressor_ = _clone(self.regressor).fit(self.X_, self.y_)
        return self

    def predict(self, X: Any) -> Any:
        """Predict for features as they come, shape ``(n,)`` or ``(n, k)``."""
        if not hasattr(self, "regressor_"):
            raise RuntimeError("call fit(X, y) before predict()")
        return self.regressor_.predict(X)

    def score(self, X: Any, y: Any) -> float:
        """Coefficient of determination R^2, averaged over targets."""
        truth = np.asarray(y, dtype=float).reshape(len(y), -1)
        guess = np.asarray(self.predict(X), dtype=float).reshape(truth.shape)
        return float(np.mean(1 - ((truth - guess) ** 2).sum(0) / ((truth - truth.mean(0)) ** 2).sum(0)))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Give the parameters of the constructor; `deep` adds the regressor's as ``regressor__name``."""
        names = [n for n in inspect.signature(type(self).__init__).parameters if n != "self"]
        params = {name: getattr(self, name) for name in names}
        if deep and hasattr(self.regressor, "get_params"):
            params |= {f"regressor__{k}": v for k, v in self.regressor.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters by the names that `get_params` gives."""
        known = self.get_params(deep=False)
        inner = {}
        for name, value in params.items():
            if name.startswith("regressor__"):
                inner[name.removeprefix("regressor__")] = value
            elif name in known:
                setattr(self, name, value)
            else:
                raise ValueError(f"DenoisedRegressor has no parameter {name!r}; it has {', '.join(known)}")
        if inner:
            self.regressor.set_params(**inner)
        return self

    def __sklearn_tags__(self) -> Any:
        """Say to scikit-learn that this is a regressor."""
        from sklearn.utils import RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True, multi_output=True),
            regressor_tags=RegressorTags(),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "regressor_")

    def __repr__(self) -> str:
        default = inspect.signature(type(self).__init__).parameters
        shown = [
            f"{name}={value!r}"
            for name, value in self.get_params(deep=False).items()
            if name == "regressor" or value != default[name].default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

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


def _as_float(data: Any) -> Any:
    """Let numbers of any type in (as scikit-learn does); what is no number stays and is refused later."""
    if is_frame(data) or is_column(data):
        kinds = data.dtypes if is_frame(data) else [data.dtype]
        return data.astype(float) if all(getattr(t, "kind", "O") in "iubf" for t in kinds) else data
    values = np.asarray(data)
    return values.astype(float) if values.dtype.kind in "iub" else values


def _standard(values: Array) -> tuple[Array, Array]:
    """Mean and standard deviation per column; a constant column is only centred."""
    scale = values.std(0)
    return values.mean(0), np.where(scale > 0, scale, 1.0)


def _clone(regressor: Any) -> Any:
    if hasattr(regressor, "get_params"):
        from sklearn.base import clone

        return clone(regressor)
    return copy.deepcopy(regressor)
