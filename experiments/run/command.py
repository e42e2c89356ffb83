"""``python -m experiments.run``: one dataset from file to finished table, or a sweep of them with ``-m``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from experiments.base import command, screen
from experiments.base.errors import HarnessError
from experiments.base.paths import CONF
from experiments.config.schema import Config, register, threads_fit
from experiments.config.targets import check_packages
from experiments.config.words import (
    GROUPS,
    checked_line,
    choices_of,
    config_folders,
    config_of,
    explained,
)
from experiments.store.cell import Cell

HELP = """Refine a dataset with every selected denoiser and measure what it is worth.

Examples
  python -m experiments.run +dataset=ett profile=quick
  python -m experiments.run dataset=parkinsons noise.sigma=0.2 'denoiser=[identity,denograd_fixed,pca]'
  python -m experiments.run dataset.path=my.csv dataset.target=price profile=smoke
  python -m experiments.run -m +dataset=diabetes,nasdaq noise=none,gaussian

Groups (choose with GROUP=NAME or 'GROUP=[NAME,NAME]'; `python -m experiments.list` explains each)
{groups}

A table of your own (`python -m experiments.list dataset.path=FILE` shows it first)
  dataset.path=FILE      CSV in any spelling, packed or not, Parquet or Excel
  dataset.target=COLUMN  what is to be predicted
  dataset.kind=series    where the order of the rows means something
  dataset.time=COLUMN    gives that order
  dataset.drop=[A,B]     columns to leave out
  dataset.gaps=fill      fill missing values instead of dropping their rows

Options (override with KEY=VALUE; `--cfg job` shows the values in force)
  campaign=runs        folder under results_dir that keeps the cells; a second call computes what is missing
  repetitions=1        each draws its own split and noise
  results_dir=results  where results go
  data_dir=PATH        a folder that already has the data files (or the variable DENOGRAD_DATA)
  device=auto          auto, cpu or cuda
  threads=1            per process; at most the cores
  keep_arrays=true     keep the refined data beside the cells
  figure=true          draw the run's figure
  columns=fit          of the tables on screen those that fit; or all
  fail_fast=false      stop at the first failing cell and show its traceback
  allow_targets=[]     further packages whose classes a _target_ may name
  noise.sigma=0.05     level of the noise in standard deviations of a column
  profile.rows=N       cap the rows; profile.*_epochs cap the epochs
  -m                   sweep over comma-separated values
  --cfg job            print the configuration and stop
  --config-dir PATH    a folder with further members of the groups, such as PATH/denoiser/halve.yaml

Results: cells in results_dir/campaign/cells, one a result; tables (csv, md) and figures in
results_dir/campaign/outcomes.
"""


_ended: list[HarnessError | BrokenPipeError] = []
"""How the run ended, if not well."""


class CellsFailed(HarnessError):
    """The run is through, but not every cell succeeded."""


def main(argv: list[str] | None = None) -> int:
    """Run what the command line says.

    Returns
    -------
    code : int
        0 if every cell is there, 1 if one failed, 2 for a wrong call, 130 after Ctrl-C.
    """
    arguments = sys.argv[1:] if argv is None else argv
    return command.run(lambda: _main(arguments), interrupted=command.STORED)


def _main(arguments: Sequence[str]) -> None:
    if not (CONF / "config.yaml").is_file():
        raise HarnessError(
            f"no configuration in {CONF}: the harness runs from a checkout of the project, which holds conf/"
        )
    if command.asks_for_help(arguments):
        print(help_text(arguments))
        return
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # it then raises, where it would print and exit
    sys.argv = [sys.argv[0], *checked_line(arguments)]
    register()
    _ended.clear()
    try:
        _hydra_main()
    except (HydraException, OmegaConfBaseException) as error:
        raise explained(error, arguments) from error
    if _ended:
        raise _ended[0]


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def _hydra_main(node: DictConfig) -> None:
    try:
        run_once(config_of(node, HydraConfig.get()))
    except HarnessError as error:
        command.tell(error)  # every run of a sweep tells its own: Hydra hands on the first alone
        if HydraConfig.get().mode == RunMode.MULTIRUN:  # perhaps in a process of its own
            raise
        _ended.append(error)  # raised through Hydra it would print a line more
    except BrokenPipeError as error:  # nobody reads any more: no matter for Hydra to report
        _ended.append(error)


def run_once(config: Config) -> None:
    """Execute one run and write its tables and its figure.

    Raises
    ------
    CellsFailed
        If a cell failed; all of them are named.
    HarnessError
        For bad input.
    """
    threads_fit(config.threads)
    methods = ", ".join(config.denoiser)
    print(*screen.wrapped(f"run on {config.dataset.name}: {methods}", hanging="    "), sep="\n", flush=True)
    check_packages(config)
    # what follows loads torch and its like: by now the first line stands on screen
    from experiments.data import chosen
    from experiments.run.bench import Bench, dataset_of
    from experiments.run.loop import execute
    from experiments.run.outcome import write_outcome
    from experiments.store.files import Store

    dataset = dataset_of(config)  # a table that cannot be used leaves nothing behind
    for line in chosen.told(dataset, config.profile):
        print(*screen.wrapped(line, hanging="    "), sep="\n", flush=True)
    store = Store(Path(config.results_dir) / config.campaign)
    bench = Bench(config, store, load=lambda _: dataset)
    cells = execute(bench)
    write_outcome(bench, cells)
    if told := store.told():
        print(screen.fitted(told))
    failed = [cell for cell in cells if cell.status in ("failed", "timeout")]
    if failed:
        raise CellsFailed(
            f"{len(failed)} of {len(cells)} cells failed; the next call tries them again:\n{listed(failed)}"
        )


def help_text(arguments: Sequence[str]) -> str:
    """What ``--help`` prints, the groups' members with it."""
    folders = config_folders(arguments)
    members = [f"  {group:10s}  {', '.join(choices_of(group, folders))}" for group in GROUPS]
    return command.described(HELP.replace("{groups}", "\n".join(members)))


def listed(failed: list[Cell]) -> str:
    """Every failed cell, those with the same reason together."""
    by_reason: dict[str, list[Cell]] = {}
    for cell in failed:
        by_reason.setdefault((cell.reason or "no reason").strip().splitlines()[-1], []).append(cell)
    lines = []
    for reason, cells in by_reason.items():
        lines.append(f"  {reason}")
        for cell in cells:
            spec = cell.spec
            axes = (
                spec["dataset"],
                spec["protocol"],
                spec["denoiser"],
                spec.get("regressor"),
                spec.get("variant"),
            )
            lines.append(f"    {' / '.join(axis for axis in axes if axis)} ({cell.key[:12]})")
    return "\n".join(lines)
