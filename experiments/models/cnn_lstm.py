"""Convolutions in front of an LSTM (Oh, Ng, San Tan & Acharya 2018, Computers in Biology and Medicine 102)."""

from __future__ import annotations

from torch import Tensor, nn


class CNNLSTM(nn.Module):
    """Three convolutions over time, an LSTM over what they find, and a small perceptron on its last step.

    Time is padded by ``kernel - 1`` on both sides and halved after each convolution. The channels are
    transposed, not reshaped, into the LSTM's features. The widths of the head are this project's choice.

    Parameters
    ----------
    n_features : int
        Channels of the series.
    outputs : int
        Values to predict.
    window : int or None
        Ignored: any length will do.
    dropout : float
        In the head.
    """

    recurrent = True

    def __init__(self, n_features: int, outputs: int = 1, window: int | None = None, dropout: float = 0.2):
        super().__init__()
        layers: list[nn.Module] = []
        for wide, narrow, kernel in ((n_features, 3, 20), (3, 6, 10), (6, 6, 5)):
            layers += [
                nn.Conv1d(wide, narrow, kernel, padding=kernel - 1, bias=False),
                nn.ReLU(),
                nn.MaxPool1d(2),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.lstm = nn.LSTM(6, 20, batch_first=True)
        self.head = nn.Sequential(
            nn.Linear(20, 20),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(20, 10),
            nn.ReLU(),
            nn.Linear(10, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, W, C)`` to ``(B, outputs)``."""
        found = self.convolutions(x.transpose(1, 2)).transpose(1, 2)
        return self.head(self.lstm(found)[0][:, -1])
