"""``python -m experiments.compare denoiser=NAME``: a new method among the published ones, which are not run again."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.base import command
from experiments.compare.call import parse
from experiments.config.targets import check_packages
from experiments.config.words import composed

HELP = """A new method among the published ones.

The method is run on the campaign `core`: five datasets that need no download, twelve settings, some minutes. The
others' results are read from stored cells of that same campaign, not computed again. Where these are out of date (other
code, other versions of libraries) that is said, and recompute=true computes them anew.

Options
  denoiser=NAME        a member of the group, of yours too; several as 'denoiser=[A,B]'
  --config-dir PATH    a folder with members of your own, such as PATH/denoiser/mine.yaml
  allow_targets=[]     your packages, whose classes a _target_ may name
  denoiser.NAME.KEY=V  a parameter of it
  recompute=false      compute anew what is out of date of the others
  engine=serial        as of a campaign, such as engine=local engine.workers=2
  results_dir=results  where results go
  columns=fit          of the tables on screen those that fit; or all
  device, threads      as of a run

Examples
  python -m experiments.compare denoiser=denograd_map_est
  python -m experiments.compare denoiser=mine --config-dir conf 'allow_targets=[mine]'
  python -m experiments.compare 'denoiser=[mine,pca]' --config-dir conf 'allow_targets=[mine]' recompute=true

Groups: denoiser; the rest is laid down by `conf/campaigns/core.yaml`.

Results: cells in results_dir/core, the page results_dir/core/compare_NAME.html (and .md), and the method in
results_dir/leaderboard.html.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Compare what the command line names; the exit codes are those of `command.run`."""
    return command.start(
        argv, _main, lambda: command.described(HELP), interrupted=command.STORED, alone=False
    )


def _main(arguments: Sequence[str]) -> None:
    call = parse(arguments)
    check_packages(composed([f"denoiser=[{','.join(call.names)}]", *call.own]))
    print(f"{', '.join(call.names)} among the published methods: reading their cells", flush=True)
    # this loads torch and its like: by now the first line stands on screen
    from experiments.compare.comparison import compare

    compare(call)
