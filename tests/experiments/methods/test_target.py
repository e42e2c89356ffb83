"""The denoiser that changes nothing but the training target."""

from dataclasses import replace

import numpy as np
import pytest

from baselines.base import Denoiser, Problem
from denograd import smooth_target
from experiments.data.noise import Gaussian
from experiments.data.recipes import load_dataset
from experiments.data.task import prepare
from experiments.methods.target import DenoGradTarget
from experiments.run.protocols import Refinement

SERIES = Problem("series")


def series(n=200, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    return np.column_stack([np.sin(t / 9), np.cos(t / 5)]) + 0.2 * rng.normal(size=(n, 2))


def test_only_the_target_of_fitted_rows_changes():
    X = series()
    X.setflags(write=False)
    method = DenoGradTarget().fit(X[:150], seed=3, problem=SERIES)
    assert isinstance(method, Denoiser)
    out = method.denoise(X)
    np.testing.assert_array_equal(out.X, X)
    assert not np.shares_memory(out.X, X)
    expected, r2 = smooth_target(X, 0, valid_from=150, seed=3)
    np.testing.assert_allclose(out.y, expected, atol=1e-6)
    np.testing.assert_array_equal(out.y[150:], X[150:, 0])
    assert (out.y[:150] != X[:150, 0]).all()
    assert 0.5 < out.info["target_r2"] < 1
    assert out.info["target_r2"] == pytest.approx(r2, abs=0.02)  # the last steps know their future here
    other = method.denoise(series(seed=1))
    assert (other.y != series(seed=1)[:, 0]).all()
    causal = method.denoise(X, causal=True)
    np.testing.assert_array_equal(causal.X, X)
    np.testing.assert_array_equal(causal.y, X[:, 0])


def test_it_is_for_series():
    assert "prediction, not a refinement" in DenoGradTarget().skip(Problem("tabular", sigma=0.2))
    assert DenoGradTarget().skip(SERIES) is None
    with pytest.raises(ValueError, match="not a refinement"):
        DenoGradTarget().fit(series(), problem=Problem("tabular"))
    with pytest.raises(RuntimeError, match="before it denoises"):
        DenoGradTarget().denoise(series())
    with pytest.raises(ValueError, match="3 columns, the fitted series had 2"):
        DenoGradTarget().fit(series(), problem=SERIES).denoise(np.zeros((9, 3)))


def test_under_the_deployable_protocol_the_test_part_has_no_say():
    task = prepare(
        load_dataset("nasdaq"), Gaussian(sigma=0.2), "deployable", repetition=0, window=6, rows=300
    )
    noise = task.X.copy()
    noise[task.split.test] = np.random.default_rng(0).normal(size=noise[task.split.test].shape)
    found = [
        Refinement(t, SERIES, DenoGradTarget, seed=1).under("deployable")
        for t in (task, replace(task, X=noise, y=noise[:, 0]))
    ]
    both, valid = task.fit_rows, task.split.valid
    assert found[0].y[both].tobytes() == found[1].y[both].tobytes()
    np.testing.assert_array_equal(found[0].X[both], task.X[both])
    np.testing.assert_array_equal(found[0].y[valid], task.y[valid])
    np.testing.assert_array_equal(found[0].X_test, task.X)
