"""Test rows far outside of the train part, as the cells tell them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from experiments.report.analysis.results import Results


@dataclass(frozen=True)
class FarRows:
    """What one dataset has of them.

    Attributes
    ----------
    dataset : str
    rows : str
        How many, from the fewest to the most over repetitions.
    of : int
        Rows of the test part.
    column : str
        In which a value lies furthest out.
    distance : float
        By how many standard deviations of the train part.
    """

    dataset: str
    rows: str
    of: int
    column: str
    distance: float


def far_test_rows(everything: Results) -> list[FarRows]:
    """By dataset; a repetition counts once, whatever its noise, method and protocol."""
    cells = everything.cells
    told = cells[cells["info"].str.contains('"far_test_rows"', regex=False).fillna(False).astype(bool)]
    found = []
    for dataset, mine in told.drop_duplicates(["dataset", "rows", "repetition"]).groupby("dataset"):
        facts = [json.loads(text)["far_test_rows"] for text in mine["info"]]
        counts = sorted(int(one["rows"]) for one in facts)
        rows = f"{counts[0]:,}" if counts[0] == counts[-1] else f"{counts[0]:,} to {counts[-1]:,}"
        distance, column = max((away, name) for one in facts for name, away in one["furthest"].items())
        found.append(FarRows(str(dataset), rows, max(one["of"] for one in facts), column, float(distance)))
    return found
