import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from denograd.map.aggregate import aggregate


def drawn(n=4000, seed=0):
    """Values N(0, 1) with noise of 1, in noise levels: the best step is -y / 2."""
    rng = np.random.default_rng(seed)
    clean = rng.normal(size=(n, 1))
    return clean, clean + rng.normal(size=(n, 1))


def test_finds_the_best_multiple_of_a_step():
    clean, y = drawn()
    weights, share = aggregate(-y[None], np.full((1, *y.shape), -1.0))
    assert_allclose(weights, 0.5, atol=0.03)
    left = ((y - weights[0] * y - clean) ** 2).mean() / ((y - clean) ** 2).mean()
    assert_allclose(share, left, atol=0.05)


def test_shares_the_weight_between_candidates():
    clean, y = drawn()
    z = clean + np.random.default_rng(1).normal(size=clean.shape)  # a second, independent observation
    weights, share = aggregate(np.stack([-y, z - y]), np.full((2, *y.shape), -1.0))
    # the posterior mean (y + z) / 3 = y - (1/3) y + (1/3) (z - y)
    assert_allclose(weights[:, 0], 1 / 3, atol=0.04)
    assert_allclose(share, 1 / 3, atol=0.05)


def test_a_step_that_knows_nothing_is_not_taken():
    _, y = drawn()
    noise = np.random.default_rng(1).normal(size=y.shape)
    weights, share = aggregate(noise[None], np.zeros((1, *y.shape)))
    assert_array_equal(weights, 0.0)
    assert_array_equal(share, 1.0)


def test_candidates_may_be_alike_or_empty():
    _, y = drawn()
    steps = np.stack([-y, -y, np.zeros_like(y)])
    divergences = np.stack([-np.ones_like(y), -np.ones_like(y), np.zeros_like(y)])
    weights, _ = aggregate(steps, divergences)
    assert_allclose(weights.sum(), 0.5, atol=0.03)
    assert weights[2, 0] == 0.0


def test_every_column_has_weights_of_its_own():
    _, y = drawn()
    steps = np.concatenate([-y, np.zeros_like(y)], 1)[None]
    weights, share = aggregate(steps, np.full(steps.shape, -1.0) * [1.0, 0.0])
    assert weights[0, 0] > 0.4
    assert (weights[0, 1], share[1]) == (0.0, 1.0)
