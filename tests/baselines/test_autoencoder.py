"""The tutorial autoencoder's parts."""

import numpy as np
import pytest
import torch

from baselines.autoencoder import (
    CORRUPTIONS,
    LOSSES,
    Autoencoder,
    ConvAutoencoder,
    TutorialAutoencoder,
    train_full_batch,
)
from baselines.training import seeded


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruptions_stay_in_range_and_leave_the_input(name):
    x = torch.rand(50, 20, 5, generator=draw(1))
    before = x.clone()
    corrupted = CORRUPTIONS[name](x, 0.3, draw())
    assert torch.equal(x, before)
    assert corrupted.min() >= 0
    assert corrupted.max() <= 1
    assert torch.equal(corrupted, CORRUPTIONS[name](x, 0.3, draw()))
    assert torch.equal(CORRUPTIONS[name](x, 0.0, draw()), x)


def test_corruptions_have_their_level():
    x = torch.full((400, 50), 0.5)
    noise = CORRUPTIONS["gaussian"](x, 0.1, draw()) - x
    assert noise.std().item() == pytest.approx(0.1, rel=0.02)
    assert (CORRUPTIONS["masking"](x, 0.3, draw()) == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    both = CORRUPTIONS["salt_and_pepper"](x, 0.3, draw())
    for extreme in (0, 1):
        assert (both == extreme).float().mean().item() == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize("window", [4, 7, 24, 25])
def test_convolutional_form_keeps_the_shape(window):
    net = ConvAutoencoder(3, hidden=2)
    x = torch.rand(5, window, 3, generator=draw())
    assert net(x).shape == x.shape
    assert net.encode(x).shape == (5, 2 * -(-window // 4))


@pytest.mark.parametrize("loss", LOSSES)
def test_training_reduces_each_loss(loss):
    x = torch.rand(60, 6, generator=draw())
    with seeded(0):
        net = Autoencoder(6)
    losses = train_full_batch(net, x, x, epochs=80, lr=1e-2, loss=LOSSES[loss])
    assert len(losses) == 80
    assert losses[-1] < 0.9 * losses[0]


def test_long_training_undoes_noise():
    rng = np.random.default_rng(0)
    clean = rng.random((500, 2)) @ rng.random((2, 8))
    noisy = clean + 0.1 * rng.standard_normal(clean.shape)
    denoiser = TutorialAutoencoder(epochs=800, lr=1e-2).fit(noisy)
    result = denoiser.denoise(noisy)
    assert np.square(result.X - clean).sum() < 0.7 * np.square(noisy - clean).sum()
    assert result.info["epochs"] == 800


def test_values_outside_the_fitted_range_are_clipped():
    X = np.random.default_rng(0).random((50, 3))
    denoiser = TutorialAutoencoder(epochs=2).fit(X)
    np.testing.assert_array_equal(denoiser.denoise(X + 9).X, denoiser.denoise(np.ones_like(X) * 5).X)
