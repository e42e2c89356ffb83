"""Files as they should not be, and the words in which their fault is told."""

from __future__ import annotations

import gzip
from pathlib import Path

GOOD = "a,b,y\n" + "".join(f"{i % 7}.5,{(i * i) % 11}.25,{i % 5}.75\n" for i in range(40))


def lines(header, row):
    return header + "\n" + "".join(row(i) + "\n" for i in range(40))


TEXTS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "empty"),
    "only_a_header": ("a,b,y\n", "no rows"),
    "one_column": (lines("y", lambda i: f"{i}.5"), "nothing but the target"),
    "duplicate_names": (GOOD.replace("a,b,y", "a,a,y", 1), "'a'"),
    "only_text": (lines("a,y", lambda i: f"x{i % 3},z{i % 4}"), "no column holds numbers"),
    "text_for_a_target": (lines("a,y", lambda i: f"{i}.5,z{i % 4}"), "must be numbers"),
    "mixed_types": (
        lines("a,y", lambda i: f"{i}.5,{'x9 ' + str(i) if i % 3 == 0 else i}"),
        "must be numbers",
    ),
    "two_date_formats": (
        lines(
            "t,a,y", lambda i: f"{f'2024-01-{i + 1:02d}' if i < 30 else f'{i - 29:02d}/02/2024'},{i}.5,{i}"
        ),
        "two formats",
    ),
    "target_missing": (GOOD.replace("a,b,y", "a,b,z", 1), "no column for dataset.target"),
    "target_constant": (lines("a,y", lambda i: f"{i}.5,3.5"), "no variance"),
    "target_empty": (lines("a,b,y", lambda i: f"{i}.5,{i * i}.25,"), "holds no value"),
    "binary": (bytes(range(256)) * 40, ""),
    "nul_bytes": (GOOD.replace("0.5", "0\0.5").encode(), "NUL"),
    "huge_integers": (lines("a,y", lambda i: f"{i}.5,1{'0' * 30}{i}"), "must be numbers"),
    "all_infinite": (lines("a,y", lambda i: f"{i}.5,inf"), "holds no value"),
    "quotes_that_do_not_close": (GOOD + '1.5,"2.5,3.5\n' * 3, "quote"),
    "too_few_rows": (GOOD[: GOOD.index("\n", 60)], "at least 10"),
    "a_million_columns": (",".join(f"c{i}" for i in range(1_000_000)) + "\n" + GOOD, "more columns"),
    "quote_in_the_header": (GOOD.replace("a,b", 'a,"b', 1), "quote in the header"),
    "web_page": ("<!DOCTYPE html><html><body>Not found</body></html>\n", "web page"),
    "ragged": (GOOD + "1,2,3,4,5\n", "fields"),
    "not_even_text": (b"\xff\xfe\x00\x01\x80" * 100, ""),
}
"""Content of a file and a word of what is said; the target is y."""

READ_ALL_THE_SAME: dict[str, str] = {
    "percent_signs": lines("a,b,y", lambda i: f"{i % 7}.5,{i % 11}%,{i % 5}.75"),
    "thousands": lines("a;b;y", lambda i: f"{i % 7},5;{i + 1}.234.567,25;{i % 5},75"),
    "trailing_delimiters": lines("a,b,y,", lambda i: f"{i % 7}.5,{i % 11}.25,{i % 5}.75,"),
    "two_header_rows": "load,load,out\na,b,y\n" + GOOD.partition("\n")[2],
    "byte_order_mark": "\ufeff" + GOOD,
    "some_infinite": lines("a,b,y", lambda i: f"{'inf' if i == 4 else i % 7},{i % 11}.25,{i % 5}.75"),
}
"""Files that look odd and can be read."""


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / f"{name}.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def bomb(folder: Path) -> Path:
    path = folder / "bomb.csv.gz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(b"a,b,y\n")
        for _ in range(700):
            file.write(b"0" * (1 << 20))
    return path
