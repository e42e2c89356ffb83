"""Text for a terminal: fitted to its width, broken between words and never inside a table row."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TextIO

LEAST, USUAL = 60, 100
"""Columns: the fewest that are written for, and those taken where there is no terminal to ask."""


def width() -> int:
    """Columns of the terminal; the variable ``COLUMNS`` wins."""
    return max(LEAST, shutil.get_terminal_size((USUAL, 24)).columns)


def in_notebook() -> bool:
    """Whether a kernel of Jupyter runs this process."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")


def wrapped(
    text: str, columns: int | None = None, *, indent: str = "", hanging: str | None = None
) -> list[str]:
    """Break a text at words.

    Parameters
    ----------
    text : str
    columns : int, optional
        By default the terminal's.
    indent, hanging : str
        Before the first line and before the others; `hanging` is by default `indent`.

    Returns
    -------
    lines : list of str
        A word that is longer than a line, such as an address, stays in one piece.
    """
    return textwrap.wrap(
        text,
        columns or width(),
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def fitted(text: str, stream: TextIO | None = None) -> str:
    """Break the lines of a text at words where somebody watches; in a log each stays in one piece.

    Parameters
    ----------
    text : str
        The indentation of a line is kept.
    stream : text file, optional
        Where it is to be printed, by default stdout. Somebody watches a terminal, or what has the variable ``COLUMNS``.
    """
    if not ("COLUMNS" in os.environ or (stream or sys.stdout).isatty()):
        return text
    lines = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        lines += wrapped(line.strip(), indent=indent, hanging=indent + "    ") or [""]
    return "\n".join(lines)


def next_command(*words: str) -> str:
    """The command to call next: words of a shell, broken as one takes them."""
    # a quoted word is one, the blanks in it included
    text = " ".join(shlex.quote(word).replace(" ", "\0") for word in words)
    return "\n".join(_continued(f"Next: {text}", width(), "")).replace("\0", " ")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], columns: int | None = None) -> list[str]:
    """Lay out rows of text; the last column is broken at words where the line is too long.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequence of str
        As long as the header.
    columns : int, optional
        By default the terminal's.
    """
    everything = [header, *rows]
    widths = [max(len(row[i]) for row in everything) for i in range(len(header) - 1)]
    gap = " " * (sum(widths) + 2 * len(widths))
    lines = []
    for row in everything:
        first = "".join(f"{cell:{w}}  " for cell, w in zip(row[:-1], widths, strict=True))
        lines += wrapped(row[-1], columns, indent=first, hanging=gap) or [first.rstrip()]
    return lines


def page(text: str, columns: int | None = None) -> str:
    """Lay out a text such as that of ``--help``.

    Parameters
    ----------
    text : str
        Lines that are not indented make paragraphs; indented ones are a term, two blanks and what it means, or a
        command, which is broken as a shell takes it.
    columns : int, optional
        By default the terminal's.
    """
    lines: list[str] = []
    paragraph: list[str] = []
    for line in [*text.strip().splitlines(), ""]:
        if line[:1].strip():
            paragraph.append(line)
            continue
        lines += wrapped(" ".join(paragraph), columns)
        paragraph.clear()
        lines += _indented(line, columns or width()) if line.strip() else [""]
    return "\n".join(lines)


def _indented(line: str, columns: int) -> list[str]:
    words = line.strip()
    indent = line[: len(line) - len(line.lstrip())]
    if words.startswith("python "):
        return _continued(words, columns, indent)
    term = re.match(r"\s+\S.*?\s{2,}(?=\S)", line)
    if term is None:
        return wrapped(words, columns, indent=indent, hanging=indent + "  ")
    return wrapped(line[term.end() :], columns, indent=term[0], hanging=" " * len(term[0]))


def _continued(words: str, columns: int, indent: str) -> list[str]:
    """A command in lines that a shell takes for one."""
    *first, last = wrapped(words, columns - 2, indent=indent, hanging=indent + "    ")
    return [*(f"{part} \\" for part in first), last]
