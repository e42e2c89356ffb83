"""Dates, times of day and counted seconds: how a column writes when its rows were taken."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from denograd.table.dialect import MISSING
from denograd.table.errors import Note, TableError

if TYPE_CHECKING:
    import pandas as pd

DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y"),
    *("%d/%m/%y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y"),
    *("%B %d, %Y", "%b %d %Y"),
)
CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
ZONES = ("Z", "%z", " %z")

DATE_FORMATS = (
    *DAYS,
    *map(" ".join, product(DAYS, CLOCKS)),
    *map("T".join, product(["%Y-%m-%d"], CLOCKS[:3])),
    *map("".join, product(["%Y-%m-%d"], " T", CLOCKS[:3], ZONES)),
    *("%d.%m.%Y %H:%M Uhr", "%Y%m%dT%H%M%S", "%Y%m%d %H:%M", "%Y-%m", "%b %Y", "%a %b %d %H:%M:%S %Y"),
)

EPOCHS = {"s": (3e8, 5e9), "ms": (3e11, 5e12), "us": (3e14, 5e15), "ns": (3e17, 5e18)}
"""Between 1979 and 2128, counted in seconds, milliseconds, ..."""

TIME_NAMES = re.compile(
    r"\b(time|date|datetime|timestamp|ts|zeit|datum|zeitstempel|uhrzeit|fecha|hora|heure|jour|data|ora|tid|"
    r"dato|utc|when|month|day|period|epoch|unixtime)\b",
    re.I,
)
ELAPSED_NAMES = re.compile(r"\b(t|time|seconds?|secs?|elapsed|step|hours?|minutes?|ms|zeit|tick)\b", re.I)


def sounds_like(name: str, words: re.Pattern[str]) -> bool:
    """Whether a column's name holds one of the words, also within CamelCase or with underscores."""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(name)).replace("_", " ").replace("-", " ")
    return bool(words.search(plain))


def blank(texts: pd.Series) -> pd.Series:
    """Where a column of text holds nothing."""
    return texts.isna() | texts.str.strip().str.lower().isin(MISSING)


def date_format(texts: pd.Series, path: Path) -> tuple[str | None, list[Note]]:
    """The one format in which a column writes dates; None where it holds something else.

    Raises
    ------
    TableError
        For dates in two formats, since the order of the days is then ambiguous.
    """
    rest = texts[~blank(texts)].str.strip()
    if rest.empty or not rest.iloc[:20].str.contains(r"\d").all() or rest.str.len().iloc[:20].min() < 6:
        return None, []
    probe = rest.iloc[np.unique(np.linspace(0, len(rest) - 1, 200).astype(int))]
    few = probe.iloc[:: max(1, len(probe) // 8)]
    likely = [f for f in DATE_FORMATS if _parsed(few, f).notna().any()]
    if not likely:
        return None, []
    fits = {f: int(_parsed(probe, f).notna().sum()) for f in likely}
    best = max(fits.values())
    if best < 0.5 * len(probe) and sum(fits.values()) < 0.9 * len(probe):
        return None, []
    near = [f for f, count in fits.items() if count == best]
    full = {f: _parsed(rest, f) for f in near}
    right = {f: int(days.notna().sum()) for f, days in full.items()}
    top = max(right.values())
    candidates: list[str] = []
    for f in near:
        if right[f] == top and not any(_same(full[f], full[other]) for other in candidates):
            candidates.append(f)
    chosen = candidates[0]
    notes = []
    if len(candidates) > 1:  # day and month could be exchanged: dates in order tell
        rising = {
            f: int((np.diff(full[f].dropna().to_numpy().astype("int64")) < 0).sum()) for f in candidates
        }
        chosen = min(candidates, key=rising.__getitem__)
        example = rest.iloc[0]
        notes.append(
            Note(
                "dates",
                f"{example} could mean two days; read as {full[chosen].iloc[0]:%d %B %Y}",
                str(texts.name),
            )
        )
    wrong = rest[full[chosen].isna().to_numpy()]
    if len(wrong):
        other = next((f for f in DATE_FORMATS if _parsed(wrong.iloc[:1], f).notna().all()), None)
        if other is not None or top >= 0.8 * len(rest):
            good = rest[full[chosen].notna().to_numpy()].iloc[0]
            what = "dates in two formats" if other else "a date that cannot be read"
            mend = "Write all dates in one way, best as 2020-12-31" if other else "Correct or delete that row"
            raise TableError(
                path,
                "two_date_formats",
                f"column {texts.name!r} holds {what}: {good!r}, and {wrong.iloc[0]!r} in data row "
                f"{texts.index.get_loc(wrong.index[0]) + 1}. {mend}",
            )
        return None, []
    return chosen, notes


def _same(one: pd.Series, other: pd.Series) -> bool:
    """Whether two readings of a column mean the same times."""
    return bool(np.array_equal(one.to_numpy("M8[ns]"), other.to_numpy("M8[ns]"), equal_nan=True))


def _parsed(texts: pd.Series, form: str) -> pd.Series:
    import pandas as pd

    return pd.to_datetime(texts, format=form, errors="coerce", utc="%z" in form)


def to_dates(texts: pd.Series, form: str) -> pd.Series:
    """Read a column of dates whose format is known; missing ones become NaT."""
    return _parsed(texts.mask(blank(texts)).str.strip(), form)


def clock_of(texts: pd.Series) -> pd.Series | None:
    """A column of times of day, as spans since midnight; None where it holds something else."""
    import pandas as pd

    plain = texts.str.strip()
    for form in CLOCKS:
        times = pd.to_datetime(plain, format=form, errors="coerce")
        if times.notna().all():
            return times - times.dt.normalize()
    return None


@dataclass(frozen=True)
class CountedDates:
    """Dates that a column of numbers means.

    Attributes
    ----------
    dates : Series of datetime64
    form : str
        ``epoch:s`` for seconds since 1970, or a format as of ``strftime``.
    said : str
        For people.
    """

    dates: pd.Series
    form: str
    said: str


def dates_of_numbers(name: str, numbers: pd.Series) -> CountedDates | None:
    """Read a column that counts time since 1970, or writes days as 20240301; None where it holds something else."""
    import pandas as pd

    values = numbers.dropna().to_numpy(dtype=float)
    named = sounds_like(name, TIME_NAMES)
    nameless = name == "column_1" and bool((np.diff(values) > 0).all())  # of a file without a header
    if len(values) < 2 or not (named or nameless):
        return None
    for unit, (least, most) in EPOCHS.items():
        if least < values.min() and values.max() < most:
            dates = pd.to_datetime(numbers, unit=unit)
            return CountedDates(dates, f"epoch:{unit}", f"counts {unit} since 1970: read as a date")
    if values.min() > 19_000_000 and values.max() < 21_000_000 and (values == values.round()).all():
        days = pd.to_datetime(numbers.astype("Int64").astype("string"), format="%Y%m%d", errors="coerce")
        if days.notna().sum() == len(values):
            return CountedDates(days, "%Y%m%d", f"writes days as {values[0]:.0f}: read as dates")
    return None
