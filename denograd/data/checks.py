"""Invalid input, found before a run starts."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from denograd.data.arrays import Array

LEVELS, REPEATED = 10, 20
"""At most so many integer values, each so many times on average, are labels."""


class NotFittedError(ValueError, AttributeError):
    """A method was called before `fit`; scikit-learn's of this name is raised where it is loaded."""


def not_fitted(what: str, mend: str) -> Exception:
    """Give the exception to raise, of the class that callers look for."""
    theirs = sys.modules.get("sklearn.exceptions")
    kind: type[Exception] = getattr(theirs, "NotFittedError", NotFittedError)
    return kind(f"{what} has not been fitted: {mend}")


def check_targets(y: Array, n: int) -> None:
    """Refuse targets that do not fit `n` rows of X or are classes rather than numbers."""
    if y.ndim not in (1, 2):
        raise ValueError(f"y must have shape (n,) or (n, targets), got {y.shape}")
    if len(y) != n:
        raise ValueError(f"X and y differ in length: X has {n} rows, y has {len(y)}")
    check_discrete(y)


def check_discrete(y: Array) -> None:
    """Refuse targets of one or two values; warn of a few integers that come again and again, ratings, say."""
    for column in y.reshape(len(y), -1).T:
        values = np.unique(column)
        if len(column) > 2 and len(values) <= 2:
            raise ValueError(
                f"the target is discrete, it has only the values {values.tolist()}: denograd refines regression "
                "targets; labels cannot move by small steps"
            )
        few = len(values) <= LEVELS and len(column) >= REPEATED * len(values)
        if few and bool((values == values.round()).all()):
            warnings.warn(
                f"the target is discrete, it has only the values {values.tolist()}: refined ones will lie between "
                "them; if they are labels of classes, this is the wrong tool",
                UserWarning,
                stacklevel=4,
            )


def check_windows(n: int, window_size: Any, future: int, stride: int) -> None:
    """Refuse windows that are not given, not positive, or longer than the series of `n` steps."""
    if window_size is None:
        raise ValueError("is_ts=True needs window_size, the number of time steps that the model sees")
    for name, value in (("window_size", window_size), ("future", future), ("stride", stride)):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}")
    if n < window_size + future:
        raise ValueError(
            f"the series has {n} steps, but one window of window_size={window_size} and its target, "
            f"future={future} ahead, need {window_size + future}: use a smaller window or a longer series"
        )


def check_positive(**numbers: Any) -> None:
    """Refuse a parameter that is not a finite number above zero."""
    for name, value in numbers.items():
        if not isinstance(value, int | float | np.number) or not 0 < value < float("inf"):
            raise ValueError(f"{name} must be a positive number, got {value!r}")


def check_nonnegative(**numbers: Any) -> None:
    """Refuse a parameter that is not a finite number of at least zero."""
    for name, value in numbers.items():
        if not isinstance(value, int | float | np.number) or not 0 <= value < float("inf"):
            raise ValueError(f"{name} must be a number of at least 0, got {value!r}")


def check_count(**numbers: Any) -> None:
    """Refuse a parameter that is not a positive integer."""
    for name, value in numbers.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be a positive integer, got {value!r}")


def available_bytes() -> int | None:
    """Memory that this process may still take, in bytes; None where the system does not say."""
    found = []
    try:
        meminfo = Path("/proc/meminfo").read_text()
        line = next(line for line in meminfo.splitlines() if line.startswith("MemAvailable"))
        found.append(int(line.split()[1]) * 1024)
    except (OSError, StopIteration):
        try:
            found.append(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        except (ValueError, OSError, AttributeError):
            return None
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            found.append(int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    except (OSError, ValueError):
        pass
    return max(0, min(found))


def check_memory(need: int, what: str) -> None:
    """Refuse to keep `need` bytes of gradients where they do not fit.

    Raises
    ------
    MemoryError
        With the figure and the way out.
    """
    free = available_bytes()
    if free is not None and need > 0.9 * free:
        raise MemoryError(
            f"save_gradients=True would keep {_size(need)} ({what}), {_size(free)} are free: set "
            "save_gradients=False, or use fewer max_epochs"
        )


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
