"""How wrong is the backbone here? The error s of the rule `map`, per row and output.

The residual ``r = f - z_obs`` of a cross-fitted backbone is its own error plus the noise of the value. Its density is
modelled as a mixture of centred normals of variance ``s_m^2 + sigma^2`` on a fixed grid of ``s_m``, the weights
(empirical Bayes, by expectation maximisation) depending on the column and on the neighbourhood: time in a
series, since a drifting series makes a backbone worse; the size of the prediction on a table. A row's variance
is the inverse of the posterior mean precision, so by Tweedie's formula (Robbins, 1956; Efron, 2011)
``z_obs + sigma^2 / (s^2 + sigma^2) r`` is the posterior mean under that density.
"""

from __future__ import annotations

import numpy as np

from denograd.data.arrays import Array, Kind
from denograd.map.candidates.mixture import (
    BLOCK,
    error_variances,
    local_weights,
    mean_square,
    mixture_weights,
)

LEAST_SHARE = 0.1
"""s^2 is at least this share of the residual's variance, sigma^2 at most the rest of it."""

NORMAL_MEDIAN = 0.6745
"""Median of the absolute value of a standard normal variable."""


def noise_bound(residual: Array) -> Array:
    """Upper bound of the noise level per column.

    The residual is the noise plus something independent of it, which can only widen it: the noise exceeds
    neither the residual's root mean square nor, if normal, its median absolute value over 0.6745.

    Parameters
    ----------
    residual : (n, k) array
        Blind-spot prediction minus what was observed; NaN where there is no prediction.

    Returns
    -------
    bound : (k,) array
        In the data's units.

    Examples
    --------
    >>> import numpy as np
    >>> noise_bound(np.array([[3.0, -0.5], [-3.0, 0.5]]))
    array([3. , 0.5])
    """
    rms = np.sqrt(np.nanmean(residual**2, 0))
    return np.minimum(rms, np.nanmedian(np.abs(residual), 0) / NORMAL_MEDIAN)


def error_scale(
    residual: Array,
    prediction: Array,
    sigma: Array,
    kind: Kind,
    reference: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]:
    """Standard deviation s of the backbone's own error, and the slope of the step that follows from it.

    Parameters
    ----------
    residual, prediction : (n, k) arrays
        Of the rows to be refined; NaN where a row has none.
    sigma : (k,) array
        Noise level of the outputs; of those with 0, s is the residual's root mean square.
    kind : {"tabular", "series"}
    reference : (residual, prediction), optional
        Cross-fitted rows to learn the density from, if not these; on a table a row's s then depends on no
        other row that is refined with it.

    Returns
    -------
    scale : (n, k) array
    slope : (n, k) array
        d step / d residual of ``step = sigma^2 / (s^2 + sigma^2) r``, s being a function of r as well.
    """
    n, k = residual.shape
    known_r, known_f = (residual, prediction) if reference is None else reference
    scale, slope = np.empty((n, k)), np.zeros((n, k))
    for j in range(k):
        r, level = residual[:, j], float(sigma[j])
        here = ~np.isnan(r)
        seen = known_r[~np.isnan(known_r[:, j]), j]
        variance, spread = np.full(n, mean_square(seen)), np.zeros(n)
        if level > 0:
            grid = np.concatenate([[0.0], error_variances(seen, level)]) + level**2
            weights = mixture_weights(_density(seen, grid))
            if kind == "series":
                rows = np.flatnonzero(here)
                block = np.arange(len(rows)) // BLOCK
                density = _density(r[here], grid)
                local = local_weights(density, block, weights)
            else:
                guess = known_f[~np.isnan(known_r[:, j]), j]
                order = np.argsort(guess, kind="stable")
                edges = guess[order[BLOCK::BLOCK]]
                fitted = np.searchsorted(edges, guess[order], side="right")
                local = local_weights(_density(seen[order], grid), fitted, weights, len(edges) + 1)
                block = np.searchsorted(edges, prediction[here, j], side="right")
                density = _density(r[here], grid)
            posterior = density * local[block]
            posterior /= posterior.sum(1, keepdims=True)
            precision = posterior @ (1.0 / grid)
            variance[here] = 1.0 / precision
            spread[here] = posterior @ (1.0 / grid**2) - precision**2
        free = variance - level**2 > LEAST_SHARE * variance
        own = np.where(free, variance - level**2, LEAST_SHARE * variance)
        scale[:, j] = np.sqrt(own)
        slope[:, j] = level**2 * (1.0 / (own + level**2) - np.where(free, r**2 * spread, 0.0))
    return scale, slope


def _density(r: Array, grid: Array) -> Array:
    """Normal density of every residual under every component, up to a factor per row; shape (n, m)."""
    exponent = -0.5 * (r.astype(float)[:, None] ** 2 / grid + np.log(grid))
    density: Array = np.exp(exponent - exponent.max(1, keepdims=True))
    return density
