"""``python -m experiments.list``: every dataset, denoiser, backbone, regressor and noise model there is."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any

import yaml

from experiments.base import command
from experiments.base.command import Option, Words
from experiments.base.errors import HarnessError, UnknownName
from experiments.base.paths import CONF
from experiments.config.targets import resolve
from experiments.data.recipes import DATASETS, Recipe
from experiments.data.sources import locate

GROUPS = ("dataset", "noise", "backbone", "denoiser", "regressor", "protocol", "profile")


HELP = f"""Every dataset, denoiser, backbone, regressor and noise model there is.

Usage
  python -m experiments.list [GROUP...] [data_dir=PATH]

GROUP is any of {", ".join(GROUPS)}; all of them by default.

Examples
  python -m experiments.list
  python -m experiments.list dataset data_dir=~/data
"""


@dataclass(frozen=True)
class Options:
    groups: Annotated[tuple[str, ...], Words()] = ()
    data_dir: Annotated[
        Path | None, Option("a folder with the raw files; null is the variable DENOGRAD_DATA")
    ] = None


def main(argv: Sequence[str] | None = None) -> int:
    """Print the groups asked for, all of them by default."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if command.asks_for_help(arguments):
        print(command.described(HELP, Options), end="")
        return command.DONE
    return command.run(lambda: _main(command.parse(arguments, Options)))


def _main(options: Options) -> None:
    for group in options.groups:
        if group not in GROUPS:
            raise UnknownName("group", group, GROUPS)
    for group in options.groups or GROUPS:
        rows = list(_datasets(options.data_dir) if group == "dataset" else _components(group))
        _print_table(group, rows)


def _datasets(data_dir: Path | None) -> Iterator[tuple[str, ...]]:
    yield "name", "kind", "rows x columns", "target", "at hand", "source"
    for name, recipe in DATASETS.items():
        shape = " x ".join(f"{side:,}" for side in recipe.shape)
        yield name, recipe.kind, shape, recipe.target, _at_hand(recipe, data_dir), _source(recipe)


def _at_hand(recipe: Recipe, data_dir: Path | None) -> str:
    return "yes" if all(locate(source, data_dir) for source in recipe.sources) else "no"


def _source(recipe: Recipe) -> str:
    return recipe.sources[0].page if recipe.sources else recipe.note or "embedded"


def _components(group: str) -> Iterator[tuple[str, ...]]:
    yield "name", "what it is"
    for path in sorted((CONF / group).glob("*.yaml")):
        content: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
        yield path.stem, _describe(path.stem, content, path.read_text())


def _describe(name: str, content: dict[str, Any], text: str) -> str:
    """The comment that opens the file, or the first line of the class's docstring."""
    opening = takewhile(lambda line: line.startswith("#"), text.lstrip().splitlines())
    if comments := [line.lstrip("# ") for line in opening if "@package" not in line]:
        return comments[0]
    if "defaults" in content:
        return ", ".join(str(entry) for entry in content["defaults"])
    target = _target(content)
    try:
        doc = inspect.getdoc(resolve(target)) if target else None
    except HarnessError as error:
        return f"not available: {error}"
    return (doc or target or "").strip().splitlines()[0]


def _target(node: Any) -> str | None:
    if not isinstance(node, dict):
        return None
    if "_target_" in node:
        return str(node["_target_"])
    return next((found for child in node.values() if (found := _target(child))), None)


def _print_table(title: str, rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    print(f"{title}\n{'-' * len(title)}", *lines, "", sep="\n")


if __name__ == "__main__":
    sys.exit(main())
