"""What the fields of a column are: numbers in various spellings, dates, or text; and what marks a missing value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from denograd.table.dialect import COINS, MISSING, MONEY
from denograd.table.errors import Note, TableError

if TYPE_CHECKING:
    import pandas as pd

STATUS_WORDS = 8
"""At most so many different words among numbers are a logger's words for a missing value."""

STATUS_SHARE = 0.5
"""At least this share of the other fields must be numbers."""

SENTINELS = (
    *(
        -9999.0,
        9999.0,
        -999.0,
        999.0,
        -99999.0,
        99999.0,
        -99.0,
        99.0,
        -9999.9,
        9999.9,
        -999.9,
        999.9,
        -99.9,
        99.9,
    ),
    *(
        -32768.0,
        32767.0,
        65535.0,
        -6999.0,
        7999.0,
        -7999.0,
        1e20,
        -1e20,
        9.96920996838687e36,
        99999.9,
        -99999.9,
    ),
)
"""Numbers that files write for a missing value."""

DATE_FORMATS = (
    *("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S%z"),
    *(
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M:%S.%f",
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%dT%H:%M:%S.%fZ",
    ),
    *("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%d %H:%M:%S %z"),
    *("%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y.%m.%d", "%Y.%m.%d %H:%M", "%Y.%m.%d %H:%M:%S"),
    *("%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%y", "%d.%m.%y %H:%M", "%d.%m.%y %H:%M:%S"),
    *("%d.%m.%Y %H:%M Uhr",),
    *("%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p"),
    *("%d/%m/%Y", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %I:%M %p", "%d/%m/%Y %I:%M:%S %p"),
    *("%m/%d/%y", "%m/%d/%y %H:%M", "%m/%d/%y %H:%M:%S", "%d/%m/%y", "%d/%m/%y %H:%M", "%d/%m/%y %H:%M:%S"),
    *("%d-%m-%Y", "%d-%m-%Y %H:%M", "%d-%m-%Y %H:%M:%S", "%m-%d-%Y", "%m-%d-%Y %H:%M", "%m-%d-%Y %H:%M:%S"),
    *(
        "%d-%b-%Y",
        "%d-%b-%Y %H:%M:%S",
        "%d-%b-%y",
        "%d %b %Y",
        "%d %b %Y %H:%M",
        "%d %B %Y",
        "%b %d, %Y",
        "%B %d, %Y",
    ),
    *("%b %d %Y", "%Y%m%dT%H%M%S", "%Y%m%d %H:%M", "%Y-%m", "%b %Y", "%a %b %d %H:%M:%S %Y"),
)

CLOCK_FORMATS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")

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


def as_numbers(texts: pd.Series, decimal: str, thousands: str | None) -> tuple[pd.Series | None, list[Note]]:
    """Read a column of text as numbers, if that is what it holds.

    Percent signs are taken off, separators of thousands out; a few words among the numbers (``ERR``, ``offline``) are
    missing values.

    Returns
    -------
    numbers : Series of float or None
        None where it holds something else.
    notes : list of Note
    """
    import pandas as pd

    name, notes = str(texts.name), []
    empty = blank(texts)
    rest = texts[~empty].str.strip()
    if rest.empty:
        return pd.Series(np.nan, index=texts.index, name=texts.name), []
    percent = rest.str.endswith("%")
    plain = rest.str.removesuffix("%").str.strip()
    money = plain.str.fullmatch(MONEY)
    if money.mean() > STATUS_SHARE:
        plain = plain.where(~money, plain.str.replace(rf"\s*{COINS}\s*", "", regex=True))
        notes.append(Note("unit", f"signs of money are left out, as in {rest[money].iloc[0]}", name))
    # a unit after every number, as in "12.5 kg"
    if plain.iloc[:50].str.fullmatch(r"[-+]?\d[\d.,]*\s*[^\W\d_°/%µ²³]{1,4}").all() and not percent.any():
        ends = plain.str.extract(r"([^\W\d_°/%µ²³]{1,4})$")[0]
        if ends.nunique() == 1 and ends.notna().all():
            plain = plain.str.replace(r"\s*[^\W\d_]{1,4}$", "", regex=True)
            notes.append(Note("unit", f"the unit {ends.iloc[0]} behind every number is left out", name))
    signs = {",": ",", ".": r"\.", " ": " \u00a0\u202f'"}.get(thousands or "", "")
    if signs:
        grouped = plain.str.fullmatch(rf"[-+]?\d{{1,3}}([{signs}]\d{{3}})+([{re.escape(decimal)}]\d+)?")
        plain = plain.where(
            ~grouped.fillna(False).astype(bool), plain.str.replace(rf"[{signs}]", "", regex=True)
        )
    if decimal == ",":
        plain = plain.str.replace(",", ".", regex=False)
    plain = plain.str.replace("\u2212", "-", regex=False)
    numbers = pd.to_numeric(plain, errors="coerce").astype(float)
    other = rest[numbers.isna()]
    if len(other):
        words = other.value_counts()
        ratio = 1 - len(other) / len(rest)
        if ratio < STATUS_SHARE or len(words) > STATUS_WORDS or other.str.contains(r"\d").any():
            if ratio >= 0.05 and (ratio >= STATUS_SHARE or not other.str.contains(r"\d").any()):
                shown = ", ".join(map(repr, words.index[:3]))
                notes = [Note("mixed", f"holds numbers ({ratio:.0%}) and text ({shown}): read as text", name)]
                return None, notes
            return None, []
        shown = ", ".join(f"{word!r} ({count} times)" for word, count in words.items())
        notes.append(Note("missing", f"among numbers {shown} is read as missing", name))
    if percent.any():
        notes.append(Note("percent", "percent signs are taken off: 45% is 45", name))
    digits = plain.str.fullmatch(r"[-+]?\d{16,}")
    if digits.fillna(False).any():
        longest = int(plain[digits.fillna(False).astype(bool)].str.len().max())
        notes = [
            Note(
                "huge",
                f"holds whole numbers of up to {longest} digits, and a number is exact to 15 only: read as text",
                name,
            )
        ]
        return None, notes
    result = pd.Series(np.nan, index=texts.index, name=texts.name)
    result[rest.index] = numbers
    return result, notes


def drop_infinite(numbers: pd.Series) -> tuple[pd.Series, list[Note]]:
    """Turn infinite values into missing ones."""
    infinite = np.isinf(numbers.to_numpy(dtype=float, na_value=np.nan))
    if not infinite.any():
        return numbers, []
    note = Note("infinite", f"{int(infinite.sum())} infinite values are read as missing", str(numbers.name))
    return numbers.mask(infinite), [note]


def drop_sentinels(numbers: pd.Series) -> tuple[pd.Series, list[Note]]:
    """Turn numbers that stand for a missing value, such as -9999, into missing ones.

    Such a number must lie farther from all others than these do from one another.
    """
    values = numbers.to_numpy(dtype=float, na_value=np.nan)
    notes = []
    for sentinel in SENTINELS:
        hit = np.isclose(values, sentinel, rtol=1e-12, atol=0)
        if not hit.any():
            continue
        rest = values[~hit & np.isfinite(values) & ~np.isin(values, SENTINELS)]
        if len(rest) < 10 or len(rest) < hit.sum() / 4:
            continue
        low, high = rest.min(), rest.max()
        away = max(low - sentinel, sentinel - high)
        whole = bool((rest == rest.round()).all())
        if away > 2 * (high - low) and away > 0 and (hit.sum() > 1 or not whole or abs(sentinel) > 999):
            values = np.where(hit, np.nan, values)
            notes.append(
                Note(
                    "missing", f"{sentinel:g} ({int(hit.sum())} times) is read as missing", str(numbers.name)
                )
            )
    if not notes:
        return numbers, []
    import pandas as pd

    return pd.Series(values, index=numbers.index, name=numbers.name), notes


def date_format(texts: pd.Series, path: Path) -> tuple[str | None, list[Note]]:
    """The one format in which a column writes dates; None where it holds something else.

    Raises
    ------
    TableError
        For dates in two formats, since the order of the days is then ambiguous.
    """
    import pandas as pd

    rest = texts[~blank(texts)].str.strip()
    if rest.empty or not rest.iloc[:20].str.contains(r"\d").all() or rest.str.len().iloc[:20].min() < 6:
        return None, []
    probe = rest.iloc[np.unique(np.linspace(0, len(rest) - 1, 200).astype(int))]
    fits = {f: int(_parsed(probe, f).notna().sum()) for f in DATE_FORMATS}
    best = max(fits.values())
    if best < 0.5 * len(probe) and sum(fits.values()) < 0.9 * len(probe):
        return None, []
    near = [f for f, count in fits.items() if count == best]
    full = {f: _parsed(rest, f) for f in near}
    right = {f: int(days.notna().sum()) for f, days in full.items()}
    top = max(right.values())
    candidates = [f for f in near if right[f] == top]
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
            raise TableError(
                path,
                "two_date_formats",
                f"column {texts.name!r} holds {what}: {good!r}, and {wrong.iloc[0]!r} in data row "
                f"{texts.index.get_loc(wrong.index[0]) + 1}. Write all dates in one way, best as 2020-12-31",
            )
        return None, []
    del pd
    return chosen, notes


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
    for form in CLOCK_FORMATS:
        times = pd.to_datetime(plain, format=form, errors="coerce")
        if times.notna().all():
            return times - times.dt.normalize()
    return None


def epoch_unit(name: str, numbers: pd.Series) -> str | None:
    """The unit of a column that counts time since 1970; None where it does not."""
    values = numbers.dropna().to_numpy(dtype=float)
    nameless = name == "column_1" and bool((np.diff(values) > 0).all())  # of a file without a header
    if len(values) < 2 or not (nameless or sounds_like(name, TIME_NAMES)):
        return None
    for unit, (least, most) in EPOCHS.items():
        if least < values.min() and values.max() < most:
            return unit
    return None


def tidy(
    frame: pd.DataFrame,
    path: Path,
    decimal: str = ".",
    thousands: str | None = None,
    whole_numbers: Sequence[str] = (),
) -> tuple[pd.DataFrame, list[Note], dict[str, str]]:
    """Turn columns of text into numbers or dates where they are, and marks of missing values into gaps."""
    import pandas as pd

    notes: list[Note] = []
    dates: dict[str, str] = {}
    columns = {}
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(object)
        if column.dtype.kind in "OUT" or isinstance(column.dtype, pd.StringDtype):
            column, found = _from_text(column.astype("str"), path, decimal, thousands, dates)
            notes += found
        if column.dtype.kind == "f":
            column, found = drop_infinite(column)
            notes += found
        if column.dtype.kind in "fi":
            column, found = drop_sentinels(column)
            notes += found
            if column.dtype.kind == "f" and (frame[name].dtype.kind in "iu" or name in whole_numbers):
                column = _whole(column)
        columns[name] = column
    return pd.DataFrame(columns, copy=False), notes, dates


def _whole(column: pd.Series) -> pd.Series:
    """Whole numbers with gaps among them, as such; unchanged where one is not whole."""
    known = column.dropna()
    fits = len(known) and bool((known == known.round()).all() and (known.abs() < 2**53).all())
    return column.astype("Int64") if fits else column


def _from_text(
    texts: pd.Series, path: Path, decimal: str, thousands: str | None, dates: dict[str, str]
) -> tuple[pd.Series, list[Note]]:
    if blank(texts).all():
        return texts.mask(blank(texts)).astype(float), [Note("blank", "holds nothing", str(texts.name))]
    plain = texts[~blank(texts)].str.strip()
    if plain.str.fullmatch(r"0\d+").any() and plain.str.fullmatch(r"\d+").all():
        return texts, [Note("code", "holds codes with leading zeros: read as text", str(texts.name))]
    words = set(plain.str.lower().unique()[:3])
    if words <= {"true", "false"} and not blank(texts).any():
        return plain.str.lower() == "true", []
    numbers, notes = as_numbers(texts, decimal, thousands)
    if numbers is not None:
        return numbers, notes
    form, found = date_format(texts, path)
    if form is not None:
        dates[str(texts.name)] = form
        return to_dates(texts, form), found
    return texts.mask(blank(texts)), notes
