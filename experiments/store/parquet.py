"""The Parquet file of a campaign's cells: read only if it is what was written, row by row as cells if need be."""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.base.errors import HarnessError
from experiments.store.cell import SCHEMA, Cell, key_of
from experiments.store.frame import AXES, NUMERIC

ARCHIVE = "cells.parquet"
DIGEST = b"denograd.digest"
NESTED = ("noise_params", "denoiser_params", "backbone_params", "regressor_params", "versions")
TIMINGS = ("backbone_s", "fit_s", "denoise_s", "score_s")


class ArchiveUnreadable(HarnessError):
    """The campaign's cells are of another schema, or the archive is damaged."""


def read(path: Path) -> pd.DataFrame:
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


def encoded(cells: pd.DataFrame) -> bytes:
    """The file's content, with a digest of the cells in its metadata."""
    table = pa.Table.from_pandas(cells, preserve_index=False)
    table = table.replace_schema_metadata(
        {**(table.schema.metadata or {}), DIGEST: digest_of(cells).encode()}
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


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


def cells_of(folder: Path) -> Iterator[Cell]:
    """The cells of a campaign's archive as they were stored; none where there is no archive.

    Metrics that are not defined are left out. A row whose key does not fit what it says it is gives no cell.

    Raises
    ------
    ArchiveUnreadable
    """
    path = folder / ARCHIVE
    if not path.is_file():
        return
    rows = read(path)
    texts = [name for name in rows if not pd.api.types.is_numeric_dtype(rows[name].dtype)]
    rows[texts] = rows[texts].astype(object).where(rows[texts].notna(), None)
    for row in rows.to_dict("records"):
        cell = _cell_of(row)
        if key_of(cell.spec) == cell.key:
            yield cell


def _cell_of(row: dict[Hashable, Any]) -> Cell:
    """Undo what `frame` does to a cell."""
    stage = row["stage"]
    axes = [
        axis for axis in AXES if stage == "score" or axis not in ("regressor", "regressor_params", "variant")
    ]
    spec = (
        {axis: _axis(axis, row[axis]) for axis in axes} | json.loads(row["more"] or "{}") | {"stage": stage}
    )
    numbers = {str(name): value for name, value in row.items() if isinstance(value, float) and value == value}
    timings = {name: numbers.pop(name) for name in list(numbers) if name in TIMINGS}
    memory = {"peak_mb": numbers.pop("peak_mb")} if "peak_mb" in numbers else {}
    return Cell(
        key=row["key"],
        stage=stage,
        status=row["status"],
        reason=row["reason"],
        spec=spec,
        metrics={name: value for name, value in numbers.items() if name not in NUMERIC},
        timings=timings,
        memory=memory,
        info=json.loads(row["info"] or "{}"),
        provenance={"seconds": row["cell_s"], "started": row["started"]},
    )


def _axis(name: str, value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else value if name == "sigma" else int(value)
    return json.loads(value) if name in NESTED and value is not None else value
