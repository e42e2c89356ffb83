"""The headings of a report, one a file: ``(Results, Album) -> Section``, with its numbers, its table and its figure."""

from __future__ import annotations

from experiments.report.analysis.results import Results
from experiments.report.figures.album import Album
from experiments.report.forms.document import Section
from experiments.report.sections.convergence import convergence
from experiments.report.sections.data import data
from experiments.report.sections.fewer_rows import fewer_rows
from experiments.report.sections.glossary import glossary
from experiments.report.sections.lowest import lowest
from experiments.report.sections.paper_versus_ours import paper_versus_ours
from experiments.report.sections.protocol import protocol
from experiments.report.sections.provenance import provenance
from experiments.report.sections.recovery import recovery
from experiments.report.sections.run_times import run_times
from experiments.report.sections.sensitivity import sensitivity
from experiments.report.sections.summary import summary
from experiments.report.sections.unfinished import unfinished
from experiments.report.sections.what_decides import what_decides


def compose(everything: Results, album: Album) -> list[Section]:
    """The report, heading by heading; those that have nothing to say are left out."""
    before = (summary, paper_versus_ours, what_decides)
    sections = [section(everything, album) for section in before]
    sections += [protocol(everything.under(condition), album) for condition in everything.conditions]
    after = (
        *(recovery, convergence, sensitivity, data, run_times),
        *(lowest, fewer_rows, unfinished, glossary, provenance),
    )
    sections += [section(everything, album) for section in after]
    return [section for section in sections if section.parts]
