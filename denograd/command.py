"""The command: from a file to clean data. ``python -m denograd --help`` says how it is called."""

from __future__ import annotations

import difflib
import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from denograd.data.arrays import Kind
from denograd.map.noise_level import NoiseLevelMissing
from denograd.one_call import denoise
from denograd.page import write_page
from denograd.pieces import Job, PieceFailed, draw_sample, run
from denograd.table import TableError, TableFile, read_table
from denograd.table.errors import Note
from denograd.table.reading import Pieces, read_pieces
from denograd.table.roles import ColumnRole, find_roles

if TYPE_CHECKING:
    import pandas as pd

DONE, FAILED, WRONG_CALL, INTERRUPTED = 0, 1, 2, 130
FLAGS = ("overwrite", "dry_run")

HELP = """
usage: python -m denograd FILE [key=value ...]

Denoise the columns of numbers in a file: CSV of any spelling (packed or not), Excel, Parquet. Nothing in the file is
changed. Without a level the command says what every column is and what bounds its noise, and writes nothing.

  python -m denograd readings.csv                          what is in it
  python -m denograd readings.csv sigma=temp:0.2,flow:5    these two columns, their noise in their own units
  python -m denograd readings.csv sigma=auto dry_run=true  what would be done, without doing it

level
  sigma=0.1                 one level for all columns of decimal numbers, in their units
  sigma=NAME:0.2,OTHER:5    these columns; all others are held
  sigma=auto                columns whose own values show their noise; sigma=common: the same share of every spread
what the data are
  kind=series|tabular       whether the order of the rows means something; a series where a time is found
  time=NAME                 column that gives the order
  skip=NAME,NAME            columns to leave alone
  gaps=keep|fill            missing values stay missing (default), or are filled
how the file is written (found where not given)
  separator=comma|semicolon|tab|bar|blanks   decimal=.|,   encoding=NAME   missing=WORD,WORD   sheet=NAME
what comes out
  output=FILE               by default FILE.denoised.csv (.parquet for Parquet); the page stands beside it as .html
  overwrite=true            if it exists already
  dry_run=true              say what would be done
how
  seed=0   rows=100000      rows that are worked on at once; of a longer table so many, drawn at random, are fitted

exit codes: 0 done, 1 something failed, 2 wrong call, 130 interrupted (nothing is left behind); a file that
is not there is a wrong call
"""


class WrongCall(Exception):
    """The command was called with an invalid option or value."""


@dataclass(frozen=True)
class Options:
    """The options of a call; see `HELP`."""

    path: Path
    sigma: float | str | dict[str, float] | None = None
    kind: str | None = None
    time: str | None = None
    skip: tuple[str, ...] = ()
    gaps: str = "keep"
    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] = ()
    sheet: str | int = 0
    output: Path | None = None
    overwrite: bool = False
    dry_run: bool = False
    seed: int = 0
    rows: int = 100_000

    @property
    def reading(self) -> dict[str, Any]:
        """What `read_table` takes."""
        names = ("time", "separator", "decimal", "encoding", "missing", "sheet")
        return {name: getattr(self, name) for name in names}


@dataclass
class Plan:
    """What is known before any work."""

    table: TableFile
    kind: Kind
    time: str | None
    roles: list[ColumnRole] = field(default_factory=list)
    pieces: Pieces | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if not arguments or {"-h", "--help", "help"} & set(arguments):
            print(HELP.strip(), flush=True)
            return DONE if arguments else WRONG_CALL
        return _run(parse(arguments))
    except WrongCall as error:
        _say(f"denograd: {error}\n'python -m denograd --help' shows how it is called.")
        return WRONG_CALL
    except TableError as error:
        _say(f"denograd: {error}")
        return WRONG_CALL if error.problem in ("option", "missing", "directory") else FAILED
    except BrokenPipeError:  # the reader has left, as `| head` does: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return DONE
    except (ValueError, TypeError, ArithmeticError, MemoryError, OSError, PieceFailed) as error:
        _say(f"denograd: {error}")
        return FAILED
    except KeyboardInterrupt:
        _say("denograd: interrupted, nothing was written")
        return INTERRUPTED


