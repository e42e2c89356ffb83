"""Imp% against hyper-parameters that a study swept."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from experiments.report.analysis.results import Results
from experiments.report.figures import sensitivity as drawing
from experiments.report.figures.album import Album
from experiments.report.forms.document import Picture, Section
from experiments.report.forms.table import slug


def sensitivity(everything: Results, album: Album) -> Section:
    pictures: list[Picture] = []
    for name, parameters in swept(everything).items():
        for protocol, score in everything.headline.groupby("protocol"):
            panels = _runs(score[score["denoiser"] == name], parameters)
            if panels:
                caption = (
                    f"{everything.methods[name].title}: Imp% against {', '.join(panels)}; a dot per setting, the line "
                    f"their mean per value, where there are more than two values; protocol {protocol}."
                )
                stem = slug("sensitivity", name, str(protocol))
                pictures += album.add(stem, caption, drawing.draw, panels)
    return Section("Sensitivity to hyper-parameters", [*pictures])


def swept(everything: Results) -> dict[str, list[str]]:
    """Denoisers and their numeric hyper-parameters that take several values on the same setting."""
    found: dict[str, list[str]] = {}
    denoise = everything.cells[everything.cells["stage"] == "denoise"]
    for name, mine in denoise.groupby("denoiser"):
        if not everything.methods[str(name)].ranked:
            continue
        texts = mine.groupby(["dataset", "rows", "noise", "sigma", "protocol"])["denoiser_params"].unique()
        several = [[json.loads(text or "{}") for text in group] for group in texts if len(group) > 1]
        names = {key for group in several for entry in group for key in entry}

        def varies(parameter: str, several: list[list[dict[str, Any]]] = several) -> bool:
            return any(
                len({entry[parameter] for entry in group if _is_number(entry.get(parameter))}) > 1
                for group in several
            )

        if varying := [parameter for parameter in sorted(names) if varies(parameter)]:
            found[str(name)] = varying
    return found


def _runs(score: pd.DataFrame, parameters: list[str]) -> dict[str, dict[str, np.ndarray]]:
    """By parameter, then by dataset and noise: values and Imp%."""
    run = score.groupby(["dataset", "noise", "sigma", "denoiser_params"])["imp"].mean().reset_index()
    entries = [json.loads(text) for text in run["denoiser_params"]]
    panels: dict[str, dict[str, np.ndarray]] = {}
    for name in parameters:
        values = [float(entry[name]) if _is_number(entry.get(name)) else np.nan for entry in entries]
        for (dataset, noise, sigma), mine in (
            run.assign(value=values).dropna().groupby(["dataset", "noise", "sigma"])
        ):
            title = f"{dataset}, {noise} {sigma:g}"
            panels.setdefault(name, {})[title] = mine[["value", "imp"]].to_numpy(float)
    return panels


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
