"""How much of every candidate's step to take: the weights that minimise Stein's estimate of the error.

With candidate steps A (in noise levels) and their divergences D, the estimated share of the error that the step A w
leaves is the quadratic ``1 + w' G w + 2 w' d``, ``G = A' A / n``, ``d = mean(D)``, with the minimum ``w = -G^-1 d``
(Blu and Luisier, The SURE-LET approach to image denoising, IEEE Trans. Image Process. 16, 2007). The minimum over
fitted weights flatters by about 1 / n for every weight, which is their price; candidates that were fitted to few rows
flatter by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from denograd.data.arrays import Array
from denograd.map.candidates.mixture import flattery

FITTED = 2.0
"""How much more the candidates together flatter than a mixture alone does, measured at 60 and 120 rows."""


def aggregate(steps: Sequence[Array], divergences: Sequence[Array]) -> Array:
    """Weigh the candidates, column by column.

    Of all subsets of the candidates, the one with the least estimated share plus penalty is taken, or none
    if it does not gain more than the standard error of that estimate.

    Parameters
    ----------
    steps, divergences : k arrays (n, c)
        In noise levels: a step by which every candidate moves a value, and that step's derivative in the value.

    Returns
    -------
    weights : (k, c) array
        All 0: the column is held.
    """
    n, c = steps[0].shape
    weights = np.zeros((len(steps), c))
    for j in range(c):
        A = np.stack([step[:, j] for step in steps], 1).astype(float)
        D = np.stack([divergence[:, j] for divergence in divergences], 1).astype(float)
        G, d = A.T @ A / n, D.mean(0)
        usable = np.flatnonzero(np.diag(G) > 0)
        least = 0.0
        for size in range(1, len(usable) + 1):
            for subset in combinations(usable, size):
                chosen = list(subset)
                # two candidates may be nearly the same
                ridge = 1e-6 * np.trace(G[np.ix_(chosen, chosen)]) / size * np.eye(size)
                w = -np.linalg.solve(G[np.ix_(chosen, chosen)] + ridge, d[chosen])
                change = (A[:, chosen] @ w) ** 2 + 2 * D[:, chosen] @ w
                gain = -change.mean() - FITTED * flattery(n)
                if size / n - gain < least and gain > change.std() / n**0.5:
                    least = size / n - gain
                    weights[:, j] = 0.0
                    weights[chosen, j] = w
    return weights
