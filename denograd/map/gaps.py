"""Gaps: values with infinite noise. Filled by what the rest says, with the error that is to be expected.

Several guesses are made: a Gaussian model of the whole (`var_smoother` for a series, `normal_fill` for a table), for a
series also the straight line between a gap's neighbours and the model with the season taken out, and the blind spot's
own prediction, cross-fitted, on the data so filled. Which to believe is found out where the answer is known: observed
values are hidden in the pattern of the gaps and guessed the same way. A column takes the mixture of guesses that errs
least there, and the size of these errors calibrates the variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array, Kind
from denograd.map.blind_spot import BlindSpot
from denograd.map.normal_fill import condition, fit_normal
from denograd.map.var_smoother import Vector, fit_vector, smooth

Mask = NDArray[np.bool_]

HIDDEN, LEAST_HIDDEN = 0.1, 50
"""At most this share of a column's observed values is hidden, and at least so many where there are gaps at all."""

SEASON = 0.3
"""Autocorrelation at a lag, from which on it is a season."""

GROUP = 12
"""Columns of a series that are modelled together; wider ones are split by correlation."""


MIXED, MOST_MIXED = 2.5, 0.5
"""See `see_past_gaps`."""

FEW, LEAST_FACTOR = 20, 0.7
"""Hidden values that weigh as much as the model's own variance, and what is left of that at least."""


@dataclass(frozen=True)
class Filled:
    """Data whose gaps are filled.

    Attributes
    ----------
    values : (n, c) array
        Observed values as they were, gaps by their posterior mean.
    variance : (n, c) array
        Expected squared error of a filled value; 0 where a value was observed.
    prediction : (n, c) array or None
        Of a series: what all other values say of an observed one, gaps or not. A blind spot on filled data cannot
        tell: gaps beside a value are filled by that value as well.
    """

    values: Array
    variance: Array
    prediction: Array | None = None


def fill_gaps(X: Array, sigma: Array, kind: Kind, *, seed: int = 0) -> Filled:
    """Fill the gaps of a table or a series.

    Parameters
    ----------
    X : (n, c) array
        NaN at gaps; in any units.
    sigma : (c,) array
        Noise of the observed values, where it is known; NaN where not.
    kind : {"tabular", "series"}
    seed : int

    Returns
    -------
    Filled
    """
    missing = np.isnan(X)
    if not missing.any():
        return Filled(X.copy(), np.zeros(X.shape))
    count = (~missing).sum(0)
    if (count == 0).any():
        raise ValueError(f"column {int(np.argmin(count))} holds no value at all: leave it out")
    center, scale = np.nanmean(X, 0), np.nanstd(X, 0)
    scale = np.where(scale > 0, scale, 1.0)
    y = np.where(missing, 0.0, (X - center) / scale)
    noise = (np.asarray(sigma, float) / scale) ** 2
    rng = np.random.default_rng(seed)
    hidden = _hide(missing, kind, rng)
    # learned once, without the hidden values, and asked twice
    guesser = _Guesser(y, missing | hidden, noise, kind, seed)
    tried, spread = guesser.guess(y, missing | hidden)
    weights, factor = _judge(y, hidden, tried, spread, np.nan_to_num(noise))
    guesses, spread = guesser.guess(y, missing)
    mean = np.einsum("gnc,gc->nc", guesses, weights)
    values = np.where(missing, mean * scale + center, X)
    variance = np.where(missing, np.maximum(spread, 1e-12) * factor * scale**2, 0.0)
    prediction = guesser.predict(y, missing) * scale + center if kind == "series" else None
    return Filled(values, variance, prediction)


def see_past_gaps(blind: BlindSpot, filled: Filled, missing: Mask) -> None:
    """Mend the predictions of a blind spot that was fitted on a filled series.

    Beside a gap it is not quite blind: the gap was filled from the value itself. The more gaps there are, the more of
    its prediction is taken from the model that leaves the value out however many lie beside it: 2.5 times their
    share, at most half. (Chosen on two series, ett and daily_climate, at one noise level.)

    Parameters
    ----------
    blind : BlindSpot
        Fitted on ``filled.values``; its prediction, residual and mean squared error change.
    filled : Filled
    missing : (n, c) bool array
    """
    if filled.prediction is None or not missing.any():
        return
    weight = min(MOST_MIXED, MIXED * float(missing.mean()))
    mixed = (1 - weight) * blind.prediction_ + weight * filled.prediction
    blind.prediction_ = np.where(missing, blind.prediction_, mixed).astype(np.float32)
    blind.residual_ = np.where(missing, blind.residual_, mixed - filled.values).astype(np.float32)
    seen = np.maximum((~missing).sum(0), 1)
    blind.mse_ = np.where(blind.constant_, 0.0, (blind.residual_.astype(float) ** 2 * ~missing).sum(0) / seen)


