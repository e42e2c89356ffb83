"""What a denoiser does must not depend on the unit that the data come in."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from baselines.base import Problem
from baselines.controls import Constant
from baselines.dae import DAE
from baselines.dn_resnet import DnResNet
from baselines.emd import EMD
from baselines.kalman import Kalman
from baselines.moving_average import MovingAverage
from baselines.pca import PCA
from baselines.strong import BayesShrink, SingularSpectrum, SingularValues
from baselines.wavelet import Wavelet

NETS = (DAE, DnResNet)
FAR = (1e-100, 1e-30, 1e30, 1e100)
"""Units in which float32 has no numbers, or whose squares it cannot hold."""


def waves():
    t = np.arange(160) / 8
    clean = np.column_stack([np.sin(t), np.cos(0.7 * t), 0.3 * np.sin(2 * t) + np.cos(t)])
    return clean + 0.2 * np.random.default_rng(0).standard_normal(clean.shape)


def refined(build, unit, *, levels=0.2):
    """The result, in units of the data."""
    X = waves() * unit
    problem = Problem(kind="series", sigma=0.2, levels=np.full(3, levels))
    return build().fit(X, seed=0, problem=problem).denoise(X).X / unit


@pytest.mark.parametrize("unit", [*FAR, 1e-3, 1.7, 1000.0])
@pytest.mark.parametrize("settings", ["paper", "sound"])
@pytest.mark.parametrize("denoiser", [EMD, Kalman, MovingAverage, PCA, Wavelet, Constant])
def test_any_unit_gives_the_same(denoiser, settings, unit):
    assert_allclose(
        refined(lambda: denoiser(settings), unit), refined(lambda: denoiser(settings), 1.0), atol=1e-9
    )


@pytest.mark.parametrize("unit", FAR)
@pytest.mark.parametrize("denoiser", [BayesShrink, SingularSpectrum, SingularValues])
def test_those_that_know_the_level(denoiser, unit):
    assert_allclose(refined(denoiser, unit, levels=0.2 * unit), refined(denoiser, 1.0), atol=1e-9)


@pytest.mark.parametrize("settings", ["paper", "sound"])
@pytest.mark.parametrize("denoiser", NETS)
def test_nets_see_standardised_columns(denoiser, settings):
    """All units far from 1 are one to them; the weights start the same."""

    def build():
        return denoiser(settings, epochs=2)

    known = refined(build, 1000.0)
    for unit in FAR:
        assert_allclose(refined(build, unit), known, atol=1e-4)
    assert np.abs(known - waves()).max() < 5


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_what_no_square_holds_is_refused(unit):
    with pytest.raises(ValueError, match="give them in another unit"):
        Kalman().fit(waves() * unit)
