"""``python -m experiments.campaign +campaign=NAME``: many runs as one, resumable, on one core or on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from experiments.base import command, screen
from experiments.campaign import runs
from experiments.campaign.call import parse

HELP = """Many runs as one, resumable, on one core or on a cluster. A campaign is a file of `conf/campaigns`: sweeps
as one would type them after `python -m experiments.run -m`.

Options
  +campaign=NAME  which one
  plan=true       show what is done, to do, failed, skipped, and how long it will take; run nothing
  engine=NAME     serial (default), local, ray or slurm; engine.KEY=VALUE sets its options: engine.workers=2
  only.AXIS=A,B   only some values of dataset, protocol, denoiser, regressor, repetition, noise or sigma
  KEY=VALUE       anything that a run takes, for all runs of the campaign

Examples
  python -m experiments.campaign +campaign=deployable plan=true
  python -m experiments.campaign +campaign=deployable engine=local engine.workers=2
  python -m experiments.campaign +campaign=deployable only.dataset=ett,wth only.denoiser=identity,pca

Groups: those of a run, see `python -m experiments.list`.

Results: cells in results/NAME, one a result.

Campaigns
{campaigns}
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run or plan a campaign.

    Returns
    -------
    code : int
        0 if every cell is there, 1 if something failed, 2 for a wrong call, 130 after Ctrl-C.
    """
    return command.start(argv, _main, _usage, interrupted=command.STORED, alone=False)


def _usage() -> str:
    return command.described(HELP.replace("{campaigns}", _descriptions()))


def _main(arguments: Sequence[str]) -> None:
    call = parse(arguments)
    print(f"campaign {call.campaign}: reading its runs and what is stored of them", flush=True)
    configs = runs.configurations(call.campaign, call.overrides, call.folders)
    # this loads torch and its like: by now the first line stands on screen
    from experiments.campaign import execution

    found = execution.carry_out(call, configs)
    if call.plan and found.absent and not found.items:
        print(screen.next_command("python", "-m", "experiments.fetch", *dict(found.absent)))
    elif call.plan:
        same = [word for word in arguments if not word.lstrip("+").startswith("plan=")]
        print(screen.next_command("python", "-m", "experiments.campaign", *same))


def _descriptions() -> str:
    first = {name: path.read_text().partition("\n")[0] for name, path in runs.files().items()}
    return "\n".join(f"  {name:12s} {line.lstrip('# ')}" for name, line in first.items())


def terminated(*_: object) -> NoReturn:
    raise KeyboardInterrupt
