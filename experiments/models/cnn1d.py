"""Convolutions along the columns of a table."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class CNN1D(nn.Module):
    """Convolution, batch norm, ReLU and dropout three times; global average; a small perceptron.

    Parameters
    ----------
    n_features : int
        Columns of a row: the positions of the convolution.
    outputs : int
        Values to predict.
    window : int or None
        Ignored: rows of a table have none.
    channels : sequence of int
        Widths of the convolutions.
    dropout : float
    """

    def __init__(
        self,
        n_features: int,
        outputs: int = 1,
        window: int | None = None,
        channels: Sequence[int] = (64, 128, 256),
        dropout: float = 0.2,
    ):
        super().__init__()
        layers: list[nn.Module] = []
        for wide, narrow in zip([1, *channels], channels, strict=False):
            layers += [
                nn.Conv1d(wide, narrow, 3, padding=1),
                nn.BatchNorm1d(narrow),
                nn.ReLU(),
                nn.Dropout(dropout),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(channels[-1], 64), nn.ReLU(), nn.Linear(64, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, d)`` to ``(B, outputs)``."""
        return self.head(self.convolutions(x[:, None]).mean(-1))
