"""Files that are no table, or one that was written badly: each a function that writes it into a folder.

`BROKEN` tells what `TableError.problem` and its message must say, `ODD` what a note must say where the file can be
read all the same.
"""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np


def rows(n=30, columns=3, seed=0):
    """Lines of numbers, comma separated."""
    values = np.random.default_rng(seed).normal(10, 2, (n, columns))
    return [",".join(f"{v:.3f}" for v in row) for row in values]


def text(*lines):
    return ("\n".join(lines) + "\n").encode()


def zipped(name, content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in name if isinstance(name, list) else [name]:
            archive.writestr(member, content)
    return buffer.getvalue()


def write(folder: Path, content: bytes, name="table.csv"):
    path = folder / name
    path.write_bytes(content)
    return path


def quotes_open(n=20):
    lines = rows(n)
    lines[5] = '1.0,"2.0,3.0'
    return text("a,b,c", *lines)


BROKEN = {
    "missing": (lambda f: f / "nothing.csv", "missing", "no such file"),
    "a near name": (
        lambda f: write(f, text("a,b", "1,2")).with_name("tables.csv"),
        "missing",
        "near names there: table.csv",
    ),
    "empty": (lambda f: write(f, b""), "empty", "0 bytes"),
    "blank lines": (lambda f: write(f, b"\n\n  \n"), "empty", "nothing but blank lines"),
    "header alone": (lambda f: write(f, text("a,b,c")), "no_rows", "no rows below"),
    "a quote in the header": (
        lambda f: write(f, text('a,"b,c', *rows())),
        "quotes",
        "a quote in the header is not closed",
    ),
    "no line breaks": (
        lambda f: write(f, b"1.5,2.5," * 200_000),
        "too_wide",
        "first line is longer",
    ),
    "a header, then no line breaks": (
        lambda f: write(f, b"a,b\n" + b"1.5,2.5," * 200_000),
        "too_wide",
        "first two lines are longer",
    ),
    "a web page": (lambda f: write(f, b"\n<!DOCTYPE html>\n<html><p>Not found"), "format", "a web page"),
    "JSON": (lambda f: write(f, b'{"a": [1, 2], "b": [3, 4]}'), "format", "JSON"),
    "a pointer": (
        lambda f: write(f, text("version https://git-lfs.github.com/spec/v1", "oid sha256:00", "size 12")),
        "format",
        "git lfs pull",
    ),
    "packed nothing": (lambda f: write(f, gzip.compress(b"")), "empty", "empty once unpacked"),
    "directory": (lambda f: f, "directory", "is a directory"),
    "duplicate names": (
        lambda f: write(f, text("a,b,a", *rows())),
        "duplicates",
        "columns 1, 3 are all named 'a'",
    ),
    "only text": (
        lambda f: write(f, text("a,b", *["red,big", "blue,small"] * 20)),
        "no_numbers",
        "no column holds numbers",
    ),
    "dates in two formats": (
        lambda f: write(
            f,
            text(
                "date,x",
                *[f"2020-01-{d:02},1.5" for d in range(1, 20)],
                *[f"{d}/02/2020,2.5" for d in range(13, 20)],
            ),
        ),
        "two_date_formats",
        "'2020-01-01', and '13/02/2020' in data row 20",
    ),
    "a date that is none": (
        lambda f: write(f, text("date,x", *[f"2020-01-{d:02},1.5" for d in range(1, 20)], "2020-13-45,2")),
        "two_date_formats",
        "a date that cannot be read",
    ),
    "a million columns": (
        lambda f: write(f, text(",".join(map(str, range(10**6))), ",".join(["1.5"] * 10**6))),
        "too_wide",
        "first line is longer",
    ),
    "30,000 columns": (
        lambda f: write(f, text(",".join(map(str, range(30_000))), ",".join(["1.5"] * 30_000))),
        "too_wide",
        "30,000 fields",
    ),
    "binary": (lambda f: write(f, bytes(range(256)) * 40), "binary", "binary data"),
    "binary without NUL": (lambda f: write(f, bytes(range(1, 256)) * 40), "binary", "binary data"),
    "a picture": (lambda f: write(f, b"\x89PNG\r\n\x1a\n" + bytes(100)), "binary", "PNG"),
    "old Excel": (lambda f: write(f, b"\xd0\xcf\x11\xe0" + bytes(100), "a.xls"), "binary", ".xls"),
    "NUL bytes": (
        lambda f: write(f, text("a,b,c", *rows()) + b"\0\0\0\0\n" + text(*rows())),
        "nul",
        "NUL bytes, the first at byte",
    ),
    "NUL bytes far down": (
        lambda f: write(f, text("a,b,c", *rows(60_000)) + b"\0\0\0\n" + text(*rows())),
        "nul",
        "NUL bytes, the first at byte",
    ),
    "quotes": (lambda f: write(f, quotes_open()), "quotes", "not closed"),
    "quotes far down": (
        lambda f: write(f, text("a,b,c", *rows(60_000), '1.0,"2.0,3.0', *rows(50))),
        "quotes",
        "not closed",
    ),
    "ragged": (
        lambda f: write(f, text("a,b,c", *rows(), "1,2,3,4", *rows())),
        "ragged",
        "row 32 has 4 fields",
    ),
    "ragged far down": (
        lambda f: write(f, text("a,b,c", *rows(60_000), "1,2,3,4", *rows())),
        "ragged",
        "line 60002 has 4 fields, the header 3",
    ),
    "decimal commas between commas": (
        lambda f: write(f, text("a,b,c", *["1,5,2,5,3,5"] * 20)),
        "ragged",
        "decimal commas",
    ),
    "a gzip bomb": (
        lambda f: write(f, gzip.compress(b"1.5,2.5\n" * 20_000_000), "a.csv.gz"),
        "bomb",
        "zip bomb",
    ),
    "a zip bomb": (
        lambda f: write(f, zipped("a.csv", b"1.5,2.5\n" * 20_000_000), "a.zip"),
        "bomb",
        "zip bomb",
    ),
    "an Excel bomb": (
        lambda f: write(f, zipped(["[Content_Types].xml", "xl/a.xml"], b" " * 200_000_000), "a.xlsx"),
        "bomb",
        "zip bomb",
    ),
    "cut gzip": (
        lambda f: write(f, gzip.compress(text("a,b,c", *rows(3000)))[:-3000], "a.gz"),
        "damaged",
        "cut off",
    ),
    "two files in a zip": (
        lambda f: write(f, zipped(["a.csv", "b.csv"], b"a,b\n1,2\n"), "a.zip"),
        "format",
        "2 files",
    ),
    "damaged zip": (lambda f: write(f, b"PK\x03\x04" + bytes(50), "a.xlsx"), "damaged", "damaged"),
    "damaged Parquet": (lambda f: write(f, b"PAR1" + bytes(50), "a.parquet"), "damaged", "Parquet"),
    "one huge number": (
        lambda f: write(f, text("a,b", *["x,12345678901234567890123"] * 20)),
        "no_numbers",
        "23 digits",
    ),
}

ODD = {
    "one column": (text("x", *[f"{v}.5" for v in range(20)]), None, None),
    "mixed types": (
        text("a,b", *[f"{v}.5,{v if v % 3 else 'w' + str(v)}" for v in range(60)]),
        "mixed",
        "numbers (67%) and text",
    ),
    "status words": (
        text("a,b", *[f"{v}.5,{v if v % 9 else 'ERR'}" for v in range(60)]),
        "missing",
        "'ERR' (7 times)",
    ),
    "huge integers": (
        text("a,b", *[f"{v}.5,9999999999999999999{v}" for v in range(20)]),
        "huge",
        "21 digits",
    ),
    "inf": (text("a,b", *["1.5,2.5"] * 20, "inf,3", "-inf,3"), "infinite", "2 infinite values"),
    "percent signs": (text("a,b", *[f"{v}.5,{v}.5%" for v in range(20)]), "percent", "percent signs"),
    "thousands": (text("a,b", *[f'{v}.5,"1,{v:03}.25"' for v in range(20)]), "thousands", "1,000.25"),
    "thousands, continental": (
        text("a;b", *[f"{v},5;1.{v:03},25" for v in range(20)]),
        "thousands",
        "1.000,25",
    ),
    "thousands, blanks": (text("a;b", *[f"{v},5;1 {v:03},25" for v in range(20)]), "thousands", "1 000,25"),
    "trailing separators": (text("a,b,", *[f"{v}.5,2," for v in range(20)]), "trailing", "empty last column"),
    "trailing separators below": (
        text("a,b", *[f"{v}.5,2," for v in range(20)]),
        "trailing",
        "empty last column",
    ),
    "two header rows": (
        text("Room A,,Room B", "temp,hum,temp", *rows()),
        "header",
        "two header rows",
    ),
    "units": (text("temp,hum,p", "°C,%,hPa", *rows()), "units", "temp °C, hum %, p hPa"),
    "units in brackets": (text("temp,hum,p", "[degC],[%],[hPa]", *rows()), "units", "temp degC"),
    "remarks above": (text("Logger 7", "serial: 12", "", "a,b,c", *rows()), "preamble", "Logger 7"),
    "no header": (text(*rows()), "header", "no header"),
    "9999": (
        text("a,b", *[f"{v}.5,{v / 7 if v % 9 else 9999}" for v in range(60)]),
        "missing",
        "9999 (7 times)",
    ),
    "decimal comma": (text("a;b", *[f"{v},5;{v},25" for v in range(20)]), "decimal", "decimal comma"),
    "blanks": (text("a b c", *[line.replace(",", "   ") for line in rows()]), "separator", "blanks"),
    "UTF-16": ("a\tb\n1.5\t2\n2.5\t3\n3.5\t4\n".encode("utf-16"), "encoding", "utf-16"),
    "UTF-16 without a mark": (("a\tb\n" + "1.5\t2\n" * 50).encode("utf-16-le"), "encoding", "utf-16-le"),
    "Windows": (("Größe;T °C\n" + "1,5;2,5\n" * 20).encode("cp1252"), "encoding", "cp1252"),
    "a byte order mark": (("a,b\n" + "1.5,2\n" * 20).encode("utf-8-sig"), "encoding", "utf-8-sig"),
    "unit behind": (text("a,b", *[f"{v}.5,{v}.5 kg" for v in range(20)]), "unit", "kg"),
    "codes": (text("a,b", *[f"{v}.5,{v:05}" for v in range(20)]), "code", "leading zeros"),
    "an index without a name": (text("a,b", *[f"{v},{v}.5,2" for v in range(20)]), "header", "called 'row'"),
    "two meanings of a day": (
        text("date,b", *[f"0{d}/0{m}/2020,2.5" for m in (1, 2) for d in range(1, 10)]),
        "dates",
        "could mean two days; read as 01 January",
    ),
    "epoch": (
        text("timestamp,b", *[f"{1_700_000_000 + 60 * v},2.5" for v in range(20)]),
        "time",
        "since 1970",
    ),
}
