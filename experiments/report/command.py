"""``python -m experiments.report campaign=NAME``: everything that a paper shows, from the stored cells alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from experiments.base import command, screen
from experiments.base.command import Option
from experiments.base.errors import UnknownName, plain_name

HELP = """Rebuild a campaign's tables, figures and report from its cells.

Usage
  python -m experiments.report campaign=NAME [results_dir=results] [figures=true] [formats=LIST]

Results
  results_dir/NAME/cells.parquet  all cells, one row each; read where cells/ has them no more
  results_dir/NAME/tables/        csv of every table; rebuilt wholly, as is figures/
  results_dir/NAME/figures/       png; drawn only where the data behind a figure changed
  results_dir/NAME/report.md      for a code host
  results_dir/NAME/report.html    one page that needs nothing else

Examples
  python -m experiments.report campaign=deployable
  python -m experiments.report campaign=deployable formats=pdf,tex
  python -m experiments.report campaign=runs results_dir=/data/results figures=false
"""
FORMATS = ("pdf", "svg", "md", "tex")


@dataclass(frozen=True)
class Options:
    campaign: Annotated[str, Option("folder under results_dir; the default is that of experiments.run")] = (
        "runs"
    )
    results_dir: Annotated[Path, Option("where campaigns are kept")] = Path("results")
    figures: Annotated[bool, Option("false leaves the figures out")] = True
    formats: Annotated[str, Option("beside png and csv: pdf, svg (figures), md, tex (tables)")] = ""
    readme: Annotated[bool, Option("true puts tables and findings into the project's README.md")] = False
    workers: Annotated[int, Option("processes that draw; 0 is one a core", least=0)] = 0


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report that the command line names; the exit codes are those of `command.run`."""
    return command.start(argv, _main, lambda: command.described(HELP, Options))


def _main(arguments: Sequence[str]) -> None:
    options = parse(arguments)

    def say(text: str) -> None:
        print(screen.fitted(text, sys.stderr), file=sys.stderr, flush=True)

    folder = options.results_dir / options.campaign
    formats = formats_of(options.formats)
    say(f"report of {folder}: reading its cells")
    written = write_report(
        folder,
        figures=options.figures,
        formats=formats,
        workers=options.workers or os.cpu_count() or 1,
        readme=options.readme,
        say=say,
    )
    names = [path.name for path in written if path.parent == folder]
    print(screen.fitted(f"In {folder}: {', '.join(names)}"))
    if options.readme:
        print("Rewritten from it: README.md")
    print(screen.next_command("open", str(folder / "report.html")))


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line.

    Raises
    ------
    WrongCall
        For an unknown key (near names shown) or a value that does not fit.
    """
    options = command.parse(arguments, Options)
    plain_name("campaign", options.campaign)
    formats_of(options.formats)
    return options


def formats_of(text: str) -> tuple[str, ...]:
    """The formats in a list such as ``pdf,tex``; `UnknownName` for one that there is not."""
    names = tuple(part.strip() for part in text.strip("[]").split(",") if part.strip())
    for name in names:
        if name not in FORMATS:
            raise UnknownName("format", name, FORMATS)
    return names


def write_report(
    folder: Path,
    *,
    figures: bool = True,
    formats: Iterable[str] = (),
    workers: int = 1,
    readme: bool = False,
    say: Callable[[str], Any] = lambda text: None,
) -> list[Path]:
    """Rebuild everything of a campaign.

    Parameters
    ----------
    folder : Path
        The campaign's folder.
    figures : bool
    formats : iterable of str
        Of `FORMATS`, beside png and csv.
    workers : int
        Processes that draw; several need a main module that may be imported, as those of ``python -m`` may.
    readme : bool
        Whether to put what the project's README.md has markers for into it.
    say : callable
        Gets a line per step.

    Returns
    -------
    paths : list of Path
        report.html, report.md, cells.parquet and the two folders.

    Raises
    ------
    NoCells, ArchiveUnreadable
        If there is nothing to report on.
    StoreError
        If the report cannot be written.
    """
    # what follows is slow to import, and by now the first line stands on screen
    from experiments.report.rebuild import rebuild

    suffixes = tuple(f".{name}" for name in formats)
    return rebuild(folder, figures, suffixes, workers, readme, say)
