"""All cells of a campaign as one frame, from ``cells/`` or from the ``cells.parquet`` that travels."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd

from experiments.base.errors import HarnessError
from experiments.store.cell import SCHEMA, SchemaMismatch
from experiments.store.files import Store, read_cell, write_atomically
from experiments.store.frame import frame

ARCHIVE = "cells.parquet"


class NoCells(HarnessError):
    """There is nothing to report on."""


class NoCampaign(NoCells):
    """There is no campaign of that name."""

    exit_code = 2


class ArchiveUnreadable(HarnessError):
    """The campaign's cells are of another schema, or the archive is damaged."""


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
        near = (
            sorted(
                path.name
                for path in folder.parent.glob("*/")
                if (path / "cells").is_dir() or (path / ARCHIVE).is_file()
            )
            if folder.parent.is_dir()
            else []
        )
        hint = f"Campaigns there: {', '.join(near)}." if near else "Run 'python -m experiments.run' first."
        raise NoCampaign(f"there is no campaign in {folder}. {hint}")
    parts = []
    try:
        parts.append(frame(Store(folder, read_only=True).cells()))
    except SchemaMismatch as error:
        raise ArchiveUnreadable(str(error)) from error
    if archive.is_file():
        parts.append(_read(archive))
    cells = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    cells = cells.drop_duplicates("key", keep="first", ignore_index=True)
    if not len(cells):
        damaged = unreadable(folder, cells)
        raise NoCells(
            f"{folder} holds no cells that can be read: {damaged} damaged files in cells/, no {archive.name}. "
            "Run 'python -m experiments.run', which computes them anew"
        )
    return cells.sort_values("key", ignore_index=True)


def unreadable(folder: Path, cells: pd.DataFrame) -> int:
    """Files in ``cells/`` that give no cell: torn, or damaged, and not merely written since `cells` were read."""
    keys = set(cells["key"])
    others = (path for path in (folder / "cells").glob("*/*.json") if path.stem not in keys)
    return sum(read_cell(path) is None for path in others)


def save(cells: pd.DataFrame, folder: Path) -> Path:
    """Write the archive; the same cells give the same bytes."""
    path = folder / ARCHIVE
    buffer = io.BytesIO()
    cells.to_parquet(buffer, compression="zstd", index=False)
    write_atomically(path, buffer.getvalue())
    return path


def _read(path: Path) -> pd.DataFrame:
    try:
        cells = pd.read_parquet(path)
    except Exception as error:  # pyarrow raises many types for a damaged file
        raise ArchiveUnreadable(
            f"{path} cannot be read: {error}. Restore it, or delete it and keep cells/"
        ) from error
    others = sorted({f"{v:g}" for v in cells["schema"]} - {f"{SCHEMA}"}) if "schema" in cells else ["none"]
    if others:
        raise ArchiveUnreadable(
            f"{path} has cells of schema {', '.join(others)}, this version reads {SCHEMA}: read it with the version "
            "that wrote it, or rerun the campaign under another name"
        )
    return cells
