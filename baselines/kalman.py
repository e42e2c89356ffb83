"""Kalman filter and smoother of a random walk seen through noise, all columns at once."""

from __future__ import annotations

import numpy as np

from baselines.base import Array, Problem, Settings
from baselines.frame import FrameDenoiser


class Kalman(FrameDenoiser):
    """Filter each column as a random walk: x_t = x_(t-1) + N(0, q), z_t = x_t + N(0, r).

    `paper` runs forward from x_0 = 0, P_0 = 1 with fixed q and r, whatever the data. `sound` starts at the
    first value, takes q and r of each column from the fitted rows by maximum likelihood, and smooths
    backwards (Rauch, Tung and Striebel) unless a causal pass is requested.

    Parameters
    ----------
    settings : {"paper", "sound"}
    q, r : float
        Variance of a step and of the noise, squared data units; `sound` estimates them instead.

    References
    ----------
    R. E. Kalman, A new approach to linear filtering and prediction problems, J. Basic Eng. 82 (1960).
    A. C. Harvey, Forecasting, Structural Time Series Models and the Kalman Filter, Cambridge, 1989, 4.2.
    """

    sequential = True

    def __init__(self, settings: Settings = "paper", q: float = 1e-5, r: float = 1e-2) -> None:
        super().__init__(settings)
        if not (q > 0 and r > 0):
            raise ValueError(f"Kalman: q and r are variances and must be positive, got q={q}, r={r}")
        self.q, self.r = q, r

    def _learn(self, frame: Array, seed: int, problem: Problem) -> None:
        if self.sound:
            self._q, self._r = likeliest_variances(frame)

    def _refine(self, frame: Array, causal: bool) -> tuple[Array, dict]:
        if not self.sound:
            start, width = np.zeros(frame.shape[1]), np.full(frame.shape[1], self.q)
            gain, _ = gains(len(frame), width, np.full_like(width, self.r), np.ones_like(width))
            return forward(frame, gain, start), {}
        ratio = self._q / self._r
        gain, after = gains(len(frame), ratio, np.ones_like(ratio), np.full_like(ratio, np.inf))
        filtered = forward(frame, gain, frame[0])
        refined = filtered if causal else backward(filtered, after, ratio)
        return refined, {"q": self._q.tolist(), "r": self._r.tolist()}


def gains(n: int, q: Array, r: Array, p: Array) -> tuple[Array, Array]:
    """Kalman gains and variances after each update; they do not depend on the data.

    Parameters
    ----------
    n : int
        Steps.
    q, r, p : (c,) arrays
        Variance of a step, of the noise, and of the state before the first step; infinite where nothing is
        known.

    Returns
    -------
    gain, after : (n, c) arrays
    """
    gain, after = np.empty((n, len(q))), np.empty((n, len(q)))
    for t in range(n):
        gain[t] = 1 / (1 + r / (p + q))
        p = after[t] = gain[t] * r
    return gain, after


def forward(frame: Array, gain: Array, start: Array) -> Array:
    """Filter: x_t = x_(t-1) + K_t (z_t - x_(t-1)), shape (n, c)."""
    filtered = np.empty_like(frame)
    x = start
    for t in range(len(frame)):
        x = filtered[t] = x + gain[t] * (frame[t] - x)
    return filtered


def backward(filtered: Array, after: Array, q: Array) -> Array:
    """Smoother: x_t <- x_t + P_t / (P_t + q) (x_(t+1) - x_t), shape (n, c)."""
    smoothed = filtered.copy()
    weight = after / (after + q)
    for t in range(len(filtered) - 2, -1, -1):
        smoothed[t] += weight[t] * (smoothed[t + 1] - smoothed[t])
    return smoothed


def likeliest_variances(frame: Array, rounds: int = 3, points: int = 25) -> tuple[Array, Array]:
    """Variance of a step and of the noise by maximum likelihood, each column for itself.

    The noise variance has a closed form given the ratio q / r, which is searched between 1e-8 and 1e4 on a
    grid of logarithms that closes in on each column's best point.

    Parameters
    ----------
    frame : (n, c) array
    rounds : int
        Grids, each between the neighbours of the best point of the one before.
    points : int
        Of each grid, all run through the filter at once.

    Returns
    -------
    q, r : (c,) arrays
        In squared data units; the smallest positive numbers for a constant column.
    """
    columns = np.arange(frame.shape[1])
    low, high = np.full(len(columns), -8.0), np.full(len(columns), 4.0)
    for _ in range(rounds):
        exponents = np.linspace(low, high, points)
        deviance, noise = profile_deviance(frame, 10**exponents)
        best = deviance.argmin(axis=0)
        exponent, r = exponents[best, columns], np.maximum(noise[best, columns], np.finfo(float).tiny)
        low = exponents[np.maximum(best - 1, 0), columns]
        high = exponents[np.minimum(best + 1, points - 1), columns]
    return 10**exponent * r, r


def profile_deviance(frame: Array, ratio: Array) -> tuple[Array, Array]:
    """Minus twice the log-likelihood, up to a constant, at the best noise variance for each ratio q / r.

    Parameters
    ----------
    frame : (n, c) array
    ratio : (g, c) array

    Returns
    -------
    deviance, noise : (g, c) arrays
    """
    x, p = np.broadcast_to(frame[0], ratio.shape), np.ones_like(ratio)
    squares, logarithms = np.zeros_like(ratio), np.zeros_like(ratio)
    for z in frame[1:]:
        before = p + ratio
        scale = before + 1
        error = z - x
        squares += error**2 / scale
        logarithms += np.log(scale)
        p = before / scale
        x = x + p * error
    steps = max(len(frame) - 1, 1)
    noise = squares / steps
    return steps * np.log(np.maximum(noise, np.finfo(float).tiny)) + logarithms, noise
