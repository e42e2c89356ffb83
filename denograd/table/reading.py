"""Read a table from a file in any common form, and report what was found.

CSV and its variants (any separator, decimal sign, encoding; compressed or not), Excel, Parquet. No option is required:
everything is detected from the file where possible, and every decision is listed in the result's notes.
"""

from __future__ import annotations

import csv
import difflib
import io
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from denograd.table.columns import tidy
from denograd.table.content import CHUNK, check_file, kind_of, most_bytes, needed, refuse_nul, unpacked, whole
from denograd.table.dates import ELAPSED_NAMES, TIME_NAMES, clock_of, dates_of_numbers, sounds_like
from denograd.table.dialect import Layout, check_names, find_layout
from denograd.table.errors import Note, TableError
from denograd.table.text import look_at, parse_text, spelt_columns

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TableFile:
    """A table that was read from a file.

    Attributes
    ----------
    path : Path
    frame : DataFrame
        Columns in the file's order: numbers, dates (datetime64) and text; missing values are NaN, NaT and None. The
        index numbers the rows from 0.
    kind : {"text", "excel", "parquet"}
    notes : list of Note
        What was found and what was changed, each a sentence.
    time : str or None
        The column that tells when a row was taken.
    units : dict
        Unit of a column, where the file tells it.
    encoding : str or None
        Of a text.
    layout : Layout or None
        Of a text: separator, decimal sign, where the data begin.
    dates : dict
        Format (as of ``strftime``) of every column of dates in a text; ``epoch:s`` for seconds since 1970.
    written : dict
        These columns as they stand in the file, rows as of `frame`; of a file read in pieces, those of the last two.

    Examples
    --------
    >>> import tempfile
    >>> from denograd.table import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "prices.csv"
    ...     _ = path.write_text("day;price\\n01.02.2024;1,5\\n02.02.2024;1,75\\n03.02.2024;1,25\\n")
    ...     table = read_table(path)
    >>> table.time, table.frame["price"].tolist()
    ('day', [1.5, 1.75, 1.25])
    """

    path: Path
    frame: pd.DataFrame
    kind: str
    notes: list[Note] = field(default_factory=list)
    time: str | None = None
    units: dict[str, str] = field(default_factory=dict)
    encoding: str | None = None
    layout: Layout | None = None
    dates: dict[str, str] = field(default_factory=dict)
    written: dict[str, pd.Series] = field(default_factory=dict)


def read_table(
    path: str | os.PathLike[str],
    *,
    time: str | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    missing: Sequence[str] = (),
    sheet: str | int = 0,
) -> TableFile:
    """Read a table from a file, and detect how it is written.

    Parameters
    ----------
    path : path
        CSV or any text with separators (also compressed as gz, bz2, xz or zip), Excel (.xlsx) or Parquet.
    time : str, optional
        Column that gives the order of the rows; detected by default.
    separator, decimal, encoding : str, optional
        Detected by default. `separator` may be spelt out: comma, semicolon, tab, bar, blanks.
    missing : sequence of str
        Further fields that stand for a missing value.
    sheet : str or int
        Of an Excel file.

    Returns
    -------
    TableFile

    Raises
    ------
    TableError
        If the file cannot be read as a table; its attribute `problem` says why in one word.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "readings.csv"
    >>> _ = path.write_text("when;temp\\n01.02.2024 10:00;20,5\\n01.02.2024 10:10;-\\n13.02.2024 10:20;21,0\\n")
    >>> table = read_table(path)
    >>> table.frame["temp"].tolist()
    [20.5, nan, 21.0]
    >>> table.time, table.layout.separator, table.layout.decimal
    ('when', ';', ',')
    """
    path = Path(path)
    check_file(path)
    with needed(path, "reading a file"):
        import pandas  # noqa: F401
    kind = kind_of(path)
    if kind == "text":
        text = _Text.of(path, separator, decimal, encoding, missing)
        data = whole(path)
        refuse_nul(data, text.encoding, path)
        frame = next(text.parse(io.BytesIO(data)))
        del data
        table = text.tidied(frame)
    else:
        for name, value in (("separator", separator), ("decimal", decimal), ("encoding", encoding)):
            if value is not None:
                raise TableError(
                    path, "option", f"{name} is for text files, and this is a file of {kind.title()}"
                )
        table = _read_parquet(path) if kind == "parquet" else _read_excel(path, sheet)
        frame, notes, dates = tidy(table.frame, path, ".", None)
        written = {name: table.frame[name] for name in dates}
        table = replace(table, frame=frame, notes=[*table.notes, *notes], dates=dates, written=written)
    table = _find_time(table, time)
    frame = table.frame
    if not len(frame):
        raise TableError(path, "no_rows", "has no rows below its header")
    if not any(frame[c].dtype.kind in "fiub" for c in frame.columns if c != table.time):
        why = "; ".join(str(note) for note in table.notes if note.what in ("mixed", "huge"))
        raise TableError(
            path,
            "no_numbers",
            f"no column holds numbers, there are {', '.join(map(repr, frame.columns[:6]))}"
            + (f" ({why})" if why else ""),
        )
    return table


