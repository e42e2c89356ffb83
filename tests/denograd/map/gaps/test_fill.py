"""Gaps are filled by what the rest says, at least as well as by the simple ways, and with the error that they have."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from denograd.map.gaps import Filled, fill_gaps, interpolate
from denograd.map.gaps.normal_fill import condition, fit_normal
from denograd.map.gaps.var_smoother import fit_vector, fit_vectors, smooth


def waves(n=600, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 60, n)
    clean = np.column_stack([np.sin(t), np.cos(t), np.sin(2 * t), np.sin(t) * np.cos(2 * t)])
    return clean, clean + noise * rng.normal(size=clean.shape)


def table(n=600, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    clean = np.column_stack([a, b, a + b, a - 2 * b, a**2 + 0.1 * b])
    return clean, clean + noise * rng.normal(size=clean.shape)


def gaps(shape, share, block=1, seed=1):
    rng = np.random.default_rng(seed)
    missing = np.zeros(shape, dtype=bool)
    for column in missing.T:
        while column.mean() < share:
            start = rng.integers(shape[0] - block)
            column[start : start + block] = True
    return missing


@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize(("share", "block"), [(0.1, 1), (0.3, 1), (0.1, 20), (0.3, 20)])
def test_a_series(noise, share, block):
    clean, X = waves(noise=noise)
    missing = gaps(X.shape, share, block)
    found = fill_gaps(np.where(missing, np.nan, X), np.full(4, noise or np.nan), "series")
    assert isinstance(found, Filled)
    assert_array_equal(found.values[~missing], X[~missing])
    assert (found.variance[~missing] == 0).all()
    error = ((found.values - clean)[missing] ** 2).mean()
    line = ((interpolate(X, missing) - clean)[missing] ** 2).mean()
    assert error < line
    assert error < 0.15 * clean.var() + 0.5 * noise**2
    inside = np.abs(found.values - clean)[missing] < 1.645 * np.sqrt(found.variance[missing])
    assert inside.mean() > (0.75 if block == 1 else 0.6)


@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize(("share", "block"), [(0.1, 1), (0.3, 1), (0.1, 20)])
def test_a_table(noise, share, block):
    clean, X = table(noise=noise)
    missing = gaps(X.shape, share, block)
    found = fill_gaps(np.where(missing, np.nan, X), np.full(5, noise or np.nan), "tabular")
    error = ((found.values - clean)[missing] ** 2).mean()
    means = ((np.nanmean(np.where(missing, np.nan, X), 0) - clean)[missing] ** 2).mean()
    assert error < 0.75 * means
    inside = np.abs(found.values - clean)[missing] < 1.645 * np.sqrt(found.variance[missing])
    assert 0.7 < inside.mean() <= 1.0


def test_what_a_season_tells_fills_a_long_gap():
    rng = np.random.default_rng(0)
    t = np.arange(960)
    day = np.sin(2 * np.pi * t / 24) + 0.6 * np.cos(2 * np.pi * t / 12 + 1) + 0.4 * (t % 24 > 18)
    X = day[:, None] + 0.02 * rng.normal(size=(960, 1))
    missing = np.zeros_like(X, dtype=bool)
    missing[300:330] = missing[700:740] = True
    found = fill_gaps(np.where(missing, np.nan, X), np.full(1, 0.02), "series")
    assert ((found.values - X)[missing] ** 2).mean() < 0.15 * day.var()


def test_no_gaps_no_change():
    _, X = table(100)
    found = fill_gaps(X, np.zeros(5), "tabular")
    assert_array_equal(found.values, X)
    assert (found.variance == 0).all()


def test_any_units():
    _, X = waves(300, 0.1)
    missing = gaps(X.shape, 0.1)
    factor, shift = np.array([1e3, 1.0, 1e-3, 7.0]), np.array([1e4, 0.0, 5.0, -3.0])
    plain = fill_gaps(np.where(missing, np.nan, X), np.full(4, 0.1), "series")
    other = fill_gaps(np.where(missing, np.nan, X * factor + shift), 0.1 * factor, "series")
    assert_allclose((other.values - shift) / factor, plain.values, atol=1e-3)


@pytest.mark.parametrize("kind", ["series", "tabular"])
def test_constant_columns_and_a_wide_series(kind):
    _, X = waves(200, 0.1)
    X = np.column_stack([np.ones(200), X, *(X[:, :1] + X[:, 1:2] * k for k in range(12))])
    missing = gaps(X.shape, 0.1)
    found = fill_gaps(np.where(missing, np.nan, X), np.full(X.shape[1], np.nan), kind)
    assert np.isfinite(found.values).all()
    assert_allclose(found.values[:, 0], 1.0, atol=1e-6)


def test_a_column_without_a_value():
    X = np.random.default_rng(0).normal(size=(50, 3))
    X[:, 1] = np.nan
    with pytest.raises(ValueError, match="column 1 holds no value at all"):
        fill_gaps(X, np.zeros(3), "tabular")


def test_a_prediction_without_the_value_itself():
    """Moving one observation moves its own prediction not at all, however many gaps lie beside it."""
    _, X = waves(300, 0.1)
    missing = np.repeat(np.arange(300) % 2 == 1, 4).reshape(300, 4)
    model = fit_vector(X, missing, np.full(4, 0.01))
    noise = model.noise

    def prediction(values):
        mean, variance = smooth(model, values, missing)
        return (mean / variance - values / noise) / (1 / variance - 1 / noise)

    moved = X.copy()
    moved[100, 2] += 1.0
    change = np.abs(prediction(moved) - prediction(X))[100]
    assert change[2] < 1e-6
    assert change[[0, 1, 3]].max() > 1e-3


def test_a_normal_fills_by_regression():
    """With one column missing, the mean is that of the regression on the others."""
    clean, _ = table(2000)
    clean = clean[:, :3] + 0.1 * np.random.default_rng(2).normal(size=(2000, 3))
    missing = np.zeros_like(clean, dtype=bool)
    missing[::10, 2] = True
    mean, variance = condition(fit_normal(clean, missing), clean, missing)
    rows = ~missing[:, 2]
    design = np.column_stack([np.ones(2000), clean[:, :2]])
    weights = np.linalg.lstsq(design[rows], clean[rows, 2], rcond=None)[0]
    assert_allclose(mean[~rows, 2], design[~rows] @ weights, atol=0.02)
    assert_allclose(variance[~rows, 2], 0.03, rtol=0.2)
    assert_array_equal(mean[rows], clean[rows])


def test_as_many_rows_with_gaps_as_columns():
    clean, _ = table(100)
    missing = np.zeros_like(clean, dtype=bool)
    missing[10:15, 2] = True
    mean, _ = condition(fit_normal(clean, missing), clean, missing)
    assert_allclose(mean[10:15, 2], clean[10:15, 2], atol=0.1)


def test_what_is_no_measurement_tells_its_neighbours_nothing():
    _, X = waves(300, 0.1)
    missing = gaps(X.shape, 0.1)
    missing[50] = [True, False, False, False]
    plain = fill_gaps(np.where(missing, np.nan, X), np.full(4, 0.1), "series")
    X[[49, 51], 0] = X[50, 1] = -9999.0
    spoilt = fill_gaps(np.where(missing, np.nan, X), np.full(4, 0.1), "series")
    assert (spoilt.values[~missing] == X[~missing]).all()
    assert np.abs(spoilt.values - plain.values)[missing].max() < 1.0


def test_a_cautious_normal_keeps_what_is_no_chance():
    """Columns of pure chance are taken for independent; a column that repeats another is still filled from it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 30))
    X[:, 1] = X[:, 0]
    missing = gaps(X.shape, 0.1)
    plain, cautious = (condition(fit_normal(X, missing, prior=k), X, missing)[0] for k in (0.0, 60.0))
    errors = [((filled - X)[:, 2:][missing[:, 2:]] ** 2).mean() for filled in (plain, cautious)]
    assert errors[1] < 0.95 * errors[0]
    known = missing[:, 1] & ~missing[:, 0]
    assert ((cautious - X)[known, 1] ** 2).mean() < 0.6


def test_several_series_side_by_side():
    _, X = waves(300, 0.1)
    missing, noise = gaps(X.shape, 0.1), np.full(4, 0.01)
    together = fit_vectors(X.T[..., None], missing.T[..., None], noise[:, None])
    means = smooth(together, X.T[..., None], missing.T[..., None])[0]
    alone = smooth(fit_vector(X[:, 2:3], missing[:, 2:3], noise[2:3]), X[:, 2:3], missing[:, 2:3])[0]
    assert_allclose(means[2], alone, atol=1e-9)
