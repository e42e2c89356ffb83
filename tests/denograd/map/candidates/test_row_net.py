import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal

from denograd.map.candidates.row_net import RowNet


def rows(n=1500, sigma=0.4, seed=0):
    """A curve in three dimensions: what one column is, the whole row knows best."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, n)
    clean = 2**0.5 * np.column_stack([np.cos(angle), np.sin(angle), np.cos(2 * angle)])
    noisy = clean + sigma * rng.normal(size=clean.shape)
    return clean, noisy, np.full(clean.shape, sigma), np.arange(n) % 5


def share(correction, clean, noisy, sigma):
    return ((noisy + sigma * correction - clean) ** 2).sum(0) / ((noisy - clean) ** 2).sum(0)


def test_brings_rows_closer_to_the_truth_and_knows_how_close():
    clean, noisy, sigma, fold = rows()
    net = RowNet().fit(noisy, sigma, np.zeros(noisy.shape), fold)
    left = share(net.correction_, clean, noisy, sigma)
    assert (left < 0.85).all()
    expected = 1 + (net.correction_**2 + 2 * net.divergence_).mean(0)
    assert_allclose(expected, left, atol=0.1)
    # new rows, by the mean of all nets
    clean, noisy, sigma, _ = rows(seed=1)
    assert (share(net.predict(noisy), clean, noisy, sigma) < 0.85).all()


def test_the_divergence_is_the_derivative_in_the_value_itself():
    _, noisy, sigma, fold = rows(300)
    net = RowNet().fit(noisy, sigma, np.zeros(noisy.shape), fold)
    mine = fold == 0
    x = torch.from_numpy(noisy[mine]).float()
    exact = np.empty(x.shape)
    for j in range(3):
        nudge = torch.zeros_like(x)
        nudge[:, j] = 0.01
        change = net._forward(x + nudge, 0) - net._forward(x - nudge, 0)
        exact[:, j] = sigma[mine, j] * change[:, j].numpy() / 0.02
    # eight probes of random signs leave an error that the mean over rows makes small
    assert_allclose(net.divergence_[mine].mean(0), exact.mean(0), atol=0.1)


def test_columns_without_noise_are_inputs_only():
    _, noisy, sigma, fold = rows(300)
    sigma[:, 1] = 0.0
    net = RowNet().fit(noisy, sigma, np.zeros(noisy.shape), fold)
    assert_array_equal(net.correction_[:, 1], 0.0)
    assert_array_equal(net.predict(noisy)[:, 1], 0.0)
    moved = noisy.copy()
    moved[:, 1] += 1.0
    assert (net.predict(moved)[:, 0] != net.predict(noisy)[:, 0]).any()


def test_new_rows_do_not_depend_on_each_other():
    _, noisy, sigma, fold = rows(300)
    net = RowNet().fit(noisy, sigma, np.zeros(noisy.shape), fold)
    assert_allclose(net.predict(noisy)[:4], net.predict(noisy[:4]), atol=1e-5)


def test_same_seed_same_net_and_no_global_state():
    _, noisy, sigma, fold = rows(300)
    before = torch.get_rng_state()
    first, second = (RowNet(seed=2).fit(noisy, sigma, np.zeros(noisy.shape), fold) for _ in range(2))
    assert_array_equal(first.correction_, second.correction_)
    assert_array_equal(first.divergence_, second.divergence_)
    assert_array_equal(before, torch.get_rng_state())
