"""The harness: runs, campaigns and reports built on the packages `denograd` and `baselines`."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.study import Study

__all__ = ["Study"]

# Idle OpenMP threads that spin cost more than the work itself as soon as a core is shared; the policy is
# read when torch or xgboost is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def _refuse_foreign_denograd() -> None:
    ours = Path(__file__).resolve().parent.parent
    spec = find_spec("denograd")  # without importing it, and torch with it
    found = Path((spec and spec.origin) or "").resolve()
    if found.parent.parent != ours:
        raise ImportError(
            f"another module of the name 'denograd' shadows this project's: expected it in {ours / 'denograd'}, "
            f"got {found}. Remove it with 'pip uninstall denograd' or use a fresh virtual environment ('make setup')"
        )


_refuse_foreign_denograd()


def __getattr__(name: str) -> Any:
    """Load `Study` at its first use: it imports Hydra, pandas and torch, which a command may not need."""
    if name == "Study":
        from experiments.study import Study

        return Study
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
