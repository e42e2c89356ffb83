"""A vector autoregression behind noisy, gappy observations, smoothed: the first guess for gaps in a series.

    x_t = A_1 x_{t-1} + ... + A_p x_{t-p} + e_t,    e_t ~ N(0, Q),        y_t = x_t + N(0, R), a gap having infinite R

A, Q and R by expectation maximisation (Shumway and Stoffer, 1982), the E-step by Kalman's filter and Rauch, Tung and
Striebel's smoother. The series is cut into overlapping blocks that run side by side, so that the cost in Python is that
of one block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array

BLOCK, OVERLAP = 256, 48
"""Steps of a block, and of what is read before and behind it."""

ROUNDS = 15
"""Of expectation maximisation."""

GAP = 1e6
"""Variance of a gap's observation, in squared standard deviations of its column: as good as none."""

LEAST = 1e-4
"""Variances are at least this, in the same units."""

MOST_STATE = 48
"""Numbers in a state: wide series look back fewer steps."""

MOST_BLOCKS = 64
"""So many blocks, spread over the series, are enough to learn from; more run one after the other."""


@dataclass(frozen=True)
class Vector:
    """A fitted vector autoregression, in standardised units: transition (c, c p), Q (c, c), R (c,), order p.

    Several of one shape have a leading axis each.
    """

    transition: Array
    shocks: Array
    noise: Array
    order: int


def fit_vector(y: Array, missing: NDArray[np.bool_], noise: Array) -> Vector:
    """Learn a vector autoregression from a series with gaps.

    Parameters
    ----------
    y : (n, c) array
        Standardised columns; what stands at gaps does not count.
    missing : (n, c) bool array
    noise : (c,) array
        Variance of the observations' noise where it is known, else NaN: it is estimated then.
    """
    many = fit_vectors(y[None], missing[None], noise[None])
    return Vector(many.transition[0], many.shocks[0], many.noise[0], many.order)


