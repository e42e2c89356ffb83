"""Long short-term memory (Hochreiter & Schmidhuber 1997), the last step read out by a linear layer."""

from __future__ import annotations

from torch import Tensor, nn


class LSTM(nn.Module):
    """Stacked LSTM layers with dropout between them, and a linear layer on the last step.

    Parameters
    ----------
    n_features : int
        Channels of the series.
    outputs : int
        Values to predict.
    window : int or None
        Ignored: any length will do.
    hidden : int
        Units per layer.
    layers : int
    dropout : float
        Between layers.
    """

    recurrent = True

    def __init__(
        self,
        n_features: int,
        outputs: int = 1,
        window: int | None = None,
        hidden: int = 64,
        layers: int = 2,
        dropout: float = 0.2,
    ):
        super().__init__()
        self.lstm = nn.LSTM(
            n_features, hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0
        )
        self.head = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, W, C)`` to ``(B, outputs)``."""
        return self.head(self.lstm(x)[0][:, -1])
