"""A vector autoregression behind noisy, gappy observations, smoothed: the first guess for gaps in a series.

    x_t = A_1 x_{t-1} + ... + A_p x_{t-p} + e_t,    e_t ~ N(0, Q),        y_t = x_t + N(0, R), a gap having infinite R

A, Q and R by expectation maximisation (Shumway and Stoffer, 1982), the E-step by Kalman's filter and Rauch, Tung and
Striebel's smoother. The series is cut into overlapping blocks that run side by side, so that the cost in Python is that
of one block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

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
    """A fitted vector autoregression, in standardised units: transition (c, c p), Q (c, c), R (c,), order p."""

    transition: Tensor
    shocks: Tensor
    noise: Tensor
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
    n, c = y.shape
    order = max(1, min(3, MOST_STATE // c - 1, n // 20))
    starts = torch.arange(0, n, BLOCK)
    chosen = starts[:: -(-len(starts) // MOST_BLOCKS)]
    model = _first_guess(c, order, noise)
    blocks = _cut(y, missing, chosen)
    for _ in range(ROUNDS):
        model = _learn(model, *blocks, n, chosen, torch.from_numpy(noise))
    return model


def smooth(model: Vector, y: Array, missing: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Posterior mean and variance of every value x, (n, c) each."""
    n, c = y.shape
    mean, variance = np.empty((n, c)), np.empty((n, c))
    starts = torch.arange(0, n, BLOCK)
    for at in range(0, len(starts), MOST_BLOCKS):
        part = starts[at : at + MOST_BLOCKS]
        means, spreads = _smooth(model, *_cut(y, missing, part))
        for i, start in enumerate(part.tolist()):
            rows = min(BLOCK, n - start)
            inside = slice(OVERLAP, OVERLAP + rows)
            mean[start : start + rows] = means[i, inside, :c].numpy()
            variance[start : start + rows] = spreads[i, inside].diagonal(dim1=-2, dim2=-1)[:, :c].numpy()
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
        An answer waits for so many further steps.
    """

    def __init__(self, model: Vector, y: Array, missing: NDArray[np.bool_], lag: int) -> None:
        c, steps = y.shape[1], max(model.order, lag) + 1
        self.model, self.lag = model, lag
        size = c * steps
        self._step = torch.zeros(size, size, dtype=torch.float64)
        self._step[:c, : c * model.order] = model.transition
        self._step[c:, :-c] = torch.eye(size - c, dtype=torch.float64)
        self._shocks = torch.zeros_like(self._step)
        self._shocks[:c, :c] = model.shocks
        self._state = torch.zeros(size, dtype=torch.float64)
        self._spread = torch.eye(size, dtype=torch.float64)
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

    def _run(self, y: Array, missing: NDArray[np.bool_]) -> tuple[Tensor, Tensor, Array]:
        c, state, spread = y.shape[1], self._state, self._spread
        values = torch.from_numpy(np.where(missing, 0.0, y))
        variance = torch.where(torch.from_numpy(missing), GAP, self.model.noise)
        states = np.empty((len(y), len(state)))
        for t in range(len(y)):
            state = self._step @ state
            spread = self._step @ spread @ self._step.T + self._shocks
            total = spread[:c, :c] + torch.diag(variance[t])
            gain = torch.linalg.solve(total, spread[:c]).T
            state = state + gain @ (values[t] - state[:c])
            spread = spread - gain @ spread[:c]
            spread = 0.5 * (spread + spread.T)
            states[t] = state.numpy()
        return state, spread, states


def _first_guess(c: int, order: int, noise: Array) -> Vector:
    transition = torch.zeros(c, c * order, dtype=torch.float64)
    transition[:, :c] = 0.95 * torch.eye(c)
    known = torch.from_numpy(np.where(np.isnan(noise), 0.02, noise)).clamp_min(LEAST)
    return Vector(transition, 0.1 * torch.eye(c, dtype=torch.float64), known, order)


def _cut(y: Array, missing: NDArray[np.bool_], starts: Tensor) -> tuple[Tensor, Tensor]:
    """Blocks with their overlap and what is observed of them, (B, T, c); beyond the ends there are gaps."""
    n = len(y)
    rows = starts[:, None].numpy() + np.arange(-OVERLAP, BLOCK + OVERLAP)
    inside = (rows >= 0) & (rows < n)
    rows = rows.clip(0, n - 1)
    seen = ~missing[rows] & inside[..., None]
    return torch.from_numpy(np.where(seen, y[rows], 0.0)), torch.from_numpy(seen)


def _smooth(model: Vector, y: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Smoothed states (B, T, m) and their covariances (B, T, m, m); a state holds p + 1 steps."""
    blocks, length, c = y.shape
    m = c * (model.order + 1)
    step = torch.zeros(m, m, dtype=y.dtype)
    step[:c, : c * model.order] = model.transition
    step[c:, :-c] = torch.eye(m - c, dtype=y.dtype)
    shocks = torch.zeros(m, m, dtype=y.dtype)
    shocks[:c, :c] = model.shocks
    state = y.new_zeros(blocks, m)
    spread = torch.eye(m, dtype=y.dtype).repeat(blocks, 1, 1)
    variance = torch.where(seen, model.noise, GAP)
    means, spreads = y.new_empty(blocks, length, m), y.new_empty(blocks, length, m, m)
    predicted, ahead = torch.empty_like(means), torch.empty_like(spreads)
    for t in range(length):
        if t:
            state = state @ step.T
            spread = step @ spread @ step.T + shocks
        predicted[:, t], ahead[:, t] = state, spread
        total = spread[:, :c, :c] + torch.diag_embed(variance[:, t])
        gain = torch.linalg.solve(total, spread[:, :c, :]).transpose(1, 2)
        state = state + (gain @ (y[:, t] - state[:, :c])[..., None])[..., 0]
        spread = spread - gain @ spread[:, :c, :]
        spread = 0.5 * (spread + spread.transpose(1, 2))
        means[:, t], spreads[:, t] = state, spread
    # backwards: only the oldest step of the state is news of the past, the rest is shifted along
    jitter = 1e-9 * torch.eye(m, dtype=y.dtype)
    for t in range(length - 2, -1, -1):
        gain = torch.linalg.solve(ahead[:, t + 1] + jitter, step @ spreads[:, t]).transpose(1, 2)
        means[:, t] += (gain @ (means[:, t + 1] - predicted[:, t + 1])[..., None])[..., 0]
        spreads[:, t] += gain @ (spreads[:, t + 1] - ahead[:, t + 1]) @ gain.transpose(1, 2)
    return means, spreads


