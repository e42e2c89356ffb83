"""Cells without a result, and why."""

from __future__ import annotations

from experiments.report.analysis.results import Results
from experiments.report.analysis.tables import last_line
from experiments.report.figures.album import Album
from experiments.report.forms.document import Section
from experiments.report.forms.table import Grid, listed

MOST_CAUSES = 100


def unfinished(everything: Results, album: Album) -> Section:
    cells = everything.cells
    bad = cells[cells["status"] != "ok"]
    title = "Cells that failed or were skipped"
    if bad.empty:
        return Section(title, ["None."])
    bad = bad.assign(
        why=[last_line(reason) for reason in bad["reason"]], regressor=bad["regressor"].fillna("–")
    )
    rows = [
        [
            status,
            regressor,
            f"{len(group)}",
            listed(group["denoiser"]),
            listed(group["dataset"]),
            listed(group["protocol"]),
            listed(group["sigma"].map("{:g}".format)),
            why,
        ]
        for (status, regressor, why), group in bad.groupby(["status", "regressor", "why"], sort=True)
    ]
    caption = f"{len(bad):,} cells, those of one cause together."
    if len(rows) > MOST_CAUSES:
        caption += f" The first {MOST_CAUSES} of {len(rows)} causes; all are in cells.parquet."
    header = ["status", "regressor", "cells", "denoisers", "datasets", "protocols", "sigma", "reason"]
    return Section(title, [Grid("unfinished", caption, header, rows[:MOST_CAUSES])])
