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

from experiments.base import command, screen
from experiments.base.command import Option, Words
from experiments.base.errors import HarnessError, UnknownName
from experiments.base.paths import CONF
from experiments.config.targets import resolve
from experiments.config.words import composed, config_folders, without_folders
from experiments.data.recipes import DATASETS, Recipe
from experiments.data.sources import locate

GROUPS = ("dataset", "noise", "backbone", "denoiser", "regressor", "protocol", "profile")


HELP = f"""Every dataset, denoiser, backbone, regressor and noise model there is, and what a run would make of a
table of your own.

Usage
  python -m experiments.list [GROUP...] [verbose=true] [data_dir=PATH] [--config-dir PATH]
  python -m experiments.list dataset.path=FILE [dataset.target=COLUMN] [dataset.KEY=VALUE...]

Groups: {", ".join(GROUPS)}; all of them by default.

Examples
  python -m experiments.list
  python -m experiments.list dataset data_dir=~/data verbose=true
  python -m experiments.list denoiser --config-dir conf 'allow_targets=[mine]'
  python -m experiments.list dataset.path=my.csv dataset.target=price

Results: nothing is written.
"""


@dataclass(frozen=True)
class Options:
    groups: Annotated[tuple[str, ...], Words()] = ()
    data_dir: Annotated[
        Path | None, Option("a folder with the raw files; null is the variable DENOGRAD_DATA")
    ] = None
    config_dir: Annotated[
        Path | None, Option("a folder with members of your own, such as PATH/denoiser/mine.yaml")
    ] = None
    allow_targets: Annotated[str, Option("your packages, whose classes a _target_ may name: [mine]")] = ""
    verbose: Annotated[bool, Option("also where the datasets come from")] = False


def main(argv: Sequence[str] | None = None) -> int:
    """Print the groups that are named, all of them by default; or what would be made of a table."""
    return command.start(argv, _main, lambda: command.described(HELP, Options))


def _main(arguments: Sequence[str]) -> None:
    if any(word.lstrip("+").startswith(("dataset.", "dataset=")) for word in arguments):
        _show_own(arguments)
        return
    folders = config_folders(arguments)
    options = command.parse(without_folders(arguments), Options)
    for group in options.groups:
        if group not in GROUPS:
            raise UnknownName("group", group, GROUPS)
    allow = [name.strip() for name in options.allow_targets.strip("[]").split(",") if name.strip()]
    for group in options.groups or GROUPS:
        print(group, "-" * len(group), sep="\n", flush=True)  # to import what the group names takes a while
        for folder in (CONF, *folders):
            ours = folder == CONF and group == "dataset"
            lines = list(_datasets(options) if ours else _components(folder / group, allow))
            if lines[1:]:
                print(*([] if folder == CONF else [f"of {folder}:"]), *lines, sep="\n")
        if group != (options.groups or GROUPS)[-1]:
            print()
    _say_next("dataset=diabetes", "denoiser=[identity,pca]", "profile=quick")  # which is always at hand


def _datasets(options: Options) -> Iterator[str]:
    recipes = DATASETS.values()
    rows = [
        (r.name, r.kind, " x ".join(f"{n:,}" for n in r.shape), r.target, _at_hand(r, options.data_dir))
        for r in recipes
    ]
    head, *lines = screen.table(("name", "kind", "rows x columns", "target", "at hand"), rows)
    yield head
    for recipe, line in zip(recipes, lines, strict=True):
        yield line
        if options.verbose:
            for text in (recipe.note, *(source.page for source in recipe.sources[:1])):
                yield from screen.wrapped(text, indent="    ")
    if not all(row[-1] == "yes" for row in rows):
        yield from screen.wrapped(
            "Not at hand: 'python -m experiments.fetch NAME' gets the files; data_dir=PATH, or the variable "
            "DENOGRAD_DATA, names a folder that has them."
        )


def _at_hand(recipe: Recipe, data_dir: Path | None) -> str:
    return "yes" if all(locate(source, data_dir) for source in recipe.sources) else "no"


def _components(folder: Path, allow: Sequence[str]) -> list[str]:
    """The members of a group in a folder; `allow` are packages that the user opens."""
    rows = []
    for path in sorted(folder.glob("*.yaml")):
        content: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
        rows.append((path.stem, _describe(content, path.read_text(), allow)))
    return screen.table(("name", "what it is"), rows)


def _describe(content: dict[str, Any], text: str, allow: Sequence[str]) -> str:
    """The comment that opens the file, or the first line of the class's docstring."""
    opening = takewhile(lambda line: line.startswith("#"), text.lstrip().splitlines())
    if comments := [line.lstrip("# ") for line in opening if "@package" not in line]:
        return comments[0]
    if "defaults" in content:
        return ", ".join(str(entry) for entry in content["defaults"])
    target = _target(content)
    try:
        doc = inspect.getdoc(resolve(target, allow)) if target else None
    except HarnessError as error:
        return f"not available: {error}"
    return (doc or target or "").strip().partition("\n")[0]


def _target(node: Any) -> str | None:
    if not isinstance(node, dict):
        return None
    if "_target_" in node:
        return str(node["_target_"])
    return next((found for child in node.values() if (found := _target(child))), None)


def _show_own(arguments: Sequence[str]) -> None:
    """Print what a run would make of a table: each column, and what would be changed."""
    words = list(arguments)
    chosen_target = any(word.lstrip("+").startswith(("dataset=", "dataset.target=")) for word in words)
    config = composed(words if chosen_target else [*words, "dataset.target=none"])
    print(f"{config.dataset.path or config.dataset.name}: reading it", flush=True)
    # this loads torch: by now the first line stands on screen
    from experiments.config.components import dataset_function_of
    from experiments.data import chosen, files, own

    if not chosen_target and config.dataset.path:
        path = files.find(config.dataset.path, config.data_dir)
        frame = files.read(path, chosen.preparation(config.dataset).reading).frame
        held = [(str(name), own.holding(values)) for name, values in frame.items()]
        print(f"{path}: {len(frame):,} rows", *screen.table(("column", "holds"), held), "", sep="\n")
        print("Next: name the column to be predicted with dataset.target=COLUMN")
        return
    dataset = chosen.load(config.dataset, config.data_dir, dataset_function_of(config))
    for line in chosen.told(dataset, config.profile):
        print(*screen.wrapped(line, hanging="    "), sep="\n")
    if dataset.own:
        rows = [(name, dataset.own.holds[name], role) for name, role in dataset.own.roles.items()]
        print("", *screen.table(("column", "holds", "becomes"), rows), sep="\n")
    _say_next(*words, "profile=smoke")


def _say_next(*words: str) -> None:
    print("", screen.next_command("python", "-m", "experiments.run", *words), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
