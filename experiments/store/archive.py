"""All cells of a campaign as one frame, from ``cells/`` or from the ``cells.parquet`` that travels."""

from __future__ import annotations

import hashlib
import io
import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.base.errors import HarnessError
from experiments.store.cell import CODE, SCHEMA, SchemaMismatch
from experiments.store.files import Store, read_cell, write_atomically
from experiments.store.frame import AXES, frame

ARCHIVE = "cells.parquet"
DIGEST = b"denograd.digest"


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
    cells = _current(cells.drop_duplicates("key", keep="first", ignore_index=True))
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
    """Write the archive with a digest of its content; the same cells give the same bytes."""
    path = folder / ARCHIVE
    table = pa.Table.from_pandas(cells, preserve_index=False)
    table = table.replace_schema_metadata(
        {**(table.schema.metadata or {}), DIGEST: digest_of(cells).encode()}
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_atomically(path, buffer.getvalue())
    return path


def digest_of(cells: pd.DataFrame) -> str:
    """Hash the names, types and values of a frame's columns."""
    total = hashlib.sha256()
    for name in sorted(cells):
        column = cells[name]
        numeric = pd.api.types.is_numeric_dtype(column.dtype)
        total.update(f"{name}\0{'number' if numeric else 'text'}\0{len(column)}\0".encode())
        if numeric:
            values = column.to_numpy(dtype="<f8", na_value=np.nan)
            total.update(np.where(np.isnan(values), np.nan, values).tobytes())
        else:
            missing = column.isna().to_numpy()
            total.update(missing.tobytes())
            texts = [text for text, gone in zip(column, missing, strict=True) if not gone]
            total.update(np.array([len(text) for text in texts], dtype="<i8").tobytes())
            total.update("".join(texts).encode())
    return total.hexdigest()


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


def _read(path: Path) -> pd.DataFrame:
    """The archive's cells.

    Raises
    ------
    ArchiveUnreadable
        If it cannot be read, is of another schema, or its content is not what was written.
    """
    mend = "Restore it, or delete it and keep cells/"
    try:
        table = pq.read_table(io.BytesIO(path.read_bytes()))
        cells = table.to_pandas()
    except Exception as error:  # pyarrow raises many types for a damaged file
        raise ArchiveUnreadable(f"{path} cannot be read: {error}. {mend}") from error
    others = sorted({f"{v:g}" for v in cells["schema"]} - {f"{SCHEMA}"}) if "schema" in cells else ["none"]
    if others:
        raise ArchiveUnreadable(
            f"{path} has cells of schema {', '.join(others)}, this version reads {SCHEMA}: read it with the version "
            "that wrote it, or rerun the campaign under another name"
        )
    stated = (table.schema.metadata or {}).get(DIGEST)
    if stated is None:
        raise ArchiveUnreadable(
            f"{path} carries no digest of its content, so that nothing tells whether it is whole. {mend}"
        )
    if digest_of(cells).encode() != stated:
        raise ArchiveUnreadable(
            f"{path} is not what was written: its digest does not fit its content. {mend}"
        )
    if missing := sorted({"key", "stage", "status", "more", "started", *AXES} - set(cells)):
        raise ArchiveUnreadable(f"{path} lacks the columns {', '.join(missing)}. {mend}")
    return cells
