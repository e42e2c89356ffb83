"""The paper's figures compared with ours."""

from __future__ import annotations

from experiments.report.analysis.results import Results
from experiments.report.analysis.verdicts import VERDICTS, Verdict, verdicts
from experiments.report.figures.album import Album
from experiments.report.forms.document import Section
from experiments.report.forms.table import Grid, number_text

HEADER = [
    *("figure", "published", "ours", "verdict", "difference", "largest part of the mean", "settings"),
    "why",
]


def paper_versus_ours(everything: Results, album: Album) -> Section:
    judged = verdicts(everything)
    comparable = [v for v in judged if v.ours is not None]
    title = "Paper versus ours"
    without = _not_comparable([v for v in judged if v.ours is None])
    if not comparable:
        return Section(title, ["None of the paper's figures is about what this campaign holds."])
    grid = Grid(
        "paper_versus_ours",
        "Everything under the protocol paper; ± is the standard deviation over seeds. Imp% is a mean over the "
        f"{_group(everything)}.",
        HEADER,
        [_row(v) for v in comparable],
        notes=(*(f"{name}: {rule}." for name, rule in VERDICTS.items()), *without),
    )
    return Section(title, [grid])


def in_short(everything: Results) -> Grid:
    """What can be compared, verdict and settings, without the reasons: for a README."""
    kept = [HEADER.index(name) for name in ("figure", "published", "ours", "verdict", "settings")]
    rows = [_row(v) for v in verdicts(everything) if v.ours is not None]
    caption = (
        "± is the standard deviation over seeds. The report has the rules of the verdicts and their reasons."
    )
    header, *short = ([row[i] for i in kept] for row in (HEADER, *rows))
    return Grid("paper_versus_ours_in_short", caption, header, short)


def _group(everything: Results) -> str:
    """The regressors under the paper's protocol."""
    return everything.where(protocol="paper").group() or "published regressors"


def _row(v: Verdict) -> list[str]:
    assert v.ours is not None
    ours = number_text(v.ours.value, 2)
    if v.ours.spread == v.ours.spread:
        ours += f" ± {number_text(v.ours.spread, 2)}"
    if n := len(v.ours.by_seed):
        ours += f" ({n} seed{'s' * (n != 1)})"
    return [
        v.what,
        v.published,
        ours,
        v.verdict,
        f"{v.difference:+.2f}",
        v.ours.largest or "–",
        v.settings or "–",
        v.reason,
    ]


def _not_comparable(judged: list[Verdict]) -> list[str]:
    """One line a reason."""
    return [
        f"Not comparable ({reason}): {'; '.join(v.what for v in judged if v.reason == reason)}."
        for reason in dict.fromkeys(v.reason for v in judged)
    ]
