"""How a text is laid out as a table: separator, decimal sign, where the header stands, what stands above the data."""

from __future__ import annotations

import csv
import io
import itertools
import re
import statistics
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from denograd.table.errors import Note, TableError

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", r"\s+": "blanks"}
NAMED = {name: sign for sign, name in SEPARATORS.items()} | {"\\t": "\t", "space": r"\s+", " ": r"\s+"}

MOST_COLUMNS = 20_000
"""A header with more names than this is taken for a mistake."""

LINES = 2000
"""Rows that the layout is found from."""

WORDS = "- -- --- ? . * na n/a nan -nan null none nil nat missing <na> #n/a #na #value! #div/0! #ref! #num! 1.#qnan"
MISSING = frozenset(("", *WORDS.split(), "-1.#ind", "\\n"))
"""What stands for a missing value, in small letters."""

NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?|[-+]?(inf|infinity)", re.I)
GROUPED = re.compile(r"[-+]?\d{1,3}((,\d{3})+(\.\d+)?|(\.\d{3})+(,\d+)?|([ \u00a0\u202f']\d{3})+([.,]\d+)?)")
WHEN = re.compile(r"\d+([-./:T ]\d+){1,6}(\.\d+)?Z?")
COINS = "[$€£¥]"
MONEY = rf"[-+]?\s?{COINS}\s?[-+]?\d.*|[-+]?\d.*\d\s?{COINS}"
UNIT = re.compile(
    r".{0,8}[/°µ%²³].{0,8}|[\[(].*[\])]|[%‰]|°\w?|µ\w+|[Dd]eg\.?\s?\w?|-|none|[Vv]olts?|[Aa]mps?|TS|RN|"
    r"[kmµnMGhcd]?(m|s|g|l|A|V|W|Wh|Hz|Pa|bar|J|N|K|C|F|mol|Ohm|VA|var)"
    r"([²³23]|\^?-?\d)?([/·* ][kmµnMGhc]?(m|s|h|min|l|g|mol|d|kg)([²³23]|\^?-?\d)?)*|"
    r"hPa|mbar|ppm|ppb|rpm|min|degC|degF|kg|mmHg|psi|mph|USD|EUR|GBP|\$|€|£|count|units?|s|h|d|text|date|time|"
    r"yyyy.*|dd?[./-]mm?.*|hh:mm.*"
)


@dataclass(frozen=True)
class Layout:
    """Where the table stands in a text, and in which signs it is written.

    Attributes
    ----------
    separator : str
        One sign, or ``\\\\s+`` for any run of blanks.
    decimal : {".", ","}
    thousands : str or None
        A sign between groups of three digits.
    skip : int
        Lines above the data: preamble, header, units.
    names : list of str
    units : dict
        Unit of a column, where a row below the header tells it.
    trailing : bool
        Whether every row ends with a separator.
    """

    separator: str
    decimal: str
    thousands: str | None
    skip: int
    names: list[str]
    units: dict[str, str] = field(default_factory=dict)
    trailing: bool = False


def is_missing(text: str) -> bool:
    """Whether a field holds nothing."""
    return text.strip().lower() in MISSING


def bare(text: str) -> str:
    """A field without percent signs and signs of money."""
    text = text.strip().removesuffix("%").rstrip()
    return re.sub(rf"\s*{COINS}\s*", "", text) if re.fullmatch(MONEY, text) else text


def is_number(text: str) -> bool:
    """Whether a field is a number, in any of the usual spellings."""
    text = bare(text)
    return bool(NUMBER.fullmatch(text) or GROUPED.fullmatch(text))


def rows_of(text: str, separator: str) -> list[list[str]]:
    """Split the first rows of a text into fields."""
    if separator == r"\s+":
        return [line.split() for line in text.splitlines()[:LINES]]
    rows = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    for row in reader:
        rows.append(row)
        if len(rows) == LINES:
            break
    return rows


