"""Cells as rows: one flat, tidy frame."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

import pandas as pd

from experiments.store.cell import Cell

AXES = (
    *("dataset", "dataset_sha256", "kind", "target", "rows", "window", "noise", "sigma", "noise_params"),
    *("repetition", "protocol", "denoiser", "settings", "denoiser_params", "backbone", "backbone_params"),
    *("regressor", "regressor_params", "variant", "versions"),
)
KNOWN = {*AXES, "stage"}
PROVENANCE = ("profile", "caps", "commit", "device", "threads", "started", "python", "system", "cores")
NUMERIC = {"sigma", "repetition", "rows", "window", "threads", "cores", "cell_s", "schema"}
PARTS = ("metrics", "timings", "memory")


def frame(cells: Iterable[Cell]) -> pd.DataFrame:
    """Lay cells out as rows.

    Parameters
    ----------
    cells : iterable of Cell
        Read one by one: a generator keeps the memory small.

    Returns
    -------
    frame : DataFrame
        One row per cell: ``key``, ``stage``, ``status``, ``reason``, ``schema``, the axes of the spec, metrics, timings
        and memory by their names, provenance, ``info``, and ``more`` for what else the spec has. Whatever is nested
        stands there as JSON.
    """
    columns: dict[str, list[Any]] = {}
    n = 0
    for n, cell in enumerate(cells, start=1):
        row: dict[str, Any] = {
            name: getattr(cell, name) for name in ("key", "stage", "status", "reason", "schema")
        }
        row |= {axis: _flat(cell.spec.get(axis)) for axis in AXES}
        row |= {name: _flat(cell.provenance.get(name)) for name in PROVENANCE}
        row["cell_s"] = _number(cell.provenance.get("seconds"))
        for part in PARTS:
            row |= {name: _number(value) for name, value in getattr(cell, part).items()}
        row["info"] = _flat(cell.info)
        row["more"] = _flat({key: value for key, value in cell.spec.items() if key not in KNOWN})
        for name, value in row.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = []
            column.extend([None] * (n - 1 - len(column)))
            column.append(value)
    for column in columns.values():
        column.extend([None] * (n - len(column)))
    texts = {"key", "stage", "status", "reason", "info", "more", *AXES, *PROVENANCE} - NUMERIC
    columns = columns or {name: [] for name in sorted(texts | NUMERIC)}
    return pd.DataFrame(
        {
            name: pd.array(column, dtype="str" if name in texts else "float64")
            for name, column in columns.items()
        }
    )


_encode = json.JSONEncoder(sort_keys=True).encode


def _flat(value: Any) -> Any:
    if isinstance(value, (dict, list, tuple)):
        value = _encode(value) if value else "{}" if isinstance(value, dict) else "[]"
    return sys.intern(value) if isinstance(value, str) else value


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
