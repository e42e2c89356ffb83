"""Noise models: what is added to standardised columns, always with a level in standard deviations of a column."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from experiments.base.errors import SettingInvalid


@dataclass(frozen=True)
class Noisy:
    """Data with injected noise.

    Attributes
    ----------
    values : (n, c) array
    hit : (n,) bool array
        Rows of which a value was altered.
    n_constant : int
        Columns that got none because they are constant.
    sigma : (c,) array
        Root mean square of the error over the rows that were drawn: the level that each column reached.
    """

    values: np.ndarray
    hit: np.ndarray
    n_constant: int
    sigma: np.ndarray


def over_all_rows(noise: Noise, level: Any) -> Any:
    """Root mean square, over all rows, of an error whose `level` holds in the share of rows that noise is added to."""
    return level * noise.fraction**0.5


@dataclass(frozen=True)
class Noise:
    """What all noise models share; your own is a frozen dataclass that overrides `error`.

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
        If a setting is of another type, `sigma` negative or not finite, or `fraction` outside [0, 1].
    """

    sigma: float = 0.05
    features: bool = True
    target: bool = True
    fraction: float = 1.0

    revision: ClassVar[int] = 1
    needs_kind: ClassVar[bool] = False
    series_only: ClassVar[bool] = False
    falls_short: ClassVar[bool] = False
    """Whether a column may end far from `sigma`; who is told the level is then told what was reached."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, kind = getattr(self, field.name), type(field.default)
            wanted = (int, float) if kind is float else kind
            if not isinstance(value, wanted) or (kind is not bool and isinstance(value, bool)):
                raise SettingInvalid(f"noise.{field.name} must be a {kind.__name__}, got {value!r}")
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

        The draw depends on the seed and the shape alone: another sigma scales the same draw, and noise on a
        fraction of the rows is, in these rows, the noise that all rows would have got.

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
        name = type(self).__name__.lower()
        if self.needs_kind and kind is None:
            raise SettingInvalid(
                f"{name} noise must know the kind of the data: pass kind='tabular' or 'series'"
            )
        if self.series_only and kind != "series":
            raise SettingInvalid(
                f"{name} noise runs along time, but the data are {kind}: choose another noise model for tables"
            )
        constant = np.asarray(constant, bool)
        assert constant.shape == (clean.shape[1],), "one flag per column"
        wanted = np.full(clean.shape[1], self.features)
        wanted[target_column] = self.target
        draws, rows = np.random.default_rng(seed).spawn(2)
        error = self._checked(self.error(clean.copy(), draws, kind), clean)
        error[:, constant | ~wanted] = 0.0
        n_drawn = round(self.fraction * len(clean))
        if n_drawn < len(clean):
            error[rows.permutation(len(clean))[n_drawn:]] = 0.0
        reached = np.sqrt((error**2).sum(axis=0) / max(1, n_drawn))
        return Noisy(clean + error, (error != 0).any(axis=1), int(constant.sum()), reached)

    def error(self, clean: np.ndarray, rng: np.random.Generator, kind: str | None) -> np.ndarray:
        """Draw the error of every entry: the method that your own noise model overrides.

        Parameters
        ----------
        clean : (n, c) array
            Standardised rows, of a table or in the order of time.
        rng : Generator
            The only source of randomness, so that the same seed gives the same noise.
        kind : {"tabular", "series"} or None
            Never None where `needs_kind` or `series_only` is True.

        Returns
        -------
        error : (n, c) array
            What is added to `clean`; its root mean square in a column should be `sigma`.
        """
        raise SettingInvalid(
            f"the noise model {type(self).__name__} has no method error(self, clean, rng, kind), which returns what "
            "is added to the standardised rows"
        )

    def _checked(self, error: np.ndarray, clean: np.ndarray) -> np.ndarray:
        """A copy of what `error` returned, if that can be added to the rows."""
        name = f"{type(self).__name__}.error"
        if not isinstance(error, np.ndarray) or error.shape != clean.shape:
            got = (
                f"an array of shape {error.shape}" if isinstance(error, np.ndarray) else type(error).__name__
            )
            raise SettingInvalid(
                f"{name} must return an array of shape {clean.shape} like the rows, got {got}"
            )
        if not np.isfinite(error).all():
            raise SettingInvalid(f"{name} returned NaN or infinite values")
        return error.astype(float)


@dataclass(frozen=True)
class Gaussian(Noise):
    """Independent normal errors: the noise of the benchmark."""

    def error(self, clean: np.ndarray, rng: np.random.Generator, kind: str | None) -> np.ndarray:
        return self.sigma * rng.standard_normal(clean.shape)


@dataclass(frozen=True)
class Laplace(Noise):
    """Independent double-exponential errors: heavier tails than normal ones."""

    def error(self, clean: np.ndarray, rng: np.random.Generator, kind: str | None) -> np.ndarray:
        return self.sigma * rng.laplace(scale=np.sqrt(0.5), size=clean.shape)


@dataclass(frozen=True)
class StudentT(Noise):
    """Independent Student-t errors, scaled to unit variance.

    Parameters
    ----------
    df : float
        Degrees of freedom, above 2: at 2 the variance is infinite.
    """

    df: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.df > 2:
            raise SettingInvalid(f"noise.df must exceed 2, else the variance is infinite; got {self.df}")

    def error(self, clean: np.ndarray, rng: np.random.Generator, kind: str | None) -> np.ndarray:
        return self.sigma * np.sqrt((self.df - 2) / self.df) * rng.standard_t(self.df, clean.shape)


