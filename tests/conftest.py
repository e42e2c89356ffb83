"""One thread, no terminal, and the real data only where a variable names them."""

import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("MPLBACKEND", "agg")
if (
    signal.getsignal(signal.SIGINT) == signal.SIG_IGN
):  # started in the background: tests of Ctrl-C would wait forever
    signal.signal(signal.SIGINT, signal.default_int_handler)
