"""Components that do what real ones should not: sleep, die, hang, eat memory. Workers import them by name."""

import contextlib
import ctypes
import errno
import fcntl
import io
import multiprocessing
import os
import resource
import signal
import time

import numpy as np
from sklearn.base import BaseEstimator

from baselines.base import NotApplicable
from baselines.controls import Identity
from experiments.campaign.command import main


class Nap(Identity):
    """Sleep, then return the data as they are."""

    def __init__(self, settings=None, seconds=0.0):
        super().__init__("paper")
        self.seconds = seconds

    def _refine(self, frame, causal):
        time.sleep(self.seconds)
        return frame, {}


class NapRegressor(BaseEstimator):
    """Sleep, then predict the mean."""

    def __init__(self, seconds=0.0, alpha=None):
        self.seconds = seconds
        self.alpha = alpha  # takes the place of Ridge

    def fit(self, X, y):
        time.sleep(self.seconds)
        self.mean_ = y.mean()
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


class Locked(Identity):
    """Skipped as long as the file `key` is absent; `hollow` finds on the way that it has nothing to do."""

    def __init__(self, settings=None, key="", hollow=False):
        super().__init__("paper")
        self.key, self.hollow = key, hollow

    def skip(self, problem):
        return None if os.path.exists(self.key) else "no key"

    def _refine(self, frame, causal):
        if self.hollow:
            raise NotApplicable("nothing in it")
        return frame, {}


class LockedRegressor(NapRegressor):
    """Skipped as long as the file `key` is absent."""

    def __init__(self, key="", alpha=None):
        super().__init__(alpha=alpha)
        self.key = key

    def skip(self):
        return None if os.path.exists(self.key) else "no key"


class Doomed(Identity):
    """End in the way named, as long as the file `once` is absent, which is made then."""

    def __init__(self, settings=None, way="raise", once=""):
        super().__init__("paper")
        self.way, self.once = way, once

    def _refine(self, frame, causal):
        if self.once:
            if os.path.exists(self.once):
                return frame, {}
            open(self.once, "w").close()
        getattr(self, f"_{self.way}")()
        return frame, {}

    def _raise(self):
        raise ZeroDivisionError("made to fail")

    def _kill(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def _kill_job(self):
        """Kill the job that this worker belongs to, as a lost node does."""
        os.kill(multiprocessing.parent_process().pid, signal.SIGKILL)
        time.sleep(600)

    def _exit(self):
        os._exit(3)

    def _crash(self):
        ctypes.string_at(0)

    def _hang(self):
        time.sleep(600)

    def _spin(self):
        """Hang in C with the interpreter's lock held: no other thread of Python runs."""
        ctypes.PyDLL(None).sleep(600)

    def _eat(self):
        hoard = []
        while True:
            hoard.append(np.ones(2_000_000))  # 16 MB
            time.sleep(0.002)


def state():
    """Resident memory and threads of a worker after it has tidied up."""
    import torch

    from experiments.base.resources import resident_mb
    from experiments.campaign.engines.unit import _give_back, _keep_to

    _keep_to(1)
    _give_back()
    return resident_mb(), torch.get_num_threads()


def hoard():
    """Hold 200 MB in small pieces for a moment."""
    return len([bytes(50_000) for _ in range(4000)])


def silently(arguments):
    """A campaign as a process of its own: this one ends with its exit code."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        os._exit(main(arguments))


def limited(arguments, size):
    """The same where no file may grow beyond a size."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    silently(arguments)


def as_nobody(arguments):
    """The same without the superuser's rights."""
    with contextlib.redirect_stdout(
        io.StringIO()
    ):  # imports all on the way: Python may lie where others may not read
        main([*arguments, "plan=true"])
    os.setgid(65534)
    os.setuid(65534)
    silently(arguments)


def without_locks(arguments):
    """The same on a file system that knows no locks."""

    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    fcntl.flock = refuse
    silently(arguments)