def parse(arguments: Sequence[str]) -> Options:
    """Read ``FILE key=value ...``; ``--key=value``, ``--key value``, and ``--flag`` for ``flag=true``, mean the same.

    Raises
    ------
    WrongCall
        For unknown keys and values that cannot be.
    """
    known = [name for name in Options.__dataclass_fields__ if name != "path"]
    files, found = [], dict[str, Any]()
    words = iter(arguments)
    for argument in words:
        word = argument.removeprefix("--")
        key, equals, value = word.partition("=")
        key = key.replace("-", "_") if argument.startswith("--") else key
        if not equals and argument.startswith("--"):
            value = "true" if key in FLAGS or key not in known else next(words, "")
        elif not equals or (key not in known and Path(argument).exists()):
            files.append(argument)
            continue
        if not key:
            raise WrongCall(f"{argument!r} has no key: write KEY=VALUE, such as sigma=0.1, without blanks")
        if key not in known:
            near = difflib.get_close_matches(key, known) or known
            raise WrongCall(f"{key!r} is no key; near names: {', '.join(near)}")
        if key in found:
            raise WrongCall(f"{key} is given twice")
        found[key] = _value(key, value)
    if len(files) != 1:
        raise WrongCall(f"name one file, got {len(files)}: {' '.join(files) or '(none)'}")
    return Options(Path(files[0]), **found)


def _value(key: str, text: str) -> Any:
    choices = {"kind": ("series", "tabular"), "gaps": ("keep", "fill")}
    if key == "sigma":
        return _sigma(text)
    if key in choices and text not in choices[key]:
        raise WrongCall(f"{key} must be {' or '.join(choices[key])}, got {text!r}")
    if key in FLAGS:
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise WrongCall(f"{key} must be true or false, got {text!r}")
        return text.lower() in ("true", "1", "yes")
    if key in ("seed", "rows"):
        if not text.isdigit() or (key == "rows" and int(text) < 100):
            raise WrongCall(
                f"{key} must be a whole number{' of at least 100' * (key == 'rows')}, got {text!r}"
            )
        return int(text)
    if key in ("skip", "missing"):
        return tuple(word for word in text.split(",") if word)
    if key == "output":
        return Path(text)
    if key == "sheet" and text.isdigit():
        return int(text)
    return text


def _sigma(text: str) -> float | str | dict[str, float]:
    """Read a level: a number, the name of an estimate, or ``name:level,name:level``."""
    if text in ("auto", "common", "wavelet"):
        return text
    levels = {}
    try:
        if ":" not in text:
            level = float(text)
            if not 0 <= level < float("inf"):
                raise ValueError
            return level
        for part in text.split(","):
            name, _, number = part.rpartition(":")
            levels[name] = float(number)
            if not name or not 0 <= levels[name] < float("inf"):
                raise ValueError
    except ValueError:
        raise WrongCall(
            f"sigma must be a number of at least 0, NAME:LEVEL,NAME:LEVEL, auto or common, got {text!r}"
        ) from None
    return levels


def _run(options: Options) -> int:
    plan = look(options)
    print(_described(plan, options))
    if options.sigma is None:
        print(_bounds(plan, options))
        return DONE
    output, page = _outputs(options, plan.table)
    if options.dry_run:
        print(f"Would write {output} and {page}. Nothing was written: dry_run=true.")
        return DONE
    for path in (output, page):
        if path.exists() and not options.overwrite:
            raise WrongCall(f"{path} exists already: say overwrite=true, or output=...")
    job = Job(
        sigma=options.sigma,
        kind=plan.kind,
        time=plan.time,
        skip=[role.name for role in plan.roles if role.role in ("id", "time") and role.name != plan.time],
        gaps=cast(Any, options.gaps),
        seed=options.seed,
        rows=options.rows,
        verbose=sys.stderr.isatty(),
    )
    outcome = run(job, plan.table, plan.pieces, output)
    write_page(page, plan.table, outcome)
    for note in outcome.notes:
        print(_wrapped(f"- {note}"))
    if not (outcome.summary["role"] == "refined").any():
        print(_nothing(outcome.summary))
        print(f"Wrote {output}, a copy of the data, and {page}.")
        return DONE
    print(_table(outcome.summary))
    for finding in outcome.findings:
        print(_wrapped(f"! {finding}"))
    print(
        f"{outcome.share:.0%} of the noise's squared error is expected to be left. Wrote {output} and {page}."
    )
    return DONE


