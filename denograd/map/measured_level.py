"""Measured noise levels: repeated measurements, a quiet stretch, the resolution of a sensor.

Each checks its assumption and refuses where that does not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from denograd.data.arrays import Array

FEWEST_ROWS = 20
"""A standard deviation of fewer rows is 16 % off, and more."""

SURE = 5.0
"""Standard errors from which on a deviation is no accident."""

SHIFT = 0.2
"""Shifts between repeated measurements that are smaller, in noise levels, do not matter."""

OFF_GRID = 1e-3
"""How far, in steps of the resolution, a value may lie off the grid by rounding."""

Measured = tuple[Array, str]
"""A level per column, and where it comes from."""


def replicate_level(X: Array, replicates: Sequence[Array]) -> Measured:
    """Level of one measurement, from others of the same rows: how far they are apart.

    Checked: the measurements are not shifted against each other. Errors that all of them share do not show.

    Parameters
    ----------
    X : (n, c) array
    replicates : list of (n, c) arrays
        One or more further measurements. Rows that any of them lacks (NaN) do not count.
    """
    for other in replicates:
        if other.shape != X.shape:
            raise ValueError(
                f"replicates must be measurements of the same rows and columns as X, {X.shape}, got {other.shape}"
            )
    every = np.stack([X, *replicates])
    every = every[:, np.isfinite(every).all((0, 2))]
    rows = every.shape[1]
    _enough(rows, "replicates")
    level = np.sqrt(every.var(0, ddof=1).mean(0))
    shift = np.abs((every[1:] - every[0]).mean(1)).max(0)
    wrong = (shift > SURE * level * (2 / rows) ** 0.5) & (shift > SHIFT * level)
    if wrong.any():
        j = int(wrong.argmax())
        raise ValueError(
            f"replicates: column {j} is shifted by {shift[j]:.3g} against X (level {level[j]:.3g}), which is no noise: "
            "calibrate the measurements first"
        )
    return level, f"{len(every)} measurements of {rows} rows"


def quiet_level(X: Array, quiet: Any) -> Measured:
    """Level of a series, from a stretch in which nothing happens: its standard deviation.

    Checked: neighbouring steps differ as independent ones do (von Neumann's ratio); a signal that moves, or noise
    that has a memory, makes them more alike.

    Parameters
    ----------
    X : (n, c) array
    quiet : slice or index of rows
    """
    try:
        part = X[quiet]
    except IndexError as error:
        raise ValueError(f"quiet names rows that the data, {len(X)} rows, does not have: {error}") from None
    part = part[np.isfinite(part).all(-1)]
    if part.ndim != 2:
        raise ValueError(f"quiet must name rows, a slice or a mask, got {quiet!r}")
    _enough(len(part), "quiet")
    level = part.std(0, ddof=1)
    ratio = (np.diff(part, axis=0) ** 2).mean(0) / (2 * np.maximum(level**2, np.finfo(float).tiny))
    wrong = (level > 0) & (ratio < 1 - SURE / len(part) ** 0.5)
    if wrong.any():
        j = int(wrong.argmax())
        raise ValueError(
            f"quiet: column {j} moves there, neighbouring steps differ by {ratio[j]:.0%} of the variance that "
            "independent ones would: choose a stretch in which nothing happens, or another way to name the level"
        )
    return level, f"standard deviation of {len(part)} quiet steps"


def resolution_level(X: Array, resolution: Any) -> Measured:
    """Level of rounding to a known resolution: ``resolution / sqrt(12)``; other noise comes on top.

    Checked: the values lie on a grid of that step.

    Parameters
    ----------
    X : (n, c) array
    resolution : float or (c,) array_like
        Step of the grid in the data's units; 0 for a column without.
    """
    step = np.array(resolution, dtype=float)
    if step.shape not in ((), (X.shape[1],)) or not np.isfinite(step).all() or (step < 0).any():
        raise ValueError(
            f"resolution must be a number or one per column ({X.shape[1]}), not negative, got {resolution}"
        )
    step = np.broadcast_to(step, (X.shape[1],))
    position = (X - np.nanmin(X, 0)) / np.where(step > 0, step, np.inf)
    off = np.nanmax(np.abs(position - np.round(position)), 0)
    # a float of many digits cannot lie on a fine grid exactly
    digits = np.nanmax(np.abs(X), 0) * np.finfo(np.float32).eps / np.where(step > 0, step, np.inf)
    wrong = off > OFF_GRID + digits
    if wrong.any():
        j = int(wrong.argmax())
        raise ValueError(f"resolution: the values of column {j} do not lie {step[j]:.4g} apart")
    return step / 12**0.5, "resolution over the root of 12"


def _enough(rows: int, name: str) -> None:
    if rows < FEWEST_ROWS:
        raise ValueError(f"{name}: {rows} rows tell too little of the noise, {FEWEST_ROWS} is the least")
