"""What the gaps of a table are guessed by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from denograd.data.arrays import Array
from denograd.map.blind_spot import BlindSpot
from denograd.map.gaps.guesses import Mask, fit_blind_spot
from denograd.map.gaps.normal_fill import Normal, condition, fit_normal

PRIORS = (1.0, 10.0)
"""Of the normals, in rows per column: see `fit_normal`."""


@dataclass(frozen=True)
class TableWays:
    """The normal, a more cautious one, and the blind spot.

    Attributes
    ----------
    normals : list of Normal
    blind : BlindSpot or None
    """

    normals: list[Normal]
    blind: BlindSpot | None = None

    @classmethod
    def fit(cls, y: Array, missing: Mask, seed: int, like: TableWays | None = None) -> Self:
        """Learn from standardised rows (n, c); `like` learned from nearly the same."""
        normals: list[Normal] = []
        for place, rows in enumerate(PRIORS):
            near = like.normals[place] if like else normals[-1] if normals else None
            normals.append(fit_normal(y, missing, prior=rows * y.shape[1], start=near))
        filled = np.where(missing, condition(normals[0], y, missing)[0], y)
        return cls(normals, fit_blind_spot("tabular", filled, seed))

    @classmethod
    def of_complete_rows(cls, y: Array) -> Self:
        """Learn from standardised rows (n, c) without a gap: the first normal is enough."""
        return cls([fit_normal(y, np.zeros(y.shape, dtype=bool), prior=PRIORS[0] * y.shape[1])])

    def guess(self, y: Array, missing: Mask, fitted_rows: int = 0) -> tuple[Array, Array]:
        """Guesses of every value, (g, n, c), and the first one's variance; `fitted_rows` as of `BlindSpot.predict`."""
        (mean, spread), *others = [condition(normal, y, missing) for normal in self.normals]
        guesses = [mean, *(other for other, _ in others)]
        if self.blind is not None:
            guesses.append(self.blind.predict(np.where(missing, mean, y), fitted_rows=fitted_rows))
        return np.stack(guesses), spread
