"""The metrics: errors of a fit, and how far denoising moved the data from the observed and the clean ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

REVISION = 1
"""To be raised when a metric comes out otherwise; see `experiments.base.code`."""

Floats = NDArray[np.float64]

PROJECTIONS = 100
"""Random directions of the sliced Wasserstein distance."""

BINS = 64
"""Histogram bins of `kl`."""


def imp(mse_before: float, mse_after: float) -> float:
    """Improvement in percent, ``100 (before - after) / before``; NaN where there was no error before."""
    return 100.0 * (mse_before - mse_after) / mse_before if mse_before > 0 else float("nan")


def scores(y: ArrayLike, prediction: ArrayLike) -> dict[str, float]:
    """Errors of a fit.

    Parameters
    ----------
    y, prediction : (n,) array
        What was to be predicted, and what was predicted.

    Returns
    -------
    scores : dict
        ``mse``, ``rmse``, ``mae``, ``smape`` (in percent, ``2|y - p| / (|y| + |p|)``, 0 where both are 0) and
        ``r2`` (NaN where `y` does not vary).

    Raises
    ------
    ValueError
        If the shapes differ, are not one-dimensional or empty, or a value is not finite.
    """
    y, prediction = np.asarray(y, dtype=float), np.asarray(prediction, dtype=float)
    if y.shape != prediction.shape or y.ndim != 1 or not len(y):
        raise ValueError(
            f"y and prediction must be one row of numbers each, got {y.shape}, {prediction.shape}"
        )
    if not (np.isfinite(y).all() and np.isfinite(prediction).all()):
        bad = "y" if not np.isfinite(y).all() else "prediction"
        raise ValueError(f"{bad} holds NaN or infinite values: there is nothing to score")
    error = y - prediction
    mse = float(np.mean(error**2))
    size = np.abs(y) + np.abs(prediction)
    relative = np.divide(np.abs(error), size, out=np.zeros_like(size), where=size > 0)
    variance = float(np.var(y))
    varies = variance > (1e-12 * np.abs(y).max()) ** 2
    return {
        "mse": mse,
        "rmse": mse**0.5,
        "mae": float(np.mean(np.abs(error))),
        "smape": float(200 * np.mean(relative)),
        "r2": 1 - mse / variance if varies else float("nan"),
    }


def score_metrics(
    y: ArrayLike, prediction: ArrayLike, *, mean: float = 0.0, scale: float = 1.0
) -> dict[str, float]:
    """Metrics of a ``score`` cell: `scores` of the standardised values, and of the original ones.

    Parameters
    ----------
    y, prediction : (n,) array
        In standard deviations.
    mean, scale : float
        Mean and standard deviation of the target, in its original unit.

    Returns
    -------
    metrics : dict
        `scores`, and ``mse_original``, ``rmse_original``, ``mae_original``, ``smape_original``
        (R2 is the same in both).
    """
    y, prediction = np.asarray(y, dtype=float), np.asarray(prediction, dtype=float)
    original = scores(y * scale + mean, prediction * scale + mean)
    del original["r2"]
    return scores(y, prediction) | {f"{name}_original": value for name, value in original.items()}


def swd(A: ArrayLike, B: ArrayLike, *, n_projections: int = PROJECTIONS, seed: int = 0) -> float:
    """Sliced Wasserstein-2 distance between two clouds of equally many points.

    Root of the mean, over random directions, of the squared one-dimensional distance, which for equally many
    points is the mean squared difference of the sorted projections (Bonneel et al. 2015).

    Parameters
    ----------
    A, B : (n, d) array
    n_projections : int
    seed : int
        Of the directions. The same seed gives the same directions for the same d.

    Returns
    -------
    distance : float
    """
    A, B = _pair(A, B)
    directions = np.random.default_rng(seed).standard_normal((n_projections, A.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    chunk = max(1, 2**20 // len(A))
    total = 0.0
    for start in range(0, n_projections, chunk):
        block = directions[start : start + chunk]
        a, b = block @ A.T, block @ B.T
        a.sort(axis=1)
        b.sort(axis=1)
        a -= b
        total += float(np.vdot(a, a))
    return (total / (n_projections * len(A))) ** 0.5


def constant_columns(*frames: ArrayLike) -> NDArray[np.bool_]:
    """Mask (d,) of the columns that do not vary in at least one of the frames (n, d).

    Rebuilding a constant leaves rounding errors; so "does not vary" is measured against the most varying column of
    the first frame (1e-10 of it) and the size of the numbers (1e-13 of it).
    """
    arrays = [np.asarray(frame, dtype=float) for frame in frames]
    limit = 1e-10 * arrays[0].std(axis=0).max(initial=0.0)
    constant = [a.std(axis=0) <= np.maximum(limit, 1e-13 * np.abs(a).max(axis=0)) for a in arrays]
    return np.any(constant, axis=0)


def rho_bar(before: ArrayLike, after: ArrayLike) -> tuple[float, int]:
    """Mean over the columns of Pearson's r between a column before and after.

    Parameters
    ----------
    before, after : (n, d) array

    Returns
    -------
    rho : float
        NaN where no column has an r.
    n_constant : int
        Columns left out because they are constant before or after.
    """
    before, after = _pair(before, after)
    constant = constant_columns(before, after)
    if constant.all():
        return float("nan"), int(constant.sum())
    a, b = _standardised(before[:, ~constant]), _standardised(after[:, ~constant])
    return float(np.einsum("ij,ij->j", a, b).mean() / len(a)), int(constant.sum())


def rho_pooled(before: ArrayLike, after: ArrayLike) -> float:
    """Pearson's r over all entries of the two frames (n, d), flattened; NaN where one does not vary."""
    before, after = _pair(before, after)
    a, b = before.reshape(-1, 1), after.reshape(-1, 1)
    if constant_columns(a, b).any():
        return float("nan")
    return float(np.mean(_standardised(a) * _standardised(b)))


