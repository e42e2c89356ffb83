"""What a run of the tutorial's autoencoder is made of; read before torch is there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from experiments.base.command import Option
from experiments.base.errors import SettingInvalid

CORRUPTIONS = ("gaussian", "masking", "salt_and_pepper")
LOSSES = ("mse", "l1", "huber")


@dataclass(frozen=True)
class Recipe:
    """What one run is made of; the defaults are the tutorial's."""

    data: Annotated[str, Option("a dataset's name (diabetes; also nasdaq)")] = "diabetes"
    hidden: Annotated[int, Option("width of the code")] = 8
    epochs: Annotated[int, Option("full-batch steps")] = 50
    lr: Annotated[float, Option("of Adam")] = 1e-3
    corruption: Annotated[str, Option(", ".join(CORRUPTIONS), among=CORRUPTIONS)] = "gaussian"
    level: Annotated[float, Option("deviation, or share of entries")] = 0.2
    loss: Annotated[str, Option(", ".join(LOSSES), among=LOSSES)] = "mse"
    window: Annotated[int, Option("steps, for a series")] = 24
    seed: Annotated[int, Option("of weights and corruption")] = 0

    def __post_init__(self) -> None:
        for name, least in {"hidden": 1, "epochs": 1, "window": 2, "seed": 0, "level": 0}.items():
            if not getattr(self, name) >= least:
                raise SettingInvalid(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not 0 < self.lr < math.inf:
            raise SettingInvalid(f"lr must be a number above 0, got {self.lr}")


@dataclass(frozen=True)
class Options(Recipe):
    """A recipe, and what to make of it."""

    latent: Annotated[bool, Option("also plot the codes by PCA and t-SNE")] = False
    sweep: Annotated[bool, Option("try a grid of hyper-parameters instead")] = False
    out: Annotated[Path, Option("folder for the plots")] = Path("results/autoencoder")
