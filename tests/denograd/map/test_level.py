import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from denograd import BlindSpot, refine
from denograd.map.error_scale import noise_bound
from denograd.map.level import common_level, own_levels, possible_level
from denograd.map.noise_level import noise_level


def columns(n=1500, seed=0):
    """A flag, a whole number, a smooth column and a heavy-tailed one; clean."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    return np.column_stack([a > 0, np.round(2 * a), a, rng.standard_t(3, n)]).astype(float)


def noisy(clean, share, seed=1):
    level = share * clean.std(0)
    return clean + level * np.random.default_rng(seed).normal(size=clean.shape), level


def waves(n=1500, share=0.2, seed=0):
    t = np.linspace(0, 100, n)
    clean = np.column_stack([np.sin(t + j) + 0.3 * np.cos(2.3 * t - j) for j in range(4)])
    return noisy(clean, share, seed)


def test_columns_of_few_values_show_their_noise():
    X, level = noisy(columns(), 0.05)
    own = own_levels(X)
    assert_array_equal(own.clear, [True, True, False, False])
    assert_allclose(own.level[:2], level[:2], rtol=0.1)
    assert_array_equal(own.level[2:], 0.0)
    assert "lumps of equal width" in own.evidence[0]
    assert "held" in own.evidence[2]


def test_without_noise_nothing_shows():
    own = own_levels(columns())
    assert_array_equal(own.level, 0.0)
    assert "values repeat" in own.evidence[0]
    assert "held" in own.evidence[3]


def test_noise_before_the_rounding_does_not_show():
    X, _ = noisy(columns(), 0.3)
    own = own_levels(np.round(X, 1))
    assert_array_equal(own.level[:2], 0.0)


def test_units_do_not_matter():
    X, _ = noisy(columns(), 0.1)
    plain, other = own_levels(X), own_levels(1e4 * X - 3e3)
    assert_allclose(other.level, 1e4 * plain.level, rtol=1e-6)
    assert plain.evidence == other.evidence


def test_gaps_in_a_column_do_not_cost_memory():
    X, level = noisy(columns(), 0.05)
    X[:5, 0] += 1e7  # a broken sensor
    scaled = X[:, :1] / X[:, :1].std()
    assert own_levels(scaled).level.shape == (1,)
    assert np.isfinite(own_levels(X).level).all()
    assert_allclose(own_levels(X).level[1], level[1], rtol=0.1)


def test_columns_with_lumps_speak_for_all():
    X, _ = noisy(columns(), 0.05)
    blind = BlindSpot(hidden=0).fit(X)
    share, evidence = common_level(blind, X.std(0), own_levels(X))
    assert_allclose(share, 0.05, rtol=0.1)
    assert "2 columns" in evidence


def test_residuals_that_agree_tell_the_level():
    X, level = waves()
    blind = BlindSpot("series", hidden=0).fit(X)
    share, evidence = common_level(blind, X.std(0), own_levels(X))
    assert "agree" in evidence
    assert_allclose(share * X.std(0), level, rtol=0.15)


def test_refuses_where_residuals_do_not_agree():
    rng = np.random.default_rng(0)
    # own noise of very different size in every column: no share of the spread fits them all
    X = waves(share=0.0)[0] + np.array([0.05, 0.15, 0.4, 0.9]) * rng.normal(size=(1500, 4))
    blind = BlindSpot("series", hidden=0).fit(X)
    share, evidence = common_level(blind, X.std(0), own_levels(X))
    assert np.isnan(share)
    assert "apart" in evidence


def test_refuses_where_columns_are_few():
    X, _ = waves()
    share, evidence = common_level(
        BlindSpot("series", hidden=0).fit(X[:, :2]), X[:, :2], own_levels(X[:, :2])
    )
    assert np.isnan(share)
    assert "three" in evidence


def test_values_speak_against_a_level_that_would_have_washed_them_out():
    X, level = noisy(columns(), 0.1)
    for j in range(4):
        assert possible_level(X[:, j], level[j]) == level[j]  # a level that is right stays
        assert possible_level(X[:, j], level[j] / 2) == level[j] / 2
    for j in range(2):
        assert_allclose(possible_level(X[:, j], 2.5 * level[j]), level[j], rtol=0.25)
    smooth, high = X[:, 2], 2.5 * level[2]  # a smooth density could be as noisy as that
    assert possible_level(smooth, high) == high


def test_a_level_far_below_what_values_can_show_is_not_asked(monkeypatch):
    X, _ = noisy(columns(), 0.1)
    monkeypatch.setattr("denograd.map.level._marginal", None)  # whose grid would have millions of points
    assert possible_level(X[:, 2], 1e-6) == 1e-6


def test_repeated_values_say_nothing_of_a_given_level():
    X = np.round(columns(), 1)[:, 2]
    assert possible_level(X, 3.0) == 3.0


def test_a_residual_holds_the_noise_of_the_inputs_as_well():
    clean_level = 0.2
    X, level = waves(share=clean_level)
    blind = BlindSpot("series", hidden=0).fit(X)
    for factor in (1.5, 2.0):
        told = noise_level(
            factor * level,
            X,
            noise_bound(blind.residual_),
            blind.outputs,
            blind.constant_,
            "series",
            blind=blind,
            least_share=0.0,
        )
        assert (told.sigma < 1.25 * level).all()
        assert all("capped" in evidence for evidence in told.evidence)
    right = refine(blind, X, level, fitted_rows=len(X))
    assert_allclose(right.sigma, level, rtol=1e-6)
    double = refine(blind, X, 2 * level, fitted_rows=len(X))
    assert double.error.sum() < 1.6 * right.error.sum()


def test_a_new_row_does_not_depend_on_those_beside_it_where_noise_grows_with_the_value():
    X, _ = noisy(columns(400), 0.1)
    blind = BlindSpot("tabular", hidden=0).fit(X)
    new = np.vstack([X[:3] + 0.01, 50 * np.ones((1, 4))])
    together = refine(blind, new, 0.0, sigma_relative=0.3).values[:3]
    assert_allclose(together, refine(blind, new[:3], 0.0, sigma_relative=0.3).values, atol=1e-5)