def rho_matrix(before: ArrayLike, after: ArrayLike) -> float:
    """Pearson's r between the upper triangles of the frames' correlation matrices.

    Columns that are constant before or after are left out; NaN with fewer than three others, or where the
    correlations of one frame are all the same.
    """
    before, after = _pair(before, after)
    kept = ~constant_columns(before, after)
    if kept.sum() < 3:
        return float("nan")
    upper = np.triu_indices(int(kept.sum()), 1)
    a, b = (correlation(frame[:, kept])[upper].reshape(-1, 1) for frame in (before, after))
    if constant_columns(a, b).any():
        return float("nan")
    return float(np.mean(_standardised(a) * _standardised(b)))


def correlation(frame: ArrayLike) -> Floats:
    """Correlation matrix (d, d) of a frame (n, d) without constant columns."""
    z = _standardised(np.asarray(frame, dtype=float))
    return z.T @ z / len(z)


def recovery(clean: ArrayLike, noisy: ArrayLike, denoised: ArrayLike) -> float:
    """Share of the injected squared error that was removed, in percent.

    ``100 (1 - ||denoised - clean||^2 / ||noisy - clean||^2)``: 100 is the clean data, 0 no gain, below 0
    farther from the clean data than the noisy ones. NaN where there was no noise.
    """
    clean, noisy, denoised = (np.asarray(a, dtype=float) for a in (clean, noisy, denoised))
    if not clean.shape == noisy.shape == denoised.shape:
        raise ValueError(
            f"shapes differ: clean {clean.shape}, noisy {noisy.shape}, denoised {denoised.shape}"
        )
    injected = _squared_distance(noisy, clean)
    return 100 * (1 - _squared_distance(denoised, clean) / injected) if injected > 0 else float("nan")


def kl(before: ArrayLike, after: ArrayLike, *, bins: int = BINS) -> float:
    """Mean over the columns of KL(before || after) between histograms on shared edges, in nats.

    The edges divide the range of both frames together. Half a count is added to every bin, or an empty one
    would make the divergence infinite. A column that is the same constant in both counts as 0.
    """
    before, after = _pair(before, after)
    total = 0.0
    for a, b in zip(before.T, after.T, strict=True):
        low, high = min(a.min(), b.min()), max(a.max(), b.max())
        if high > low:
            p, q = (np.histogram(x, bins, (low, high))[0] + 0.5 for x in (a, b))
            total += float(np.sum(p * np.log(p / q)) / p.sum())
    return total / before.shape[1]


