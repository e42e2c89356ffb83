"""A prepared dataset: numbers without gaps, a kind, a target, and a checksum that identifies it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from experiments.base.errors import DatasetInvalid

Kind = Literal["tabular", "series"]


@dataclass(frozen=True)
class Own:
    """How a user's table became a dataset.

    Attributes
    ----------
    settings : dict
        Those of the preparation that are not at their defaults.
    frame_sha256 : str
        Of what came of it: with the file's own sum it identifies the dataset.
    holds, roles : dict of str to str
        What each column of the table holds, and what it became.
    changes : tuple of str
        What was changed on the user's behalf, with the figures.
    """

    settings: dict[str, Any]
    frame_sha256: str
    holds: dict[str, str]
    roles: dict[str, str]
    changes: tuple[str, ...]

    @property
    def identity(self) -> dict[str, Any]:
        """What identifies the dataset beside the sum of its file."""
        return {"dataset_settings": self.settings, "frame_sha256": self.frame_sha256}


@dataclass(frozen=True, eq=False)
class Dataset:
    """A prepared dataset: nothing in it is missing, infinite or text.

    Attributes
    ----------
    name : str
    kind : {"tabular", "series"}
        Whether the order of the rows means something.
    frame : DataFrame
        float64, target included, date excluded.
    target : str
        A column of `frame`.
    sha256 : str
        Of the raw file (of several: of their joined sums); of the frame where there is no file.
    own : Own or None
        What is known of a table that is not one of the project's own.
    groups : (n,) array or None
        Of a table whose parts must not share a group, such as a subject: the group of each row.

    Raises
    ------
    DatasetInvalid
        If the frame is empty, its columns are not unique, not numeric or lack the target, a value is NaN or
        infinite, or the target does not vary.
    """

    name: str
    kind: Kind
    frame: pd.DataFrame
    target: str
    sha256: str
    own: Own | None = None
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        frame, name = self.frame, self.name
        if self.kind not in ("tabular", "series"):
            raise DatasetInvalid(f"{name!r}: kind must be 'tabular' or 'series', got {self.kind!r}")
        if not frame.columns.is_unique:
            twice = frame.columns[frame.columns.duplicated()].tolist()
            raise DatasetInvalid(f"{name!r}: columns occur more than once: {twice}. Rename or drop them.")
        require_columns(frame, [self.target], name)
        if len(frame) == 0 or frame.shape[1] < 2:
            raise DatasetInvalid(f"{name!r}: needs rows and at least two columns, got shape {frame.shape}")
        text = [column for column in frame if not is_numeric_dtype(frame[column].dtype)]
        if text:
            raise DatasetInvalid(f"{name!r}: columns are not numeric: {text}. Encode or drop them.")
        finite = np.isfinite(frame.to_numpy(float))
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            raise DatasetInvalid(
                f"{name!r}: {(~finite).sum():,} values are NaN or infinite, the first in row {row} of column "
                f"{frame.columns[column]!r}. Fill or drop them."
            )
        if np.ptp(frame[self.target].to_numpy(float)) == 0:
            raise DatasetInvalid(
                f"{name!r}: the target {self.target!r} has no variance (every value is "
                f"{frame[self.target].iloc[0]:g}): there is nothing to predict. Choose another target."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, the target included."""
        return self.frame.shape

    def X_y(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Split into new arrays (writable copies).

        Returns
        -------
        X : (n, d) or (T, C) array
            Features; of a series the whole frame, the target moved to channel 0.
        y : (n,) or (T,) array
            Target.
        names : list of str
            Columns of `X`.
        """
        others = [column for column in self.frame if column != self.target]
        names = [self.target, *others] if self.kind == "series" else others
        y = np.array(self.frame[self.target], dtype=float)
        return np.array(self.frame[names], dtype=float), y, [str(name) for name in names]


def require_columns(frame: pd.DataFrame, columns: list[str], name: str) -> None:
    """Check that `frame` has all of `columns`.

    Raises
    ------
    DatasetInvalid
        Naming the missing ones and those that are there.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        there = ", ".join(map(str, frame.columns[:50]))
        raise DatasetInvalid(f"{name!r}: columns are missing: {', '.join(missing)}. It has: {there}.")


def frame_sum(frame: pd.DataFrame) -> str:
    """Hash a frame's columns and values."""
    # Rounded: the last bits of a computed frame differ between machines.
    values = np.round(frame.to_numpy(float), 6) + 0.0
    return hashlib.sha256("\n".join(map(str, frame.columns)).encode() + values.tobytes()).hexdigest()
