"""The sequence filters against the libraries of the field and against known truth."""

import numpy as np
import pytest
import pywt

from baselines.emd import EMD
from baselines.kalman import Kalman, likeliest_variances
from baselines.moving_average import MovingAverage
from baselines.wavelet import Wavelet, soften


def walk(n=400, columns=3, noise=0.3, seed=0):
    """A random walk of unit variance per column, clean and noisy."""
    rng = np.random.default_rng(seed)
    clean = rng.standard_normal((n, columns)).cumsum(axis=0)
    clean = (clean - clean.mean(axis=0)) / clean.std(axis=0)
    return clean, clean + noise * rng.standard_normal(clean.shape)


def error(refined, clean):
    return np.square(refined - clean).sum()


def filterpy_filter(column, x, p, q, r):
    from filterpy.kalman import KalmanFilter

    oracle = KalmanFilter(dim_x=1, dim_z=1)
    oracle.x, oracle.P = np.array([[x]]), np.array([[p]])
    oracle.F = oracle.H = np.eye(1)
    oracle.Q, oracle.R = np.array([[q]]), np.array([[r]])
    means, covariances, _, _ = oracle.batch_filter(column)
    return oracle, means, covariances


def test_kalman_paper_is_filterpys():
    _, noisy = walk()
    refined = Kalman().fit(noisy).denoise(noisy).X
    for j, column in enumerate(noisy.T):
        _, means, _ = filterpy_filter(column, 0.0, 1.0, 1e-5, 1e-2)
        np.testing.assert_allclose(refined[:, j], means[:, 0, 0], rtol=0, atol=1e-12)


def test_kalman_sound_is_filterpys_smoother_from_the_first_value():
    _, noisy = walk(120)
    denoiser = Kalman("sound").fit(noisy)
    result = denoiser.denoise(noisy)
    forward = denoiser.denoise(noisy, causal=True).X
    for j, column in enumerate(noisy.T):
        q, r = result.info["q"][j], result.info["r"][j]
        oracle, means, covariances = filterpy_filter(column[1:], column[0], r, q, r)
        np.testing.assert_allclose(forward[1:, j], means[:, 0, 0], atol=1e-10)
        smoothed, *_ = oracle.rts_smoother(means, covariances)
        np.testing.assert_allclose(result.X[1:, j], smoothed[:, 0, 0], atol=1e-10)


def test_kalman_variances_are_those_of_maximum_likelihood():
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    _, noisy = walk(300)
    q, r = likeliest_variances(noisy)
    for j, column in enumerate(noisy.T):
        model = UnobservedComponents(column, "local level", use_exact_diffuse=True)
        ours, best = model.loglike([r[j], q[j]]), model.fit(disp=False)
        assert ours >= best.llf - 1e-3
        np.testing.assert_allclose([r[j], q[j]], best.params, rtol=0.1)


def test_kalman_variances_of_columns_without_noise_or_without_signal():
    rng = np.random.default_rng(0)
    frame = np.column_stack([np.ones(500), rng.standard_normal(500), rng.standard_normal(500).cumsum()])
    q, r = likeliest_variances(frame)
    assert q[1] < 1e-4 * r[1]
    assert r[2] < 0.05 * q[2]
    refined = Kalman("sound").fit(frame).denoise(frame).X
    np.testing.assert_array_equal(refined[:, 0], 1.0)


@pytest.mark.parametrize("denoiser", [Kalman, MovingAverage])
def test_sound_comes_closer_to_the_truth_than_paper_and_than_nothing(denoiser):
    clean, noisy = walk(2000)
    left = {s: error(denoiser(s).fit(noisy).denoise(noisy).X, clean) for s in ("paper", "sound")}
    assert left["sound"] < left["paper"]
    assert left["sound"] < error(noisy, clean)


