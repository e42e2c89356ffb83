import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from denograd.map.candidates import density, support
from denograd.map.candidates.support import fit_support


def drawn(values="whole", n=1200, sigma=0.2, seed=0):
    """Clean values, what is observed of them, and a prediction that knows a little of them."""
    rng = np.random.default_rng(seed)
    trend = rng.normal(size=n)
    hidden = trend + 0.5 * rng.normal(size=n)
    clean = {"whole": np.round(hidden), "normal": hidden, "flag": (hidden > 0) * 1.0}[values]
    return clean, clean + sigma * rng.normal(size=n), trend, np.full(n, sigma)


def share(mean, clean, y):
    return ((mean - clean) ** 2).sum() / ((y - clean) ** 2).sum()


@pytest.mark.parametrize("kind", ["tabular", "series"])
@pytest.mark.parametrize(("values", "most"), [("whole", 0.25), ("flag", 0.15)])
def test_finds_the_values_that_a_column_takes(values, most, kind):
    clean, y, f, sigma = drawn(values)
    fit = fit_support(y, f, sigma, kind)
    left = share(fit.answers.mean, clean, y)
    assert left < most
    assert_allclose(1 + fit.change.mean(), left, atol=0.05)
    grid = fit.support.start + fit.support.step * np.arange(len(fit.support.density))
    inside = np.abs(grid) < 1.4
    likeliest = grid[inside][fit.support.density[inside].argmax()]
    assert abs(likeliest - np.round(likeliest)) < 0.1


@pytest.mark.parametrize("kind", ["tabular", "series"])
def test_values_that_vary_continuously_lose_nothing(kind):
    clean, y, f, sigma = drawn("normal")
    fit = fit_support(y, f, sigma, kind)
    best = 0.25 / (0.25 + 0.04)  # z - f is N(0, 0.25): the linear estimate is the best there is
    left = share(fit.answers.mean, clean, y)
    assert left < best + 0.05
    assert_allclose(1 + fit.change.mean(), left, atol=0.08)


def test_repeated_observations_were_rounded_after_the_noise():
    _, y, f, sigma = drawn("whole")
    assert fit_support(y, f, sigma, "tabular").support.density is not None
    assert fit_support(np.round(y, 1), f, sigma, "tabular").support.density is None


def test_a_range_that_no_grid_holds_keeps_the_mixture():
    _, y, f, sigma = drawn("normal")
    y[0] = 1e9
    fit = fit_support(y, f, sigma, "tabular")
    assert fit.support.density is None
    assert np.isfinite(fit.answers.mean).all()


@pytest.mark.parametrize("values", ["whole", "normal"])
def test_variance_is_the_slope_of_the_mean(values):
    # Tweedie: dE[z|y]/dy = Var(z|y) / sigma^2, on which Stein's estimate rests
    _, y, f, sigma = drawn(values)
    found = fit_support(y, f, sigma, "tabular").support
    h = 1e-2 * sigma
    up, down = (found.answer(y + d, f, sigma, "tabular").mean for d in (h, -h))
    here = found.answer(y, f, sigma, "tabular").variance
    slope = (up - down) / (2 * h) * sigma**2
    # a grid of a quarter of a level and float32 leave a thousandth or so
    assert np.quantile(np.abs(slope - here), 0.95) < 0.01 * sigma[0] ** 2


def test_the_posterior_is_bayes_theorem():
    _, y, f, sigma = drawn("whole", n=600)
    s = fit_support(y, f, sigma, "tabular").support
    grid = s.start + s.step * np.arange(len(s.density))
    rows = slice(0, 20)
    normal = np.exp(-0.5 * (grid - f[rows, None]) ** 2 / s.variances[:, None, None])
    normal *= s.step / np.sqrt(2 * np.pi * s.variances)[:, None, None]
    z_at = np.stack([np.interp(f[rows], grid, row) for row in s.normaliser])
    weights = s.local[np.searchsorted(s.edges, f[rows], side="right")].T
    prior = ((weights / z_at)[..., None] * normal).sum(0) * s.density
    joint = prior * np.exp(-0.5 * ((y[rows, None] - grid) / 0.2) ** 2)
    mean = (joint * grid).sum(1) / joint.sum(1)
    assert_allclose(s.answer(y[rows], f[rows], sigma[rows], "tabular").mean, mean, atol=1e-4)


def test_new_rows_of_a_table_do_not_depend_on_each_other(monkeypatch):
    _, y, f, sigma = drawn("whole", n=2000)
    found = fit_support(y[:1500], f[:1500], sigma[:1500], "tabular").support
    new = y[1500:], f[1500:], sigma[1500:]
    whole = found.answer(*new, "tabular").mean
    assert_allclose(found.answer(*(v[:7] for v in new), "tabular").mean, whole[:7], rtol=1e-6)
    monkeypatch.setattr(density, "PIECE", 100)
    assert_allclose(found.answer(*new, "tabular").mean, whole, rtol=1e-6)


def test_a_sample_of_the_rows_is_enough(monkeypatch):
    clean, y, f, sigma = drawn("whole", n=3000)
    monkeypatch.setattr(support, "MOST_ROWS", 1000)
    fit = fit_support(y, f, sigma, "tabular")
    assert share(fit.answers.mean, clean, y) < 0.3
    assert_allclose(1 + fit.change.mean(), share(fit.answers.mean, clean, y), atol=0.05)


def test_every_value_has_a_level_of_its_own():
    clean, _, f, _ = drawn("whole", n=2000)
    rng = np.random.default_rng(1)
    sigma = rng.choice([0.1, 0.4], 2000)
    y = clean + sigma * rng.normal(size=2000)
    fit = fit_support(y, f, sigma, "tabular")
    alike = fit_support(y, f, np.full(2000, (sigma**2).mean() ** 0.5), "tabular")
    assert share(fit.answers.mean, clean, y) < share(alike.answers.mean, clean, y)
    relative = ((fit.answers.mean - clean) ** 2 / sigma**2).mean() / ((y - clean) ** 2 / sigma**2).mean()
    assert_allclose(1 + fit.change.mean(), relative, atol=0.05)


def test_units_do_not_matter():
    _, y, f, sigma = drawn("whole")
    plain = fit_support(y, f, sigma, "tabular").answers
    other = fit_support(1e6 * y - 5e6, 1e6 * f - 5e6, 1e6 * sigma, "tabular").answers
    assert_allclose((other.mean + 5e6) / 1e6, plain.mean, atol=1e-3)


def test_same_seed_same_answer():
    _, y, f, sigma = drawn("flag")
    first, second = (fit_support(y, f, sigma, "series", seed=3).answers.mean for _ in range(2))
    assert_array_equal(first, second)
