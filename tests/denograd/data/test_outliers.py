import numpy as np
import pytest

from denograd import BlindSpot, refine
from denograd.data.outliers import far_limits

RNG = np.random.default_rng


def found(x):
    low, high = far_limits(x[:, None])
    return np.flatnonzero((x < low) | (x > high))


@pytest.mark.parametrize("n", [60, 3000])
@pytest.mark.parametrize("value", [-9999.0, -999.0, 9999.0, 1e6, -1e30])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_sentinels_are_found(n, value, count):
    if count > n // 25:
        pytest.skip("more than a tail")
    x = RNG(0).normal(size=n)
    rows = RNG(1).permutation(n)[:count]
    x[rows] = value
    np.testing.assert_array_equal(found(x), np.sort(rows))


def test_both_ends_and_slips_of_the_point():
    x = RNG(0).normal(5.0, 1.0, size=1000)
    x[3], x[700] = -9999.0, 9999.0
    assert found(x).tolist() == [3, 700]
    x[10:30] *= 1000
    assert found(x).tolist() == [3, *range(10, 30), 700]


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: rng.normal(size=3000),
        lambda rng: rng.lognormal(0, 2, size=3000),
        lambda rng: rng.standard_t(3, size=3000),
        lambda rng: np.where(rng.random(3000) < 0.01, 11.0, 0.0) + 0.05 * rng.normal(size=3000),
        lambda rng: np.where(rng.random(3000) < 0.01, 1.0, 0.0),
        lambda rng: rng.poisson(0.02, size=3000).astype(float),
        lambda rng: np.full(3000, 7.0),
        lambda rng: np.exp(np.arange(3000) / 300),
        lambda rng: np.r_[rng.normal(size=2800), rng.normal(15, 1, size=200)],
        lambda rng: rng.normal(size=5),
    ],
    ids=[
        "normal",
        "lognormal",
        "t",
        "noisy level",
        "binary",
        "counts",
        "constant",
        "growth",
        "two groups",
        "few",
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_what_only_has_a_heavy_tail_or_a_rare_level_is_left(draw, seed):  # fmt: skip
    assert not len(found(draw(RNG(seed))))


def relations(n=1500, seed=0):
    a, b = RNG(seed).normal(size=(2, n))
    clean = np.column_stack([a, b, a + b, a - b])
    return clean, clean + 0.3 * RNG(seed + 1).normal(size=clean.shape)


def shares(refined, clean, noisy, counted):
    left = np.where(counted, (refined - clean) ** 2, 0).sum(0)
    return left / np.where(counted, (noisy - clean) ** 2, 0).sum(0)


@pytest.mark.parametrize("count", [1, 30])
@pytest.mark.parametrize("value", [-9999.0, 1e8])
def test_a_sentinel_harms_neither_its_column_nor_the_others(value, count):
    clean, noisy = relations()
    counted = np.ones(clean.shape, dtype=bool)
    counted[RNG(5).permutation(len(clean))[:count], 2] = False
    spoilt = np.where(counted, noisy, value)
    plain = BlindSpot(hidden=4, epochs=2).fit(noisy)
    blind = BlindSpot(hidden=4, epochs=2).fit(spoilt)
    np.testing.assert_array_equal(blind.outliers_, ~counted)
    before = shares(refine(plain, noisy, 0.3, fitted_rows=1500).values, clean, noisy, counted)
    refined = refine(blind, spoilt, 0.3, fitted_rows=1500)
    np.testing.assert_allclose(shares(refined.values, clean, noisy, counted), before, atol=0.05)
    np.testing.assert_allclose(np.sqrt(blind.mse_), np.sqrt(plain.mse_), rtol=0.1)


def test_new_rows_with_a_sentinel():
    _, noisy = relations()
    blind = BlindSpot(hidden=4, epochs=2).fit(noisy[:1000])
    new = noisy[1000:].copy()
    counted = np.ones(new.shape, dtype=bool)
    counted[3, 2] = False
    before = refine(blind, new, 0.3, solver="one_step").values
    # a sentinel that the fit has not seen: its column had no limits
    spoilt = BlindSpot(hidden=4, epochs=2).fit(np.where(np.arange(1000)[:, None] == 7, -9999.0, noisy[:1000]))
    after = refine(spoilt, np.where(counted, new, -9999.0), 0.3, solver="one_step").values
    assert np.abs(after[3, [0, 1, 3]] - before[3, [0, 1, 3]]).max() < 0.5
