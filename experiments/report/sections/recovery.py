"""How much of the injected error was removed, against the level of the noise."""

from __future__ import annotations

from experiments.report.analysis.measures import RECOVERY
from experiments.report.analysis.results import Results
from experiments.report.figures import recovery as drawing
from experiments.report.figures.album import Album
from experiments.report.forms.document import Picture, Section
from experiments.report.forms.table import slug


def recovery(everything: Results, album: Album) -> Section:
    denoise = everything.denoise
    fine = denoise[
        (denoise["status"] == "ok") & denoise[RECOVERY.name].notna() & (denoise["denoiser"] != "identity")
    ]
    pictures: list[Picture] = []
    for (noise, protocol), mine in fine.groupby(["noise", "protocol"]):
        mean = mine.groupby(["dataset", "row", "sigma"])[RECOVERY.name].mean()
        datasets = {}
        for dataset, curves in mean.groupby("dataset"):
            datasets[str(dataset)] = [
                drawing.Curve(
                    str(everything.rows[row]),
                    everything.rows[row].method.colour,
                    everything.rows[row].method.marker,
                    [float(sigma) for sigma in curve.index.get_level_values("sigma")],
                    [float(value) for value in curve],
                )
                for row, curve in curves.groupby("row")
            ]
        levels = mine["sigma"].nunique()
        guide = (
            ""
            if levels > 2
            else " A dotted line joins two levels, and says nothing of what lies between." * (levels == 2)
        )
        caption = (
            "Share of the injected squared error that was removed, against sigma; a triangle at the lower edge lies "
            f"below it; {noise} noise, protocol {protocol}.{guide}"
        )
        pictures += album.add(slug("recovery", protocol, noise), caption, drawing.draw, datasets)
    return Section("Recovery against sigma", [*pictures])
