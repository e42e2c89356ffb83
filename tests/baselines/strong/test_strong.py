"""The peers from outside the paper against libraries, textbook formulas and a known truth."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from baselines.base import Problem
from baselines.strong import BayesShrink, SingularSpectrum, SingularValues
from baselines.strong.levelled import levels_of
from baselines.strong.spectrum import average, windows

ALL = [SingularValues, SingularSpectrum, BayesShrink]


def series(n=600, sigma=0.3, seed=0):
    t = np.linspace(0, 60, n)
    clean = np.column_stack([np.sin(t), np.cos(t), np.sin(2 * t + 1)])
    clean = clean / clean.std(0)
    return clean, clean + sigma * np.random.default_rng(seed).normal(size=clean.shape)


def table(n=400, d=10, rank=2, sigma=0.3, seed=0):
    rng = np.random.default_rng(seed)
    clean = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, d))
    return clean, clean + sigma * rng.normal(size=clean.shape)


def share(refined, clean, noisy):
    return np.square(refined - clean).sum() / np.square(noisy - clean).sum()


def refine(denoiser, noisy, sigma=0.3, kind="series"):
    return denoiser.fit(noisy, seed=0, problem=Problem(kind, sigma=sigma)).denoise(noisy).X


@pytest.mark.parametrize(("denoiser", "most"), [(SingularSpectrum, 0.2), (BayesShrink, 0.4)])
def test_series_come_closer_to_the_truth(denoiser, most):
    clean, noisy = series()
    assert share(refine(denoiser(), noisy), clean, noisy) < most


def test_a_table_of_low_rank_comes_closer_to_the_truth():
    clean, noisy = table()
    left = share(refine(SingularValues(), noisy, kind="tabular"), clean, noisy)
    # an oracle that knows the plane keeps rank / d of the noise
    assert 2 / 10 < left < 1.15 * 2 / 10


def test_singular_values_are_those_of_the_svd():
    _, noisy = table()
    mean = noisy.mean(0)
    left, values, right = np.linalg.svd((noisy - mean) / 0.3, full_matrices=False)
    y, b = values / len(noisy) ** 0.5, noisy.shape[1] / len(noisy)
    kept = y > 1 + b**0.5
    y[kept] = np.sqrt((y[kept] ** 2 - b - 1) ** 2 - 4 * b) / y[kept]
    y[~kept] = 0.0
    expected = (left * y * len(noisy) ** 0.5) @ right * 0.3 + mean
    assert_allclose(refine(SingularValues(), noisy, kind="tabular"), expected, atol=1e-9)


def test_windows_and_their_average():
    frame = np.arange(12.0).reshape(6, 2)
    assert_array_equal(windows(frame, 3)[1], frame[1:4].ravel())
    assert_allclose(average(windows(frame, 3).reshape(4, 3, 2)), frame)


def test_bayes_shrink_is_scikit_images():
    from skimage.restoration import denoise_wavelet

    _, noisy = series(512)
    ours = refine(BayesShrink(), noisy)
    for j, column in enumerate(noisy.T):
        theirs = denoise_wavelet(column, sigma=0.3, wavelet="db4", mode="soft", method="BayesShrink")
        # it clips nothing and takes the variance of a scale about 0, as we do
        assert_allclose(ours[:, j], theirs, atol=1e-6)


@pytest.mark.parametrize("denoiser", ALL)
def test_columns_without_noise_are_held(denoiser):
    _, noisy = series()
    problem = Problem("series", sigma=0.3, sigma_target=0.0)
    refined = denoiser().fit(noisy, seed=0, problem=problem).denoise(noisy).X
    assert_array_equal(refined[:, 0], noisy[:, 0])
    assert (refined[:, 1] != noisy[:, 1]).any()
    noisy[:, 2] = 7.0
    assert_array_equal(refine(denoiser(), noisy)[:, 2], 7.0)


@pytest.mark.parametrize("denoiser", ALL)
def test_levels_scale_with_the_columns(denoiser):
    _, noisy = series()
    factor = np.array([1.0, 10.0, 0.1])
    problem = Problem("series", sigma=1.0, levels=0.3 * factor)
    refined = denoiser().fit(noisy * factor, seed=0, problem=problem).denoise(noisy * factor).X
    assert_allclose(refined / factor, refine(denoiser(), noisy), atol=1e-8)


def test_new_rows_are_mapped_by_what_the_fitted_ones_taught():
    _, noisy = table()
    fitted = SingularValues().fit(noisy[:300], seed=0, problem=Problem(sigma=0.3))
    assert_allclose(fitted.denoise(noisy).X[300:], fitted.denoise(noisy[300:]).X)
    assert_allclose(fitted.denoise(noisy[300:301]).X, fitted.denoise(noisy[300:]).X[:1])


@pytest.mark.parametrize("denoiser", ALL)
def test_says_why_it_cannot_run(denoiser):
    assert "no noise level" in denoiser().skip(Problem("series"))
    assert "no noise level" in denoiser().skip(Problem("series", sigma=0.0))
    assert denoiser().skip(Problem("series", sigma=0.1)) is None
    reason = denoiser().skip(Problem("tabular", sigma=0.1))
    assert (reason is None) == (denoiser is SingularValues)


@pytest.mark.parametrize("denoiser", ALL)
def test_short_series_stay(denoiser):
    _, noisy = series()
    fitted = denoiser().fit(noisy, seed=0, problem=Problem("series", sigma=0.3))
    short = fitted.denoise(noisy[:3]).X
    assert short.shape == (3, 3)
    assert np.isfinite(short).all()


def test_the_target_of_a_table_is_its_last_column():
    assert_array_equal(levels_of(Problem("tabular", sigma=0.2, sigma_target=0.0), 3, True), [0.2, 0.2, 0.0])
    assert_array_equal(levels_of(Problem("tabular", sigma=0.2, sigma_target=0.0), 2, False), [0.2, 0.2])
    assert_array_equal(levels_of(Problem("series", sigma=0.2, sigma_target=0.1), 3, False), [0.1, 0.2, 0.2])
    assert_array_equal(levels_of(Problem(levels=np.array([0.1, 0.2, 0.3])), 2, False), [0.1, 0.2])
