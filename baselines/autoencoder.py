"""The denoising autoencoder of tutorials, its corruptions and losses, and one for windows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from baselines.base import Array, Problem, Settings
from baselines.frame import FrameDenoiser
from baselines.training import seeded
from denograd.models import choose_device


class Autoencoder(nn.Module):
    """d-hidden-d with a ReLU encoder and a sigmoid decoder, for rows (B, d) in [0, 1].

    Parameters
    ----------
    width : int
        d.
    hidden : int
    """

    def __init__(self, width: int, hidden: int = 8) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(width, hidden), nn.ReLU())
        self.decode = nn.Sequential(nn.Linear(hidden, width), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct rows (B, d)."""
        return self.decode(self.encode(x))


class ConvAutoencoder(nn.Module):
    """Two strided convolutions and their mirror image, for windows (B, W, C) in [0, 1].

    Parameters
    ----------
    channels : int
        C.
    hidden : int
        Channels of the code, which has a quarter of the steps (rounded up).
    """

    def __init__(self, channels: int, hidden: int = 8) -> None:
        super().__init__()
        conv: dict[str, Any] = {"kernel_size": 5, "stride": 2, "padding": 2}
        self.encoder = nn.Sequential(
            nn.Conv1d(channels, 2 * hidden, **conv),
            nn.ReLU(),
            nn.Conv1d(2 * hidden, hidden, **conv),
            nn.ReLU(),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose1d(hidden, 2 * hidden, output_padding=1, **conv),
            nn.ReLU(),
            nn.ConvTranspose1d(2 * hidden, channels, output_padding=1, **conv),
            nn.Sigmoid(),
        )

    def encode(self, x: Tensor) -> Tensor:
        """Code of windows (B, W, C), flattened to (B, hidden * ceil(W / 4))."""
        return self.encoder(x.transpose(1, 2)).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct windows (B, W, C)."""
        return self.decoder(self.encoder(x.transpose(1, 2)))[..., : x.shape[1]].transpose(1, 2)


def gaussian(x: Tensor, level: float, generator: torch.Generator) -> Tensor:
    """Add normal noise of standard deviation `level`, then clip to [0, 1]."""
    return (x + level * torch.randn(x.shape, generator=generator)).clamp(0, 1)


def masking(x: Tensor, level: float, generator: torch.Generator) -> Tensor:
    """Set a share `level` of the entries to 0."""
    return torch.where(torch.rand(x.shape, generator=generator) < level, 0.0, x)


def salt_and_pepper(x: Tensor, level: float, generator: torch.Generator) -> Tensor:
    """Set a share `level` of the entries to 0 or 1, each as likely."""
    draw = torch.rand(x.shape, generator=generator)
    return torch.where(draw < level, (draw < level / 2).to(x), x)


CORRUPTIONS = {"gaussian": gaussian, "masking": masking, "salt_and_pepper": salt_and_pepper}
Loss = Callable[[Tensor, Tensor], Tensor]
LOSSES: dict[str, Loss] = {
    "mse": nn.functional.mse_loss,
    "l1": nn.functional.l1_loss,
    "huber": partial(nn.functional.huber_loss, delta=0.1),  # values lie in [0, 1]
}


def train_full_batch(
    net: nn.Module,
    corrupted: Tensor,
    clean: Tensor,
    *,
    epochs: int = 50,
    lr: float = 1e-3,
    loss: Loss = nn.functional.mse_loss,
) -> list[float]:
    """Adam on all rows at once; returns the loss before each epoch's step."""
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    losses = []
    for _ in range(epochs):
        optimizer.zero_grad()
        value = loss(net(corrupted), clean)
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses


class TutorialAutoencoder(FrameDenoiser):
    """The tutorial's autoencoder as a denoiser of rows.

    Columns are mapped to [0, 1] by the extremes of the fitted rows, corrupted once, clipped, reconstructed.
    Fifty full-batch epochs leave it far from converged, and values outside the fitted range are clipped;
    both settings are the same, since that is the method.

    Parameters
    ----------
    settings : {"paper", "sound"}
    hidden : int
    corruption : {"gaussian", "masking", "salt_and_pepper"}
    level : float
        Standard deviation of the corruption, or share of corrupted entries.
    loss : {"mse", "l1", "huber"}
    epochs : int
    lr : float
    device : str
        Where the network is trained and used; "auto" takes CUDA where there is one.

    References
    ----------
    P. Vincent et al., Extracting and composing robust features with denoising autoencoders, ICML 2008.
    """

    def __init__(
        self,
        settings: Settings = "paper",
        hidden: int = 8,
        corruption: str = "gaussian",
        level: float = 0.2,
        loss: str = "mse",
        epochs: int = 50,
        lr: float = 1e-3,
        device: str = "auto",
    ) -> None:
        super().__init__(settings)
        for name, value, known in (("corruption", corruption, CORRUPTIONS), ("loss", loss, LOSSES)):
            if value not in known:
                raise ValueError(
                    f"TutorialAutoencoder: {name} must be one of {', '.join(known)}, got {value!r}"
                )
        self.hidden, self.corruption, self.level = hidden, corruption, level
        self.loss, self.epochs, self.lr, self.device = loss, epochs, lr, device

    def _scaled(self, frame: Array) -> Tensor:
        unit = (frame - self._low) / np.where(self._span > 0, self._span, 1)
        return torch.as_tensor(unit.clip(0, 1), dtype=torch.float32)

    def _learn(self, frame: Array, seed: int, problem: Problem) -> None:
        self._low, self._span = frame.min(axis=0), np.ptp(frame, axis=0)
        rows = self._scaled(frame)
        corrupted = CORRUPTIONS[self.corruption](rows, self.level, torch.Generator().manual_seed(seed))
        self._place = choose_device(None if self.device == "auto" else self.device)
        with seeded(seed):
            self._net = Autoencoder(frame.shape[1], self.hidden).to(self._place)
        corrupted, rows = corrupted.to(self._place), rows.to(self._place)
        losses = train_full_batch(
            self._net, corrupted, rows, epochs=self.epochs, lr=self.lr, loss=LOSSES[self.loss]
        )
        self._training = {"epochs": self.epochs, "loss": losses[-1]}

    def _refine(self, frame: Array, causal: bool) -> tuple[Array, dict[str, Any]]:
        with torch.inference_mode():
            refined = self._net(self._scaled(frame).to(self._place)).cpu().numpy().astype(float)
        return refined * self._span + self._low, dict(self._training)