def _hide(missing: Mask, kind: Kind, rng: np.random.Generator) -> Mask:
    """Observed values in the pattern of the gaps: every column's gaps, moved along by some rows."""
    n = len(missing)
    hidden = np.zeros_like(missing)
    for j in np.flatnonzero(missing.any(0)):
        wanted = min(max(LEAST_HIDDEN, missing[:, j].sum()), HIDDEN * (~missing[:, j]).sum())
        for _ in range(200):
            moved = np.roll(missing[:, j], rng.integers(1, n)) & ~missing[:, j]
            room = int(wanted - hidden[:, j].sum())
            if room <= 0:
                break
            rows = np.flatnonzero(moved)
            start = rng.integers(max(1, len(rows) - room + 1)) if kind == "series" else 0
            hidden[rows[start : start + room], j] = True
    return hidden


class _Guesser:
    """All ways of filling the gaps, learned from a series or table."""

    def __init__(self, y: Array, missing: Mask, noise: Array, kind: Kind, seed: int) -> None:
        self.kind = kind
        if kind == "tabular":
            self.normal = fit_normal(y, missing)
        else:
            line = interpolate(y, missing)
            self.groups = column_groups(line)
            self.plain = [fit_vector(y[:, g], missing[:, g], noise[g]) for g in self.groups]
            self.period = _period(line)
            if self.period:
                rest = y - _season(line, missing, self.period)
                self.deseasoned = [fit_vector(rest[:, g], missing[:, g], noise[g]) for g in self.groups]
        self.blind: BlindSpot | None = None
        if y.shape[1] > 1 or kind == "series":
            blind = BlindSpot(kind)
            if len(y) >= 4 * blind.folds + 2 * blind.context:
                filled = np.where(missing, self._gaussian(y, missing)[0], y)
                self.blind = blind.fit(filled, seed=seed)

    def guess(self, y: Array, missing: Mask) -> tuple[Array, Array]:
        """Every way's values, (g, n, c), and the first way's variance, (n, c)."""
        mean, spread = self._gaussian(y, missing)
        guesses = [mean]
        if self.kind == "series":
            line = interpolate(y, missing)
            guesses.append(line)
            if self.period:
                season = _season(line, missing, self.period)
                guesses.append(self._smooth(self.deseasoned, y - season, missing)[0] + season)
        if self.blind is not None:
            guesses.append(self.blind.predict(np.where(missing, mean, y), fitted_rows=len(y)))
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
            out[:, j] = _mixture(columns[:, here] - y[here, j]) @ columns
        return out

    def _without_own(self, models: list[Vector], y: Array, missing: Mask) -> Array:
        """Take a value's own observation out of its posterior: a normal divided by a normal."""
        mean, variance = self._smooth(models, y, missing)
        noise = np.empty(y.shape[1])
        for group, model in zip(self.groups, models, strict=True):
            noise[group] = model.noise.numpy()
        precision = np.maximum(1 / variance - 1 / noise, 1e-6 / variance)
        return np.where(missing, mean, (mean / variance - y / noise) / precision)

    def _gaussian(self, y: Array, missing: Mask) -> tuple[Array, Array]:
        if self.kind == "tabular":
            return condition(self.normal, y, missing)
        return self._smooth(self.plain, y, missing)

    def _smooth(self, models: list[Vector], y: Array, missing: Mask) -> tuple[Array, Array]:
        mean, variance = np.empty(y.shape), np.empty(y.shape)
        for group, model in zip(self.groups, models, strict=True):
            mean[:, group], variance[:, group] = smooth(model, y[:, group], missing[:, group])
        return mean, variance


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


def _judge(y: Array, hidden: Mask, guesses: Array, spread: Array, noise: Array) -> tuple[Array, Array]:
    """Weights of the guesses per column, (g, c), and the factor of the first one's variance, (c,)."""
    count, _, c = guesses.shape
    weights, factor = np.zeros((count, c)), np.ones(c)
    weights[0] = 1.0
    for j in range(c):
        rows = hidden[:, j]
        if rows.sum() < 5:
            continue
        errors = guesses[:, rows, j] - y[rows, j]
        weights[:, j] = _mixture(errors)
        expected = float(spread[rows, j].mean())
        found = (float(((weights[:, j] @ errors) ** 2).mean()) - noise[j]) / max(expected, 1e-12)
        trust = rows.sum() / (rows.sum() + FEW)
        factor[j] = max(1.0 + trust * (found - 1.0), LEAST_FACTOR)
    return weights, factor


def _mixture(errors: Array) -> Array:
    """Weights, none negative, that sum to 1, with the least mean square of mixed errors (g, h): Frank and Wolfe."""
    gram = errors @ errors.T / errors.shape[1]
    weights = np.zeros(len(errors))
    weights[np.argmin(np.diag(gram))] = 1.0
    for _ in range(100):
        slope = gram @ weights
        towards = -weights
        towards[np.argmin(slope)] += 1.0
        bend = towards @ gram @ towards
        if bend <= 1e-15:
            break
        move = float(np.clip(-(slope @ towards) / bend, 0.0, 1.0))
        if move < 1e-4:
            break
        weights = weights + move * towards
    return weights
