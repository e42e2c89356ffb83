"""The paper's figures beside ours."""

from __future__ import annotations

from experiments.report.album import Album
from experiments.report.forms.document import Section
from experiments.report.forms.table import Grid, number_text
from experiments.report.results import Results
from experiments.report.verdicts import RULE, verdicts


def paper_versus_ours(everything: Results, album: Album) -> Section:
    rows = []
    for v in verdicts(everything):
        difference = "" if v.difference != v.difference else f"{v.difference:+.2f}"
        ours = "–" if v.ours != v.ours else number_text(v.ours, 2)
        rows.append([v.what, v.published, ours, difference, v.verdict, v.reason])
    header = ["figure", "published", "ours", "difference", "verdict", "reason"]
    return Section("Paper versus ours", [Grid("paper_versus_ours", RULE, header, rows)])