@dataclass(frozen=True)
class _Text:
    """A text whose layout is known."""

    path: Path
    layout: Layout
    encoding: str
    notes: list[Note]
    missing: Sequence[str]
    codes: list[str]
    whole_numbers: list[str]

    @classmethod
    def of(
        cls,
        path: Path,
        separator: str | None,
        decimal: str | None,
        encoding: str | None,
        missing: Sequence[str],
    ) -> Self:
        layout, encoding, notes = look_at(path, separator, decimal, encoding)
        return cls(path, layout, encoding, notes, missing, *spelt_columns(path, layout, encoding))

    def parse(self, source: IO[bytes], rows: int | None = None) -> Iterator[pd.DataFrame]:
        """The rows as they stand there, as one piece or in pieces."""
        return parse_text(
            source, self.path, self.layout, self.encoding, missing=self.missing, codes=self.codes, rows=rows
        )

    def tidied(self, frame: pd.DataFrame) -> TableFile:
        """Numbers, dates and gaps where they are."""
        layout = self.layout
        tidied, found, dates = tidy(frame, self.path, layout.decimal, layout.thousands, self.whole_numbers)
        return TableFile(
            self.path,
            tidied,
            "text",
            self.notes + found,
            units=layout.units,
            encoding=self.encoding,
            layout=layout,
            dates=dates,
            written={name: frame[name] for name in dates},
        )


@dataclass(frozen=True)
class Pieces:
    """A text that is read in pieces.

    Attributes
    ----------
    first : TableFile
        The first piece, as `read_table` would give it.
    frames : callable
        Reads all pieces, DataFrames with the columns and types of the first, from the beginning at every call.
    """

    first: TableFile
    frames: Callable[[], Iterator[Any]]


def read_pieces(
    path: str | os.PathLike[str],
    rows: int,
    *,
    time: str | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    missing: Sequence[str] = (),
    sheet: str | int = 0,
) -> Pieces:
    """Read a text that is too large to be read at once; parameters as of `read_table`.

    Parameters
    ----------
    rows : int
        Of a piece.
    """
    import pandas as pd

    path = Path(path)
    check_file(path)
    if kind_of(path) != "text":
        raise TableError(
            path, "too_large", "is too large to be read at once, and only text is read in pieces"
        )
    text = _Text.of(path, separator, decimal, encoding, missing)

    def parsed() -> Iterator[TableFile]:
        with unpacked(path) as stream:
            for frame in text.parse(io.BufferedReader(stream, CHUNK), rows):
                yield _find_time(text.tidied(frame), time)

    first = next(parsed())

    def frames() -> Iterator[Any]:
        for table in parsed():
            piece = table.frame
            for name, texts in table.written.items():  # a piece is written before the next but one is read
                before = first.written.get(name, texts).iloc[-rows:]
                first.written[name] = pd.concat([before, texts[~texts.index.isin(before.index)]])
            for name, dtype in first.frame.dtypes.items():
                if piece[name].dtype != dtype:
                    try:
                        piece[name] = piece[name].astype(dtype)
                    except (ValueError, TypeError):
                        raise TableError(
                            path,
                            "mixed",
                            f"column {name!r} holds {dtype} in its first {rows:,} rows and something else in rows "
                            f"{piece.index[0] + 1:,} to {piece.index[-1] + 1:,}",
                        ) from None
            yield piece

    return Pieces(first, frames)


def _read_parquet(path: Path) -> TableFile:
    import pandas as pd

    with needed(path, "reading Parquet"):
        import pyarrow.lib as lib
        import pyarrow.parquet as parquet
    try:
        size = parquet.read_metadata(path)
        total = sum(size.row_group(i).total_byte_size for i in range(size.num_row_groups))
        if total > most_bytes():
            raise TableError(
                path, "too_large", f"unpacks to {total / 1e6:,.0f} MB, more than may be read at once"
            )
        check_names(list(size.schema.to_arrow_schema().names), path)
        frame = pd.read_parquet(path)
    except (lib.ArrowException, OSError) as error:
        raise TableError(path, "damaged", f"is a damaged Parquet file ({error})") from None
    if frame.index.name is not None or not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    frame.columns = [str(name) for name in frame.columns]
    check_names(list(frame.columns), path)
    return TableFile(path, frame, "parquet")


