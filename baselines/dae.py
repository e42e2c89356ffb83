"""Denoising autoencoder of rows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from baselines.base import Array, Problem, Settings, levels_of
from baselines.frame import FrameDenoiser
from baselines.training import seeded, train_reconstruction
from denograd.models import choose_device

USUAL = 10.0
"""Columns with a mean below this, and a deviation between this and its inverse, are learned as they come."""


class RowNet(FrameDenoiser):
    """What the two networks of rows share: float32 nets, trained to reconstruct, applied row by row.

    They expect standardised columns; one in an unusual unit is standardised inside.

    A subclass defines ``_network(width)``.

    Parameters
    ----------
    settings : {"paper", "sound"}
    epochs : int
        At most.
    patience : int
        Epochs without a better loss on a random fifth of the rows.
    batch_size : int
    lr : float
        Of Adam.
    masking : float
        Share of the entries that the corruption of the `sound` settings replaces by the column mean.
    device : str
        Where the network is trained and used; "auto" takes CUDA where there is one.
    """

    revision: ClassVar[Mapping[str, int]] = {
        "sound": 2
    }  # the level of every column; `paper` corrupts nothing

    def __init__(
        self,
        settings: Settings = "paper",
        epochs: int = 500,
        patience: int = 15,
        batch_size: int = 64,
        lr: float = 1e-3,
        masking: float = 0.0,
        device: str = "auto",
    ) -> None:
        super().__init__(settings)
        if min(epochs, patience, batch_size) < 1:
            raise ValueError(
                f"{type(self).__name__}: epochs, patience and batch_size must be at least 1, "
                f"got {epochs}, {patience}, {batch_size}"
            )
        self.epochs, self.patience, self.batch_size, self.lr = epochs, patience, batch_size, lr
        self.masking = masking
        self.device = device

    def _network(self, width: int) -> nn.Module:
        raise NotImplementedError

    def _learn(self, frame: Array, seed: int, problem: Problem) -> None:
        if self.sound and problem.train_rows is not None:
            frame = frame[problem.train_rows]
        self._center, self._unit = _unusual(frame)
        device = choose_device(None if self.device == "auto" else self.device)
        rows = torch.as_tensor((frame - self._center) / self._unit, dtype=torch.float32).to(device)
        level = levels_of(problem, frame.shape[1], self._has_target)
        self._clean = self.sound & (level == 0) & (level > 0).any()
        spread, mean = rows.std(dim=0, correction=0), rows.mean(dim=0)
        assumed = level if (level > 0).any() else np.full(len(level), 0.1)
        strength = torch.as_tensor(assumed).float().to(device) * spread
        noisy = torch.as_tensor(~self._clean).to(device)

        def corrupt(clean: Tensor) -> Tensor:
            if not self.sound:
                return clean
            masked = (torch.rand_like(clean) < self.masking) & noisy
            return torch.where(masked, mean, clean + strength * torch.randn_like(clean))

        with seeded(seed, device):
            self._net = self._network(frame.shape[1]).to(device)
            self._training = train_reconstruction(
                self._net,
                rows,
                corrupt,
                epochs=self.epochs,
                patience=self.patience,
                batch_size=self.batch_size,
                lr=self.lr,
            )

    def _refine(self, frame: Array, causal: bool) -> tuple[Array, dict[str, Any]]:
        rows = torch.as_tensor((frame - self._center) / self._unit, dtype=torch.float32)
        device = next(self._net.parameters()).device
        with torch.inference_mode():
            found = torch.cat([self._net(batch.to(device)) for batch in rows.split(65_536)]).cpu()
        refined = found.numpy().astype(float) * self._unit + self._center
        # columns that are known to be clean are inputs alone
        return np.where(self._clean, frame, refined), dict(self._training)


def _unusual(frame: Array) -> tuple[Array, Array]:
    """Center and unit of the columns: 0 and 1 for those that a network can learn unscaled."""
    mean, spread = frame.mean(axis=0), frame.std(axis=0)
    constant = np.ptp(frame, axis=0) == 0
    usual = (np.abs(mean) < USUAL) & (constant | ((spread < USUAL) & (spread > 1 / USUAL)))
    return np.where(usual, 0.0, mean), np.where(usual | constant, 1.0, spread)


class DAE(RowNet):
    """Squeeze every row through a narrow deep autoencoder.

    Assumes that the clean rows lie near a low-dimensional manifold. `paper` learns noisy -> noisy and ends
    in a sigmoid, which cannot reproduce standardised values; `sound` has a linear output, is fitted on the
    training rows alone, and learns to undo a corruption: Gaussian noise of the known levels, else of 0.1
    column standard deviations, and masking.

    References
    ----------
    P. Vincent et al., Stacked denoising autoencoders, J. Mach. Learn. Res. 11 (2010).
    """

    def __init__(
        self,
        settings: Settings = "paper",
        hidden: tuple[int, ...] = (256, 128, 64, 32),
        latent: int = 8,
        epochs: int = 500,
        patience: int = 15,
        batch_size: int = 64,
        lr: float = 1e-3,
        masking: float = 0.1,
        device: str = "auto",
    ) -> None:
        super().__init__(settings, epochs, patience, batch_size, lr, masking, device)
        self.hidden, self.latent = tuple(hidden), latent

    def _network(self, width: int) -> nn.Module:
        widths = [width, *self.hidden, self.latent, *reversed(self.hidden)]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        layers.append(nn.Linear(widths[-1], width))
        if not self.sound:
            layers.append(nn.Sigmoid())
        return nn.Sequential(*layers)
