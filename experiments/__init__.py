"""The harness: runs, campaigns and reports built on the packages `denograd` and `baselines`."""

import os
from pathlib import Path

# Idle OpenMP threads that spin cost more than the work itself as soon as a core is shared; the policy is
# read when torch or xgboost is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def _refuse_foreign_denograd() -> None:
    import denograd

    ours = Path(__file__).resolve().parent.parent
    found = Path(denograd.__file__ or "").resolve()
    if found.parent.parent != ours:
        raise ImportError(
            f"another module of the name 'denograd' shadows this project's: expected it in {ours / 'denograd'}, "
            f"got {found}. Remove it with 'pip uninstall denograd' or use a fresh virtual environment ('make setup')"
        )


_refuse_foreign_denograd()
