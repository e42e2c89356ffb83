"""What an index says about its rows: whether they are in order, evenly spaced, and a series at all."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

EVEN, NEAR = 0.75, 0.2
"""A series has even steps if at least this share of them is this near to the median one, relative to it."""


def check_index(data: Any, kind: str | None, name: str = "X", stacklevel: int = 3) -> None:
    """Warn where a pandas index contradicts the order of the rows, or what they are taken for.

    Parameters
    ----------
    data : object
        Only a DataFrame or Series has an index.
    kind : {"tabular", "series"} or None
        None: a table, because nobody said otherwise.
    name : str
        What to call the data.
    """
    index = getattr(data, "index", None)
    if not hasattr(data, "iloc") or index is None or len(index) < 3 or getattr(index, "nlevels", 1) > 1:
        return
    stamps = _numbers(index)
    if stamps is None:
        return
    found = []
    if kind == "series":
        known = stamps[~np.isnan(stamps)]
        steps = np.diff(known)
        if len(known) < len(stamps):
            found.append(f"{len(stamps) - len(known)} time stamps are missing")
        if (steps < 0).any():
            found.append(
                f"the rows are not in the order of their index ({int((steps < 0).sum())} steps back)"
            )
        elif len(steps) and (steps == 0).any():
            found.append(f"{int((steps == 0).sum())} time stamps come more than once")
        elif len(steps) > 1 and (np.abs(steps / np.median(steps) - 1) < NEAR).mean() < EVEN:
            found.append("the steps are uneven")
        mend = (
            "sort the rows (sort_index), drop repeated ones, and bring them to even steps (asfreq, resample)"
        )
    elif kind is None and _is_time(index) and (np.diff(stamps) > 0).all():
        found.append("it has a time index, but is refined as a table, whose rows have no order")
        mend = "set kind='series' if neighbouring rows have to do with each other, else kind='tabular'"
    if found:
        warnings.warn(f"{name}: {'; '.join(found)}: {mend}", UserWarning, stacklevel=stacklevel)


def check_labels(X: Any, y: Any) -> None:
    """Refuse a target whose labels are those of other rows, or stand in another order.

    Raises
    ------
    ValueError
        If both have an index and they contradict; one that only counts from 0 contradicts no other labels.
    """
    if not (hasattr(X, "iloc") and hasattr(y, "iloc")) or len(X) != len(y) or X.index.equals(y.index):
        return
    same = set(X.index) == set(y.index)
    if same or not (_counts(X.index) or _counts(y.index)):
        what = "stand in another order" if same else "are not the same"
        raise ValueError(
            f"X and y have labels that {what}: rows are paired by position; align them first, y = y.loc[X.index], or "
            "drop the labels of one, y.to_numpy()"
        )


def _is_time(index: Any) -> bool:
    return getattr(index.dtype, "kind", "") in "mM" or hasattr(index, "freqstr")


def _counts(index: Any) -> bool:
    """Whether it only counts the rows."""
    return getattr(index, "start", None) == 0 and getattr(index, "step", None) == 1


def _numbers(index: Any) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """The index as numbers, NaN for a missing stamp; None where it says nothing of an order."""
    if hasattr(index, "asi8"):  # stamps, spans and periods of time
        return np.asarray(np.where(index.isna(), np.nan, index.asi8.astype(float)))
    values = index.to_numpy()
    if values.dtype.kind in "iuf":
        return np.asarray(values, dtype=float)
    if all(isinstance(v, str) for v in values):  # sorted as text, perhaps
        try:
            return np.asarray(values, dtype=float)
        except ValueError:
            pass
        try:
            return np.array(values, dtype="datetime64[ns]").astype(np.int64).astype(float)
        except ValueError:
            return None
    return None
