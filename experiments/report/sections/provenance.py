"""Where the cells come from."""

from __future__ import annotations

import json

from experiments.report.analysis.results import Results
from experiments.report.figures.album import Album
from experiments.report.forms.document import Section
from experiments.report.forms.table import Grid, listed


def provenance(everything: Results, album: Album) -> Section:
    cells = everything.cells
    versions: dict[str, set[str]] = {}
    for text in cells["versions"].dropna().unique():
        for name, version in json.loads(text).items():
            versions.setdefault(name, set()).add(version)
    caps: dict[str, set[str]] = {}
    for profile, text in cells[["profile", "caps"]].drop_duplicates().itertuples(index=False, name=None):
        for key, value in json.loads(text or "{}").items():
            caps.setdefault(f"{key} ({profile})", set()).add(str(value))
    sums = cells[["dataset", "dataset_sha256"]].drop_duplicates().dropna().sort_values("dataset")
    seeds = "hashes of role, dataset, noise, repetition (and regressor); repetitions "
    rows = [
        ["commit", listed(cells["commit"])],
        ["system", listed(cells["system"])],
        ["cores, threads", f"{listed(cells['cores'])}, {listed(cells['threads'])}"],
        ["device", listed(cells["device"])],
        ["Python", listed(cells["python"])],
        ["versions", ", ".join(f"{name} {'/'.join(sorted(v))}" for name, v in sorted(versions.items()))],
        ["profiles", listed(cells["profile"])],
        ["caps", ", ".join(f"{key} {'/'.join(sorted(v))}" for key, v in sorted(caps.items())) or "none"],
        ["seeds", seeds + listed(everything.denoise["repetition"].map("{:.0f}".format))],
        ["started", f"{cells['started'].min()} to {cells['started'].max()}"],
        ["hours of computing", f"{cells['cell_s'].sum() / 3600:.2f}"],
        *([f"sha256 of {name}", sha] for name, sha in sums.itertuples(index=False, name=None)),
    ]
    caption = "What the cells say about where they come from."
    return Section("Provenance", [Grid("provenance", caption, ["what", "value"], rows)])
