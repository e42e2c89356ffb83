"""Multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class MLP(nn.Sequential):
    """Linear layers with ReLU between them.

    Parameters
    ----------
    n_features : int
        Columns of a row.
    outputs : int
        Values to predict.
    window : int or None
        Ignored: rows of a table have none.
    hidden : sequence of int
        Widths of the hidden layers.
    """

    def __init__(
        self,
        n_features: int,
        outputs: int = 1,
        window: int | None = None,
        hidden: Sequence[int] = (128, 64, 32),
    ):
        layers: list[nn.Module] = []
        for wide, narrow in zip([n_features, *hidden], hidden, strict=False):
            layers += [nn.Linear(wide, narrow), nn.ReLU()]
        super().__init__(*layers, nn.Linear([n_features, *hidden][-1], outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, d)`` to ``(B, outputs)``."""
        return super().forward(x)
