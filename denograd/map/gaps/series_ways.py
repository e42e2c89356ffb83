"""What the gaps of a series are guessed by, and what all other values say of a value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array
from denograd.map.gaps.guesses import Mask, fit_blind_spot, mixture
from denograd.map.gaps.var_smoother import Vector, fit_vector, fit_vectors, smooth

SEASON = 0.3
"""Autocorrelation at a lag, from which on it is a season."""

GROUP = 12
"""Columns of a series that are modelled together; wider ones are split by correlation."""


class SeriesWays:
    """The vector autoregression, also without the season, each column's own, straight lines, the blind spot."""

    def __init__(self, y: Array, missing: Mask, noise: Array, seed: int) -> None:
        line = interpolate(y, missing)
        self.groups = column_groups(line)
        self.plain = [fit_vector(y[:, g], missing[:, g], noise[g]) for g in self.groups]
        self.period = _period(line)
        if self.period:
            rest = y - _season(line, missing, self.period)
            self.deseasoned = [fit_vector(rest[:, g], missing[:, g], noise[g]) for g in self.groups]
        self.own = fit_vectors(*_apart(y, missing), noise[:, None]) if y.shape[1] > 1 else None
        self.blind = fit_blind_spot(
            "series", np.where(missing, self._smooth(self.plain, y, missing)[0], y), seed
        )

    def guess(self, y: Array, missing: Mask, fitted_rows: int) -> tuple[Array, Array]:
        """Guesses of every value, (g, n, c), and the first one's variance; `fitted_rows` as of `BlindSpot.predict`."""
        mean, spread = self._smooth(self.plain, y, missing)
        line = interpolate(y, missing)
        guesses = [mean, line]
        if self.own is not None:
            guesses.append(smooth(self.own, *_apart(y, missing))[0][..., 0].T)
        if self.period:
            season = _season(line, missing, self.period)
            guesses.append(self._smooth(self.deseasoned, y - season, missing)[0] + season)
        if self.blind is not None:
            guesses.append(self.blind.predict(np.where(missing, mean, y), fitted_rows=fitted_rows))
        return np.stack(guesses), spread

    def predict(self, y: Array, missing: Mask) -> Array:
        """What all other values of a series say of every value, (n, c); gaps' as in `guess`."""
        predictions = [self._without_own(self.plain, y, missing)]
        if self.period:
            season = _season(interpolate(y, missing), missing, self.period)
            predictions.append(self._without_own(self.deseasoned, y - season, missing) + season)
        out = np.empty(y.shape)
        for j in range(y.shape[1]):
            columns = np.stack([prediction[:, j] for prediction in predictions])
            here = ~missing[:, j]
            errors = columns[:, here] - y[here, j]
            out[:, j] = mixture(errors @ errors.T / errors.shape[1]) @ columns
        return out

    def _without_own(self, models: list[Vector], y: Array, missing: Mask) -> Array:
        """Take a value's own observation out of its posterior: a normal divided by a normal."""
        mean, variance = self._smooth(models, y, missing)
        noise = np.empty(y.shape[1])
        for group, model in zip(self.groups, models, strict=True):
            noise[group] = model.noise
        precision = np.maximum(1 / variance - 1 / noise, 1e-6 / variance)
        return np.where(missing, mean, (mean / variance - y / noise) / precision)

    def _smooth(self, models: list[Vector], y: Array, missing: Mask) -> tuple[Array, Array]:
        mean, variance = np.empty(y.shape), np.empty(y.shape)
        for group, model in zip(self.groups, models, strict=True):
            mean[:, group], variance[:, group] = smooth(model, y[:, group], missing[:, group])
        return mean, variance


def _apart(y: Array, missing: Mask) -> tuple[Array, Mask]:
    """Every column as a series of its own, (c, n, 1)."""
    return y.T[..., None], missing.T[..., None]


def interpolate(y: Array, missing: Mask) -> Array:
    """Straight lines between a gap's neighbours; beyond the ends, the first or last value."""
    out, steps = y.copy(), np.arange(len(y))
    for j in np.flatnonzero(missing.any(0)):
        gap = missing[:, j]
        out[gap, j] = np.interp(steps[gap], steps[~gap], y[~gap, j])
    return out


def column_groups(y: Array) -> list[NDArray[np.int64]]:
    """Split the columns of a series into groups of those most alike, at most `GROUP` in each."""
    left = list(range(y.shape[1]))
    if len(left) <= GROUP:
        return [np.array(left)]
    spread = y.std(0)
    z = (y - y.mean(0)) / np.where(spread > 0, spread, 1.0)
    alike = np.abs(z.T @ z)
    groups = []
    while left:
        order = sorted(left, key=lambda j: -alike[left[0], j])
        groups.append(np.array(order[:GROUP]))
        left = [j for j in left if j not in set(order[:GROUP])]
    return groups


def _period(y: Array) -> int | None:
    """The lag at which the columns, their slow part taken out, are most like themselves; None where they are not."""
    n = len(y)
    if n < 32:
        return None
    detrended = _detrended(y)
    spectrum = np.abs(np.fft.rfft(detrended, 2 * n, axis=0)) ** 2
    correlation = np.fft.irfft(spectrum, axis=0)[: n // 3]
    correlation = (correlation / np.maximum(correlation[0], 1e-12)).mean(1)
    inner = correlation[4:-1]
    peaks = 4 + np.flatnonzero((inner > correlation[3:-2]) & (inner >= correlation[5:]))
    if not len(peaks) or correlation[peaks].max() < SEASON:
        return None
    return int(peaks[np.argmax(correlation[peaks])])


def _season(y: Array, missing: Mask, period: int) -> Array:
    """What repeats itself, (n, c): the mean, over the neighbouring periods, of what stands out at a step."""
    n, known = len(y), np.where(missing, 0.0, _detrended(y))
    total, weight = np.zeros(y.shape), np.zeros(y.shape)
    for k in range(-5, 6):
        if k and abs(k) * period < n:
            seen = np.roll(~missing, k * period, axis=0).astype(float)
            seen[slice(0, k * period) if k > 0 else slice(n + k * period, n)] = 0.0
            total += seen * np.roll(known, k * period, axis=0)
            weight += seen
    season: Array = total / (weight + 1.0)
    return season


def _detrended(y: Array) -> Array:
    rest: Array = y - _running_mean(y, min(len(y) // 4, 64) | 1)
    return rest


def _running_mean(y: Array, width: int) -> Array:
    half = width // 2
    padded = np.pad(y, ((half + 1, half), (0, 0)), mode="edge").cumsum(0)
    mean: Array = (padded[width:] - padded[:-width]) / width
    return mean
