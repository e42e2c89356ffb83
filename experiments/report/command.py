"""``python -m experiments.report campaign=NAME``: everything that a paper shows, from the stored cells alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from experiments.base import command
from experiments.base.command import Option
from experiments.base.errors import plain_name
from experiments.report import document
from experiments.report.album import Album
from experiments.report.document import Folded, Grid, Picture, Section
from experiments.report.ranking import MEASURES, pairs_table, rank_table, ranking
from experiments.report.render import Table, number_text
from experiments.report.results import Results, results
from experiments.report.tables import (
    campaign_tables,
    describe,
    groups,
    last_line,
    model_seconds,
    overview,
    setting_tables,
)
from experiments.report.verdicts import RULE, contrast, verdicts
from experiments.store import archive
from experiments.store.files import write_atomically, writing

HELP = """Rebuild a campaign's tables, figures and report from its cells.

Usage
  python -m experiments.report campaign=NAME [results_dir=results] [figures=true]

Reads   results_dir/NAME/cells/ and, for cells that are not there, results_dir/NAME/cells.parquet
Writes  results_dir/NAME/cells.parquet  all cells, one row each
        results_dir/NAME/tables/        csv, md and tex of every table; rebuilt wholly, as is figures/
        results_dir/NAME/figures/       png and pdf
        results_dir/NAME/report.md, report.html

Examples
  python -m experiments.report campaign=first
  python -m experiments.report campaign=runs results_dir=/data/results figures=false
"""
INLINE = ("imp_mean", "imp_median", "swd", "rho_bar", "recovery", "auroc", "average_precision", "variants")
"""Tables shown in report.md itself; the others are linked."""

MOST_FAILURES = 100


@dataclass(frozen=True)
class Options:
    campaign: Annotated[str, Option("folder under results_dir; the default is that of experiments.run")] = (
        "runs"
    )
    results_dir: Annotated[Path, Option("where campaigns are kept")] = Path("results")
    figures: Annotated[bool, Option("false leaves the figures out")] = True


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report that the command line asks for; the exit codes are those of `command.run`."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if command.asks_for_help(arguments):
        print(command.described(HELP, Options), end="")
        return command.DONE
    return command.run(lambda: _main(parse(arguments)))


def _main(options: Options) -> None:
    for path in write_report(options.results_dir / options.campaign, figures=options.figures):
        print(path)


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line.

    Raises
    ------
    WrongCall
        For an unknown key (near names shown) or a value that does not fit.
    """
    options = command.parse(arguments, Options)
    plain_name("campaign", options.campaign)
    return options


def write_report(folder: Path, *, figures: bool = True) -> list[Path]:
    """Rebuild everything of a campaign.

    Parameters
    ----------
    folder : Path
        The campaign's folder.
    figures : bool

    Returns
    -------
    paths : list of Path
        report.html, report.md, cells.parquet and the two folders.

    Raises
    ------
    NoCells, ArchiveUnreadable
        If there is nothing to report on.
    StoreError
        If the report cannot be written.
    """
    cells = archive.load(folder)
    with writing(folder):
        return _written(folder, cells, figures)


def _written(folder: Path, cells: pd.DataFrame, figures: bool) -> list[Path]:
    parquet = archive.save(cells, folder)
    everything, fewer_rows = results(cells).by_size()
    if damaged := archive.unreadable(folder, cells):
        note = f"{damaged} damaged files in cells/ were left out; the run that wrote them computes them anew"
        everything = replace(everything, notes=(*everything.notes, note))
    with threadpool_limits(1), tqdm(desc="report", unit="figure", disable=None, leave=False) as bar:
        album = Album(folder, cells, everything, drawn=bar.update, enabled=figures)
        title, sections = compose(folder.name, cells, everything, fewer_rows, album)
    tables = folder / "tables"
    _keep_only(tables, document.write_tables(sections, tables), (".csv", ".md", ".tex"))
    if figures:
        _keep_only(album.folder, album.paths, (".png", ".pdf"))
    page, text = folder / "report.html", folder / "report.md"
    write_atomically(page, document.html(title, sections, album.folder).encode())
    write_atomically(text, document.markdown(title, sections).encode())
    return [page, text, parquet, tables, *([album.folder] if figures else [])]


