import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from denograd.map.candidates.aggregate import aggregate


def drawn(n=4000, seed=0):
    """Values N(0, 1) with noise of 1, in noise levels: the best step is -y / 2."""
    rng = np.random.default_rng(seed)
    clean = rng.normal(size=(n, 1))
    return clean, clean + rng.normal(size=(n, 1))


def test_finds_the_best_multiple_of_a_step():
    _, y = drawn()
    assert_allclose(aggregate([-y], [np.full(y.shape, -1.0)]), 0.5, atol=0.03)


def test_shares_the_weight_between_candidates():
    clean, y = drawn()
    z = clean + np.random.default_rng(1).normal(size=clean.shape)  # a second, independent observation
    weights = aggregate([-y, z - y], [np.full(y.shape, -1.0)] * 2)
    # the posterior mean (y + z) / 3 = y - (1/3) y + (1/3) (z - y)
    assert_allclose(weights[:, 0], 1 / 3, atol=0.04)


def test_a_step_that_knows_nothing_is_not_taken():
    _, y = drawn()
    noise = np.random.default_rng(1).normal(size=y.shape)
    assert_array_equal(aggregate([noise], [np.zeros(y.shape)]), 0.0)


def test_candidates_may_be_alike_or_empty():
    _, y = drawn()
    one, zero = np.ones_like(y), np.zeros_like(y)
    weights = aggregate([-y, -y, zero], [-one, -one, zero])
    assert_allclose(weights.sum(), 0.5, atol=0.03)
    assert weights[2, 0] == 0.0


def test_every_column_has_weights_of_its_own():
    _, y = drawn()
    steps = np.concatenate([-y, np.zeros_like(y)], 1)
    weights = aggregate([steps], [np.full(steps.shape, -1.0) * [1.0, 0.0]])
    assert weights[0, 0] > 0.4
    assert weights[0, 1] == 0.0