def fit_vectors(y: Array, missing: NDArray[np.bool_], noise: Array) -> Vector:
    """Learn one vector autoregression from each of several series, (k, n, c), side by side; see `fit_vector`."""
    _, n, c = y.shape
    order = max(1, min(3, MOST_STATE // c - 1, n // 20))
    starts = np.arange(0, n, BLOCK)
    chosen = starts[:: -(-len(starts) // MOST_BLOCKS)]
    model = _first_guess(c, order, noise)
    blocks = _cut(y, missing, chosen)
    for _ in range(ROUNDS):
        model = _learn(model, *blocks, n, chosen, noise)
    return model


def smooth(model: Vector, y: Array, missing: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Posterior mean and variance of every value x, (n, c) each, or (k, n, c) of several series and their models."""
    if y.ndim == 2:
        alone = Vector(model.transition[None], model.shocks[None], model.noise[None], model.order)
        mean, variance = smooth(alone, y[None], missing[None])
        return mean[0], variance[0]
    _, n, c = y.shape
    mean, variance = np.empty(y.shape), np.empty(y.shape)
    starts = np.arange(0, n, BLOCK)
    for at in range(0, len(starts), MOST_BLOCKS):
        part = starts[at : at + MOST_BLOCKS]
        means, spreads = _smooth(model, *_cut(y, missing, part))
        for i, start in enumerate(part.tolist()):
            rows = min(BLOCK, n - start)
            inside = slice(OVERLAP, OVERLAP + rows)
            mean[:, start : start + rows] = means[inside, :, i, :c].swapaxes(0, 1)
            variances = spreads[inside, :, i].diagonal(axis1=-2, axis2=-1)[..., :c]
            variance[:, start : start + rows] = variances.swapaxes(0, 1)
    return mean, variance


class Follower:
    """Kalman's filter, standing at the end of a series, for the rows that follow it.

    Parameters
    ----------
    model : Vector
    y : (n, c) array
        The series so far, standardised.
    missing : (n, c) bool array
    lag : int
        Number of further steps that an answer waits for.
    """

    def __init__(self, model: Vector, y: Array, missing: NDArray[np.bool_], lag: int) -> None:
        c, steps = y.shape[1], max(model.order, lag) + 1
        self.model, self.lag = model, lag
        size = c * steps
        self._step = np.zeros((size, size))
        self._step[:c, : c * model.order] = model.transition
        self._step[c:, :-c] = np.eye(size - c)
        self._shocks = np.zeros_like(self._step)
        self._shocks[:c, :c] = model.shocks
        self._state: Array = np.zeros(size)
        self._spread: Array = np.eye(size)
        recent = slice(-BLOCK, None)  # what lies farther back is forgotten
        self._state, self._spread, _ = self._run(y[recent], missing[recent])

    def follow(self, y: Array, missing: NDArray[np.bool_]) -> Array:
        """Means of x at the rows (n, c), each given all rows up to `lag` steps after it; the state stays at the end."""
        n, c = y.shape
        padded = np.concatenate([y, np.zeros((self.lag, c))])
        gap = np.concatenate([missing, np.ones((self.lag, c), dtype=bool)])
        states = self._run(padded, gap)[2]
        answers: Array = states[self.lag :, self.lag * c : (self.lag + 1) * c]
        return answers[:n]

    def _run(self, y: Array, missing: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
        c, state, spread = y.shape[1], self._state, self._spread
        values = np.where(missing, 0.0, y)
        variance = np.where(missing, GAP, self.model.noise)
        states = np.empty((len(y), len(state)))
        for t in range(len(y)):
            state = self._step @ state
            spread = self._step @ spread @ self._step.T + self._shocks
            total = spread[:c, :c] + np.diag(variance[t])
            gain = np.linalg.solve(total, spread[:c]).T
            state = state + gain @ (values[t] - state[:c])
            spread = spread - gain @ spread[:c]
            spread = 0.5 * (spread + spread.T)
            states[t] = state
        return state, spread, states


def _first_guess(c: int, order: int, noise: Array) -> Vector:
    k = len(noise)
    transition = np.zeros((k, c, c * order))
    transition[..., :c] = 0.95 * np.eye(c)
    known = np.maximum(np.where(np.isnan(noise), 0.02, noise), LEAST)
    return Vector(transition, np.tile(0.1 * np.eye(c), (k, 1, 1)), known, order)


def _cut(y: Array, missing: NDArray[np.bool_], starts: NDArray[np.int64]) -> tuple[Array, NDArray[np.bool_]]:
    """Blocks with their overlap and what is observed of them, (T, k, B, c); beyond the ends there are gaps."""
    n = y.shape[1]
    rows = np.arange(-OVERLAP, BLOCK + OVERLAP)[:, None] + starts
    inside = (rows >= 0) & (rows < n)
    rows = rows.clip(0, n - 1)
    seen = (~missing[:, rows] & inside[..., None]).swapaxes(0, 1)
    return np.where(seen, y[:, rows].swapaxes(0, 1), 0.0), seen


def _smooth(model: Vector, y: Array, seen: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Smoothed states (T, k, B, m) and their covariances (T, k, B, m, m).

    A state holds p + 1 steps, the newest first; from one step to the next all but the newest are shifted along, so
    that only its rows and, on the way back, those of the oldest are computed.
    """
    length, k, blocks, c = y.shape
    p, m = c * model.order, c * (model.order + 1)
    forward, shocks, unit = model.transition[:, None], model.shocks[:, None], np.eye(c)
    variance = np.where(seen, model.noise[:, None], GAP)[..., None] * unit
    means, spreads = np.empty((length, k, blocks, m)), np.empty((length, k, blocks, m, m))
    predicted, ahead = np.zeros_like(means), np.empty_like(spreads)
    ahead[0] = np.eye(m)
    for t in range(length):
        state, spread = predicted[t], ahead[t]
        if t:
            past, known = means[t - 1, ..., :p], spreads[t - 1]
            state[..., :c] = (forward @ past[..., None])[..., 0]
            state[..., c:] = past
            newest = forward @ known[..., :p, :p]
            spread[..., :c, :c] = newest @ forward.mT + shocks
            spread[..., :c, c:] = newest
            spread[..., c:, :c] = newest.mT
            spread[..., c:, c:] = known[..., :p, :p]
        seen_of = spread[..., :c, :]
        gain = np.linalg.solve(seen_of[..., :c] + variance[t], seen_of).mT
        means[t] = state + (gain @ (y[t] - state[..., :c])[..., None])[..., 0]
        rest = spread - gain @ seen_of
        spreads[t] = 0.5 * (rest + rest.mT)
    jitter = 1e-9 * np.eye(m)
    for t in range(length - 2, -1, -1):
        oldest = spreads[t, ..., p:, :].copy()
        across = np.concatenate(
            [oldest[..., :p] @ forward.mT, oldest[..., :p]], -1
        )  # with the state one step on
        gain = np.linalg.solve(ahead[t + 1] + jitter, across.mT).mT
        state, spread, after = means[t], spreads[t], means[t + 1]
        state[..., p:] += (gain @ (after - predicted[t + 1])[..., None])[..., 0]
        state[..., :p] = after[..., c:]
        news = gain @ (spreads[t + 1] - ahead[t + 1])
        spread[..., p:, p:] = oldest[..., p:] + news @ gain.mT
        spread[..., p:, :p] += news[..., c:]
        spread[..., :p, p:] = spread[..., p:, :p].mT
        spread[..., :p, :p] = spreads[t + 1, ..., c:, c:]
    return means, spreads


def _learn(
    model: Vector, y: Array, seen: NDArray[np.bool_], n: int, starts: NDArray[np.int64], noise: Array
) -> Vector:
    """One round of expectation maximisation, from the rows inside the blocks."""
    c, p = y.shape[-1], model.order
    means, spreads = _smooth(model, y, seen)
    rows = np.arange(-OVERLAP, BLOCK + OVERLAP)[:, None] + starts
    inside = np.zeros(rows.shape, dtype=bool)
    inside[OVERLAP : OVERLAP + BLOCK] = True
    inside &= (rows >= p) & (rows < n)

    def rows_inside(values: Any) -> Any:
        """Bring (T, k, B, ...) to (k, rows, ...)."""
        return values.swapaxes(1, 2)[inside].swapaxes(0, 1)

    state, spread = rows_inside(means), rows_inside(spreads)
    count = state.shape[1]
    moments = state.mT @ state + spread.sum(1)
    now, past, across = moments[:, :c, :c], moments[:, c:, c:], moments[:, :c, c:]
    ridge = 1e-6 * count * np.eye(c * p)
    transition = _stable(np.linalg.solve(past + ridge, across.mT).mT)
    shocks = now - transition @ across.mT - across @ transition.mT + transition @ past @ transition.mT
    shocks = 0.5 * (shocks + shocks.mT) / count + LEAST * np.eye(c)
    values, here = rows_inside(y), rows_inside(seen)
    variance = spread.diagonal(axis1=-2, axis2=-1)[..., :c]
    error = np.where(here, (values - state[..., :c]) ** 2 + variance, 0.0)
    estimated = error.sum(1) / np.maximum(here.sum(1), 1)
    return Vector(transition, shocks, np.maximum(np.where(np.isnan(noise), estimated, noise), LEAST), p)


def _stable(transition: Array) -> Array:
    """Shrink what would grow without end, (k, c, c p): every root of modulus above 1 to 1, the others alike."""
    k, c, width = transition.shape
    step = np.zeros((k, width, width))
    step[:, :c] = transition
    step[:, c:, :-c] = np.eye(width - c)
    largest = np.abs(np.linalg.eigvals(step)).max(-1)
    lags = np.repeat(np.arange(1, width // c + 1), c)
    shrunk: Array = transition / np.maximum(largest, 1.0)[:, None, None] ** lags
    return shrunk
