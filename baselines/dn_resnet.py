"""Residual network that predicts the noise of a row."""

from __future__ import annotations

from torch import Tensor, nn

from baselines.base import Settings
from baselines.dae import RowNet


class DnResNet(RowNet):
    """Subtract the noise that a small network sees in a row.

    Assumes that noise can be told from the values of the other columns. `paper` learns noisy -> noisy, whose
    optimum is to change nothing; `sound` is fitted on the training rows alone, corrupted further by Gaussian
    noise of the known level, else of 0.1 column deviations.

    References
    ----------
    K. Zhang et al., Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising, IEEE
    Trans. Image Process. 26 (2017).
    """

    def __init__(
        self,
        settings: Settings = "paper",
        hidden: int = 64,
        epochs: int = 500,
        patience: int = 15,
        batch_size: int = 64,
        lr: float = 1e-3,
        masking: float = 0.0,
        device: str = "auto",
    ) -> None:
        super().__init__(settings, epochs, patience, batch_size, lr, masking, device)
        self.hidden = hidden

    def _network(self, width: int) -> nn.Module:
        return NoiseNet(width, self.hidden)


class NoiseNet(nn.Module):
    """x -> x - net(x) for rows (B, d)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.noise = nn.Sequential(
            nn.Linear(width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Refine rows (B, d)."""
        return x - self.noise(x)
