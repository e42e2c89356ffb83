"""From cells to one tidy frame: who was compared with whom, on what, and by how much an error fell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

NAMES = {
    "denograd_fixed": "DenoGrad",
    "dae": "DAE",
    "dn_resnet": "DN-ResNet",
    "pca": "PCA",
    "wavelet": "Wavelet",
    "emd": "EMD",
    "kalman": "Kalman",
    "moving_average": "Moving average",
    "denograd_gauss_newton": "DenoGrad Gauss-Newton",
    "denograd_global": "DenoGrad global",
    "denograd_map": "DenoGrad MAP",
    "denograd_map_est": "DenoGrad MAP, level estimated",
    "denograd_map_forecast": "DenoGrad MAP, forecasting",
    "denograd_map_backbone": "DenoGrad MAP, any backbone",
    "autoencoder": "Autoencoder (tutorial)",
    "agra": "AGRA",
}
"""Denoisers and their printed names, in the order in which tables list them."""

PUBLISHED = tuple(NAMES)[:8]
"""The methods that the paper ranks."""

CONTROLS = {
    "identity": "Identity",
    "constant": "Constant",
    "residual": "Residual (detector)",
    "isolation_forest": "Isolation forest (detector)",
}
"""What doing nothing, and erasing everything, would score, and detectors, which change nothing: never ranked."""

AGRA = "agra_"
"""Regressors of this prefix are trained by AGRA, which is a method like a denoiser: it leaves samples out."""

SETTING = ["dataset", "noise", "sigma", "protocol"]
"""What two methods must share to be compared."""


@dataclass(frozen=True)
class Results:
    """Labelled cells, ready to be compared.

    Attributes
    ----------
    denoise : DataFrame
        One row per setting (`SETTING`), repetition and ``method``; ``control`` and ``meaningless`` are masks.
    score : DataFrame
        One row per setting, repetition, ``method``, ``regressor`` and ``variant``, with ``imp`` and with
        ``headline``: whether this variant of the test features is the one a method is judged by.
    notes : tuple of str
        What was left out on the way here.
    """

    denoise: pd.DataFrame
    score: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def settings(self) -> list[tuple[str, str, float, str]]:
        """The distinct (dataset, noise, sigma, protocol), sorted."""
        return sorted(self.denoise[SETTING].drop_duplicates().itertuples(index=False, name=None))

    def by_size(self) -> tuple[Results, Results]:
        """The part with the most rows of each dataset, and the rest, which would count a dataset twice."""
        return self.where(fewer_rows=False), self.where(fewer_rows=True)

    def where(self, **axes: Any) -> Results:
        """The part in which every given axis has the given value."""
        parts = []
        for table in (self.denoise, self.score):
            keep = np.ones(len(table), bool)
            for axis, value in axes.items():
                keep &= (table[axis] == value).to_numpy(bool)
            parts.append(table[keep])
        return Results(parts[0], parts[1], self.notes)


def results(cells: pd.DataFrame) -> Results:
    """Label datasets, noises, methods and regressors, drop doubles, and compute the improvements.

    ``agra_NAME`` on the rows of `identity` becomes the method "AGRA" with the regressor NAME, and on the rows of
    another method "that method + AGRA": so it is compared with plain NAME.

    A label is the plain name, followed by what tells it apart where the cells hold several of that name: a
    hyper-parameter of a swept method, the number of rows of a dataset that is there with more rows as well.

    ``imp`` compares with `identity` on the same setting, repetition and regressor: with its ``denoised`` variant under
    the ``paper`` protocol, with its ``noisy`` one (noisy train, noisy test) under ``deployable``. It is NaN where
    identity has no finished cell. The headline of a method is its ``denoised`` variant, or, if it has none,
    the ``noisy`` one.

    Parameters
    ----------
    cells : DataFrame
        Of `frame`.

    Returns
    -------
    results : Results
    """
    cells = cells.copy()
    cells["dataset_name"], cells["noise_name"] = cells["dataset"], cells["noise"]
    cells["fewer_rows"] = cells["rows"] < cells.groupby("dataset")["rows"].transform("max")
    cells["dataset"] = _labels(cells, "dataset", ["window", "target", "dataset_sha256"])
    fewer = cells["fewer_rows"]
    cells.loc[fewer, "dataset"] += cells.loc[fewer, "rows"].map(" ({:,.0f} rows)".format)
    cells["noise"] = _labels(cells, "noise", ["noise_params"], within=["sigma"])
    cells["regressor"] = _labels(cells, "regressor", ["regressor_params"], within=["dataset", "protocol"])
    method = _labels(
        cells, "denoiser", ["settings", "denoiser_params", "backbone", "backbone_params"], within=SETTING
    )
    names = NAMES | CONTROLS
    printed = cells["denoiser"].map(names).fillna(cells["denoiser"])
    cells["method"] = [
        shown + label[len(name) :]
        for shown, label, name in zip(printed, method, cells["denoiser"], strict=True)
    ]
    cells = _agra_as_method(cells)
    cells["control"] = cells["denoiser"].isin(CONTROLS)
    cells["meaningless"] = cells["info"].str.contains('"meaningless"', regex=False).astype(bool)

    notes = []
    axes = [*SETTING, "repetition", "method", "regressor", "variant", "stage"]
    cells = cells.sort_values(["started", "key"], na_position="first", kind="stable")
    doubled = cells.duplicated(axes, keep="last")
    if doubled.any():
        notes.append(
            f"{int(doubled.sum())} cells were computed again with other versions of the components; the latest count"
        )
        cells = cells[~doubled]
    cells = cells.sort_values(axes, kind="stable").reset_index(drop=True)
    cells = cells.drop(columns=["info", "more", "schema", "versions", "dataset_sha256", "python", "commit"])
    for name in ("mse", "mae", "r2", "swd", "rho_bar", "fit_s", "denoise_s", "peak_mb"):
        if name not in cells:
            cells[name] = np.nan
    denoise = cells[cells["stage"] == "denoise"].reset_index(drop=True)
    return Results(denoise, _improve(cells[cells["stage"] == "score"].reset_index(drop=True)), tuple(notes))


def _agra_as_method(cells: pd.DataFrame) -> pd.DataFrame:
    if cells.empty:
        return cells
    by_agra = cells["regressor"].str.startswith(AGRA, na=False)
    alone = by_agra & (cells["denoiser"] == "identity")
    cells["regressor"] = cells["regressor"].where(~by_agra, cells["regressor"].str.removeprefix(AGRA))
    cells["method"] = cells["method"].where(~by_agra, cells["method"] + " + " + NAMES["agra"])
    cells["method"] = cells["method"].where(~alone, NAMES["agra"])
    cells["denoiser"] = cells["denoiser"].where(~alone, "agra")
    return cells


def _improve(score: pd.DataFrame) -> pd.DataFrame:
    on = [*SETTING, "repetition", "regressor"]
    reference = np.where(score["protocol"] == "paper", "denoised", "noisy")
    is_before = (
        (score["denoiser"] == "identity") & (score["variant"] == reference) & (score["status"] == "ok")
    )
    before = score.loc[is_before, [*on, "mse"]].drop_duplicates(on).rename(columns={"mse": "mse_before"})
    score = score.merge(before, on=on, how="left")
    positive = score["mse_before"].where(score["mse_before"] > 0)
    score["imp"] = 100 * (positive - score["mse"]) / positive
    has_denoised = (
        (score["variant"] == "denoised").groupby([score[a] for a in (*SETTING, "method")]).transform("max")
    )
    score["headline"] = score["variant"] == np.where(has_denoised, "denoised", "noisy")
    return score


def _labels(cells: pd.DataFrame, name: str, details: list[str], within: Sequence[str] = ()) -> pd.Series[Any]:
    """The name, and in parentheses the details that differ among the cells of that name (within a setting)."""
    labels = cells[name].astype(object)
    kinds = cells[details].drop_duplicates().reset_index(drop=True)
    kinds["id"] = range(len(kinds))
    ids = cells[details].merge(kinds, on=details, how="left")["id"].to_numpy()
    groups = pd.DataFrame(
        {"name": cells[name].to_numpy(), **{axis: cells[axis].to_numpy() for axis in within}}
    )
    groups["id"] = ids
    together: dict[str, set[tuple[int, ...]]] = {}
    for key, group in groups.drop_duplicates().groupby(["name", *within])["id"]:
        if len(group) > 1:
            together.setdefault(key[0], set()).add(tuple(sorted(group)))
    for ambiguous, sets in together.items():
        mine = (cells[name] == ambiguous).to_numpy(bool)
        entries = {i: _entries(kinds.loc[i, details]) for i in set(ids[mine])}
        differing = sorted({key for group in sets for key in _differing([entries[i] for i in group])})
        suffix = {
            i: ", ".join(_named(key, entry.get(key)) for key in differing) for i, entry in entries.items()
        }
        if differing:  # an entry that is None and one that is not there are the same
            labels[mine] = [f"{ambiguous} ({suffix[i]})" for i in ids[mine]]
    return labels


def _entries(details: pd.Series[Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for column, value in details.items():
        if str(column).endswith("_params"):
            prefix = "backbone " if column == "backbone_params" else ""
            flat |= {prefix + key: entry for key, entry in json.loads(value or "{}").items()}
        else:
            flat[str(column)] = value
    return flat


def _differing(entries: list[dict[str, Any]]) -> set[str]:
    keys = {key for entry in entries for key in entry}
    return {key for key in keys if len({json.dumps(entry.get(key)) for entry in entries}) > 1}


def _named(key: str, value: Any) -> str:
    if value is None or value != value:
        return f"no {key}"
    if key == "rows":
        return f"{int(value):,} rows"
    if key == "dataset_sha256":
        return f"sha256 {str(value)[:8]}"
    if key == "settings":
        return str(value)
    return (
        f"{key.replace('_', ' ')} {value:g}"
        if isinstance(value, float)
        else f"{key.replace('_', ' ')} {value}"
    )
