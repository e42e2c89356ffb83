"""Guesses of the values at gaps: that of a blind spot, and how several are mixed by their errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array, Kind
from denograd.map.blind_spot import BlindSpot

Mask = NDArray[np.bool_]

FEW, LEAST_FACTOR = 20, 0.7
"""Hidden values that weigh as much as the model's own variance, and what is left of that at least."""


def fit_blind_spot(kind: Kind, filled: Array, seed: int) -> BlindSpot | None:
    """A fitted blind spot; None where there is too little to fit it."""
    blind = BlindSpot(kind)
    few = 4 * blind.folds + (2 * blind.context if kind == "series" else 0)
    if len(filled) < few or (kind == "tabular" and filled.shape[1] == 1):
        return None
    return blind.fit(filled, seed=seed)


def judge(y: Array, trials: list[tuple[Mask, Array, Array]], noise: Array, kind: Kind) -> tuple[Array, Array]:
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
    own = {j: mixture(errors[j] @ errors[j].T / errors[j].shape[1]) for j in judged}
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


def mixture(gram: Array) -> Array:
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
