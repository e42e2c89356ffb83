import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from denograd.map.candidates import subspace as module
from denograd.map.candidates.subspace import Shrinkage, Subspace, shrink, windows


def series(n=900, sigma=0.3, seed=0):
    t = np.linspace(0, 60, n)
    clean = np.column_stack([np.sin(t), np.cos(t), np.sin(2 * t + 1)])
    return clean, clean + sigma * np.random.default_rng(seed).normal(size=clean.shape)


def fitted(noisy, kind="series", level=0.3):
    fold = np.arange(len(noisy)) // 50 % 5
    return Subspace().fit(noisy, np.full(noisy.shape[1], level), fold, kind)


def share(step, clean, noisy, level=0.3):
    return ((noisy + level * step - clean) ** 2).mean(0) / ((noisy - clean) ** 2).mean(0)


def test_the_shrinker_inverts_the_spiked_model():
    # a spike x appears as y, at angles whose cosines' product times x is the best value (Gavish and Donoho, eq. 7)
    x, b = 2.0, 0.3
    y = np.sqrt((x + 1 / x) * (x + b / x))
    cosines = np.sqrt((x**4 - b) / (x**4 + b * x**2)) * np.sqrt((x**4 - b) / (x**4 + x**2))
    assert_allclose(shrink(np.array([y]), b), x * cosines)
    assert shrink(np.array([1 + b**0.5]), b) == 0.0


def test_moments_and_rows_teach_the_same():
    rows = np.random.default_rng(0).normal(size=(50, 4)) @ np.diag([5.0, 1.0, 1.0, 1.0])
    mean = rows.mean(0)
    other = Shrinkage.of_moments(50, mean, (rows - mean).T @ (rows - mean))
    assert_allclose(Shrinkage.of(rows).apply(rows), other.apply(rows))


def test_oscillations_come_closer_to_the_truth_and_it_knows_how_close():
    clean, noisy = series()
    found = fitted(noisy)
    left = share(found.step_, clean, noisy)
    assert (left < 0.3).all()
    assert_allclose(1 + (found.step_**2 + 2 * found.slope_).mean(0), left, atol=0.08)
    clean, noisy = series(seed=1)
    assert (share(found.predict(noisy), clean, noisy) < 0.3).all()


def test_the_slope_is_the_derivative():
    _, noisy = series()
    found = fitted(noisy)
    nudged = noisy.copy()
    nudged[400, 1] += 1e-3 * 0.3
    k = 400 // 50 % 5
    change = found._map(nudged, found._maps[k]) - found._map(noisy, found._maps[k])
    assert_allclose(change[400, 1] / 1e-3, found.slope_[400, 1], rtol=1e-4)


@pytest.mark.parametrize("kind", ["series", "tabular"])
def test_columns_without_noise_have_no_part_in_it(kind):
    _, noisy = series()
    found = Subspace().fit(noisy, np.array([0.3, 0.0, 0.3]), np.arange(len(noisy)) % 5, kind)
    assert_array_equal(found.step_[:, 1], 0.0)
    assert_array_equal(found.predict(noisy)[:, 1], 0.0)


def test_pieces_do_not_show(monkeypatch):
    _, noisy = series()
    whole = fitted(noisy)
    monkeypatch.setattr(module, "PIECE", 100)
    parts = fitted(noisy)
    assert_allclose(parts.step_, whole.step_, atol=1e-5)
    assert_allclose(parts.predict(noisy), whole.predict(noisy), atol=1e-8)


def test_wide_series_have_shorter_windows():
    noisy = np.random.default_rng(0).normal(size=(300, 200))
    assert fitted(noisy, level=1.0)._width == 2
    assert fitted(noisy, "tabular", level=1.0)._width == 1


def test_a_series_shorter_than_a_window_stays():
    _, noisy = series()
    assert_array_equal(fitted(noisy).predict(noisy[:3]), 0.0)


def test_a_window_is_a_row():
    X = np.arange(12.0).reshape(6, 2)
    assert_array_equal(windows(X, 3)[1], X[1:4].ravel())
