"""Small data, small models, and the released packages as oracles."""

import contextlib
import importlib.util
import io
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

ORACLE = Path(__file__).resolve().parents[2] / ".oracle"


@pytest.fixture(autouse=True)
def one_thread():
    """Rounding depends on the number of threads; two workers share two cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def release():
    """Give a released package by its version, under a name of its own, or skip."""

    def load(version):
        path = ORACLE / version / "denograd.py"
        if not path.exists():
            pytest.skip(f"denograd {version} is not at hand: run 'make oracle'")
        name = "released_" + version.replace(".", "_")
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, path)
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
        cls = sys.modules[name].DenoGrad

        def run(model, X, y, fit, transform, criterion=None):
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("ignore")  # theirs, not ours
                done = cls(model, criterion or nn.MSELoss(), torch.device("cpu")).fit(X, y, **fit)
                return done.transform(**transform)

        return run

    return load


class Recurrent(nn.Module):
    def __init__(self, channels, targets=1, dropout=0.0, layers=1, cell=nn.LSTM):
        super().__init__()
        self.rnn = cell(channels, 8, layers, batch_first=True, dropout=dropout)
        self.head = nn.Linear(8, targets)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


class Convolutional(nn.Module):
    """Wants (batch, channel, time)."""

    def __init__(self, channels, targets=1):
        super().__init__()
        self.conv = nn.Conv1d(channels, 6, 3)
        self.head = nn.Linear(6, targets)

    def forward(self, x):
        return self.head(torch.tanh(self.conv(x)).mean(2))


def flat(inputs, targets=1, activation=nn.Tanh):
    return nn.Sequential(nn.Linear(inputs, 16), activation(), nn.Linear(16, targets))


BUILDERS = {
    "mlp": lambda inputs, targets: flat(inputs, targets),
    "relu": lambda inputs, targets: flat(inputs, targets, nn.ReLU),
    "lstm": Recurrent,
    "cnn": Convolutional,
}


@pytest.fixture
def build():
    """Build a model by name with seeded weights."""

    def make(name, inputs, targets=1, seed=0, **kwargs):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return BUILDERS[name](inputs, targets, **kwargs)

    return make


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    y = np.sin(X[:, 0]) + X[:, 1] + 0.3 * rng.normal(size=300)
    return X.astype(np.float32), y.astype(np.float32)


@pytest.fixture
def series():
    rng = np.random.default_rng(1)
    t = np.arange(150)
    Z = np.stack([np.sin(t / 9), np.cos(t / 5), np.sin(t / 17)], 1) + 0.2 * rng.normal(size=(150, 3))
    return Z.astype(np.float32)