def find_layout(
    text: str, path: Path, *, separator: str | None = None, decimal: str | None = None
) -> tuple[Layout, list[Note]]:
    """Find the layout from the beginning of a text.

    Parameters
    ----------
    text : str
        Whole lines.
    path : Path
        For messages.
    separator, decimal : str, optional
        Where they are known.

    Raises
    ------
    TableError
        Where the text is no table.
    """
    if not text.strip():
        raise TableError(path, "empty", "holds nothing but blank lines")
    separator = _given(separator, path)
    if decimal not in (None, ".", ","):
        raise TableError(path, "option", f"decimal must be '.' or ',', got {decimal!r}")
    notes = []
    lines = text.splitlines(keepends=True)
    first_line = lines[0].strip()
    declared = re.fullmatch(r"sep=(.)", first_line, re.I)  # a line that spreadsheets write
    top = 1 if declared else 0
    if declared and separator is None:
        separator = declared.group(1)
    text = "".join(lines[top:])
    if separator is None:
        separator = _find_separator(text)
    try:
        rows = rows_of(text, separator)
    except csv.Error as error:
        raise TableError(
            path, "quotes", f"a quote is opened and not closed again, or a field is over long ({error})"
        ) from None
    widest = max(map(len, rows))
    if widest > MOST_COLUMNS:
        raise TableError(
            path,
            "too_wide",
            f"its first rows have up to {widest:,} fields, more than the {MOST_COLUMNS:,} columns that are read: "
            "are rows and columns exchanged, or line breaks lost?",
        )
    start = _header_row(rows)
    above = [" ".join(row).strip() for row in rows[:start]]
    if any(above):
        notes.append(
            Note(
                "preamble",
                f"{start} lines above the header left out, the first: {next(filter(None, above))[:60]!r}",
            )
        )
    _check_width(rows, start, path, separator)
    body = [row for row in rows[start:] if any(f.strip() for f in row)]
    names, units, taken, found = _header(body)
    notes += found
    data = body[taken:]
    if not data:
        if any("\n" in name for name in names):
            raise TableError(path, "quotes", "a quote in the header is not closed: close or remove it")
        shown = ", ".join(name[:40] for name in names[:5])
        raise TableError(path, "no_rows", f"has a header ({shown}) but no rows below it")
    names, trailing, found = _fit_names(names, data, path, start + top + taken, separator)
    notes += found
    taken = _lines_down_to(rows, start, taken)
    notes.insert(
        0, Note("separator", f"columns are separated by {SEPARATORS.get(separator, repr(separator))}")
    )
    if decimal is None:
        decimal, thousands, found = _find_decimal(data, separator)
        notes += found
    else:
        thousands = None
    return Layout(separator, decimal, thousands, top + start + taken, names, units, trailing), notes


def _given(separator: str | None, path: Path) -> str | None:
    if separator is None:
        return None
    separator = NAMED.get(separator, separator)
    if len(separator) != 1 and separator != r"\s+":
        raise TableError(
            path,
            "option",
            f"separator must be one sign or one of {', '.join(sorted(NAMED.keys() - {' '}))}, got {separator!r}",
        )
    return separator


def _lines_down_to(rows: list[list[str]], start: int, taken: int) -> int:
    """Lines from the header to the data, blank ones between them counted."""
    count = 0
    while taken:
        taken -= any(f.strip() for f in rows[start + count])
        count += 1
    return count


