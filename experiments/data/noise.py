"""Noise models: what is added to standardised columns, always with a level in standard deviations of a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.errors import SettingInvalid


@dataclass(frozen=True)
class Noisy:
    """Data with injected noise.

    Attributes
    ----------
    values : (n, c) array
    hit : (n,) bool array
        Rows that were altered.
    n_constant : int
        Columns that got none because they are constant.
    sigma : (c,) array
        Root mean square of the error over the rows that were hit: the level that was reached in each column.
    """

    values: np.ndarray
    hit: np.ndarray
    n_constant: int
    sigma: np.ndarray


@dataclass(frozen=True)
class Noise:
    """What all noise models share.

    Parameters
    ----------
    sigma : float
        Standard deviation of the error, in standard deviations of a column.
    features, target : bool
        Whether features, and whether the target, get noise. The target's channel of a series counts as target.
    fraction : float
        Share of the rows that get noise, drawn at random; `sigma` holds in these rows.

    Raises
    ------
    SettingInvalid
        If `sigma` is negative or not finite, or `fraction` outside [0, 1].
    """

    sigma: float = 0.05
    features: bool = True
    target: bool = True
    fraction: float = 1.0

    series_only: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (np.isfinite(self.sigma) and self.sigma >= 0):
            raise SettingInvalid(
                f"noise.sigma must be a finite number of at least 0 (standard deviations of a column), "
                f"got {self.sigma}"
            )
        if not 0 <= self.fraction <= 1:
            raise SettingInvalid(f"noise.fraction must lie in 0..1 (share of the rows), got {self.fraction}")

    def inject(
        self,
        clean: np.ndarray,
        *,
        seed: int,
        constant: np.ndarray,
        target_column: int,
        kind: str | None = None,
    ) -> Noisy:
        """Add noise to a standardised frame, which stays as it is.

        The draw depends on the seed and the shape alone: another sigma scales the same draw.

        Parameters
        ----------
        clean : (n, c) array
            Standardised.
        seed : int
        constant : (c,) bool array
            Columns that get no noise.
        target_column : int
            Column that the switch `target` governs.
        kind : {"tabular", "series"}, optional
            Needed by the models for which the order of the rows matters.

        Raises
        ------
        SettingInvalid
            If the model is for series only and the data are not one, or needs a kind that is not given.
        """
        if self.series_only and kind != "series":
            raise SettingInvalid(
                f"{type(self).__name__.lower()} noise runs along time and needs a series, got {kind or 'no kind'}. "
                "Choose another noise model for tables."
            )
        constant = np.asarray(constant, bool)
        assert constant.shape == (clean.shape[1],), "one flag per column"
        wanted = np.full(clean.shape[1], self.features)
        wanted[target_column] = self.target
        draws, rows = np.random.default_rng(seed).spawn(2)
        error = self._error(clean, draws, kind)
        error[:, constant | ~wanted] = 0.0
        if self.fraction < 1:
            n_hit = round(self.fraction * len(clean))
            error[rows.permutation(len(clean))[n_hit:]] = 0.0
        hit = (error != 0).any(axis=1)
        reached = np.sqrt((error**2).sum(axis=0) / max(1, hit.sum()))
        return Noisy(clean + error, hit, int(constant.sum()), reached)

    def _error(self, clean: np.ndarray, rng: np.random.Generator, kind: str | None) -> np.ndarray:
        """Draw the error of every entry, (n, c), writable."""
        raise NotImplementedError


@dataclass(frozen=True)
class Gaussian(Noise):
    """Independent normal errors: the noise of the benchmark."""

    def _error(self, clean: np.ndarray, rng: np.random.Generator, kind: str | None) -> np.ndarray:
        return self.sigma * rng.standard_normal(clean.shape)
