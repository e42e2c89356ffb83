"""Estimates of the noise level from the data themselves.

One observation per value identifies an upper bound and no more: the part of a signal that nothing else predicts
looks like noise. Two kinds of evidence are an exception.

*Own values.* A column with few distinct clean values (a flag, a count, a rounded number) shows its noise: separate
lumps of equal width. The width is the level (`own_levels`).

*Agreement.* If the noise is the same share of every column's spread, the residual of the best predicted columns is all
noise, of the value and of what it was predicted from: ``floor^2 = sigma^2 (1 + |df/dx|^2)``. Errors of the model would
have to be alike in three columns to look the same (`common_level`).

Both tell as well when a *given* level is too high: values with structure that noise of this level would have washed
out (`possible_level`), and a residual too small for the noise that the prediction's inputs bring in
(`noise_through`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array
from denograd.map.blind_spot import BlindSpot
from denograd.map.candidates.mixture import BLOCK, COMPONENTS, local_weights, mixture_weights
from denograd.map.candidates.support import DISTINCT
from denograd.map.error_scale import NORMAL_MEDIAN

LADDER = 0.008 * 1.12 ** np.arange(44)
"""Levels that are tried, in standard deviations of a column."""

NEXT = 3
"""Rungs from a level to 1.4 times that level."""

LOWER = 1.12 ** -np.arange(16.0)
"""What is tried of a given level that the values speak against: down to a fifth."""

ENOUGH = 20_000
"""So many values of a column are enough to judge a given level."""

NUDGE = 0.02
"""Size of the nudges that show how a prediction answers to its inputs, in their noise levels."""

EVIDENCE = 35.0
"""Log-likelihood by which a level must be better than 1.4 times that level, from 3,000 rows on."""

RESOLVED = 0.42
"""The posterior variance of the values is at most so many squared levels: they can be told apart."""

PER_LEVEL, REACH = 4, 5
"""Points of a grid per level, and how many levels a normal reaches."""

GAP = 1.5
"""Width, in noise levels, of the empty space that separates two lumps."""

LUMP, LUMPS, IN_LUMPS = 15, 2, 0.9
"""Rows of a lump; lumps of equal width; share of the rows that they hold."""

ALIKE = 1.3
"""A column whose lumps overlap is accepted if its share of the spread is within this factor of the others'."""

AGREE = 1.1
"""The three smallest floors are within this factor of each other."""

TOLERANCE = 3.0
"""A level is possible if it makes the residuals less likely by at most so much (log-likelihood)."""


@dataclass(frozen=True)
class OwnLevels:
    """Noise that shows in the columns' own values.

    Attributes
    ----------
    level : (c,) array
        In the data's units; 0 where none shows.
    clear : (c,) bool array
        Columns with separate lumps.
    evidence : tuple of str
        Per column, in words.
    """

    level: Array
    clear: NDArray[np.bool_]
    evidence: tuple[str, ...]


def own_levels(X: Array) -> OwnLevels:
    """Find the columns whose own values show the noise, and its level there.

    Parameters
    ----------
    X : (n, c) array
        NaN at gaps.
    """
    columns = X.shape[1]
    level, clear = np.zeros(columns), np.zeros(columns, dtype=bool)
    evidence = [""] * columns
    spread = np.nanstd(X, 0)
    for j in range(columns):
        y = X[np.isfinite(X[:, j]), j]
        if spread[j] == 0 or len(np.unique(y)) < DISTINCT * len(y):
            evidence[j] = "held: values repeat, so noise came, if at all, before the rounding"
            continue
        likeliest = _likeliest_level(y / spread[j]) * spread[j]
        if likeliest == 0:
            evidence[j] = "held: no level is much likelier than larger ones"
            continue
        count, width = _lumps(y, likeliest)
        if count >= LUMPS:
            count, width = _lumps(y, width)
        apart = count >= LUMPS
        clear[j] = apart
        level[j] = width if apart else likeliest
        evidence[j] = f"{count} lumps of equal width" if apart else "overlapping lumps"
    usual = np.median(level[clear] / spread[clear]) if clear.any() else np.nan
    for j in np.flatnonzero((level > 0) & ~clear).tolist():
        ratio = level[j] / spread[j] / usual
        if 1 / ALIKE <= ratio <= ALIKE:
            evidence[j] += ", as wide as the lumps of other columns"
        else:
            level[j] = 0.0
            evidence[j] = "held: its lumps overlap, and no other column bears out how wide they are"
    return OwnLevels(level, clear, tuple(evidence))


