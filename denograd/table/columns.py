"""What the fields of a column are: numbers in various spellings, dates, or text; and what marks a missing value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from denograd.table.dates import blank, date_format, to_dates
from denograd.table.dialect import COINS, MONEY
from denograd.table.errors import Note

if TYPE_CHECKING:
    import pandas as pd

STATUS_WORDS = 8
"""At most so many different words among numbers are a logger's words for a missing value."""

STATUS_SHARE = 0.5
"""At least this share of the other fields must be numbers."""

BEHIND = re.compile(r"[-+]?\d[\d.,' ]*?\s*([^\W\d_]{1,4}|[^\W\d]{0,6}[°/µ²³][^\d\s.,]{0,8})$")
"""A number and its unit, as in "12.5 kg" or "20 °C"."""

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
    unit = plain.str.extract(BEHIND)[0]
    if unit.notna().mean() > STATUS_SHARE and unit.nunique() == 1 and not percent.any():
        written = unit.notna()
        if not pd.to_numeric(plain[~written].str.replace(",", "."), errors="coerce").notna().any():
            plain = plain.where(~written, plain.str.replace(rf"\s*{re.escape(unit.max())}$", "", regex=True))
            notes.append(Note("unit", f"the unit {unit.max()} behind every number is left out", name))
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
                notes = [
                    Note(
                        "mixed",
                        f"holds numbers ({ratio:.0%}) and text ({shown}): read as text, unless missing=... "
                        "names what stands for a gap there",
                        name,
                    )
                ]
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


def tidy(
    frame: pd.DataFrame,
    path: Path,
    decimal: str = ".",
    thousands: str | None = None,
    whole_numbers: Sequence[str] = (),
) -> tuple[pd.DataFrame, list[Note], dict[str, str]]:
    """Turn columns of text into numbers or dates where they are, and marks of missing values into gaps.

    Returns
    -------
    frame : DataFrame
    notes : list of Note
    dates : dict
        Format of every column of text that holds dates.
    """
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
