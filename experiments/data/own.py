"""The user's own table: from a file or frame to a dataset, with a report of what was changed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, get_args

import pandas as pd
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype

from experiments.base.errors import DatasetInvalid, SettingInvalid, UnknownName
from experiments.data.dataset import Dataset, Kind, Own, frame_sum
from experiments.data.files import AS_FOUND, Reading, content_sum, find, read

Gaps = Literal["drop", "fill"]

MOST_LEVELS = 50
"""Most values of a text column that become columns of their own; a column of more is left out, and said to be."""

LEAST_ROWS = 10
"""Rows that a split into train, validation and test needs."""


@dataclass(frozen=True)
class Preparation:
    """How a table becomes a dataset.

    Attributes
    ----------
    target : str
        The column to be predicted: numbers.
    kind : {"tabular", "series"}
        Whether the order of the rows means something.
    time : str or None
        The column with the time of a series' rows, which are put in its order. None takes the first column of dates.
    drop : tuple of str
        Columns to leave out.
    gaps : {"drop", "fill"}
        What is done about missing values: a row with one is dropped, or the value is filled, in a series by
        interpolation in time and in a table by the column's median (of text: by its most frequent value). Rows of a
        table without a target are dropped either way.
    reading : Reading
        Of a file.

    Raises
    ------
    SettingInvalid
        For another kind, or another word for the gaps.
    """

    target: str
    kind: Kind = "tabular"
    time: str | None = None
    drop: tuple[str, ...] = ()
    gaps: Gaps = "drop"
    reading: Reading = AS_FOUND

    def __post_init__(self) -> None:
        for name, value, known in (("kind", self.kind, get_args(Kind)), ("gaps", self.gaps, get_args(Gaps))):
            if value not in known:
                raise SettingInvalid(f"dataset.{name} is {' or '.join(known)}, got '{value}'")
        if self.time and self.kind == "tabular":
            raise SettingInvalid(
                "dataset.time orders the rows of a series, but dataset.kind=tabular: leave one of them out"
            )

    @property
    def settings(self) -> dict[str, Any]:
        """What is not at its default and changes the frame; kind and target are named elsewhere."""
        given = {"time": self.time, "drop": list(self.drop), "gaps": self.gaps, **vars(self.reading)}
        default = {"time": None, "drop": [], "gaps": "drop", **vars(AS_FOUND)}
        return {name: value for name, value in given.items() if value != default[name]}


def from_file(
    path: str | os.PathLike[str],
    how: Preparation,
    *,
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Read a user's file and make a dataset of it.

    Parameters
    ----------
    path : path
        What `denograd.table.read_table` reads; if relative, below the working folder, `data_dir` or
        ``DENOGRAD_DATA``.
    how : Preparation
    name : str
    data_dir : path, optional

    Returns
    -------
    dataset : Dataset
        ``sha256`` is that of the file's content.

    Raises
    ------
    DatasetMissing, DatasetCorrupt, DatasetInvalid
    """
    table = read(find(path, data_dir), how.reading)
    usual = {"time", *(["separator"] if table.layout and table.layout.separator == "," else [])}
    found = [str(note) for note in table.notes if note.what not in usual]
    return _dataset(name, content_sum(table), _Work(name, table.frame, how, table.time, found))


def from_frame(frame: pd.DataFrame, how: Preparation, *, name: str) -> Dataset:
    """Make a dataset of a frame; its ``sha256`` is that of the columns and values that came of it.

    Raises
    ------
    DatasetInvalid
        If it is no frame, or nothing can be learnt from it.
    """
    if not isinstance(frame, pd.DataFrame):
        raise DatasetInvalid(f"{name!r}: a pandas DataFrame is wanted, got {type(frame).__name__}")
    return _dataset(name, None, _Work(name, frame.copy(), how))


def from_function(function: Callable[[], Any], how: Preparation, *, name: str) -> Dataset:
    """Make a dataset of the frame that a user's function returns; see `from_frame`."""
    try:
        frame = function()
    except Exception as error:
        raise DatasetInvalid(
            f"{name!r}: the function that gives the data raised {type(error).__name__}: {error}"
        ) from error
    return from_frame(frame, how, name=name)


def _dataset(name: str, sha256: str | None, work: _Work) -> Dataset:
    frame = work.prepared()
    identity = frame_sum(frame)
    own = Own(work.how.settings, identity, work.holds, work.roles, tuple(work.changes))
    return Dataset(name, work.how.kind, frame, work.how.target, sha256 or identity, own)


def holding(column: pd.Series[Any]) -> str:
    """What a column holds, in a few words."""
    known = column.dropna()
    missing = f", {len(column) - len(known):,} missing" if len(known) < len(column) else ""
    if known.empty:
        return "nothing"
    if is_datetime64_any_dtype(column.dtype):
        return f"dates, {known.min():%Y-%m-%d} to {known.max():%Y-%m-%d}{missing}"
    if is_bool_dtype(column.dtype):
        return f"true and false{missing}"
    if is_numeric_dtype(column.dtype):
        return f"numbers, {known.min():.6g} to {known.max():.6g}{missing}"
    n = known.nunique()
    return f"text, {n:,} value{'s' if n != 1 else ''}{missing}"


