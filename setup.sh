#!/bin/sh
# Create the virtual environment and install the pinned packages. `make setup` calls this when something changed.
# A run that was cut off is completed by the next one.
set -eu

PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
EXTRAS=${EXTRAS:-harness,tabpfn,dev}
cd "$(dirname "$0")"

if ! "$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
    found=$("$PYTHON" --version 2>&1 || true)
    echo "Python 3.11, 3.12 or 3.13 is needed, '$PYTHON' is: ${found:-not there}. Name another: make setup PYTHON=python3.12" >&2
    exit 1
fi

start=$(date +%s)
say() { echo "setup, $(($(date +%s) - start)) s: $*"; }
trap 'say "interrupted; the next call goes on from here" >&2; exit 130' INT TERM

# On a terminal pip shows what it is doing; into a pipe or a log goes a line now and then.
quiet=
if [ ! -t 1 ]; then
    quiet=--quiet
    while sleep 30 >/dev/null 2>&1; do say "still at it"; done &
    beat=$!
    trap 'kill $beat 2>/dev/null' EXIT
fi
pip() { "$VENV/bin/python" -m pip --disable-pip-version-check "$@"; }

if ! "$VENV/bin/python" -c 'import pip, sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null; then
    say "creating $VENV with $("$PYTHON" --version)"
    "$PYTHON" -m venv --clear "$VENV"
fi

# What an interrupted pip left: a package is whole once its list of files names the installer, which pip writes last.
"$VENV/bin/python" - <<'END'
import shutil
import sysconfig
from pathlib import Path

site = Path(sysconfig.get_path("purelib"))
for info in site.glob("*.dist-info"):
    record = info / "RECORD"
    if not record.is_file() or "INSTALLER," not in record.read_text(encoding="utf-8"):
        print(f"setup: {info.name} was left half installed and is installed anew")
        shutil.rmtree(info)
for rest in site.glob("~*"):
    shutil.rmtree(rest)
END

# Plain torch brings CUDA on Linux; without an NVIDIA driver the CPU build is the right one, where the index has it.
torch=$(sed -n 's/^torch==//p' constraints.txt)
installed() { "$VENV/bin/python" -c 'import importlib.metadata as m; print(m.version("torch"))' 2>/dev/null || true; }
case $(installed) in
"$torch" | "$torch"+*) ;;
*)
    if [ "$(uname -s)" = Linux ] && ! nvidia-smi >/dev/null 2>&1; then
        say "installing torch $torch, the CPU build (0.2 GB)"
        if ! pip install $quiet -c constraints.txt "torch==$torch+cpu" 2>"$VENV/torch-errors"; then
            # Where there is none, pip says so, or, as there are constraints, that nothing fits them.
            if ! grep -qE "No matching distribution found for torch|ResolutionImpossible" "$VENV/torch-errors"; then
                cat "$VENV/torch-errors" >&2
                exit 1
            fi
            say "the package index has no CPU build of torch $torch: installing the plain one, 2.7 GB to download and" \
                "5 GB on disk. To avoid that, name an index that has it in PIP_EXTRA_INDEX_URL and call this again"
            pip install $quiet -c constraints.txt "torch==$torch"
        fi
        rm -f "$VENV/torch-errors"
    fi
    ;;
esac

say "installing the project and its pinned packages (2 GB on disk; minutes, by the network)"
pip install $quiet -c constraints.txt -e ".[$EXTRAS]"
say "done: $VENV, $("$VENV/bin/python" --version)"
