import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from denograd import BlindSpot, refine
from denograd.map.posterior import MOST_FILLED


def table(n=800, sigma=0.2, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    clean = np.column_stack([a, b, a + b, (a > 0) * 1.0, np.round(a - b)])
    return clean, clean + sigma * rng.normal(size=clean.shape)


def series(n=1000, sigma=0.2, seed=0):
    t = np.linspace(0, 80, n)
    clean = np.column_stack([np.sin(t), np.cos(t), np.sign(np.sin(0.7 * t))])
    return clean, clean + sigma * np.random.default_rng(seed).normal(size=clean.shape)


DATA = {"tabular": table, "series": series}


def share(values, clean, noisy):
    return ((values - clean) ** 2).sum(0) / ((noisy - clean) ** 2).sum(0)


@pytest.mark.parametrize("kind", ["tabular", "series"])
def test_is_closer_to_the_truth_than_the_plain_closed_form_and_knows_it(kind):
    clean, noisy = DATA[kind]()
    blind = BlindSpot(kind, hidden=8, epochs=5).fit(noisy)
    auto, plain = (refine(blind, noisy, 0.2, fitted_rows=len(noisy), solver=s) for s in ("auto", "one_step"))
    left = share(auto.values, clean, noisy)
    assert left.mean() < 0.8 * share(plain.values, clean, noisy).mean()
    assert left.max() < 1.02
    assert_allclose((auto.error / 0.04).mean(), left.mean(), atol=0.06)


@pytest.mark.parametrize("kind", ["tabular", "series"])
def test_new_rows_get_as_close(kind):
    clean, noisy = DATA[kind](1600)
    blind = BlindSpot(kind, hidden=8, epochs=5).fit(noisy[:800])
    found = refine(blind, noisy, 0.2, fitted_rows=800)
    old, new = (share(found.values[r], clean[r], noisy[r]).mean() for r in (slice(800), slice(800, None)))
    assert new < old + 0.1
    alone = refine(blind, noisy[800:], 0.2)
    # the first steps of a series that stands alone lack their past
    rows = slice(None) if kind == "tabular" else slice(400, None)
    assert_allclose(alone.values[rows], found.values[800:][rows], atol=2e-3)


def test_a_new_row_of_a_table_depends_on_itself_alone():
    _, noisy = table(1000)
    blind = BlindSpot(hidden=4, epochs=2).fit(noisy[:800])
    many, few = (refine(blind, noisy[800:end], 0.2).values for end in (1000, 803))
    assert_allclose(many[:3], few, atol=1e-5)


def test_what_was_learned_is_kept_for_the_next_rows(monkeypatch):
    _, noisy = table()
    blind = BlindSpot(hidden=0).fit(noisy[:600])
    first = refine(blind, noisy[:600], 0.2, fitted_rows=600)
    new = refine(blind, noisy[600:], 0.2).values

    def never(*args, **kwargs):
        raise AssertionError("learned again")

    with monkeypatch.context() as patch:
        patch.setattr("denograd.map.posterior.Posterior.fit", never)
        assert_array_equal(refine(blind, noisy[600:], 0.2).values, new)
        with pytest.raises(AssertionError, match="learned again"):
            refine(blind, noisy[600:], 0.1)
    assert_array_equal(refine(blind, noisy[:600], 0.2, fitted_rows=600).values, first.values)


def test_fitted_rows_are_those_that_were_fitted():
    _, noisy = table()
    blind = BlindSpot(hidden=0).fit(noisy)
    with pytest.raises(ValueError, match="not those that fit saw"):
        refine(blind, noisy + 0.1, 0.2, fitted_rows=len(noisy))


def test_levels_per_value_need_the_fitted_rows():
    _, noisy = table()
    blind = BlindSpot(hidden=0).fit(noisy)
    sigma = np.full(noisy.shape, 0.2)
    plain = refine(blind, noisy, 0.2, fitted_rows=len(noisy))
    each = refine(blind, noisy, sigma, fitted_rows=len(noisy))
    assert_allclose(each.values, plain.values, atol=1e-3)
    with pytest.raises(ValueError, match="one per column"):
        refine(blind, noisy, sigma)
    sigma[5] = 0.0
    held = refine(blind, noisy, sigma, fitted_rows=len(noisy))
    assert_array_equal(held.values[5], noisy[5])


def test_the_net_of_a_table_with_many_gaps_is_not_fitted(monkeypatch):
    _, noisy = table()
    blind = BlindSpot(hidden=0).fit(noisy[:600])
    blind.filled_ = 1.1 * MOST_FILLED

    def never(*args, **kwargs):
        raise AssertionError("fitted in vain")

    monkeypatch.setattr("denograd.map.candidates.row_net.RowNet.fit", never)
    found = refine(blind, noisy, 0.2, fitted_rows=600)
    assert (found.values != noisy)[600:].any()
    with pytest.raises(AssertionError, match="in vain"):
        refine(BlindSpot(hidden=0).fit(noisy), noisy, 0.2, fitted_rows=len(noisy))


def test_few_rows_are_held():
    _, noisy = table(30)
    blind = BlindSpot(hidden=0).fit(noisy)
    assert_array_equal(refine(blind, noisy, 0.2, fitted_rows=30).values, noisy)


def test_one_series_of_one_column():
    clean, noisy = series()
    blind = BlindSpot("series", hidden=0).fit(noisy[:, :1])
    found = refine(blind, noisy[:, :1], 0.2, fitted_rows=len(noisy))
    assert share(found.values, clean[:, :1], noisy[:, :1])[0] < 0.3


def few_rows(rows, solver, draws):
    """Share of the error that is left, and what was expected, over tables of columns that are more or less alone."""
    left, expected = [], []
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        clean = rng.normal(size=(rows, 2)) @ rng.normal(size=(2, 8))
        clean += rng.uniform(0, 1.5, size=8) * rng.normal(size=(rows, 8))
        clean /= clean.std(0)
        noisy = clean + 0.3 * rng.normal(size=clean.shape)
        found = refine(BlindSpot(hidden=0).fit(noisy), noisy, 0.3, fitted_rows=rows, solver=solver)
        left.append(share(found.values, clean, noisy))
        expected.append(found.error / 0.09)
    return np.concatenate(left), np.concatenate(expected)


@pytest.mark.parametrize(("rows", "room"), [(30, 0.05), (60, 0.015)])
def test_few_rows_do_not_flatter(rows, room):
    left, expected = few_rows(rows, "one_step", draws=25)
    assert left.mean() - expected.mean() < room, "0.086 and 0.038 without the price of the fitted weights"
    assert (left > 1.02).mean() < 0.12
    assert left.mean() < 0.98


def test_too_few_rows_are_held_and_said():
    _, noisy = table(30)
    found = refine(BlindSpot(hidden=0).fit(noisy), noisy, [0.2, 0.2, 0.2, 0.2, 0.0], fitted_rows=30)
    assert_array_equal(found.values, noisy)
    assert_allclose(found.error, [0.04, 0.04, 0.04, 0.04, 0.0])
    assert ["held: fewer than 40 values" in e for e in found.evidence] == [True] * 4 + [False]


def test_an_error_that_cannot_be_told_from_none_is_not_given_as_none():
    """Values far apart lose all of their noise: Stein's estimate is about 0, below 0 as often as not."""
    rng = np.random.default_rng(0)
    clean = rng.integers(0, 5, (400, 3)).astype(float)
    noisy = clean + 0.02 * rng.normal(size=clean.shape)
    found = refine(BlindSpot("tabular", hidden=0).fit(noisy), noisy, 0.02, fitted_rows=400)
    left = ((found.values - clean) ** 2).mean(0)
    assert (found.error > 0).all()
    assert (found.error >= left).all()
    assert (found.error < 0.2 * 0.02**2).all()
    assert all(
        ("cannot be told from 0" in said) == unclear
        for said, unclear in zip(found.evidence, found.error < 0.1 * 0.02**2, strict=True)
    )
