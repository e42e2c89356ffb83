import io

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from tqdm import tqdm

from denograd import DenoisedData, denoise

QUICK = {"hidden": 0}
CLOSED = {**QUICK, "solver": "one_step"}


def noisy_waves(n=400, noise=0.2):
    t = np.linspace(0, 40, n)
    clean = np.column_stack([np.sin(t), np.cos(t), np.sin(2 * t)])
    return clean, clean + noise * np.random.default_rng(0).normal(size=clean.shape)


def test_arrays():
    clean, X = noisy_waves()
    found = denoise(X, 0.2, "series", **QUICK)
    assert isinstance(found, DenoisedData)
    assert ((found.data - clean) ** 2).mean() < 0.3 * ((X - clean) ** 2).mean()
    assert_allclose(found.error_before, 0.04, rtol=0.2)
    assert_allclose(found.error_after.mean(), ((found.data - clean) ** 2).mean(), atol=0.004)
    assert 0.05 < found.share < 0.35
    assert found.solver == "lbfgs"
    assert [h["epoch"] for h in found.history] == list(range(1, len(found.history) + 1))
    assert {"moved", "residual", "displacement", "objective", "seconds"} <= set(found.history[0])
    assert len(denoise(X, 0.2, "series", **CLOSED).history) == 1


def test_progress_covers_the_solver_and_its_probe_runs(monkeypatch):
    bars = []

    class Bar(tqdm):
        def __init__(self, *args, disable=None, **kwargs):
            self.asked = disable
            super().__init__(*args, disable=False, file=io.StringIO(), **kwargs)
            bars.append(self)

    monkeypatch.setattr("denograd.data.progress.tqdm", Bar)
    _, X = noisy_waves(100)
    found = denoise(X, 0.2, "series", verbose=True, **QUICK)
    denoise(X, 0.2, "series", **QUICK)
    assert [bar.asked for bar in bars] == [None, True]
    assert bars[0].desc == "denograd map"
    assert len(found.history) < bars[0].n <= bars[0].total == 5 * 40


def test_units():
    _, X = noisy_waves()
    factor = np.array([1e3, 1.0, 1e-3])
    plain = denoise(X, 0.2, "series", **CLOSED)
    scaled = denoise(X * factor, 0.2 * factor, "series", **CLOSED)
    assert_allclose(scaled.data / factor, plain.data, atol=1e-4)
    assert_allclose(scaled.error_after / factor**2, plain.error_after, rtol=1e-2)
    spread = denoise(X, 0.2 / X.std(0), "series", sigma_unit="std", **CLOSED)
    assert_allclose(spread.data, plain.data)


def test_frames():
    _, X = noisy_waves()
    index = pd.date_range("2020-01-01", periods=len(X))
    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=index).astype({"b": np.float32})
    found = denoise(frame, {"a": 0.2, "b": 0.2}, "series", **CLOSED)
    assert list(found.data.columns) == ["a", "b", "c"]
    assert found.data.index.equals(index)
    assert list(found.data.dtypes) == list(frame.dtypes)
    pd.testing.assert_series_equal(found.data["c"], frame["c"])
    assert (found.data["a"] != frame["a"]).any()
    with pytest.raises(ValueError, match=r"columns that the data does not have: \['z'\]"):
        denoise(frame, {"z": 0.1}, "series")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_and_one_series(dtype):
    _, X = noisy_waves()
    x = torch.tensor(X[:, 0], dtype=dtype)
    found = denoise(x, 0.2, "series", **CLOSED).data
    assert isinstance(found, torch.Tensor)
    assert (found.dtype, found.shape) == (dtype, x.shape)


def test_tables_and_zero_level():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 500))
    clean = np.column_stack([a, b, a + b, a - b])
    X = clean + 0.3 * rng.normal(size=clean.shape)
    found = denoise(X, 0.3, hidden=4, epochs=1, solver="one_step")
    assert ((found.data - clean) ** 2).mean() < 0.7 * 0.09
    assert_array_equal(denoise(X, 0.0, **QUICK).data, X)
    assert denoise(X, 0.0, **QUICK).share == 1.0


def test_same_seed_same_bytes():
    _, X = noisy_waves()
    first, second = (
        denoise(X, 0.2, "series", seed=1, solver="one_step", hidden=4, epochs=1).data for _ in range(2)
    )
    assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"X": np.ones((50, 3), dtype=int)}, TypeError, "floating-point"),
        ({"X": np.full((50, 3), np.nan)}, ValueError, "NaN"),
        ({"X": np.zeros(50)}, ValueError, "kind='series'"),
        ({"X": np.zeros((50, 3, 2))}, ValueError, "rows, columns"),
        ({"kind": "serie"}, ValueError, "kind must be"),
        ({"sigma_unit": "dB"}, ValueError, "sigma_unit"),
        ({"sigma": None}, ValueError, "needs the noise level"),
        ({"sigma": [0.1]}, ValueError, "one per column"),
        ({"sigma": "wavelet", "sigma_unit": "std"}, ValueError, "estimate in the data's units"),
        ({"solver": "adam"}, ValueError, "solver"),
    ],
)
def test_bad_input(arguments, error, message):
    _, X = noisy_waves(100)
    with pytest.raises(error, match=message):
        denoise(**{"X": X, "sigma": 0.1, **QUICK, **arguments})
