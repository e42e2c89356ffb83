"""``python -m experiments.leaderboard``: where every method stands, in a page with choices, from stored cells."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from experiments.base import command, screen
from experiments.base.command import Option
from experiments.base.errors import plain_name

HELP = """Rank every method by protocol, noise level, metric, regressors, kind of data.

Usage
  python -m experiments.leaderboard [campaign=NAME,NAME] [results_dir=results]

Results
  results_dir/leaderboard.html  one page that needs nothing else; links reports

Examples
  python -m experiments.leaderboard
  python -m experiments.leaderboard campaign=uncapped,core
  python -m experiments.leaderboard results_dir=/data/results
"""


@dataclass(frozen=True)
class Options:
    campaign: Annotated[str, Option("folders under results_dir; by default all")] = ""
    results_dir: Annotated[Path, Option("where campaigns are kept")] = Path("results")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the leaderboard that the command line names; the exit codes are those of `command.run`."""
    return command.start(argv, _main, lambda: command.described(HELP, Options))


def _main(arguments: Sequence[str]) -> None:
    options = command.parse(arguments, Options)
    names = [name.strip() for name in options.campaign.strip("[]").split(",") if name.strip()]
    for name in names:
        plain_name("campaign", name)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    say(f"leaderboard of {options.results_dir}: reading its cells")
    # what follows is slow to import: by now the first line stands on screen
    from experiments.report.leaderboard import write_leaderboard

    path = write_leaderboard(options.results_dir, names, say=say)
    print(screen.next_command("open", str(path)))


if __name__ == "__main__":
    sys.exit(main())