def _find_separator(text: str) -> str:
    """The sign that cuts most rows into the same number of fields, more than one."""
    lines = [line for line in text.splitlines()[:200] if line.strip()]
    best, most = ",", 0.0
    for sign in (";", "\t", ",", "|"):
        try:
            rows = rows_of("\n".join(lines), sign)
        except csv.Error:
            continue
        counts = Counter(len(row) for row in rows if len(row) > 1)
        if not counts:
            continue
        width, agree = counts.most_common(1)[0]
        tail = rows[len(rows) // 2 :]
        fields = [f for row in tail for f in row]
        known = sum(is_number(f) or is_missing(f) or bool(WHEN.fullmatch(f.strip())) for f in fields)
        # rows of one length first, then fields that are numbers or dates: "1,5;2,5" is two numbers, not three parts
        score = agree / len(rows) * (1 + known / max(1, len(fields))) + 1e-3 * min(width, 100) / 100
        if score > most:
            best, most = sign, score
    if most < 0.8:
        widths = Counter(len(line.split()) for line in lines)
        width, agree = widths.most_common(1)[0]
        if width > 1 and agree >= 0.8 * len(lines) and sum(map(is_number, lines[-1].split())) > width / 2:
            return r"\s+"
    return best


def _header_row(rows: list[list[str]]) -> int:
    """The row that names the columns: the first one as wide as the data, below titles and remarks."""
    widths = [len(row) for row in rows if any(f.strip() for f in row)]
    common = statistics.mode(widths[len(widths) // 2 :])
    for number, row in enumerate(rows):
        filled = sum(bool(f.strip()) for f in row)
        below = rows[number + 1] if number + 1 < len(rows) else []
        if len(row) > common + 1 and len(below) == common and not any(map(is_number, below)):
            continue  # a logger's own line, above the names
        if filled and len(row) >= common - 1 and (filled > 1 or common == 1) and not row[0].startswith("#!"):
            return number
    return 0


def _check_width(rows: list[list[str]], start: int, path: Path, separator: str) -> None:
    """Refuse names above numbers that are too few for them."""
    above = next((row for row in reversed(rows[:start]) if any(f.strip() for f in row)), [])
    if (
        len(above) > 1
        and all(f.strip() and not is_number(f) for f in above)
        and all(map(is_number, rows[start]))
    ):
        raise TableError(path, "ragged", _ragged(start + 1, len(rows[start]), len(above), separator))


def _ragged(row: int, fields: int, names: int, separator: str) -> str:
    hint = ""
    if separator == "," and fields > 1.5 * names:
        hint = "; are these decimal commas in a file separated by commas? Export it with semicolons"
    return f"row {row} has {fields} fields, the header {names}{hint}"


def _header(body: list[list[str]]) -> tuple[list[str], dict[str, str], int, list[Note]]:
    """Names and units of the columns, and how many rows they take."""
    first = [f.strip() for f in body[0]]
    first[0] = first[0].lstrip("#").strip()
    below = body[1:51]
    if not any(map(str.strip, first)) or not _names_columns(first, below):
        names = [f"column_{number}" for number in range(1, len(first) + 1)]
        return names, {}, 0, [Note("header", "has no header: columns are numbered from 1")]
    if len(body) < 3 or len(body[1]) < len(first) - 1:
        return first, {}, 1, []
    second = [f.strip() for f in body[1]]
    numeric = [
        j
        for j in range(len(first))
        if (column := [row[j] for row in body[2:52] if j < len(row) and not is_missing(row[j])])
        and sum(map(is_number, column)) > 0.8 * len(column)
    ]
    named = [j for j in numeric if j < len(second) and second[j] and not is_number(second[j])]
    if not numeric or any(j < len(second) and is_number(second[j]) for j in numeric) or not named:
        return first, {}, 1, []
    if all(is_missing(second[j]) for j in named) and not any(
        UNIT.fullmatch(second[j]) for j in named if second[j] != "-"
    ):
        return first, {}, 1, []  # a first row of missing values
    if sum(bool(UNIT.fullmatch(second[j])) for j in named) >= len(named) / 2 and len(set(first)) == len(
        first
    ):
        units = {first[j]: second[j].strip("[]()") for j in range(min(len(first), len(second))) if second[j]}
        shown = ", ".join(f"{name} {unit}" for name, unit in list(units.items())[:5])
        # a logger says once more how it came by the values: average, minimum, sample
        third = [body[2][j].strip() for j in named if j < len(body[2])]
        taken = 3 if any(third) and not any(is_number(f) or is_missing(f) for f in third if f) else 2
        return first, units, taken, [Note("units", f"the row below the header holds units: {shown}")]
    if len(named) < 0.5 * len(numeric):
        return first, {}, 1, []
    joined, last = [], ""
    for j, name in enumerate(first):
        last = name or last
        joined.append(" ".join(filter(None, (last, second[j] if j < len(second) else ""))))
    return (
        joined,
        {},
        2,
        [Note("header", f"has two header rows; their names are joined, as in {joined[named[0]]!r}")],
    )


def _names_columns(first: list[str], below: list[list[str]]) -> bool:
    """Whether a first row names columns: its fields differ in kind from those below, or count upwards by one."""
    numbers = [f for f in first if is_number(f)]
    if not numbers or not below:
        return True
    if len(numbers) > 1 and all(f.isdigit() for f in numbers):
        steps = {int(b) - int(a) for a, b in itertools.pairwise(numbers)}
        if steps == {1} and numbers[0] in ("0", "1", "1900", *map(str, range(1500, 2200))):
            return True
    for j, name in enumerate(first):
        column = [row[j] for row in below if j < len(row) and not is_missing(row[j])]
        numeric = sum(map(is_number, column))
        if name and not is_missing(name) and not is_number(name) and numeric > 0.8 * len(column) > 0:
            return True
    return False


def _fit_names(
    names: list[str], data: list[list[str]], path: Path, above: int, separator: str
) -> tuple[list[str], bool, list[Note]]:
    """Make the names as many as the fields, and refuse rows of another length."""
    notes, trailing = [], False
    counts = Counter(map(len, data))
    width = counts.most_common(1)[0][0]
    last_empty = all(not row[-1].strip() for row in data if len(row) == width)
    if len(names) == width and not names[-1] and last_empty:
        names, trailing = names[:-1], True
    elif len(names) == width - 1 and last_empty:
        trailing = True
    elif len(names) == width - 1:
        names = ["row", *names]
        notes.append(Note("header", "the first column has no name, it is called 'row'"))
    if trailing:
        notes.append(Note("trailing", "every row ends with a separator: the empty last column is left out"))
    expected = len(names) + trailing
    for number, row in enumerate(data):
        # a logger may be cut off in its last row
        if len(row) > expected or (
            len(row) < expected - trailing and len(row) > 1 and number < len(data) - 1
        ):
            raise TableError(path, "ragged", _ragged(above + number + 1, len(row), len(names), separator))
    empty = [j for j, name in enumerate(names) if not name]
    for j in empty:
        names[j] = "row" if j == 0 and "row" not in names else f"column_{j + 1}"
    if empty:
        notes.append(
            Note("header", f"{len(empty)} columns have no name: {', '.join(names[j] for j in empty[:5])}")
        )
    check_names(names, path)
    return names, trailing, notes


def check_names(names: list[str], path: Path) -> None:
    """Refuse two columns of one name."""
    twice = [(name, count) for name, count in Counter(names).items() if count > 1]
    if twice:
        name = twice[0][0]
        places = [str(j + 1) for j, other in enumerate(names) if other == name]
        more = f", and {len(twice) - 1} other names come again" if len(twice) > 1 else ""
        raise TableError(
            path,
            "duplicates",
            f"columns {', '.join(places)} are all named {name!r}{more}: rename or drop them",
        )


def _find_decimal(data: list[list[str]], separator: str) -> tuple[str, str | None, list[Note]]:
    """Whether numbers are written 1.5 or 1,5, and what stands between thousands."""
    fields = [bare(f) for row in data for f in row]
    commas = [f for f in fields if "," in f and (NUMBER.fullmatch(f) or GROUPED.fullmatch(f))]
    points = [f for f in fields if "." in f and (NUMBER.fullmatch(f) or GROUPED.fullmatch(f))]
    blanks = any(re.search(r"\d[ \u00a0\u202f']\d{3}", f) for f in fields if GROUPED.fullmatch(f))
    decimal_commas = [f for f in commas if _is_decimal(f, ",")]
    decimal_points = [f for f in points if _is_decimal(f, ".")]
    notes = []
    if len(decimal_commas) > len(decimal_points):
        decimal, thousands = (
            ",",
            "." if any("." in f for f in commas) or (points and not decimal_points) else None,
        )
        notes.append(Note("decimal", f"numbers are written with a decimal comma, as {decimal_commas[0]}"))
    else:
        decimal, thousands = ".", "," if commas else None
        if commas and not decimal_commas and not points and separator != ",":
            notes.append(
                Note(
                    "thousands",
                    f"{commas[0]} is read as a whole number; if the comma is a decimal one, say decimal=,",
                )
            )
    if thousands is None and blanks:
        thousands = " "
    if thousands:
        sample = next((f for f in fields if GROUPED.fullmatch(f)), "")
        notes.append(Note("thousands", f"thousands are set apart, as in {sample}"))
    return decimal, thousands, notes


def _is_decimal(field: str, sign: str) -> bool:
    """Whether `sign` in a number cannot be one between thousands."""
    if field.count(sign) != 1:
        return False
    whole, _, rest = field.partition(sign)
    whole = whole.lstrip("+-")
    other = "." if sign == "," else ","
    return not re.fullmatch(r"\d{3}", rest) or whole in ("", "0") or len(whole) > 3 or other in whole
