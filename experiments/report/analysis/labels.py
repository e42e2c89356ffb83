"""What tells apart cells that share a name: the entries of their settings that differ, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

BACKBONES = {
    "mlp": "MLP",
    "lstm": "LSTM",
    "xlstm": "xLSTM",
    "cnn_lstm": "CNN-LSTM",
    "dlinear": "DLinear",
    "ft_transformer": "FT-Transformer",
    "cnn1d": "1-D CNN",
}

USUAL = "other_backbone"
"""A column that is empty where the backbone is the usual one, which goes without saying."""

PREFIXES = {"backbone_params": "backbone ", "dataset_settings": "dataset "}
"""Before the entries of columns whose own would be mistaken for others."""


def details(
    cells: pd.DataFrame, name: str, columns: Sequence[str], within: Sequence[str] = ()
) -> pd.Series[str]:
    """Per cell, the entries that differ among the cells of its name (within a setting), as text; empty for none.

    Parameters
    ----------
    cells : DataFrame
    name : str
        The column of names.
    columns : sequence of str
        What may tell them apart: plain columns, and those that hold JSON (``*_params``,
        ``*_settings``), entry by entry.
    within : sequence of str
        Only what differs among cells that share these columns counts.

    Returns
    -------
    details : Series of str
    """
    found = pd.Series("", index=cells.index, dtype=object)
    columns = list(columns)
    kinds = cells[columns].drop_duplicates().reset_index(drop=True)
    if len(kinds) < 2:
        return found
    kinds["id"] = range(len(kinds))
    ids = cells[columns].merge(kinds, on=columns, how="left")["id"].to_numpy()
    groups = pd.DataFrame({axis: cells[axis].to_numpy() for axis in (name, *within)}).assign(id=ids)
    together: dict[str, set[tuple[int, ...]]] = {}
    for key, group in groups.drop_duplicates().groupby([name, *within])["id"]:
        if len(group) > 1:
            together.setdefault(key[0], set()).add(tuple(sorted(group)))
    for ambiguous, sets in together.items():
        mine = (cells[name] == ambiguous).to_numpy(bool)
        entries = {i: _entries(kinds.loc[i, columns]) for i in set(ids[mine])}
        differing = sorted({key for group in sets for key in _differing([entries[i] for i in group])})
        text = {i: _named(entry, differing) for i, entry in entries.items()}
        found[mine] = [text[i] for i in ids[mine]]
    return found


def _entries(values: pd.Series[Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for column, value in values.items():
        if str(column).endswith(("_params", "_settings")):
            flat |= _flat(json.loads(value or "{}"), PREFIXES.get(str(column), ""))
        else:
            flat[str(column)] = value
    return flat


def _flat(entries: dict[str, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in entries.items():
        flat |= _flat(value, f"{prefix}{key} ") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _differing(entries: list[dict[str, Any]]) -> set[str]:
    keys = {key for entry in entries for key in entry}
    return {key for key in keys if len({json.dumps(entry.get(key)) for entry in entries}) > 1}


def _named(entry: dict[str, Any], keys: Sequence[str]) -> str:
    return ", ".join(text for key in keys if (text := _one(key, entry.get(key))))


def _one(key: str, value: Any) -> str:
    if value is None or value != value:
        # an entry of how a table was prepared is there only where it is not the default
        return (
            ""
            if key == USUAL or key.startswith(PREFIXES["dataset_settings"])
            else f"no {key.replace('_', ' ')}"
        )
    if key == USUAL:
        return f"backbone {BACKBONES.get(value, value)}"
    if key == "dataset_sha256":
        return f"sha256 {str(value)[:8]}"
    if key == "settings":
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = " and ".join(value)
    shown = f"{value:g}" if isinstance(value, float) else f"{value}"
    return f"{key.removeprefix(PREFIXES['dataset_settings']).replace('_', ' ')} {shown}"