def _learn(model: Vector, y: Tensor, seen: Tensor, n: int, starts: Tensor, noise: Tensor) -> Vector:
    """One round of expectation maximisation, from the rows inside the blocks."""
    c, p = y.shape[2], model.order
    means, spreads = _smooth(model, y, seen)
    rows = starts[:, None] + torch.arange(-OVERLAP, BLOCK + OVERLAP)
    inside = torch.zeros_like(rows, dtype=torch.bool)
    inside[:, OVERLAP : OVERLAP + BLOCK] = True
    inside &= (rows >= p) & (rows < n)
    state, spread = means[inside], spreads[inside]
    moments = state.T @ state + spread.sum(0)
    now, past, across = moments[:c, :c], moments[c:, c:], moments[:c, c:]
    ridge = 1e-6 * len(state) * torch.eye(c * p, dtype=y.dtype)
    transition = torch.linalg.solve(past + ridge, across.T).T
    shocks = (now - transition @ across.T - across @ transition.T + transition @ past @ transition.T) / len(
        state
    )
    shocks = 0.5 * (shocks + shocks.T) + LEAST * torch.eye(c, dtype=y.dtype)
    error = torch.where(
        seen[inside], (y[inside] - state[:, :c]) ** 2 + spread.diagonal(dim1=-2, dim2=-1)[:, :c], 0.0
    )
    estimated = error.sum(0) / seen[inside].sum(0).clamp_min(1)
    return Vector(transition, shocks, torch.where(noise.isnan(), estimated, noise).clamp_min(LEAST), p)