def look(options: Options) -> Plan:
    """Read the file, or its beginning where it is too large to be read at once, and decide what every column is."""
    pieces = None
    try:
        table = read_table(options.path, **options.reading)
    except TableError as error:
        if error.problem != "too_large":
            raise
        pieces = read_pieces(options.path, options.rows, **options.reading)
        table = pieces.first
    frame = table.frame
    _check_names(options, frame)
    time = table.time
    if time is not None and options.time is None and options.kind != "series":
        shared = 1 - frame[time].nunique() / len(frame)
        if shared > 0.1:
            said = f"{shared:.0%} of the rows share their time with another, so it gives no order"
            mend = "where sensors stand below each other, give each a column of its own (pandas: DataFrame.pivot)"
            table.notes.append(Note("time", f"{said}; {mend}", time))
        elif frame[time].isna().any():
            table.notes.append(Note("time", "some times are missing, so it gives no order", time))
        if shared > 0.1 or frame[time].isna().any() or options.kind == "tabular":
            time = None
    numbers = [c for c in frame.columns if frame[c].dtype.kind in "fiu" and c != time]
    kind = options.kind or ("series" if time is not None or len(numbers) == 1 else "tabular")
    named = list(options.sigma) if isinstance(options.sigma, dict) else None
    roles = find_roles(frame, named=named, skip=options.skip, time=time)
    return Plan(table, cast(Kind, kind), time if kind == "series" else None, roles, pieces)


def _check_names(options: Options, frame: pd.DataFrame) -> None:
    names = [str(c) for c in frame.columns]
    asked = {"skip": options.skip, "sigma": options.sigma if isinstance(options.sigma, dict) else ()}
    for key, words in asked.items():
        for word in words:
            if word not in names:
                near = difflib.get_close_matches(word, names) or names[:8]
                raise WrongCall(f"{key} names {word!r}, which is no column; near names: {', '.join(near)}")


def _outputs(options: Options, table: TableFile) -> tuple[Path, Path]:
    """Where data and page go."""
    path = options.path
    name = path.name
    for ending in (".gz", ".xz", ".bz2", ".zip"):
        name = name.removesuffix(ending)
    kind = ".parquet" if table.kind == "parquet" else ".csv"
    output = options.output or path.with_name(f"{Path(name).stem}.denoised{kind}")
    if output.resolve() == path.resolve():
        raise WrongCall("output is the file itself, which is never changed: name another one")
    if not output.parent.is_dir():
        raise WrongCall(f"output: there is no folder {output.parent}")
    if not os.access(output.parent, os.W_OK):
        raise WrongCall(f"{output.parent} may not be written to: say output=...")
    return output, output.with_suffix(".html")


def _described(plan: Plan, options: Options) -> str:
    """What the file holds, and what is done with it."""
    frame, table = plan.table.frame, plan.table
    count = "more rows than memory holds" if plan.pieces else f"{len(frame):,} rows"
    what = "a series, in the order of " + (repr(plan.time) if plan.time else "its rows")
    lines = [
        f"{options.path}: {count}, {frame.shape[1]} columns; taken for "
        f"{what if plan.kind == 'series' else 'a table, whose rows have no order'}"
    ]
    lines += [_wrapped(f"- {note}") for note in table.notes]
    width = min(30, max(len(str(role.name)) for role in plan.roles))
    undecided = options.sigma is None or isinstance(options.sigma, str)  # the level decides what is refined
    for role in plan.roles:
        gaps = int(frame[role.name].isna().sum())
        unit = f" [{table.units[role.name]}]" if role.name in table.units else ""
        missing = f", {gaps:,} missing" if gaps else ""
        shown = "may move" if role.role == "refined" and undecided else role.role
        lines.append(_wrapped(f"  {role.name!s:{width}}  {shown:10}  {role.why}{unit}{missing}"))
    return "\n".join(lines)