def _read_excel(path: Path, sheet: str | int) -> TableFile:
    import pandas as pd

    with needed(path, "reading Excel"):
        import openpyxl
    with zipfile.ZipFile(path) as archive:
        total = sum(member.file_size for member in archive.infolist())
    if total > 200 * path.stat().st_size and total > CHUNK * 32:
        raise TableError(
            path, "bomb", f"unpacks to {total / 1e6:,.0f} MB, far beyond its size, as a zip bomb does"
        )
    if total > most_bytes():
        raise TableError(
            path, "too_large", f"unpacks to {total / 1e6:,.0f} MB, more than may be read at once"
        )
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile, SyntaxError) as error:
        raise TableError(path, "damaged", f"is no Excel workbook that can be read ({error})") from None
    names = book.sheetnames
    if isinstance(sheet, str) and sheet not in names:
        raise TableError(path, "option", f"has no sheet {sheet!r}; it has {', '.join(names)}")
    chosen = sheet if isinstance(sheet, str) else names[sheet]
    cells = [list(row) for row in book[chosen].iter_rows(values_only=True)]
    book.close()
    while cells and all(cell is None for cell in cells[-1]):
        cells.pop()
    if not cells:
        raise TableError(path, "empty", "its sheet is empty")
    # the rules for text find header, units and what stands above
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerows(
        [["" if cell is None else str(cell).replace("\n", " ") for cell in row] for row in cells]
    )
    layout, notes = find_layout(text.getvalue(), path, separator="\t", decimal=".")
    rows = [row[: len(layout.names)] for row in cells[layout.skip :]]
    frame = pd.DataFrame(rows, columns=layout.names).infer_objects()
    if len(names) > 1:
        notes.append(Note("sheet", f"of the sheets {', '.join(names)} the sheet {chosen!r} is read"))
    return TableFile(path, frame, "excel", [n for n in notes if n.what != "separator"], units=layout.units)


def _find_time(table: TableFile, given: str | None) -> TableFile:
    """Name the column that tells when a row was taken; join a date with the clock beside it."""
    frame, notes, dates, written = table.frame, list(table.notes), dict(table.dates), dict(table.written)

    def read_number(name: str) -> str | None:
        """Read a column of numbers as dates, if it counts time; what it counts."""
        nonlocal frame
        column = frame[name]
        found = dates_of_numbers(name, column) if column.dtype.kind in "if" else None
        if found is None:
            return None
        frame = frame.assign(**{name: found.dates})
        dates[name], written[name] = found.form, column
        return found.said

    if given is not None:
        if given not in frame.columns:
            near = difflib.get_close_matches(given, map(str, frame.columns)) or list(frame.columns[:6])
            raise TableError(
                table.path, "option", f"time={given!r} is no column; near names: {', '.join(map(str, near))}"
            )
        if frame[given].dtype.kind not in "Mif":
            raise TableError(table.path, "option", f"time={given!r} holds neither dates nor numbers")
        read_number(given)
        return replace(table, frame=frame, time=given, dates=dates, written=written)
    dated = [c for c in frame.columns if frame[c].dtype.kind == "M"]
    for name in frame.columns:
        if said := read_number(name):
            notes.append(Note("time", said, name))
            dated.append(name)
    named = [c for c in dated if sounds_like(str(c), TIME_NAMES)] or [
        c for c in dated if c == frame.columns[0]
    ]
    if named:
        time = max(named, key=lambda c: frame[c].nunique())
        notes.append(Note("time", "tells when a row was taken", str(time)))
        frame, found = _with_clock(frame, str(time)) if time in table.dates else (frame, [])
        notes += found
        return replace(table, frame=frame, notes=notes, time=str(time), dates=dates, written=written)
    for name in frame.columns[:2]:
        column = frame[name]
        if column.dtype.kind in "if" and sounds_like(str(name), ELAPSED_NAMES):
            steps = column.diff().iloc[1:]
            if len(column) > 2 and bool((steps > 0).all()):
                notes.append(Note("time", "rises from row to row: read as the time", str(name)))
                return replace(table, frame=frame, notes=notes, time=str(name), dates=dates, written=written)
    return replace(table, frame=frame, notes=notes, dates=dates, written=written)


def _with_clock(frame: pd.DataFrame, time: str) -> tuple[pd.DataFrame, list[Note]]:
    """Add the time of day that a column beside the dates holds."""
    import pandas as pd

    days = frame[time]
    place = list(frame.columns).index(time)
    if not bool((days.dropna() == days.dropna().dt.normalize()).all()):
        return frame, []
    for name in frame.columns[max(place - 1, 0) : place + 2]:
        column = frame[name]
        if name != time and not isinstance(column.dtype, pd.CategoricalDtype) and column.dtype.kind in "OUT":
            clock = clock_of(column.astype("str"))
            if clock is not None:
                return frame.assign(**{time: days + clock}), [
                    Note("time", f"tells the time of day of {time}", name)
                ]
    return frame, []
