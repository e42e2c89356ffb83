"""The text of a table: where its layout is found, and how it is parsed, at once or in pieces."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from denograd.table.content import CHUNK, NO_TABLES, find_encoding, head_of
from denograd.table.dialect import MISSING, Layout, find_layout, is_missing, rows_of
from denograd.table.errors import Note, TableError

if TYPE_CHECKING:
    import pandas as pd


def look_at(
    path: Path, separator: str | None = None, decimal: str | None = None, encoding: str | None = None
) -> tuple[Layout, str, list[Note]]:
    """Find layout and encoding of a text from its beginning."""
    head = head_of(path, CHUNK)
    if not head:
        raise TableError(path, "empty", "is empty once unpacked")
    given = encoding
    encoding = find_encoding(head, path, encoding)
    text = head.decode(encoding, errors="ignore")
    if len(head) == CHUNK:
        text = text[: text.rfind("\n") + 1]
        if text.count("\n") < 2:
            raise TableError(
                path,
                "too_wide",
                f"its {'first two lines are' if text else 'first line is'} longer than {CHUNK:,} bytes: more columns "
                "than are read, or are the line breaks lost?",
            )
    start = text[:200].lstrip().lower()
    for mark, what in NO_TABLES.items():
        if start.startswith(mark):
            raise TableError(path, "format", f"is no table but {what}")
    layout, notes = find_layout(text, path, separator=separator, decimal=decimal)
    if encoding not in ("utf-8", "ascii") and given is None:
        notes.insert(0, Note("encoding", f"the text is encoded as {encoding}"))
    return layout, encoding, notes


def parse_text(
    source: IO[bytes],
    path: Path,
    layout: Layout,
    encoding: str,
    *,
    missing: Sequence[str] = (),
    codes: Sequence[str] = (),
    rows: int | None = None,
) -> Iterator[pd.DataFrame]:
    """Hand a text to pandas, which gives it as one piece or in pieces of so many rows.

    Parameters
    ----------
    source : file
        From its beginning.
    path : Path
        For messages.
    layout, encoding
        As `look_at` found them.
    missing : sequence of str
        Further fields that stand for a missing value.
    codes : sequence of str
        Columns that stay text.
    rows : int, optional
        Of a piece.

    Raises
    ------
    TableError
        For what pandas cannot read.
    """
    import pandas as pd

    names = [*layout.names, *(["\0trailing"] if layout.trailing else [])]
    blanks = layout.separator == r"\s+"
    spellings = {spelt for word in MISSING for spelt in (word, word.upper(), word.title())}
    options: dict[str, Any] = {
        "sep": layout.separator,
        "decimal": layout.decimal,
        "header": None,
        "names": names,
        "index_col": False,
        "skiprows": layout.skip,
        "skipinitialspace": not blanks,
        "keep_default_na": False,
        "na_values": sorted({*spellings, "NaN", "#N/A", "<NA>", *missing}),
        "encoding": encoding,
        "dtype": dict.fromkeys(codes, str),
        "low_memory": False,
        "chunksize": rows,
    }
    try:
        parsed = pd.read_csv(source, **options)
        for piece in [parsed] if rows is None else parsed:
            yield piece[layout.names]
    except (
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        UnicodeDecodeError,
        csv.Error,
        OverflowError,
    ) as error:
        raise _explained(error, path, encoding) from None


def _explained(error: Exception, path: Path, encoding: str) -> TableError:
    """Say in our words what pandas could not read."""
    text = str(error)
    if isinstance(error, UnicodeDecodeError):
        return TableError(
            path, "encoding", f"is not {encoding} throughout (byte {error.start:,} is not); give encoding=..."
        )
    if "inside string" in text or "unexpected end of data" in text:
        row = re.search(r"row (\d+)", text)
        where = f", opened in data row {int(row.group(1)) + 1}" if row else ""
        return TableError(
            path, "quotes", f"a quote{where} is not closed before the file ends: close or remove it"
        )
    if found := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", text):
        expected, line, saw = found.groups()
        return TableError(path, "ragged", f"line {line} has {saw} fields, the header {expected}")
    if "No columns" in text:
        return TableError(path, "no_rows", "has no rows below its header")
    return TableError(path, "damaged", f"cannot be read: {text}")


def spelt_columns(path: Path, layout: Layout, encoding: str) -> tuple[list[str], list[str]]:
    """Columns of digits alone: those with leading zeros, which are codes, and the rest, which are whole numbers."""
    text = head_of(path, CHUNK // 4).decode(encoding, errors="ignore")
    rows = rows_of("".join(text.splitlines(keepends=True)[layout.skip : -1]), layout.separator)
    codes: list[str] = []
    whole_numbers: list[str] = []
    for j, name in enumerate(layout.names):
        fields = [f for row in rows if j < len(row) and not is_missing(f := row[j].strip())]
        if fields and all(f.lstrip("+-").isdigit() for f in fields):
            (codes if any(len(f) > 1 and f[0] == "0" for f in fields) else whole_numbers).append(name)
    return codes, whole_numbers
