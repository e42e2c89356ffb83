"""FT-Transformer (Gorishniy, Rubachev, Khrulkov & Babenko 2021), from its authors' package."""

from __future__ import annotations

import rtdl_revisiting_models as rtdl
from torch import Tensor, nn


class FTTransformer(nn.Module):
    """One token per column, self-attention among them, and a linear layer on an extra token.

    Parameters
    ----------
    n_features : int
        Columns of a row; all are taken as numbers.
    outputs : int
        Values to predict.
    window : int or None
        Ignored: rows of a table have none.
    blocks, width, heads : int
        Depth, length of a token, attention heads.
    attention_dropout, dropout : float
        In the attention and in the feed-forward layers (ReGLU).
    expansion : float
        Width of the feed-forward layers in units of `width`.
    """

    uses = ("rtdl_revisiting_models",)

    def __init__(
        self,
        n_features: int,
        outputs: int = 1,
        window: int | None = None,
        blocks: int = 2,
        width: int = 192,
        heads: int = 8,
        attention_dropout: float = 0.2,
        dropout: float = 0.1,
        expansion: float = 4 / 3,
    ):
        super().__init__()
        self.net = rtdl.FTTransformer(
            n_cont_features=n_features,
            cat_cardinalities=[],
            d_out=outputs,
            n_blocks=blocks,
            d_block=width,
            attention_n_heads=heads,
            attention_dropout=attention_dropout,
            ffn_d_hidden=None,
            ffn_d_hidden_multiplier=expansion,
            ffn_dropout=dropout,
            residual_dropout=0.0,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, d)`` to ``(B, outputs)``."""
        return self.net(x, None)
