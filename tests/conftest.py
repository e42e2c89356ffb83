"""One thread, no terminal, and the real data only where a variable names them."""

import os
import signal
import sys

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.pop("COLUMNS", None)  # pytest-xdist tells its workers a width: they have no screen
if (
    signal.getsignal(signal.SIGINT) == signal.SIG_IGN
):  # started in the background: tests of Ctrl-C would wait forever
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def made_modules_are_forgotten(tmp_path_factory):
    """A module that a test wrote and imported ends with it: another test may write one of the same name."""
    before = set(sys.modules)
    yield
    folder = str(tmp_path_factory.getbasetemp())
    for name in set(sys.modules) - before:
        content = getattr(sys.modules[name], "__dict__", {})  # looking up a name may load a lazy module
        places = [content.get("__file__"), *(content.get("__path__") or ())]
        if any(str(place).startswith(folder) for place in places):
            del sys.modules[name]
