"""Gaps: values with infinite noise, filled from all other values, with the expected error.

Several guesses are made. For a series: a vector autoregression of all columns (`var_smoother`), the same after
removing the season, one of every column by itself, and linear interpolation; for a table: a multivariate
normal (`normal_fill`), with a weak and a strong prior of independent columns; for both, the cross-fitted blind-spot
prediction on the data filled in this way. They are judged where the answer is known: observed values are
hidden in the pattern of the gaps, a few times, and guessed the same way. A column takes the mixture of guesses with
the smallest error there, and the size of these errors calibrates the variance. Values of a series too extreme to be
measurements do not inform their neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array, Kind
from denograd.data.outliers import far_limits
from denograd.map.blind_spot import BlindSpot
from denograd.map.normal_fill import Normal, condition, fit_normal
from denograd.map.var_smoother import Vector, fit_vector, fit_vectors, smooth

Mask = NDArray[np.bool_]

HIDDEN, LEAST_HIDDEN = 0.1, 50
"""At most this share of a column's observed values is hidden at once, and at least so many where there are gaps."""

TRIALS, ENOUGH = 4, 1000
"""Values are hidden so often, unless so many of every column were hidden the first time."""

PRIORS = (1.0, 10.0)
"""Of the normals of a table, in rows per column: see `fit_normal`."""

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
        For a series: the prediction of every value from all others, gaps or not. A blind spot on filled data cannot
        give it: gaps beside a value are filled from that value as well.
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
    # what is no measurement tells nothing of its neighbours in time; a far row of a table may be as far in all columns
    far = _far_out(X, missing) if kind == "series" else np.zeros_like(missing)
    known = np.where(far, np.nan, X)
    center, scale = np.nanmean(known, 0), np.nanstd(known, 0)
    scale = np.where(scale > 0, scale, 1.0)
    unknown = missing | far
    y = np.where(unknown, 0.0, (X - center) / scale)
    noise = (np.asarray(sigma, float) / scale) ** 2
    rng = np.random.default_rng(seed)
    learned: _SeriesWays | _TableWays
    learned = _SeriesWays(y, unknown, noise, seed) if kind == "series" else _TableWays(y, unknown, seed)
    trials = []
    for hidden in _hide(missing, far, kind, rng):
        judged = learned
        if isinstance(
            learned, _TableWays
        ):  # its correlations are many: what is hidden must not have taught them
            judged = _TableWays(y, unknown | hidden, seed, like=learned)
        trials.append((hidden, *judged.guess(y, unknown | hidden)))
    weights, factor = _judge(y, trials, np.nan_to_num(noise), kind)
    guesses, spread = learned.guess(y, unknown)
    mean = np.einsum("gnc,gc->nc", guesses, weights)
    values = np.where(missing, mean * scale + center, X)
    variance = np.where(missing, np.maximum(spread, 1e-12) * factor * scale**2, 0.0)
    if not isinstance(learned, _SeriesWays):
        return Filled(values, variance)
    return Filled(values, variance, learned.predict(y, unknown) * scale + center)


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
    seen = ~missing & ~blind.outliers_
    squares = (blind.residual_.astype(float) ** 2 * seen).sum(0)
    blind.mse_ = np.where(blind.constant_, 0.0, squares / np.maximum(seen.sum(0), 1))


def _far_out(X: Array, missing: Mask) -> Mask:
    """Observed values that are no measurement, a sentinel say; see `denograd.data.outliers`."""
    far = np.zeros_like(missing)
    for j in range(X.shape[1]):
        rows = ~missing[:, j]
        low, high = far_limits(X[rows, j : j + 1])
        far[rows, j] = (low > X[rows, j]) | (high < X[rows, j])
    return far


def _hide(missing: Mask, far: Mask, kind: Kind, rng: np.random.Generator) -> Iterator[Mask]:
    """Observed values in the pattern of the gaps: every column's gaps, moved along by some rows; a few times."""
    n = len(missing)
    columns = np.flatnonzero(missing.any(0))
    for _ in range(TRIALS):
        hidden = np.zeros_like(missing)
        for j in columns:
            wanted = min(max(LEAST_HIDDEN, missing[:, j].sum()), HIDDEN * (~missing[:, j]).sum())
            for _ in range(200):
                moved = np.roll(missing[:, j], rng.integers(1, n)) & ~(missing | far)[:, j]
                room = int(wanted - hidden[:, j].sum())
                if room <= 0:
                    break
                rows = np.flatnonzero(moved)
                start = rng.integers(max(1, len(rows) - room + 1)) if kind == "series" else 0
                hidden[rows[start : start + room], j] = True
        yield hidden
        if hidden[:, columns].sum(0).min() > ENOUGH:
            break


