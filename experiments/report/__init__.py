"""From stored cells to tables, figures and a report; what others take from here."""

from experiments.report.forms import plain, terminal
from experiments.report.forms.table import Table, slug
from experiments.report.methods import Row, methods_of
from experiments.report.results import Results, results
from experiments.report.tables import error_tables, run_tables

__all__ = [
    "Results",
    "Row",
    "Table",
    "error_tables",
    "methods_of",
    "plain",
    "results",
    "run_tables",
    "slug",
    "terminal",
]
