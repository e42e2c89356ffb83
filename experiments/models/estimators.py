"""Networks as scikit-learn regressors."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from experiments.models import training
from experiments.models.cnn1d import CNN1D
from experiments.models.cnn_lstm import CNNLSTM
from experiments.models.dlinear import DLinear
from experiments.models.ft_transformer import FTTransformer
from experiments.models.lstm import LSTM
from experiments.models.mlp import MLP
from experiments.models.training import TrainSettings, build_network, predict, train
from experiments.models.xlstm import XLSTM


class NetRegressor(RegressorMixin, BaseEstimator):
    """A network behind ``fit`` and ``predict``; subclasses say which.

    Parameters
    ----------
    options : mapping or None
        Further arguments of the network, such as ``{"hidden": [64, 64]}``.
    epochs, patience, batch_size, lr : see `experiments.models.training.TrainSettings`
    max_rows : int or None
        Only so many rows at the end of the training part are used, for networks that take long.
    device : {"auto", "cpu", "cuda"}
    threads : int
        CPU threads.
    random_state : int
        Seed of the initial weights, the order of the rows and dropout.

    Attributes
    ----------
    network_ : nn.Module
        On the CPU, in evaluation mode.
    history_ : experiments.models.training.History
    n_features_in_ : int
        Columns, or channels.
    """

    network_class: ClassVar[type[nn.Module]]
    input: ClassVar[Literal["flat", "windows"]]
    uses_validation: ClassVar[bool] = True
    built_on: ClassVar[tuple[ModuleType, ...]] = (training,)
    revision: ClassVar[int] = 1

    def __init__(
        self,
        options: Mapping[str, Any] | None = None,
        epochs: int = 50,
        patience: int | None = 10,
        batch_size: int | None = None,
        lr: float = 1e-3,
        max_rows: int | None = None,
        device: str = "auto",
        threads: int = 1,
        random_state: int = 0,
    ):
        self.options = options
        self.epochs = epochs
        self.patience = patience
        self.batch_size = batch_size
        self.lr = lr
        self.max_rows = max_rows
        self.device = device
        self.threads = threads
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, validation: tuple[ArrayLike, ArrayLike] | None = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : (n, d) array, or (n, W, C) windows where ``input`` is "windows"
            Consecutive windows that are a view of their series stay one.
        y : (n,) array
        validation : (X, y) or None
            For early stopping; without it all epochs are run.

        Raises
        ------
        ValueError
            For NaN, wrong shapes or empty parts.
        """
        if self.max_rows is not None and self.max_rows < 1:
            raise ValueError(f"max_rows must be at least 1 or None, got {self.max_rows}")
        last = slice(-self.max_rows if self.max_rows else None, None)
        inputs, goal = self._inputs(X)[last], self._goal(y)[last]
        held_inputs = held_goal = None
        if validation is not None:
            held_inputs, held_goal = self._inputs(validation[0]), self._goal(validation[1])
        self.shape_in_ = tuple(inputs.shape[1:])
        self.n_features_in_ = self.shape_in_[-1]
        self.network_ = build_network(
            self.network_class,
            seed=self.random_state,
            n_features=self.n_features_in_,
            outputs=1,
            window=self.shape_in_[0] if self.input == "windows" else None,
            **(self.options or {}),
        )
        settings = TrainSettings(self.epochs, self.patience, self.batch_size, self.lr)
        self.history_ = train(
            self.network_,
            inputs,
            goal,
            held_inputs,
            held_goal,
            settings,
            seed=self.random_state,
            device=self.device,
            progress=f"train {type(self).__name__}",
            threads=self.threads,
        )
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predict ``(n,)`` values for the rows or windows of `X`."""
        check_is_fitted(self, "network_")
        inputs = self._inputs(X)
        if inputs.shape[1:] != self.shape_in_:
            raise ValueError(f"fitted on inputs of shape {self.shape_in_}, got {tuple(inputs.shape[1:])}")
        output = predict(self.network_, inputs, device=self.device, threads=self.threads)
        return output[:, 0].numpy().astype(np.float64)

    def _goal(self, y: ArrayLike) -> Tensor:
        goal = as_tensor(y)
        if goal.ndim != 1:
            raise ValueError(f"y must be one-dimensional, got shape {tuple(goal.shape)}")
        return goal

    def _inputs(self, X: ArrayLike) -> Tensor:
        X, expected = np.asarray(X), 2 if self.input == "flat" else 3
        if X.ndim != expected or 0 in X.shape:
            form = "(n, d)" if expected == 2 else "(n, W, C), windows of a series"
            raise ValueError(f"{type(self).__name__} wants X of shape {form}, not empty; got {X.shape}")
        return as_tensor(X)


def as_tensor(values: ArrayLike) -> Tensor:
    """Copy to a float32 tensor; windows that are a view of their series become a view of its copy.

    Raises
    ------
    ValueError
        If a value is NaN or infinite.
    """
    values = np.asarray(values)
    base = values
    if values.ndim == 3 and values.strides[0] == values.strides[1]:
        n, window, channels = values.shape
        base = np.lib.stride_tricks.as_strided(
            values, (n + window - 1, channels), values.strides[1:], writeable=False
        )
    tensor = torch.from_numpy(np.array(base, dtype=np.float32, order="C"))
    if not torch.isfinite(tensor).all():
        raise ValueError(
            "the data hold NaN or infinite values (or some beyond float32): impute or drop them first"
        )
    return tensor if base is values else tensor.unfold(0, values.shape[1], 1).transpose(1, 2)


class DNN(NetRegressor):
    """Multi-layer perceptron; windows are flattened."""

    network_class, input = MLP, "flat"


class LSTMRegressor(NetRegressor):
    """Two LSTM layers, the last step read out."""

    network_class, input = LSTM, "windows"


class XLSTMRegressor(NetRegressor):
    """Extended LSTM: an mLSTM and an sLSTM block."""

    network_class, input = XLSTM, "windows"


class CNNLSTMRegressor(NetRegressor):
    """Convolutions over time in front of an LSTM."""

    network_class, input = CNNLSTM, "windows"


class DLinearRegressor(NetRegressor):
    """Moving-average decomposition and two linear layers; sees the target's own history alone."""

    network_class, input = DLinear, "windows"


class FTTransformerRegressor(NetRegressor):
    """FT-Transformer, on rows of a table."""

    network_class, input = FTTransformer, "flat"


class CNN1DRegressor(NetRegressor):
    """Convolutions along the columns of a table."""

    network_class, input = CNN1D, "flat"