def compose(
    name: str, cells: pd.DataFrame, everything: Results, fewer_rows: Results, album: Album
) -> tuple[str, list[Section]]:
    """Title and sections of the report."""
    sections = [_summary(cells, everything), _against_the_paper(everything)]
    tables = {table.name: table for table in campaign_tables(everything)}
    for noise, sigma, protocol in sorted(groups(everything), key=lambda g: (g[2] != "paper", g[1], g[0])):
        part = everything.where(noise=noise, sigma=sigma, protocol=protocol)
        sections.append(_group(part, noise, sigma, protocol, tables, album))
    sections += album.overall_sections()
    seconds = model_seconds(everything)
    sections += [Section("Run times of the models", [seconds] if seconds.rows else [])]
    sections += [
        _lowest(everything),
        _with_fewer_rows(fewer_rows),
        _unfinished(cells),
        _provenance(cells, everything),
    ]
    return f"Campaign {name}", [section for section in sections if section.parts]


def _summary(cells: pd.DataFrame, everything: Results) -> Section:
    states = cells["status"].value_counts()
    denoise = everything.denoise
    counted = ", ".join(
        f"{states[state]:,} {state}" for state in ("ok", "skipped", "failed", "timeout") if state in states
    )
    regressors = sorted(set(everything.score["regressor"].dropna()))
    sigmas = ", ".join(f"{sigma:g}" for sigma in sorted(denoise["sigma"].unique()))
    hours = cells["cell_s"].sum() / 3600
    text = (
        f"{len(cells):,} cells ({counted}): {denoise['dataset'].nunique()} datasets "
        f"({', '.join(sorted(denoise['dataset'].unique()))}), {denoise['method'].nunique()} methods, "
        f"{len(regressors)} regressors ({', '.join(regressors)}), sigma {sigmas}, "
        f"{int(denoise['repetition'].nunique())} repetitions at most; {hours:.2f} hours of computing. "
        "Identity and constant are controls: what doing nothing, and erasing everything, would score."
    )
    return Section("Summary", [text, overview(everything), *contrast(everything), *everything.notes])


def _against_the_paper(everything: Results) -> Section:
    rows = []
    for v in verdicts(everything):
        difference = "" if v.difference != v.difference else f"{v.difference:+.2f}"
        ours = "–" if v.ours != v.ours else number_text(v.ours, 2)
        rows.append([v.what, v.published, ours, difference, v.verdict, v.reason])
    grid = Grid(
        "paper_versus_ours",
        RULE,
        ["figure", "published", "ours", "difference", "verdict", "reason"],
        rows,
    )
    return Section("Paper versus ours", [grid])


def _group(
    part: Results, noise: str, sigma: float, protocol: str, tables: dict[str, Table], album: Album
) -> Section:
    """What one noise, sigma and protocol gave."""
    found = [
        ranking(part, measure)
        for measure in MEASURES
        if measure.metric == "imp" or measure.metric in part.denoise
    ]
    found = [r for r in found if len(r.block) or r.measure.metric in ("imp", "swd", "rho_bar")]
    suffix = album.suffix(noise, sigma, protocol)
    mine = [table for name, table in tables.items() if suffix in name and _belongs(name, suffix)]
    inline = [table for prefix in INLINE for table in mine if table.name == prefix + suffix]
    others = [
        table for table in mine if table not in inline and not table.name.startswith(("run_", "errors_"))
    ]
    per_dataset = [table for table in mine if table.name.startswith(("run_", "errors_"))]
    pairs = [table for r in found if (table := pairs_table(r, noise, sigma, protocol))]
    parts: list[str | Table | Grid | Picture | Folded] = [rank_table(found, noise, sigma, protocol)]
    parts += album.ranks([r for r in found if r.friedman], noise, sigma, protocol)
    parts += inline
    parts += album.trade_off(part, noise, sigma, protocol)
    for title, folded in (("By dataset", per_dataset), ("More metrics", others), ("Pairs of methods", pairs)):
        if folded:
            parts.append(Folded(title, folded))
    heading = describe(noise, sigma, protocol)
    return Section(f"Protocol {protocol}: {heading.rpartition(', protocol')[0]}", parts)


def _belongs(name: str, suffix: str) -> bool:
    """Whether the name is a stem with the suffix, then nothing or a dataset (not a longer sigma)."""
    rest = name.partition(suffix)[2]
    return not rest or rest.startswith("_")