def detection(score: ArrayLike, hit: ArrayLike) -> dict[str, float]:
    """How well a score per row detects the rows with noise.

    Parameters
    ----------
    score : (n,) array
        The higher the more suspect.
    hit : (n,) bool array

    Returns
    -------
    metrics : dict
        ``auroc`` and ``average_precision``; NaN where all rows were hit, or none.
    """
    score, hit = np.asarray(score, dtype=float), np.asarray(hit, dtype=bool)
    if score.shape != hit.shape or score.ndim != 1:
        raise ValueError(f"score and hit must be one value per row, got {score.shape} and {hit.shape}")
    if hit.all() or not hit.any():
        return {"auroc": float("nan"), "average_precision": float("nan")}
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)  # of the runs of tied scores
    found = np.cumsum(hit[order])[ends].astype(float)
    false = ends + 1 - found
    recall, alarm = found / found[-1], false / false[-1]
    precision = found / (ends + 1)
    return {
        "auroc": float(np.trapezoid(np.append(0, recall), np.append(0, alarm))),
        "average_precision": float(np.sum(np.diff(recall, prepend=0.0) * precision)),
    }


def data_metrics(
    before: ArrayLike,
    after: ArrayLike,
    *,
    y_before: ArrayLike | None = None,
    y_after: ArrayLike | None = None,
    clean: ArrayLike | None = None,
    y_clean: ArrayLike | None = None,
) -> dict[str, float]:
    """Metrics of a ``denoise`` cell.

    Parameters
    ----------
    before, after : (n, d) array
        Features before and after, standardised.
    y_before, y_after : (n,) array, optional
        The target before and after.
    clean, y_clean : arrays, optional
        The same without the injected noise.

    Returns
    -------
    metrics : dict
        Of the features: ``swd``, ``rho_bar``, ``n_constant``, ``rho_pooled``, ``rho_matrix``, ``kl``. With
        `clean` also ``swd_clean`` (to the clean features), ``recovery_X``, and with a target ``recovery_y``
        and ``recovery`` (both together).

    Raises
    ------
    ValueError
        If shapes differ or a denoised value is not finite.
    """
    before, after = _pair(before, after)
    rho, n_constant = rho_bar(before, after)
    metrics = {
        "swd": swd(before, after),
        "rho_bar": rho,
        "n_constant": float(n_constant),
        "rho_pooled": rho_pooled(before, after),
        "rho_matrix": rho_matrix(before, after),
        "kl": kl(before, after),
    }
    if clean is not None:
        clean = np.asarray(clean, dtype=float)
        metrics["swd_clean"] = swd(clean, after)
        metrics["recovery_X"] = recovery(clean, before, after)
        if y_clean is not None and y_before is not None and y_after is not None:
            metrics["recovery_y"] = recovery(y_clean, y_before, y_after)
            y_clean, y_before, y_after = (np.asarray(y, dtype=float) for y in (y_clean, y_before, y_after))
            injected = _squared_distance(before, clean) + _squared_distance(y_before, y_clean)
            left = _squared_distance(after, clean) + _squared_distance(y_after, y_clean)
            metrics["recovery"] = 100 * (1 - left / injected) if injected > 0 else float("nan")
    return metrics


def _pair(A: ArrayLike, B: ArrayLike) -> tuple[Floats, Floats]:
    A, B = np.asarray(A, dtype=float), np.asarray(B, dtype=float)
    if A.ndim != 2 or A.shape != B.shape or not A.size:
        raise ValueError(f"two frames of one shape (rows, columns) are needed, got {A.shape}, {B.shape}")
    if not (np.isfinite(A).all() and np.isfinite(B).all()):
        raise ValueError("a frame holds NaN or infinite values: the denoiser's output cannot be measured")
    return A, B


def _standardised(frame: Floats) -> Floats:
    centred = frame - frame.mean(axis=0)
    return centred / centred.std(axis=0)


def _squared_distance(a: Floats, b: Floats) -> float:
    difference = (a - b).ravel()
    return float(difference @ difference)