class _TableWays:
    """The normal, a more cautious one, and the blind spot."""

    def __init__(self, y: Array, missing: Mask, seed: int, like: _TableWays | None = None) -> None:
        c = y.shape[1]
        self.normals: list[Normal] = []
        for k in PRIORS:
            near = like.normals[len(self.normals)] if like else self.normals[-1] if self.normals else None
            self.normals.append(fit_normal(y, missing, prior=k * c, start=near))
        filled = np.where(missing, condition(self.normals[0], y, missing)[0], y)
        self.blind = _blind("tabular", filled, seed)

    def guess(self, y: Array, missing: Mask) -> tuple[Array, Array]:
        (mean, spread), *others = [condition(normal, y, missing) for normal in self.normals]
        guesses = [mean, *(other for other, _ in others)]
        if self.blind is not None:
            guesses.append(self.blind.predict(np.where(missing, mean, y), fitted_rows=len(y)))
        return np.stack(guesses), spread


class _SeriesWays:
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
        self.blind = _blind("series", np.where(missing, self._smooth(self.plain, y, missing)[0], y), seed)

    def guess(self, y: Array, missing: Mask) -> tuple[Array, Array]:
        mean, spread = self._smooth(self.plain, y, missing)
        line = interpolate(y, missing)
        guesses = [mean, line]
        if self.own is not None:
            guesses.append(smooth(self.own, *_apart(y, missing))[0][..., 0].T)
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
            errors = columns[:, here] - y[here, j]
            out[:, j] = _mixture(errors @ errors.T / errors.shape[1]) @ columns
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


def _blind(kind: Kind, filled: Array, seed: int) -> BlindSpot | None:
    """A fitted blind spot; None where there is too little to fit it."""
    blind = BlindSpot(kind)
    few = 4 * blind.folds + (2 * blind.context if kind == "series" else 0)
    if len(filled) < few or (kind == "tabular" and filled.shape[1] == 1):
        return None
    return blind.fit(filled, seed=seed)


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


def _judge(
    y: Array, trials: list[tuple[Mask, Array, Array]], noise: Array, kind: Kind
) -> tuple[Array, Array]:
    """Weights of the guesses per column, (g, c), and the factor of the first one's variance, (c,).

    Few hidden values do not tell the guesses apart: a column's weights then lean on what all columns say.
    """
    count, _, c = trials[0][1].shape
    errors = [
        np.concatenate([guesses[:, hidden[:, j], j] - y[hidden[:, j], j] for hidden, guesses, _ in trials], 1)
        for j in range(c)
    ]
    judged = [j for j in range(c) if errors[j].shape[1] >= 5]
    weights, factor = np.zeros((count, c)), np.ones(c)
    weights[0] = 1.0
    own = {j: _mixture(errors[j] @ errors[j].T / errors[j].shape[1]) for j in judged}
    for j in judged:
        # values of one gap fail together in a series
        independent = errors[j].shape[1]
        if kind == "series":
            independent = sum(int((hidden[1:, j] & ~hidden[:-1, j]).sum()) for hidden, _, _ in trials)
        trust = independent / (independent + FEW)
        weights[:, j] = trust * own[j] + (1 - trust) * np.mean(list(own.values()), 0)
        expected = float(np.concatenate([spread[hidden[:, j], j] for hidden, _, spread in trials]).mean())
        found = (float(((weights[:, j] @ errors[j]) ** 2).mean()) - noise[j]) / max(expected, 1e-12)
        factor[j] = max(1.0 + trust * (found - 1.0), LEAST_FACTOR)
    return weights, factor


def _mixture(gram: Array) -> Array:
    """Weights, none negative, that sum to 1, with the least mean square of errors of second moments (g, g), mixed.

    Frank and Wolfe's algorithm.
    """
    weights = np.zeros(len(gram))
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
