"""The dataset that a configuration chooses, ours or the user's own, and what is reported of it before any work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast

from experiments.data import own, recipes
from experiments.data.dataset import Dataset
from experiments.data.files import Reading


class Choice(Protocol):
    """What a configuration says of a dataset; see its schema."""

    name: str | None
    kind: str | None
    path: str | None
    target: str | None
    time: str | None
    drop: list[str]
    gaps: str
    separator: str | None
    decimal: str | None
    encoding: str | None
    missing: list[str]
    sheet: str | int


class Caps(Protocol):
    """What a configuration's profile takes away; see its schema."""

    name: str
    rows: int | None


def load(
    choice: Choice,
    data_dir: str | os.PathLike[str] | None = None,
    function: Callable[[], Any] | None = None,
) -> Dataset:
    """Read one of the project's datasets, or a table of the user's own.

    Parameters
    ----------
    choice : Choice
        Checked: a user's own has a name, a kind and a target.
    data_dir : path, optional
    function : callable, optional
        Gives the user's frame, where it is no file.

    Raises
    ------
    HarnessError
        If it is not there, cannot be read, or nothing can be learnt from it.
    """
    name = str(choice.name)
    if function is None and choice.path is None:
        return recipes.load_dataset(name, data_dir)
    how = preparation(choice)
    if function is not None:
        return own.from_function(function, how, name=name)
    return own.from_file(str(choice.path), how, name=name, data_dir=data_dir)


def preparation(choice: Choice) -> own.Preparation:
    """How a configuration wants its table to become a dataset."""
    reading = Reading(choice.separator, choice.decimal, choice.encoding, tuple(choice.missing), choice.sheet)
    kind, gaps = cast(Any, choice.kind), cast(Any, choice.gaps)  # checked there
    return own.Preparation(str(choice.target), kind, choice.time, tuple(choice.drop), gaps, reading)


def told(dataset: Dataset, caps: Caps) -> Iterator[str]:
    """What a run works on, and what was changed on the user's behalf: a line each."""
    rows, columns = dataset.shape
    yield f"{dataset.name}: {rows:,} rows x {columns:,} columns, {dataset.kind}, target '{dataset.target}'"
    if dataset.own:
        yield from (f"  {change}" for change in dataset.own.changes)
    if caps.rows is not None and caps.rows < rows:
        which = "the first ones" if dataset.kind == "series" else "drawn at random"
        yield f"  profile {caps.name} takes {caps.rows:,} of them, {which}"
    epochs = {
        key.removesuffix("_epochs"): value
        for key, value in vars(caps).items()
        if key.endswith("_epochs") and value is not None
    }
    if epochs:
        yield f"  profile {caps.name} caps epochs: {', '.join(f'{key} {n}' for key, n in epochs.items())}"
