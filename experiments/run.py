"""``python -m experiments.run``: one dataset from file to finished table, or a sweep of them with ``-m``."""

from __future__ import annotations

import difflib
import re
import sys
from dataclasses import fields
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from experiments.config import CONF, Config, as_config, register
from experiments.errors import HarnessError
from experiments.outcome import write_outcome
from experiments.pipeline import Run
from experiments.spec import Cell
from experiments.store import Store

_exit_code = 0


class CellsFailed(HarnessError):
    """The run is through, but not every cell succeeded."""


def main(argv: list[str] | None = None) -> int:
    """Run what the command line says.

    Returns
    -------
    code : int
        0 if every cell is there, 1 if one failed or the input was bad, 130 after Ctrl-C.
    """
    global _exit_code
    _exit_code = 0
    arguments = sys.argv[1:] if argv is None else argv
    try:
        if not (CONF / "config.yaml").is_file():
            raise HarnessError(
                f"no configuration in {CONF}: the harness runs from a checkout of the project, which holds conf/"
            )
        sys.argv = [sys.argv[0], *(checked(argument) for argument in arguments)]
        register()
        _hydra_main()
    except HarnessError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Finished cells are stored; the same command goes on from there.", file=sys.stderr)
        return 130
    return _exit_code


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def _hydra_main(node: DictConfig) -> None:
    global _exit_code
    sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        run_once(as_config(node))
    except HarnessError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        _exit_code = 1
        if sweep:
            raise  # the launcher may run this in another process, where the exit code is lost


def run_once(config: Config) -> None:
    """Execute one run and write its tables and its figure.

    Raises
    ------
    CellsFailed
        If a cell failed; all of them are named.
    HarnessError
        For bad input.
    """
    store = Store(Path(config.results_dir) / config.campaign)
    run = Run(config, store)
    cells = run.execute()
    write_outcome(run, cells)
    failed = [cell for cell in cells if cell.status in ("failed", "timeout")]
    if failed:
        raise CellsFailed(
            f"{len(failed)} of {len(cells)} cells failed; the next call tries them again:\n{listed(failed)}"
        )


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


def checked(argument: str) -> str:
    """Accept ``+dataset=ett`` as ``dataset=ett``, and answer an unknown name with the near ones."""
    match = re.fullmatch(r"(\+{0,2})([A-Za-z_]\w*)(=)(.*)", argument, flags=re.DOTALL)
    if not match:
        return argument
    _, key, _, value = match.groups()
    known = [field.name for field in fields(Config)]
    groups = sorted(path.name for path in CONF.iterdir() if path.is_dir())
    if key not in known and key not in groups and key != "hydra":
        near = difflib.get_close_matches(key, known + groups, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known are {', '.join(sorted(known))}."
        raise HarnessError(f"unknown key '{key}' in '{argument}'. {hint}")
    if key not in groups:
        return argument
    choices = sorted(path.stem for path in (CONF / key).glob("*.yaml"))
    for name in re.split(r"[,\[\]\s]+", value):
        if name and re.fullmatch(r"[\w-]+", name) and name not in choices:
            near = difflib.get_close_matches(name, choices, cutoff=0.5)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(choices)}."
            raise HarnessError(f"unknown {key} '{name}'. {hint}")
    return argument.lstrip("+") if key in known else argument


if __name__ == "__main__":
    sys.exit(main())
