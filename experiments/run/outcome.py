"""The end of a run: its tables on screen and on disk, and one figure."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from experiments.base import screen
from experiments.data.task import Task
from experiments.report import Row, error_tables, methods_of, plain, run_tables, terminal
from experiments.report.figures import Refined, draw_overlay, save
from experiments.run.bench import Bench
from experiments.store.cell import Cell, key_of
from experiments.store.files import write_atomically, writing


def write_outcome(bench: Bench, cells: Sequence[Cell]) -> None:
    """Print the tables of a run and write them, those of the errors and the figure, beside its cells."""
    config = bench.config
    folder = bench.store.root / "outcomes" / _folder(bench)
    shown = run_tables(cells)
    for table in shown:
        print(terminal.text(table, ansi=sys.stdout.isatty(), everything=config.columns == "all"))
    print(*terminal.legend(shown), "", sep="\n")
    for table in (*shown, *error_tables(cells)):
        for suffix, text in (("csv", plain.csv(table)), ("md", plain.markdown(table))):
            write_atomically(folder / f"{table.name}.{suffix}", text.encode())
    if config.figure:
        _draw(bench, cells, folder)
    finished = sum(cell.status == "ok" for cell in cells)
    figure = " and figures" if config.figure else ""
    counted = f"{len(cells)} cells ({bench.computed} computed now, {finished} finished)"
    print(screen.fitted(f"{counted} in {bench.store.root / 'cells'}"))
    print(screen.fitted(f"Tables{figure} in {folder}"))
    words = ["python", "-m", "experiments.report", f"campaign={config.campaign}"]
    if config.results_dir != "results":
        words.append(f"results_dir={config.results_dir}")
    print(screen.next_command(*words))


def _folder(bench: Bench) -> str:
    """Where a run's tables go: named by what is most often varied, and by a hash of all that differs beside it."""
    spec, profile = bench.spec, bench.config.profile
    noise = spec["noise"] if spec["noise"] == "none" else f"{spec['noise']}_{spec['sigma']:g}"
    capped = "" if profile.rows is None else f"_{spec['rows']}_rows"
    chosen = asdict(bench.config)
    parts = ("protocol", "backbone", "denoiser", "regressor", "repetitions", "profile")
    mark = key_of({"run": spec, **{part: chosen[part] for part in parts}})[:6]
    return f"{spec['dataset']}_{noise}_{profile.name}{capped}_{mark}"


def _draw(bench: Bench, cells: Sequence[Cell], folder: Path) -> None:
    """What each method made of the data: one figure per protocol, drawn anew if it is not one of these cells.

    Beside it lie their keys.
    """
    for protocol in bench.config.protocol:
        shown = _labelled(cells, protocol)
        stem = folder / f"denoised_{protocol}"
        *drawn, keys = (folder / f"{stem.name}{suffix}" for suffix in (".png", ".pdf", ".keys"))
        listed = "".join(f"{cell.key} {row}\n" for row, cell in shown.items())
        known = not bench.computed and keys.is_file() and keys.read_text() == listed
        if known and all(path.is_file() for path in drawn):
            continue
        refined: dict[Row, tuple[np.ndarray, np.ndarray]] = {}
        for row, cell in shown.items():
            if arrays := bench.store.load_arrays(cell.key):
                refined[row] = (arrays["X"], arrays["y"])
        with writing(stem):
            for path in (keys, *drawn):
                path.unlink(missing_ok=True)  # of other cells
            if refined:
                run_figure(bench.task(protocol, 0), refined, protocol, stem)
                write_atomically(keys, listed.encode())


def run_figure(
    task: Task, refined: Mapping[Row, tuple[np.ndarray, np.ndarray]], protocol: str, stem: Path
) -> list[Path]:
    """Draw what each denoiser made of a task's rows (under ``deployable``, of its train rows), and save it.

    Parameters
    ----------
    task : Task
    refined : dict
        Refined features (n, d) and target (n,) by what made them.
    protocol : str
    stem : Path
        The files' name without ending.

    Returns
    -------
    paths : list of Path
        The png and the pdf.
    """
    rows = task.split.train if protocol == "deployable" else np.arange(len(task.y))
    target = task.names[0] if task.kind == "series" else "target"
    figure = draw_overlay(
        [
            Refined(str(row), row.method.colour, np.column_stack(parts)[rows])
            for row, parts in refined.items()
        ],
        np.column_stack([task.X, task.y])[rows],
        np.column_stack([task.clean_X, task.clean_y])[rows] if task.sigma else None,
        kind=task.kind,
        columns=[*task.names, target],
        title=f"{protocol}, sigma {task.sigma:g}",
    )
    return save(figure, stem)


def _labelled(cells: Sequence[Cell], protocol: str) -> dict[Row, Cell]:
    """The denoisers' cells of the first repetition; the backbone is named where there are several."""
    mine = [
        cell
        for cell in cells
        if cell.stage == "denoise"
        and cell.status == "ok"
        and (cell.spec["protocol"], cell.spec["repetition"]) == (protocol, 0)
    ]
    times = Counter(cell.spec["denoiser"] for cell in mine)
    methods = methods_of(times)
    return {
        Row(methods[name], str(cell.spec["backbone"]) if times[name] > 1 else ""): cell
        for cell in mine
        if (name := cell.spec["denoiser"])
    }
