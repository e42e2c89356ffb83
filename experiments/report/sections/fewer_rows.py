"""Datasets that are there with fewer rows as well."""

from __future__ import annotations

from experiments.report.analysis.results import Results
from experiments.report.analysis.tables import setting_table
from experiments.report.figures.album import Album
from experiments.report.forms.document import Section


def fewer_rows(everything: Results, album: Album) -> Section:
    part = everything.fewer
    tables = [setting_table(part.at(setting)) for setting in part.settings] if part is not None else []
    what = "The same datasets with fewer rows: in none of the means, ranks, figures and verdicts above."
    return Section("With fewer rows", [what, *tables] if tables else [])
