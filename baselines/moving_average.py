"""Mean over a moving window."""

from __future__ import annotations

from baselines.base import Array, Settings
from baselines.frame import FrameDenoiser


class MovingAverage(FrameDenoiser):
    """Mean of the last `window` steps, each column for itself.

    Assumes that the clean series hardly changes within the window. `paper` looks back only and so lags by
    half a window; `sound` centres the window. At the ends the mean is over the steps that exist.

    Parameters
    ----------
    settings : {"paper", "sound"}
    window : int
        Steps.

    References
    ----------
    P. J. Brockwell, R. A. Davis, Introduction to Time Series and Forecasting, 3rd ed., Springer, 2016, 1.5.1.
    """

    uses = ("pandas",)
    sequential = True

    def __init__(self, settings: Settings = "paper", window: int = 7) -> None:
        super().__init__(settings)
        if window < 1:
            raise ValueError(f"MovingAverage: window must be at least 1 step, got {window}")
        self.window = window

    def _refine(self, frame: Array, causal: bool) -> tuple[Array, dict]:
        import pandas as pd

        centred = self.sound and not causal
        rolling = pd.DataFrame(frame).rolling(self.window, min_periods=1, center=centred)
        return rolling.mean().to_numpy(copy=True), {}