def common_level(blind: BlindSpot | None, spread: Array, own: OwnLevels) -> tuple[float, str]:
    """Noise level as a share of every column's spread, taken to be the same for all; NaN where it does not show.

    Parameters
    ----------
    blind : BlindSpot or None
        Without it only columns that show the noise by themselves can tell.
    spread : (c,) array
        Standard deviation of the columns.
    own : OwnLevels
        Of the same columns.

    Returns
    -------
    share : float
    evidence : str
    """
    if own.clear.any():
        share = float(np.median(own.level[own.clear] / spread[own.clear]))
        return share, f"median of {own.clear.sum()} columns with lumps of equal width"
    if blind is None:
        return np.nan, "no column shows the noise by itself"
    X, free = blind.observed_, np.flatnonzero(~blind.constant_)
    repeats = [len(np.unique(X[:, j])) < DISTINCT * len(X) for j in free]
    free = free[~np.array(repeats, dtype=bool)]
    if len(free) < 3:
        return np.nan, f"{len(free)} columns vary continuously, and three have to agree"
    floors = np.array(
        [_floor(blind.residual_[:, j].astype(float), blind.prediction_[:, j], blind.kind) for j in free]
    )
    through = noise_through(blind, spread, probes=3)[free] / spread[free] ** 2
    floors /= spread[free] * np.sqrt(1.0 + through)
    least = np.sort(floors)[:3]
    if least[2] > AGREE * least[0]:
        listed = ", ".join(f"{v:.3g}" for v in least)
        return np.nan, f"the three smallest bounds ({listed} of the spread) are more than 10 % apart"
    return float(least[0]), f"the three smallest bounds agree within {least[2] / least[0] - 1:.0%}"


def possible_level(y: Array, level: float) -> float:
    """Largest level, `level` at most, that a column's own values do not speak against.

    Noise of a level washes out whatever is narrower. Where held-out values are much likelier under 1/1.4 of the level,
    the noise is smaller (or not normal), and the level goes down until no lower one is much likelier. A level below all
    that `own_levels` looks for is not asked: a density as fine as that cannot be learnt from the values.

    Parameters
    ----------
    y : (n,) array
    level : float
        In the data's units.

    Returns
    -------
    float
    """
    if level == 0 or len(y) < LUMPS * LUMP or len(np.unique(y)) < DISTINCT * len(y):
        return level
    if level < LADDER[0] * y.std():
        return level
    if len(y) > ENOUGH:
        y = np.random.default_rng(0).choice(y, ENOUGH, replace=False)
    likelihood = [_marginal(y, level * rung)[0] for rung in (1.0, LOWER[NEXT])]
    if likelihood[1] - likelihood[0] < _enough(len(y)):
        return level
    values = np.array([_marginal(y, level * rung)[0] for rung in LOWER])
    return float(level * LOWER[int(np.argmax(values >= values.max() - _enough(len(y))))])


def _enough(rows: int) -> float:
    """Difference of log-likelihoods that counts as evidence."""
    return float(EVIDENCE * min(rows / 3000, 1.0) ** 0.5)


def _likeliest_level(y: Array) -> float:
    """Level, in standard deviations, under which held-out values are clearly likeliest; 0 if none is."""
    fits = [_marginal(y, level) for level in LADDER]
    best = int(np.argmax([likelihood for likelihood, _ in fits]))
    if best == 0 or best + NEXT >= len(LADDER):
        return 0.0
    drop = fits[best][0] - fits[best + NEXT][0]
    return float(LADDER[best]) if drop >= _enough(len(y)) and fits[best][1] <= RESOLVED else 0.0


