"""Your own noise model: sensors that drift."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.data.noise import Noise


@dataclass(frozen=True)
class Drift(Noise):
    """A slow wave of random phase and height on every column, for series only.

    Parameters
    ----------
    period : float
        Time steps of a wave.
    """

    period: float = 500.0

    needs_kind: ClassVar[bool] = True
    series_only: ClassVar[bool] = True

    def error(self, clean, rng, kind):
        steps = np.arange(len(clean))[:, None]
        phase = rng.uniform(0, 2 * np.pi, clean.shape[1])
        wave = np.sin(2 * np.pi * steps / self.period + phase)
        return self.sigma * wave / np.sqrt((wave**2).mean(axis=0))  # of root mean square sigma