@dataclass(frozen=True)
class Impulses(Noise):
    """Spikes of either sign, all of one height, in a few entries (salt and pepper).

    Parameters
    ----------
    rate : float
        Share of the entries that get a spike. Its height, ``sigma / sqrt(rate)``, makes the standard deviation
        over all entries sigma.
    """

    rate: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.rate <= 1:
            raise SettingInvalid(
                f"noise.rate must lie above 0 and up to 1 (share of the entries), got {self.rate}"
            )

    def error(self, clean: np.ndarray, rng: np.random.Generator, kind: str | None) -> np.ndarray:
        u = rng.random(clean.shape)
        sign = np.where(u < self.rate / 2, 1.0, -1.0)
        return np.where(u < self.rate, sign * self.sigma / np.sqrt(self.rate), 0.0)


@dataclass(frozen=True)
class Multiplicative(Noise):
    """Normal errors in proportion to the value (speckle): ``z (1 + sigma e)``.

    The value is the standardised one, so that the mean square of the error in a column is sigma^2; entries at
    their column's mean get none.
    """

    def error(self, clean: np.ndarray, rng: np.random.Generator, kind: str | None) -> np.ndarray:
        return self.sigma * clean * rng.standard_normal(clean.shape)


@dataclass(frozen=True)
class Heteroscedastic(Noise):
    """Normal errors of variance ``sigma^2 (1 + z^2) / 2``: the farther from the mean, the noisier.

    An additive and a multiplicative part of equal weight, the two-component error model of Rocke and
    Lorenzato (1995).
    """

    def error(self, clean: np.ndarray, rng: np.random.Generator, kind: str | None) -> np.ndarray:
        return self.sigma * np.sqrt((1 + clean**2) / 2) * rng.standard_normal(clean.shape)


@dataclass(frozen=True)
class Autocorrelated(Noise):
    """Autocorrelated normal errors: a stationary first-order autoregression along time, for series only.

    Parameters
    ----------
    phi : float
        Correlation of an error with the next one, in (-1, 1).
    """

    phi: float = 0.8

    needs_kind: ClassVar[bool] = True
    series_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not -1 < self.phi < 1:
            raise SettingInvalid(f"noise.phi must lie between -1 and 1, got {self.phi}")

    def error(self, clean: np.ndarray, rng: np.random.Generator, kind: str | None) -> np.ndarray:
        from scipy.signal import lfilter

        innovations = rng.standard_normal(clean.shape)
        innovations[1:] *= np.sqrt(
            1 - self.phi**2
        )  # the first one starts the series at its stationary variance
        return self.sigma * lfilter([1.0], [1.0, -self.phi], innovations, axis=0)


@dataclass(frozen=True)
class Quantisation(Noise):
    """Values rounded to a grid of step ``sqrt(12) sigma``, whose origin is drawn for each column.

    The error is uniform in a step, of standard deviation sigma, as far as a column varies by more than a step;
    a column of few values (a dummy) may be rounded to one.
    """

    def error(self, clean: np.ndarray, rng: np.random.Generator, kind: str | None) -> np.ndarray:
        step, origin = np.sqrt(12) * self.sigma, rng.random(clean.shape[1])
        if step == 0:
            return np.zeros_like(clean)
        return step * (np.round(clean / step - origin) + origin) - clean


@dataclass(frozen=True)
class Missing(Noise):
    """Missing values, imputed: by linear interpolation in a series, by the column's mean in a table.

    Gaps are drawn until the expected mean square of the filling's error is sigma^2; a column so smooth that
    half of it may go without that is left with half of it gone and a lower level (`Noisy.sigma`).

    Parameters
    ----------
    length : int
        Time steps of a gap of a series. The rows of a table have no order: there single values are lost.
    """

    length: int = 8

    needs_kind: ClassVar[bool] = True
    falls_short: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.length < 1:
            raise SettingInvalid(f"noise.length must be at least 1 time step, got {self.length}")

    def error(self, clean: np.ndarray, rng: np.random.Generator, kind: str | None) -> np.ndarray:
        if kind == "tabular":
            lost = rng.random(clean.shape) < self._share(clean.var(axis=0))
            return np.where(lost, clean.mean(axis=0) - clean, 0.0)
        n, length = len(clean), min(self.length, max(1, len(clean) - 2))
        # Time is cut into blocks of a gap and one kept step, so that no gap is longer than it should be.
        block, step = np.divmod(
            np.arange(n)[:, None] + rng.integers(0, length + 1, clean.shape[1]), length + 1
        )
        drawn = np.take_along_axis(rng.random((n // (length + 1) + 2, clean.shape[1])), block, axis=0)
        lost = (step < length) & (drawn < self._share(_gap_error(clean, length)) * (length + 1) / length)
        filled = clean.copy()
        steps = np.arange(n)
        for column, gone in enumerate(lost.T):
            if gone.any() and not gone.all():
                filled[gone, column] = np.interp(steps[gone], steps[~gone], clean[~gone, column])
        return filled - clean

    def _share(self, mean_square: np.ndarray) -> np.ndarray:
        """Share of the entries to lose, of each column, given the filling's mean square error in a lost entry."""
        return np.minimum(0.5, self.sigma**2 / np.maximum(mean_square, np.finfo(float).tiny))


def _gap_error(clean: np.ndarray, length: int) -> np.ndarray:
    """Mean square error, of each column, of linear interpolation over every possible gap of `length` steps."""
    n = len(clean) - length - 1
    if n < 1:
        return np.zeros(clean.shape[1])
    left, right = clean[:n], clean[length + 1 :]
    total = np.zeros(clean.shape[1])
    for step in range(1, length + 1):
        weight = step / (length + 1)
        total += (((1 - weight) * left + weight * right - clean[step : step + n]) ** 2).mean(axis=0)
    return total / length
