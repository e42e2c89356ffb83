"""Decomposition and two linear layers (Zeng, Chen, Zhang & Xu 2023, "Are Transformers Effective for Time Series
Forecasting?", AAAI)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class DLinear(nn.Module):
    """One step ahead: a linear map of the trend plus one of the remainder, both shared by all channels.

    The trend is a centred moving average; the window's ends are continued by their own values.

    Parameters
    ----------
    n_features : int
        Channels of the series.
    outputs : int
        1 predicts the target, channel 0, from its own history; `n_features` predicts each channel.
    window : int
        Time steps per window.
    average : int
        Length of the moving average; odd.

    Raises
    ------
    ValueError
        For another number of outputs, a missing window, or an even `average`.
    """

    affine = True  # lets DenoGrad take the gradient from one convolution per epoch

    def __init__(self, n_features: int, outputs: int = 1, window: int | None = None, average: int = 25):
        super().__init__()
        if outputs not in (1, n_features):
            raise ValueError(f"DLinear predicts 1 or all {n_features} channels, not {outputs}")
        if window is None:
            raise ValueError("DLinear needs the window's length: pass window=")
        if average % 2 == 0:
            raise ValueError(f"average must be odd, got {average}")
        self.outputs, self.average = outputs, average
        self.trend = nn.Linear(window, 1)
        self.remainder = nn.Linear(window, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, W, C)`` to ``(B, outputs)``."""
        x = x[:, :, : self.outputs].transpose(1, 2)
        side = self.average // 2
        trend = F.avg_pool1d(F.pad(x, (side, side), mode="replicate"), self.average, stride=1)
        return (self.trend(trend) + self.remainder(x - trend)).squeeze(-1)
