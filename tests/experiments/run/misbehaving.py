"""Denoisers and regressors that break every rule, beside others that keep them; for `test_isolation`."""

import os
import random
import signal
import sys
import threading
import time
import warnings

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin

from baselines.base import Denoised


class Keeps:
    """Half of every value; keeps all rules."""

    features_only = True
    causal = True
    sequential = False

    def skip(self, problem):
        return None

    def fit(self, X, y=None, *, seed=0, problem=None):
        self.seen = X
        return self

    def denoise(self, X, y=None, *, causal=False):
        return Denoised(X / 2, None if y is None else y / 2)


class Draws(Keeps):
    """Draws from every global generator, unseeded."""

    def denoise(self, X, y=None, *, causal=False):
        noise = np.random.normal() + random.random() + torch.rand(1).item()  # noqa: NPY002
        return Denoised(X + 0.01 * noise, y if y is None else y + 0.0)


class InPlace(Keeps):
    def denoise(self, X, y=None, *, causal=False):
        X *= 0.5
        return Denoised(X, y)


class InPlaceUnlocked(Keeps):
    """Sets the flag back; then it is its own copy that it spoils."""

    def fit(self, X, y=None, *, seed=0, problem=None):
        for values in (X, y, problem.train_rows, problem.levels):
            if values is not None:
                values.flags.writeable = True
                values[:] = 7
        return self

    def denoise(self, X, y=None, *, causal=False):
        X.flags.writeable = True
        X[:] = 0.0
        return Denoised(X + 0.0, None if y is None else y + 0.0)


class KeepsReference(Keeps):
    """Changes what it returned long after it returned it."""

    kept = []  # noqa: RUF012

    def denoise(self, X, y=None, *, causal=False):
        for each in self.kept:
            each[:] = np.nan
        mine = X + 0.0
        self.kept.append(mine)
        return Denoised(mine, None if y is None else y + 0.0)


def returning(result):
    def denoise(self, X, y=None, *, causal=False):
        return result(X, y)

    return type("Returns", (Keeps,), {"denoise": denoise, "__module__": __name__})


WrongShape = returning(lambda X, y: Denoised(X[:1] + 0.0, y))
Broadcast = returning(lambda X, y: Denoised(X + 0.0, np.ones(1)))
Shorter = returning(lambda X, y: Denoised(X[:-1] + 0.0, None if y is None else y[:-1]))
NoTarget = returning(lambda X, y: Denoised(X + 0.0, None))
Bare = returning(lambda X, y: X + 0.0)
Nothing = returning(lambda X, y: None)
Integers = returning(lambda X, y: Denoised(X.astype(int), y))
Objects = returning(lambda X, y: Denoised(X.astype(object), y))
Complex = returning(lambda X, y: Denoised(X + 0j, y))
Masked = returning(lambda X, y: Denoised(np.ma.masked_array(X + 0.0, mask=X > 0), y))
NotANumber = returning(lambda X, y: Denoised(np.where(X > 0, np.nan, X), y))
Infinite = returning(lambda X, y: Denoised(X + 0.0, None if y is None else np.full_like(y, np.inf)))
BadInfo = returning(lambda X, y: Denoised(X + 0.0, y, {"net": object()}))
HugeInfo = returning(lambda X, y: Denoised(X + 0.0, y, {"all": list(range(500_000))}))
CircularInfo = returning(lambda X, y: Denoised(X + 0.0, y, (lambda d: d.update(me=d) or d)({})))
BadScore = returning(lambda X, y: Denoised(X + 0.0, y, {"score": np.ones(3)}))


class Raises(Keeps):
    def fit(self, X, y=None, *, seed=0, problem=None):
        raise RuntimeError("no such luck")


class Exits(Keeps):
    def denoise(self, X, y=None, *, causal=False):
        sys.exit(3)


class ExitsSkip(Keeps):
    def skip(self, problem):
        raise SystemExit("out of skip")


class BaseError(Keeps):
    def fit(self, X, y=None, *, seed=0, problem=None):
        raise BaseException("none of yours")


class SkipsOddly(Keeps):
    def skip(self, problem):
        return ["because"]


class Prints(Keeps):
    def fit(self, X, y=None, *, seed=0, problem=None):
        print("spam " * 10)
        return self


class LeavesThreads(Keeps):
    def fit(self, X, y=None, *, seed=0, problem=None):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        threading.Thread(target=time.sleep, args=(3,)).start()
        return self


class ChangesProcess(Keeps):
    """Sets whatever a process has once."""

    def fit(self, X, y=None, *, seed=0, problem=None):
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)
        torch.manual_seed(1)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.set_num_threads(2)
        np.seterr(all="raise")
        np.mean = lambda *_, **__: 0.0
        np.set_printoptions(precision=1)
        warnings.simplefilter("error")
        os.environ["DENOGRAD_DATA"] = "/nowhere"
        os.environ.pop("PATH", None)
        os.chdir("/")
        sys.path.clear()
        sys.setrecursionlimit(200)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from experiments.base import metrics

        metrics.PROJECTIONS = 1
        metrics.swd = lambda *_, **__: 0.0
        return self


class ClosesStreams(Keeps):
    def fit(self, X, y=None, *, seed=0, problem=None):
        sys.stderr.close()
        sys.stdout.close()
        for number in (1, 2):
            os.close(number)
        return self


class Killed(Keeps):
    def fit(self, X, y=None, *, seed=0, problem=None):
        os.kill(os.getpid(), signal.SIGKILL)


class Hangs(Keeps):
    def fit(self, X, y=None, *, seed=0, problem=None):
        while True:
            time.sleep(1)


class ExitsHard(Keeps):
    def fit(self, X, y=None, *, seed=0, problem=None):
        os._exit(0)


class Regressor(RegressorMixin, BaseEstimator):
    """The mean; keeps all rules. `way` breaks one."""

    def __init__(self, way="none"):
        self.way = way

    def fit(self, X, y):
        self.mean_ = float(np.mean(y))
        if self.way == "in place":
            X[:] = 0.0
        if self.way == "unlocked":
            (X if X.base is None else X.base).flags.writeable = True
            X.flags.writeable = True
            X[:] = 0.0
        if self.way == "exit":
            sys.exit(1)
        if self.way == "info":
            self.info_ = {"me": self}
        return self

    def predict(self, X):
        n = len(X)
        made = {
            "shape": np.zeros((n, 2)),
            "short": np.zeros(n - 1),
            "scalar": 0.0,
            "nan": np.full(n, np.nan),
            "text": np.array(["a"] * n),
            "none": None,
            "list": [0.0] * n,
        }
        return made.get(self.way, np.full(n, self.mean_))


class Network(torch.nn.Module):
    """A linear backbone; keeps all rules. `way` breaks one."""

    def __init__(self, n_features, outputs, window=None, way="none"):
        super().__init__()
        self.linear = torch.nn.Linear(n_features, outputs)
        self.way = way

    def forward(self, inputs):
        if self.way == "in place":
            inputs *= 0.0
        if self.way == "exit":
            sys.exit(1)
        if self.way == "raise":
            raise RuntimeError("no such luck")
        if self.way == "globals":
            torch.set_grad_enabled(True)
            torch.manual_seed(0)
            np.random.seed(0)  # noqa: NPY002
            os.environ["SPOILED"] = "1"
        found = self.linear(inputs)
        made = {
            "shape": found[:, 0],
            "short": found[:-1],
            "nan": found * np.nan,
            "tuple": (found, found),
            "none": None,
        }
        return made.get(self.way, found)
