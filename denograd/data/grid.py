"""Steps of a series on a regular grid: where readings are missing, there are gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array

LONGEST = 100
"""A pause is as long as this many steps, however long it was: nothing is known of its middle."""

MOST = 10
"""The grid is at most so many times as long as the series; else only the order counts."""

MULTIPLE, TOLERANCE = 0.95, 0.05
"""So many of the steps must be multiples of a smaller one, within this share of it."""


@dataclass(frozen=True)
class Grid:
    """Where the rows stand.

    Attributes
    ----------
    order : (n,) int array
        Row numbers in the order of time.
    place : (n,) int array
        Step of every row so ordered, from 0 on, rising.
    length : int
        Steps of the grid.
    said : str
        What was done, for people; empty where the rows are regular and in order.
    """

    order: NDArray[np.int64]
    place: NDArray[np.int64]
    length: int
    said: str = ""

    def spread(self, values: Array) -> Array:
        """Put rows (n, c) on the grid, (length, c), NaN where there is none."""
        out = np.full((self.length, *values.shape[1:]), np.nan)
        out[self.place] = values[self.order]
        return out

    def gather(self, values: Array) -> Array:
        """Take the given rows from the grid, in their own order."""
        out = np.empty((len(self.order), *values.shape[1:]), values.dtype)
        out[self.order] = values[self.place]
        return out


def find_grid(times: Array) -> Grid:
    """Find the regular grid behind the times of some readings.

    The step is the median one, or a smaller one of which nearly all are multiples. Readings farther apart have gaps
    in between. Daily readings without weekends count as consecutive.

    Parameters
    ----------
    times : (n,) array of numbers or datetime64

    Raises
    ------
    ValueError
        If a time is missing.
    """
    times = np.asarray(times)
    days = times.dtype.kind == "M"
    if bool(np.isnat(times).any() if days else np.isnan(times.astype(float)).any()):
        row = int(np.flatnonzero(np.isnat(times) if days else np.isnan(times.astype(float)))[0])
        raise ValueError(f"the time of row {row} is missing: nobody knows where it belongs; drop or date it")
    order = np.argsort(times, kind="stable")
    said = [] if bool((order == np.arange(len(order))).all()) else ["rows put in order of time"]
    ordered = times[order]
    count = np.arange(len(times))
    if days and len(times) > 2:
        dates = ordered.astype("datetime64[D]")
        weekday = (dates.astype(np.int64) + 3) % 7  # 1970 began on a Thursday
        if (
            bool((dates == ordered).all() and (weekday < 5).all())
            and np.median(np.diff(dates).astype(int)) == 1
        ):
            ordered = np.busday_count(dates[0], dates).astype(float)
            days = False
    steps = (
        np.diff(ordered).astype("timedelta64[ns]").astype(float) if days else np.diff(ordered.astype(float))
    )
    if len(steps) < 2 or not (steps > 0).any():
        return Grid(order, count, len(times), ", ".join(said))
    if (steps == 0).any():
        said.append(f"{int((steps == 0).sum())} readings share their time: only the order counts")
        return Grid(order, count, len(times), ", ".join(said))
    moved = np.maximum(np.rint(steps / _unit(steps)), 1).clip(max=LONGEST).astype(np.int64)
    place = np.concatenate([[0], moved.cumsum()])
    length = int(place[-1]) + 1
    if length > MOST * len(times):
        said.append("readings too far apart for a regular grid: only the order counts")
        return Grid(order, count, len(times), ", ".join(said))
    if length > len(times):
        said.append(f"{length - len(times):,} steps without a reading between the {len(times):,} given ones")
    return Grid(order, place, length, ", ".join(said))


def _unit(steps: Array) -> float:
    """The grid's step."""
    median = float(np.median(steps))
    least = float(np.quantile(steps, 0.02))
    ratio = steps / least
    if (
        least < 0.75 * median
        and float((np.abs(ratio - np.rint(ratio)) < TOLERANCE * np.rint(ratio)).mean()) >= MULTIPLE
    ):
        return least
    return median
