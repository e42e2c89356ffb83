#!/bin/sh
# Create the virtual environment and install the pinned packages. `make setup` calls this when something changed.
set -eu

if ! "$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
    found=$("$PYTHON" --version 2>&1 || true)
    echo "Python 3.11, 3.12 or 3.13 is needed, '$PYTHON' is: ${found:-not there}. Name another: make setup PYTHON=python3.12" >&2
    exit 1
fi

[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
pip() { "$VENV/bin/python" -m pip --disable-pip-version-check "$@"; }

# Plain torch brings gigabytes of CUDA on Linux; without an NVIDIA driver the CPU build is the right one.
torch=$(sed -n 's/^torch==//p' constraints.txt)
if [ "$(uname -s)" = Linux ] && ! nvidia-smi >/dev/null 2>&1; then
    if ! "$VENV/bin/python" -c "import sys, importlib.metadata as m; sys.exit(m.version('torch') != '$torch+cpu')" 2>/dev/null; then
        echo "Installing torch $torch, CPU build"
        pip install --quiet -c constraints.txt "torch==$torch+cpu" 2>/dev/null ||
            pip install --quiet -c constraints.txt --index-url https://download.pytorch.org/whl/cpu \
                --extra-index-url https://pypi.org/simple "torch==$torch+cpu"
    fi
fi
echo "Installing the project and its pinned packages (a minute or two)"
pip install --quiet -c constraints.txt -e ".[$EXTRAS]"
