"""What the rules of DenoGrad record, epoch by epoch."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from experiments.report.analysis.results import Results
from experiments.report.figures import convergence as drawing
from experiments.report.figures.album import Album
from experiments.report.forms.document import Picture, Section
from experiments.report.forms.table import slug

QUANTITIES = {"residual": "residual", "displacement": "displacement", "moved": "share of moved samples"}
MOST = 60
"""Cells per method and protocol that are drawn."""


def convergence(everything: Results, album: Album) -> Section:
    pictures: list[Picture] = []
    some = everything.cells[(everything.cells["stage"] == "denoise") & (everything.cells["status"] == "ok")]
    some = some[some["info"].str.contains('"history"', regex=False).astype(bool)]
    for protocol, mine in some.groupby("protocol"):
        runs = [
            drawing.Runs(
                method.title, method.colour, method.marker, _histories(mine[mine["denoiser"] == name])
            )
            for name, method in everything.methods.items()
            if (mine["denoiser"] == name).any()
        ]
        runs = [run for run in runs if run.values]
        titles = {key: title for key, title in QUANTITIES.items() if any(key in run.values for run in runs)}
        if titles:
            caption = (
                "Per epoch: mean residual, mean displacement, share of samples that moved; a thin line per cell "
                f"({MOST} at most, evenly chosen), their median bold; protocol {protocol}."
            )
            pictures += album.add(slug("convergence", str(protocol)), caption, drawing.draw, runs, titles)
    return Section("Convergence of DenoGrad", [*pictures])


def _histories(cells: pd.DataFrame) -> dict[str, list[list[float]]]:
    """By quantity, one list a cell."""
    found: dict[str, list[list[float]]] = {}
    for i in np.unique(np.linspace(0, len(cells) - 1, min(MOST, len(cells))).astype(int)):
        epochs: list[dict[str, Any]] = json.loads(cells["info"].iloc[i])["history"]
        for quantity in QUANTITIES:
            values = [float(epoch[quantity]) for epoch in epochs if epoch.get(quantity) is not None]
            if len(values) > 1:  # a closed form has no way to show
                found.setdefault(quantity, []).append(values)
    return found
