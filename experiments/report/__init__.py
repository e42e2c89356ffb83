"""From stored cells to tables, figures and a report; what others take from here.

The names are imported at their first use: a command says its first line before pandas is there, and the processes
that draw do not need it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.report.analysis.labelling import results_of
    from experiments.report.analysis.methods import Row, methods_of
    from experiments.report.analysis.results import Results
    from experiments.report.analysis.tables import error_tables, run_tables
    from experiments.report.forms import plain, terminal
    from experiments.report.forms.table import Table, slug

__all__ = [
    "Results",
    "Row",
    "Table",
    "error_tables",
    "methods_of",
    "plain",
    "results_of",
    "run_tables",
    "slug",
    "terminal",
]

_FROM = {
    "Results": "analysis.results",
    "results_of": "analysis.labelling",
    "Row": "analysis.methods",
    "methods_of": "analysis.methods",
    "Table": "forms.table",
    "slug": "forms.table",
    "error_tables": "analysis.tables",
    "run_tables": "analysis.tables",
}


def __getattr__(name: str) -> Any:
    if name in ("plain", "terminal"):
        return import_module(f"experiments.report.forms.{name}")
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"experiments.report.{_FROM[name]}"), name)