def _lowest(everything: Results) -> Section:
    """Each method's lowest Imp%, with the errors behind it."""
    score = everything.score[everything.score["headline"] & everything.score["imp"].notna()]
    score = score[~score["control"]]
    if score.empty:
        return Section("The lowest Imp%", [])
    score = score.loc[score.groupby(["protocol", "method"])["imp"].idxmin()]
    rows = [
        [
            cell.method,
            cell.protocol,
            f"{cell.imp:,.1f}",
            f"{cell.mse_before:.3g}",
            f"{cell.mse:.3g}",
            cell.dataset,
            f"{cell.sigma:g}",
            cell.regressor,
        ]
        for cell in score.sort_values(["protocol", "imp"]).itertuples()
    ]
    caption = (
        "Imp% is relative to the error without denoising. Where that is small, as for a series whose next value is "
        "nearly its last, an error that is still small on the scale of the data gives an Imp% of minus thousands, "
        "which then rules a mean over datasets: read the median, or the ranks. Both MSE are on the target "
        "standardised as the protocol says: 1 is the error of its mean."
    )
    header = ["method", "protocol", "Imp %", "MSE before", "MSE after", "dataset", "sigma", "regressor"]
    return Section("The lowest Imp%", [Grid("lowest_imp", caption, header, rows)])


def _with_fewer_rows(part: Results) -> Section:
    tables = setting_tables(part)
    what = "The same datasets with fewer rows: in none of the means, ranks, figures and verdicts above."
    return Section("With fewer rows", [what, *tables] if tables else [])


def _unfinished(cells: pd.DataFrame) -> Section:
    bad = cells[cells["status"] != "ok"]
    if bad.empty:
        return Section("Cells that failed or were skipped", ["None."])
    bad = bad.assign(
        why=[last_line(reason) for reason in bad["reason"]], regressor=bad["regressor"].fillna("–")
    )
    grouped = bad.groupby(["status", "denoiser", "regressor", "why"], sort=True)
    rows = [
        [
            status,
            denoiser,
            regressor,
            f"{len(group)}",
            _listed(group["dataset"]),
            _listed(group["protocol"]),
            _listed(group["sigma"].map("{:g}".format)),
            why,
        ]
        for (status, denoiser, regressor, why), group in grouped
    ]
    caption = f"{len(bad):,} cells, those of one cause together."
    if len(rows) > MOST_FAILURES:
        caption += f" The first {MOST_FAILURES} of {len(rows)} causes; all are in cells.parquet."
    header = ["status", "denoiser", "regressor", "cells", "datasets", "protocols", "sigma", "reason"]
    return Section(
        "Cells that failed or were skipped", [Grid("unfinished", caption, header, rows[:MOST_FAILURES])]
    )


def _provenance(cells: pd.DataFrame, everything: Results) -> Section:
    versions: dict[str, set[str]] = {}
    for text in cells["versions"].dropna().unique():
        for name, version in json.loads(text).items():
            versions.setdefault(name, set()).add(version)
    caps: dict[str, set[str]] = {}
    for profile, text in cells[["profile", "caps"]].drop_duplicates().itertuples(index=False, name=None):
        for key, value in json.loads(text or "{}").items():
            caps.setdefault(f"{key} ({profile})", set()).add(str(value))
    sums = cells[["dataset", "dataset_sha256"]].drop_duplicates().dropna()
    rows = [
        ["commit", _listed(cells["commit"])],
        ["system", _listed(cells["system"])],
        ["cores, threads", f"{_listed(cells['cores'])}, {_listed(cells['threads'])}"],
        ["device", _listed(cells["device"])],
        ["Python", _listed(cells["python"])],
        ["versions", ", ".join(f"{name} {'/'.join(sorted(v))}" for name, v in sorted(versions.items()))],
        ["profiles", _listed(cells["profile"])],
        ["caps", ", ".join(f"{key} {'/'.join(sorted(v))}" for key, v in sorted(caps.items())) or "none"],
        [
            "seeds",
            "hashes of role, dataset, noise, repetition (and regressor); repetitions "
            + _listed(everything.denoise["repetition"].map("{:.0f}".format)),
        ],
        ["started", f"{cells['started'].min()} to {cells['started'].max()}"],
        ["hours of computing", f"{cells['cell_s'].sum() / 3600:.2f}"],
        *(
            [f"sha256 of {name}", sha]
            for name, sha in sums.sort_values("dataset").itertuples(index=False, name=None)
        ),
    ]
    return Section(
        "Provenance",
        [Grid("provenance", "What the cells say about where they come from.", ["what", "value"], rows)],
    )


def _listed(values: pd.Series) -> str:
    texts = {f"{v:g}" if isinstance(v, float) else str(v) for v in values.dropna()}
    return ", ".join(sorted(texts)) or "not recorded"


def _keep_only(folder: Path, kept: Sequence[Path], suffixes: tuple[str, ...]) -> None:
    """Remove what an earlier report left in a folder that is rebuilt wholly."""
    for path in folder.glob("*"):
        if path.suffix in suffixes and path not in kept:
            path.unlink()
