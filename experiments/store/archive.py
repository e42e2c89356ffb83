"""All cells of a campaign as one frame, from ``cells/`` or from the archive ``cells.parquet``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pandas as pd

from experiments.base.errors import HarnessError, near
from experiments.base.paths import CONF
from experiments.store import parquet
from experiments.store.cell import CODE, SchemaMismatch
from experiments.store.files import Store, read_cell, write_atomically
from experiments.store.frame import AXES, frame
from experiments.store.parquet import ARCHIVE, ArchiveUnreadable

PLAN = "plan.json"


class NoCells(HarnessError):
    """There is nothing to report on."""


class NoCampaign(NoCells):
    """There is no campaign of that name."""

    exit_code = 2


def load(folder: Path) -> pd.DataFrame:
    """Read a campaign.

    Cells in ``cells/`` win over those of the archive that have the same key; the archive's others are kept, so
    that computing one more cell beside a committed archive loses nothing.

    Parameters
    ----------
    folder : Path
        The campaign's folder.

    Returns
    -------
    cells : DataFrame
        Of `frames.frame`.

    Raises
    ------
    NoCampaign
        If there is no such folder.
    NoCells
        If the folder holds neither.
    ArchiveUnreadable
        If a cell or the archive has another schema than this version, or the archive cannot be read.
    """
    archive = folder / ARCHIVE
    if not folder.is_dir():
        raise NoCampaign(f"there is no campaign in {folder}. {_instead_of(folder)}")
    parts = []
    try:
        parts.append(frame(Store(folder, read_only=True).cells()))
    except SchemaMismatch as error:
        raise ArchiveUnreadable(str(error)) from error
    if archive.is_file():
        parts.append(parquet.read(archive))
    cells = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    cells = _current(cells.drop_duplicates("key", keep="first", ignore_index=True))
    if not len(cells):
        damaged = unreadable(folder, cells)
        raise NoCells(
            f"{folder} holds no cells{f' that can be read: {damaged} files are damaged' if damaged else ''}. "
            "Run 'python -m experiments.run', which computes them anew"
        )
    return cells.sort_values("key", ignore_index=True)


def campaigns_in(results_dir: Path) -> list[str]:
    """Names of the campaigns in a folder that have cells."""
    there = sorted(results_dir.iterdir()) if results_dir.is_dir() else []
    return [path.name for path in there if any(path.glob("cells/*/*.json")) or (path / ARCHIVE).is_file()]


def _instead_of(folder: Path) -> str:
    """What to do where there is no such campaign: compute it, or take one that has a near name."""
    there = campaigns_in(folder.parent)
    if (CONF / "campaigns" / f"{folder.name}.yaml").is_file():
        return f"'python -m experiments.campaign +campaign={folder.name}' computes it."
    return near(folder.name, there) if there else "Run 'python -m experiments.run' first."


def unreadable(folder: Path, cells: pd.DataFrame) -> int:
    """Files in ``cells/`` that give no cell: torn, or damaged, and not merely written since `cells` were read."""
    keys = set(cells["key"])
    others = (path for path in (folder / "cells").glob("*/*.json") if path.stem not in keys)
    return sum(read_cell(path) is None for path in others)


def save(cells: pd.DataFrame, folder: Path) -> Path:
    """Write the archive with a digest of its content; the same cells give the same bytes."""
    path = folder / ARCHIVE
    write_atomically(path, parquet.encoded(cells))
    return path


def note_plan(folder: Path, cells: int) -> None:
    """Note how many cells a campaign has when it is whole, for its report."""
    write_atomically(folder / PLAN, f'{{"cells": {cells}}}\n'.encode())


def planned(folder: Path) -> int | None:
    """Cells that the campaign has when it is whole, at most; None where that was not noted."""
    try:
        return int(json.loads((folder / PLAN).read_text(encoding="utf-8"))["cells"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _current(cells: pd.DataFrame) -> pd.DataFrame:
    """Of cells of the same that different code computed, the newest."""
    if not len(cells):
        return cells
    same = [axis for axis in ("stage", *AXES) if axis not in CODE and axis in cells]
    more = cells["more"].map(_without_code)
    newest = cells.assign(more=more).sort_values("started", kind="stable", na_position="first")
    kept = newest.drop_duplicates([*same, "more"], keep="last").index
    return cells.loc[sorted(kept)].reset_index(drop=True)


@cache
def _without_code(more: str) -> str:
    return json.dumps({name: value for name, value in json.loads(more).items() if name not in CODE})