class _Work:
    """One table on its way to a dataset; `changes` and `roles` tell what was done."""

    def __init__(
        self,
        name: str,
        frame: pd.DataFrame,
        how: Preparation,
        time: str | None = None,
        changes: Sequence[str] = (),
    ) -> None:
        self.name, self.frame, self.how, self.kind = name, frame, how, how.kind
        self.time = how.time or (time if how.kind == "series" else None)
        self.changes = list(changes)
        self.roles: dict[str, str] = {}
        frame.columns = pd.Index([str(column) for column in frame.columns])
        self.holds = {str(column): holding(values) for column, values in frame.items()}

    def prepared(self) -> pd.DataFrame:
        """The frame of floats."""
        self._check_names()
        self._drop()
        self._order_in_time()
        self._leave_out_empty()
        self._sort_out_columns()
        self._settle_gaps()
        self._encode()
        self._note_constants()
        if self.frame.shape[1] < 2:
            raise DatasetInvalid(
                f"{self.name!r}: nothing but the target is left to learn from. Of its columns: {_told(self.roles)}"
            )
        if len(self.frame) < LEAST_ROWS:
            raise DatasetInvalid(
                f"{self.name!r}: {len(self.frame)} rows are left, at least {LEAST_ROWS} are needed"
                + (
                    f" ({'; '.join(dropped)})"
                    if (dropped := [c for c in self.changes if "dropped" in c])
                    else ""
                )
            )
        return self.frame.astype(float).reset_index(drop=True)

    def _check_names(self) -> None:
        frame, how = self.frame, self.how
        if not frame.columns.is_unique:
            twice = sorted(set(frame.columns[frame.columns.duplicated()]))
            raise DatasetInvalid(
                f"{self.name!r}: columns occur more than once: {', '.join(twice)}. Rename them."
            )
        wanted = [("target", how.target), *([("time", how.time)] if how.time else [])]
        for key, column in [*wanted, *(("drop", column) for column in how.drop)]:
            if column not in frame.columns:
                raise UnknownName(
                    f"column for dataset.{key} in {self.name!r}:", column, map(str, frame.columns)
                )
        if how.target in how.drop or how.target == how.time:
            raise DatasetInvalid(
                f"{self.name!r}: '{how.target}' is the target and cannot be left out or be the time"
            )
        self.roles = dict.fromkeys(map(str, frame.columns), "feature")
        self.roles[how.target] = "target"

    def _leave_out(self, columns: Sequence[str], why: str) -> None:
        self.frame = self.frame.drop(columns=list(columns))
        self.roles.update(dict.fromkeys(columns, f"left out: {why}"))

    def _drop(self) -> None:
        self._leave_out(self.how.drop, "dataset.drop")

    def _order_in_time(self) -> None:
        """Columns of dates go into the index; a series is put in its order."""
        how, frame = self.how, self.frame
        stamps = {str(c): dates for c in frame if c != how.target and (dates := _dates(frame[c])) is not None}
        time = self.time or next(iter(stamps), None)
        if time is None:
            return
        if time not in stamps:
            stamps[time] = frame[time] if _is_number(frame[time]) else self._refuse_dates(time)
        others = [column for column in stamps if column != time]
        if missing := int(stamps[time].isna().sum()):
            self.changes.append(f"{_rows(missing)} without a time in '{time}' dropped")
        there = stamps[time].notna()
        self.frame = (
            frame[there].drop(columns=time).set_axis(pd.Index(stamps[time][there], name=time), axis=0)
        )
        self.roles[time] = "time of the rows"
        self._leave_out(others, "dates")
        if others:
            self.changes.append(f"{_columns(others)} of dates left out")
        if self.kind == "series":
            if not self.frame.index.is_monotonic_increasing:
                self.frame = self.frame.sort_index(kind="stable")
                self.changes.append(f"rows put in the order of '{time}'")
            self._note_steps(time)

    def _refuse_dates(self, time: str) -> NoReturn:
        column = self.frame[time]
        bad = (_parsed(column).isna() & column.notna()).to_numpy()
        row = int(bad.argmax())
        raise DatasetInvalid(
            f"{self.name!r}: {int(bad.sum()):,} of {len(bad):,} entries of the time column '{time}' are no dates "
            f"of one format, the first in row {row + 1}: {column.iloc[row]!r}. Write all of them as 2024-01-31 or "
            "2024-01-31 17:00, or leave dataset.time out if the rows are in order"
        )

    def _note_steps(self, time: str) -> None:
        """Say where steps are not of one length: the study takes the rows of a series as equally far apart."""
        steps = self.frame.index.to_series().diff().iloc[1:]
        if not len(steps):
            return
        usual = steps.median()
        odd = int((steps != usual).sum())
        if odd:
            self.changes.append(
                f"{odd:,} of {len(steps):,} steps in '{time}' are not of the usual length ({usual}): "
                "rows are taken as equally far apart"
            )

    def _leave_out_empty(self) -> None:
        empty = [str(column) for column in self.frame if self.frame[column].isna().all()]
        if self.how.target in empty:
            raise DatasetInvalid(
                f"{self.name!r}: the target '{self.how.target}' holds no value{self._known_of(self.how.target)}. "
                "Choose another target"
            )
        self._leave_out(empty, "no value in it")
        if empty:
            self.changes.append(f"{_columns(empty)} without a value left out")

    def _sort_out_columns(self) -> None:
        """The target must be numbers; text of too many values cannot become columns."""
        target = self.frame[self.how.target]
        if not _is_number(target):
            example = target.dropna().iloc[0]
            numbers = [str(column) for column in self.frame if _is_number(self.frame[column])]
            raise DatasetInvalid(
                f"{self.name!r}: the target '{self.how.target}' must be numbers, but holds {example!r}"
                f"{self._known_of(self.how.target)}. Choose another target; numbers are in: "
                f"{', '.join(numbers) or 'no column'}"
            )
        for column in [str(c) for c in self.frame if not _is_number(self.frame[c])]:
            levels = self.frame[column].nunique()
            if levels > MOST_LEVELS:
                self._leave_out([column], f"text of {levels:,} different values{self._known_of(column)}")
                self.changes.append(
                    f"column '{column}' left out: text of {levels:,} different values, more than the {MOST_LEVELS} "
                    "that become columns"
                )

    def _known_of(self, column: str) -> str:
        """What the reader said of a column."""
        start = f"column {column!r}: "
        said = [change.removeprefix(start) for change in self.changes if change.startswith(start)]
        return f" ({'; '.join(said)})" if said else ""

    def _settle_gaps(self) -> None:
        gaps = self.frame.isna()
        if not gaps.to_numpy().any():
            return
        where = gaps.sum()
        most = ", ".join(
            f"'{column}' {n:,}" for column, n in where[where > 0].sort_values(ascending=False).head(3).items()
        )
        n = len(self.frame)
        if self.how.gaps == "drop":
            self.frame = self.frame[~gaps.any(axis=1)]
            lost = n - len(self.frame)
            self.changes.append(f"{lost:,} of {n:,} rows with a missing value dropped (missing: {most})")
            if self.kind == "series" and lost:
                self.changes.append(
                    "what follows a dropped row is taken as its next step; dataset.gaps=fill keeps it"
                )
            return
        if self.kind == "tabular" and (absent := int(gaps[self.how.target].sum())):
            self.frame = self.frame[~gaps[self.how.target]]
            self.changes.append(f"{_rows(absent)} without a target dropped")
        filled = int(self.frame.isna().to_numpy().sum())
        self.frame = self.frame.apply(self._filled)
        by = "interpolation" if self.kind == "series" else "the column's median"
        self.changes.append(f"{filled:,} missing values filled by {by} (missing: {most})")

    def _filled(self, column: pd.Series[Any]) -> pd.Series[Any]:
        if not column.isna().any():
            return column
        if not _is_number(column):
            return column.fillna(column.mode().iloc[0])
        values = column.astype(float)
        if self.kind == "tabular":
            return values.fillna(values.median())
        method: Any = "time" if is_datetime64_any_dtype(values.index.dtype) else "linear"
        return values.interpolate(method, limit_direction="both")

    def _encode(self) -> None:
        """Text and categories one-hot, the first value of each left out, as in the published recipes."""
        text = [str(column) for column in self.frame if not _is_number(self.frame[column])]
        if not text:
            return
        for column in text:
            levels = self.frame[column].nunique()
            self.roles[column] = f"feature: one-hot, {levels} values in {max(levels - 1, 0)} columns"
        self.frame = pd.get_dummies(self.frame, columns=text, drop_first=True, dtype=float)
        self.changes.append(f"{_columns(text)} of text one-hot encoded, without the first value of each")

    def _note_constants(self) -> None:
        constant = [str(column) for column in self.frame if self.frame[column].nunique() == 1]
        if self.how.target in constant:
            return  # refused by the dataset itself, with what to do
        if constant:
            self.changes.append(f"{_columns(constant)} constant: kept, without noise")


def _dates(column: pd.Series[Any]) -> pd.Series[Any] | None:
    """The column as dates, if that is what all of it is."""
    if is_datetime64_any_dtype(column.dtype):
        return column
    if _is_number(column) or column.isna().all() or _parsed(column.dropna().head(20)).isna().any():
        return None
    stamps = _parsed(column)
    return None if (stamps.isna() & column.notna()).any() else stamps


def _parsed(column: pd.Series[Any]) -> pd.Series[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of text in no format of dates: it becomes a gap
        return pd.to_datetime(column, errors="coerce")


def _is_number(column: pd.Series[Any]) -> bool:
    return is_numeric_dtype(column.dtype) or is_bool_dtype(column.dtype)


def _rows(n: int) -> str:
    return f"{n:,} row{'s' if n != 1 else ''}"


def _columns(names: Sequence[Hashable]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:5])
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return f"column{'s' if len(names) != 1 else ''} {shown}{more}"


def _told(roles: dict[str, str]) -> str:
    return "; ".join(f"'{column}' {role}" for column, role in list(roles.items())[:8])
