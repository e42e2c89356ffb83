"""What predicts a value does not see it through the gaps beside it, which were filled from it."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from denograd import denoise
from denograd.map.blind_spot import BlindSpot
from denograd.map.gaps import PastGaps, fill_gaps, see_past_gaps
from denograd.map.gaps.normal_fill import Normal, condition, leave_one_out

SIGMA = 0.5


def mixtures(n, seed=0):
    """Six columns made of three, and the noise that is added to them; a third is missing."""
    rng = np.random.default_rng(seed)
    clean = rng.normal(size=(n, 3)) @ rng.normal(size=(3, 6))
    return clean, SIGMA * rng.normal(size=clean.shape), rng.random(clean.shape) < 0.3


def test_a_value_left_out_is_as_one_that_is_missing():
    clean, noise, missing = mixtures(40)
    X = clean + noise
    normal = Normal(torch.zeros(6, dtype=torch.float64), torch.from_numpy(np.cov(X.T)))
    mean, gain = leave_one_out(normal, X, missing)
    whole, _ = condition(normal, X, missing)
    for j in range(6):
        rows = ~missing[:, j]
        without, gap = missing.copy(), missing[rows]
        without[:, j] = True
        found = condition(normal, X, without)[0][rows]
        assert_allclose(mean[rows, j], found[:, j], atol=1e-5)
        filled = whole[rows] + gain[rows, :, j] * (mean - X)[rows, j, None]
        assert_allclose(filled[gap], found[gap], atol=1e-5)


@pytest.mark.parametrize("wide", [100, 3])  # with a layer of leading components, and without
def test_inputs_of_their_own_for_every_output(wide, monkeypatch):
    monkeypatch.setattr("denograd.map.blind_spot.WIDE_TABLE", wide)
    clean, noise, _ = mixtures(60)
    X = clean + noise
    blind = BlindSpot(epochs=2).fit(X, seed=0)
    shift = np.random.default_rng(1).normal(size=(60, 6, 6))
    shift[:, np.arange(6), np.arange(6)] = 0.0
    one_by_one = [blind.predict(X + shift[:, :, j], fitted_rows=60)[:, j] for j in range(6)]
    found = blind.predict_shifted(X, shift, blind.fold_)
    assert_allclose(found, np.column_stack(one_by_one), atol=1e-4)


def test_a_prediction_tells_nothing_of_the_noise_in_its_value():
    clean, noise, missing = mixtures(1500)
    filled = fill_gaps(np.where(missing, np.nan, clean + noise), np.full(6, SIGMA), "tabular")
    blind = BlindSpot(hidden=0).fit(filled.values, seed=0)

    def seen():
        """Covariance of prediction and noise, as a share of the noise's variance."""
        products = ((blind.prediction_ - clean) * noise)[~missing]
        return products.mean() / SIGMA**2, products.std() / len(products) ** 0.5 / SIGMA**2

    assert seen()[0] > 0.1
    see_past_gaps(blind, filled, missing)
    share, doubt = seen()
    assert abs(share) < 4 * doubt < 0.1


def test_intervals_of_values_beside_gaps():
    clean, noise, missing = mixtures(1000)
    found = denoise(np.where(missing, np.nan, clean + noise), SIGMA, "tabular", verbose=False, hidden=0)
    inside = np.abs(found.data - clean) < 1.645 * found.std
    assert 0.85 < inside[~missing].mean() < 0.95
    share = ((found.data - clean)[~missing] ** 2).mean() / SIGMA**2
    assert found.share == pytest.approx(share, abs=0.05)


def test_complete_rows_are_predicted_as_they_were():
    clean, noise, missing = mixtures(60)
    X, none = clean + noise, np.zeros_like(missing)
    filled = fill_gaps(X, np.full(6, SIGMA), "tabular")
    blind = BlindSpot(hidden=0).fit(X, seed=0)
    before = blind.prediction_.copy()
    assert see_past_gaps(blind, filled, none) is None
    assert_array_equal(blind.prediction_, before)
    missing[:30] = False
    half = fill_gaps(np.where(missing, np.nan, X), np.full(6, SIGMA), "tabular")
    blind.fit(half.values, seed=0)
    before = blind.prediction_.copy()
    past = see_past_gaps(blind, half, missing)
    assert isinstance(past, PastGaps)
    assert_array_equal(blind.prediction_[:30], before[:30].astype(np.float32))
