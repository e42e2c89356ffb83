"""The networks of the benchmark, trained by AGRA: samples that contradict the rest are left out.

Each starts from the weights of the network that it is compared with (``seeded_as``).
"""

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
    seeded_as = "dnn"


class AgraLSTM(AgraRegressor):
    """LSTM trained by AGRA."""

    network_class, input = LSTM, "windows"
    seeded_as = "lstm"


class AgraXLSTM(AgraRegressor):
    """Extended LSTM trained by AGRA."""

    network_class, input = XLSTM, "windows"
    seeded_as = "xlstm"


class AgraCNNLSTM(AgraRegressor):
    """Convolutions in front of an LSTM, trained by AGRA."""

    network_class, input = CNNLSTM, "windows"
    seeded_as = "cnn_lstm"


class AgraDLinear(AgraRegressor):
    """DLinear trained by AGRA; its two linear layers together are the last one."""

    network_class, input, default_last_layer = DLinear, "windows", ("trend", "remainder")
    seeded_as = "dlinear"


class AgraFTTransformer(AgraRegressor):
    """FT-Transformer trained by AGRA, on rows of a table."""

    network_class = FTTransformer
    seeded_as = "ft_transformer"


class AgraCNN1D(AgraRegressor):
    """Convolutions along the columns of a table, trained by AGRA."""

    network_class = CNN1D
    seeded_as = "cnn1d"