def test_moving_average():
    X = np.arange(10.0)[:, None] ** 2
    trailing = MovingAverage(window=3).fit(X).denoise(X).X
    np.testing.assert_allclose(trailing[:4, 0], [0, 0.5, 5 / 3, 14 / 3])
    centred = MovingAverage("sound", window=3).fit(X)
    np.testing.assert_allclose(centred.denoise(X).X[:3, 0], [0.5, 5 / 3, 14 / 3])
    np.testing.assert_allclose(centred.denoise(X, causal=True).X, trailing)


@pytest.mark.parametrize("n", [64, 257, 1000])
def test_wavelet_sound_is_scikit_images_visu_shrink(n):
    from skimage.restoration import denoise_wavelet

    _, noisy = walk(n)
    result = Wavelet("sound").fit(noisy).denoise(noisy)
    for j, column in enumerate(noisy.T):
        details = pywt.dwt(column, "db4", mode="symmetric")[1]
        oracle = denoise_wavelet(
            column,
            sigma=np.median(np.abs(details)) / 0.6745,
            wavelet="db4",
            mode="soft",
            method="VisuShrink",
            wavelet_levels=result.info["level"],
        )
        np.testing.assert_allclose(result.X[:, j], oracle, atol=1e-10)


def test_wavelet_paper_shrinks_the_approximation_too():
    _, noisy = walk(1000)
    shifted = noisy + 100
    paper = Wavelet().fit(shifted).denoise(shifted).X - 100
    sound = Wavelet("sound").fit(shifted).denoise(shifted).X - 100
    assert np.abs(sound.mean(axis=0) - noisy.mean(axis=0)).max() < 0.01
    assert (paper.mean(axis=0) < sound.mean(axis=0) - 0.02).all()


def test_soften_is_pywavelets_where_that_is_defined():
    x = np.linspace(-2, 2, 41)
    np.testing.assert_allclose(soften(x, 0.5), pywt.threshold(x, 0.5, "soft"))
    np.testing.assert_array_equal(soften(np.zeros(3), 0.0), 0)


def test_emd_paper_drops_the_first_two_modes_of_the_full_decomposition():
    from PyEMD import EMD as Decomposition

    _, noisy = walk(300)
    noisy[:, 2] = np.linspace(0, 1, 300)
    result = EMD().fit(noisy).denoise(noisy)
    for j in (0, 1):
        full = Decomposition().emd(noisy[:, j].copy())
        np.testing.assert_allclose(result.X[:, j], full[2:].sum(axis=0), atol=1e-12)
    np.testing.assert_array_equal(result.X[:, 2], noisy[:, 2])
    assert result.info == {"modes_dropped": [2, 2, 0], "columns_unchanged": 1}


def test_emd_sound_drops_by_energy():
    from PyEMD import EMD as Decomposition

    t = np.linspace(0, 6 * np.pi, 1000)
    clean = np.column_stack([np.sin(t), 3 * np.sin(t / 2) + t])
    noisy = clean + 0.2 * np.random.default_rng(0).standard_normal(clean.shape)
    result = EMD("sound").fit(noisy).denoise(noisy)
    for j in (0, 1):
        modes = Decomposition().emd(noisy[:, j].copy())
        energy = np.square(modes).mean(axis=1)
        k = 2
        while energy[k - 1] <= energy[0] / 0.719 * 2.01**-k:
            k += 1
        assert result.info["modes_dropped"][j] == k - 1
        np.testing.assert_allclose(result.X[:, j], modes[k - 1 :].sum(axis=0), atol=1e-10)
    assert error(result.X, clean) < 0.6 * error(noisy, clean)


@pytest.mark.slow
def test_emd_columns_in_parallel_are_the_same():
    _, noisy = walk(100)
    alone = EMD().fit(noisy).denoise(noisy).X
    together = EMD(workers=2).fit(noisy).denoise(noisy).X
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Kalman(q=0.0), "must be positive, got q=0.0"),
        (lambda: MovingAverage(window=0), "at least 1 step, got 0"),
        (lambda: EMD(drop=0), "at least 1 mode, got 0"),
    ],
)
def test_settings_out_of_range(build, message):
    with pytest.raises(ValueError, match=message):
        build()