def _bounds(plan: Plan, options: Options) -> str:
    """What bounds the noise, and what sigma=auto would do."""
    if not any(role.role == "refined" for role in plan.roles):
        whole = [str(role.name) for role in plan.roles if role.why.startswith("whole numbers")]
        level = f" To refine whole numbers, name them: sigma={shlex.quote(whole[0])}:LEVEL" if whole else ""
        return _wrapped(f"No column holds decimal numbers, so there is nothing to refine by itself.{level}")
    frame, by = plan.table.frame, ""
    if plan.kind == "tabular" and (plan.pieces is not None or len(frame) > options.rows):
        # the very rows that would be fitted
        frames = [frame] if plan.pieces is None else plan.pieces.frames()
        sample = draw_sample(frames, options.rows, options.seed)
        frame, by = sample.frame, f", by {len(sample.frame):,} rows drawn at random from all {sample.total:,}"
    elif len(frame) > options.rows:
        frame, by = frame.iloc[: options.rows], f", by the first {options.rows:,} rows"
    call: dict[str, Any] = {"kind": plan.kind, "time": plan.time, "skip": options.skip, "seed": options.seed}
    call["verbose"] = sys.stderr.isatty()
    try:
        denoise(frame, None, **call)
    except NoiseLevelMissing as error:
        bound = error.bound
    lines = [f"No level is given, so nothing is refined. The noise of a column cannot exceed{by}:"]
    width = max((len(str(name)) for name in bound), default=0)
    lines += [f"  {name!s:{width}}  {value:.4g}" for name, value in bound.items()]
    lines.append(_auto(frame, call))
    name = next(iter(bound), "column")
    lines.append(
        f"Where the level comes from: a data sheet, repeated measurements, a quiet stretch. Then: "
        f"python -m denograd {shlex.quote(str(options.path))} sigma={shlex.quote(str(name))}:LEVEL"
    )
    return "\n".join(_wrapped(line) for line in lines)


def _auto(frame: pd.DataFrame, call: dict[str, Any]) -> str:
    """What sigma=auto would do."""
    try:
        auto = denoise(frame, "auto", **call)
    except ValueError as error:
        return f"sigma=auto finds no level: {error}"
    shown = {c.name: s for c, s in zip(auto.columns, auto.sigma, strict=True) if np.isfinite(s) and s > 0}
    if not shown:
        return "sigma=auto would hold every column: in none do the values themselves show their noise."
    listed = ", ".join(f"{name} ({level:.4g})" for name, level in shown.items())
    return f"sigma=auto would refine {listed} and hold all others."


def _table(summary: pd.DataFrame) -> str:
    """The result's figures as a table that fits the terminal."""
    shown = summary[summary["role"] == "refined"][
        ["sigma", "bound", "rmse_before", "rmse_after", "moved", "outliers", "gaps"]
    ]
    text: str = shown.to_string(float_format=lambda v: f"{v:.4g}", line_width=_width(), max_rows=60)
    return text


def _nothing(summary: pd.DataFrame) -> str:
    """Why no column was refined."""
    held = summary.loc[summary["role"] == "held", "why"]
    reasons = [
        f"  {why}: {', '.join(map(str, names))}"
        for why, names in held.groupby(held, sort=False).groups.items()
    ]
    return "\n".join(["Nothing was refined.", *(_wrapped(reason) for reason in reasons)])


def _width() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def _wrapped(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, max(40, _width()), subsequent_indent=indent, break_long_words=False)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