def _marginal(y: Array, level: float, iterations: int = 50) -> tuple[float, float]:
    """NPMLE of a column's values under noise of a level: how likely are held-out ones, and how well told apart?

    Half of the values teach the density on a grid of a quarter of the level (Richardson and Lucy), the other half
    is judged by it, and the other way round.

    Returns
    -------
    likelihood : float
        Sum of the log densities.
    variance : float
        Mean posterior variance in squared levels.
    """
    step, reach = level / PER_LEVEL, REACH * PER_LEVEL
    # no normal reaches across an empty gap: a long one may as well be short
    order = np.argsort(y, kind="stable")
    gaps = np.minimum(np.diff(y[order]), 2.4 * REACH * level)
    position = np.empty(len(y))
    position[order] = np.concatenate([[0.0], np.cumsum(gaps)]) / step + 1.2 * reach
    points = int(position.max() + 1.2 * reach) + 2
    low = position.astype(np.int64)
    part = position - low
    length = 1 << (points + 4 * reach).bit_length()
    kernel = np.exp(-2 * (np.pi * np.fft.rfftfreq(length) * PER_LEVEL) ** 2)

    def smooth(values: Array) -> Array:
        found = np.fft.irfft(np.fft.rfft(values, length) * kernel, length)[..., :points]
        return np.maximum(found, 1e-12)

    fold = np.random.default_rng(0).permutation(np.arange(len(y)) % 2)
    seen = np.stack(
        [
            np.bincount(low[m], 1 - part[m], points) + np.bincount(low[m] + 1, part[m], points)
            for m in (fold == 0, fold == 1)
        ]
    )
    seen /= seen.sum(1, keepdims=True)
    density = np.full(seen.shape, 1.0 / points)
    for _ in range(iterations):
        density *= smooth(seen / smooth(density))
        density /= density.sum(1, keepdims=True)
    observed = smooth(density) / step + 1e-6 / np.ptp(y)
    other = 1 - fold
    likelihood = np.log((1 - part) * observed[other, low] + part * observed[other, low + 1]).sum()
    lag = np.arange(-reach, reach + 1)
    near = (low[:, None] + lag).clip(0, points - 1)
    posterior = density[other[:, None], near] * np.exp(-0.5 * (lag / PER_LEVEL) ** 2)
    posterior /= np.maximum(posterior.sum(1, keepdims=True), 1e-300)
    mean = posterior @ lag
    return float(likelihood), float((posterior @ lag**2 - mean**2).mean()) / PER_LEVEL**2


def _lumps(y: Array, level: float) -> tuple[int, float]:
    """Number of separate lumps as wide as `level`, and their pooled width; 0 if they contain too few rows."""
    ordered = np.sort(y)
    count, rows, total = 0, 0, 0.0
    for lump in np.split(ordered, np.flatnonzero(np.diff(ordered) > GAP * level) + 1):
        m = len(lump)
        if m < LUMP:
            continue
        variance = lump.var(ddof=1)
        if abs(variance**0.5 / level - 1) < 0.2 + 2 / (2 * m) ** 0.5:
            count, rows, total = count + 1, rows + m, total + m * variance
    if rows < IN_LUMPS * len(y):
        return 0, 0.0
    return count, (total / rows) ** 0.5


def _floor(residual: Array, prediction: Array, kind: str) -> float:
    """Largest level that the residual allows: it is that much noise and something independent of it."""
    mean = float((residual**2).mean())
    if mean == 0:
        return 0.0
    order = np.argsort(prediction, kind="stable") if kind == "tabular" else np.arange(len(residual))
    r, block = residual[order], np.arange(len(residual)) // BLOCK
    top = min(mean**0.5, 1.2 * float(np.median(np.abs(r))) / NORMAL_MEDIAN)
    if top == 0:
        return 0.0

    def likelihood(level: float) -> float:
        own = np.concatenate([[0.0], np.geomspace(max(1e-3 * mean, 0.03 * level**2), 30 * mean, COMPONENTS)])
        grid = own + level**2
        exponent = -0.5 * (r[:, None] ** 2 / grid + np.log(grid))
        most = exponent.max(1, keepdims=True)
        density = np.exp(exponent - most)
        weights = local_weights(density, block, mixture_weights(density))
        return float((np.log((density * weights[block]).sum(1)) + most[:, 0]).sum())

    # coarse steps first, then fine ones above the last that is possible
    coarse = top * 1.06 ** np.arange(2, -40, -4.0)
    values = np.array([likelihood(level) for level in coarse])
    last = int(np.argmax(values >= values.max() - TOLERANCE))
    for level in coarse[last] * 1.06 ** np.arange(3, 0, -1.0):
        if likelihood(level) >= values.max() - TOLERANCE:
            return float(level)
    return float(coarse[last])


def noise_through(blind: BlindSpot, level: Array, probes: int) -> Array:
    """Variance that noise in the inputs gives to every prediction, to first order.

    Parameters
    ----------
    blind : BlindSpot
        Fitted.
    level : (c,) or (n, c) array
        Noise of the inputs, in the data's units; n fitted rows.
    probes : int
        Random nudges of all inputs at once, whose effect is averaged (Hutchinson's estimate).

    Returns
    -------
    variance : (c,) array
    """
    rng, X = np.random.default_rng([0, len(LADDER)]), blind.observed_  # signs that no caller draws as well
    plain = blind.predict(X, fitted_rows=len(X))
    total: Array = np.zeros(X.shape[1])
    for _ in range(probes):
        nudged = X + NUDGE * level * rng.choice([-1.0, 1.0], X.shape)
        total += (((blind.predict(nudged, fitted_rows=len(X)) - plain) / NUDGE) ** 2).mean(0)
    return total / probes
