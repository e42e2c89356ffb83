"""The networks of the benchmark, trained by AGRA: samples that contradict the rest are left out."""

from __future__ import annotations

from baselines.agra_regressor import AgraRegressor
from experiments.models.cnn1d import CNN1D
from experiments.models.cnn_lstm import CNNLSTM
from experiments.models.dlinear import DLinear
from experiments.models.ft_transformer import FTTransformer
from experiments.models.lstm import LSTM
from experiments.models.mlp import MLP
from experiments.models.xlstm import XLSTM


class AgraDNN(AgraRegressor):
    """Multi-layer perceptron trained by AGRA; windows are flattened."""

    network_class = MLP


class AgraLSTM(AgraRegressor):
    """LSTM trained by AGRA."""

    network_class, input = LSTM, "windows"


class AgraXLSTM(AgraRegressor):
    """Extended LSTM trained by AGRA."""

    network_class, input = XLSTM, "windows"


class AgraCNNLSTM(AgraRegressor):
    """Convolutions in front of an LSTM, trained by AGRA."""

    network_class, input = CNNLSTM, "windows"


class AgraDLinear(AgraRegressor):
    """DLinear trained by AGRA; its two linear layers together are the last one."""

    network_class, input, default_last_layer = DLinear, "windows", ("trend", "remainder")


class AgraFTTransformer(AgraRegressor):
    """FT-Transformer trained by AGRA, on rows of a table."""

    network_class = FTTransformer


class AgraCNN1D(AgraRegressor):
    """Convolutions along the columns of a table, trained by AGRA."""

    network_class = CNN1D
