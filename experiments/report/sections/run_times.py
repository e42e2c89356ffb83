"""How long regressors and backbones take to fit."""

from __future__ import annotations

import pandas as pd

from experiments.report.analysis.results import Results
from experiments.report.figures.album import Album
from experiments.report.forms.document import Section
from experiments.report.forms.table import Column, Table


def run_times(everything: Results, album: Album) -> Section:
    table = model_seconds(everything)
    return Section("Run times of the models", [table] if table.rows else [])


def model_seconds(everything: Results) -> Table:
    """Seconds to fit each regressor, and to train each backbone, by dataset: mean over all that was fitted."""
    score, denoise = everything.score, everything.denoise
    trained = denoise[denoise["backbone"].notna()]
    fits = [
        score.assign(backbone=False, model=score["regressor"], seconds=score["fit_s"]),
        trained.assign(model=trained["backbone"], seconds=trained["backbone_s"], backbone=True),
    ]
    kept = ["dataset", "backbone", "model", "seconds"]
    cells = pd.concat([part.loc[part["status"] == "ok", kept] for part in fits])
    value = cells.groupby(["backbone", "model", "dataset"])["seconds"].mean().unstack()
    value.index = pd.Index(
        [f"backbone {model}" if is_backbone else model for is_backbone, model in value.index]
    )
    return Table(
        name="seconds_models",
        caption="Seconds to fit a regressor, or to train the backbone that drives DenoGrad (once for all denoisers "
        "that share it); mean over methods, noises, protocols and repetitions",
        columns=[Column(str(dataset), "", 2) for dataset in value.columns],
        value=value,
        corner="model",
    )
