from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.base.errors import SettingInvalid
from experiments.data import noise, synthetic
from experiments.data.noise import (
    Autocorrelated,
    Gaussian,
    Heteroscedastic,
    Impulses,
    Laplace,
    Missing,
    Multiplicative,
    Noise,
    Quantisation,
    StudentT,
)
from experiments.data.splits import Scaler

MODELS = [
    *(
        Gaussian,
        Laplace,
        StudentT,
        Impulses,
        Multiplicative,
        Heteroscedastic,
        Autocorrelated,
        Quantisation,
        Missing,
    )
]
SIGNAL_FREE = [Gaussian, Laplace, StudentT, Impulses, Autocorrelated]
CONF = Path(__file__).resolve().parents[3] / "conf" / "noise"


def standardised(n: int = 20_000, c: int = 4, seed: int = 0) -> np.ndarray:
    Z = np.random.default_rng(seed).standard_normal((n, c))
    return (Z - Z.mean(0)) / Z.std(0)


def inject(
    model: Noise, clean: np.ndarray, seed: int = 7, constant=None, target_column: int = 0, kind="series"
):
    constant = np.zeros(clean.shape[1], bool) if constant is None else constant
    return model.inject(clean, seed=seed, constant=constant, target_column=target_column, kind=kind)


@pytest.mark.parametrize("kind", ["tabular", "series"])
@pytest.mark.parametrize("model", [model for model in MODELS if model is not Missing])
@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), sigma=st.sampled_from([0.05, 0.2, 0.5]))
def test_error_has_mean_zero_and_the_stated_deviation(model, kind, seed, sigma):
    if model.series_only and kind == "tabular":
        return
    clean = standardised()
    tails = {"df": 10.0} if model is StudentT else {}  # at the default 4 the deviation converges slowly
    noisy = inject(model(sigma, **tails), clean, seed, kind=kind)
    error = noisy.values - clean
    np.testing.assert_allclose(error.mean(0), 0, atol=0.15 * sigma)
    np.testing.assert_allclose(error.std(0), sigma, rtol=0.12)
    np.testing.assert_allclose(noisy.sigma, np.sqrt((error**2).mean(0)))


@pytest.mark.parametrize("kind", ["tabular", "series"])
@pytest.mark.parametrize("sigma", [0.05, 0.2, 0.5])
def test_lost_values_reach_the_stated_deviation_over_many_columns(kind, sigma):
    clean = standardised(20_000, 40)
    noisy = inject(Missing(sigma), clean, kind=kind)
    assert np.sqrt((noisy.sigma**2).mean()) == pytest.approx(sigma, rel=0.1)
    smooth = np.sin(np.arange(2_000) / 200)[:, None] * np.sqrt(2)
    assert inject(Missing(sigma), smooth).sigma < sigma


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_higher_moments_tell_the_models_apart(seed):
    clean = standardised(40_000, 2)

    def kurtosis(model):
        error = inject(model, clean, seed).values - clean
        return (error**4).mean() / (error**2).mean() ** 2

    assert kurtosis(Gaussian(0.1)) == pytest.approx(3, abs=0.2)
    assert kurtosis(Laplace(0.1)) == pytest.approx(6, abs=1)
    assert kurtosis(StudentT(0.1, df=12)) == pytest.approx(3 + 6 / 8, abs=0.5)
    assert kurtosis(StudentT(0.1, df=3)) > 6
    assert kurtosis(Impulses(0.1, rate=0.1)) == pytest.approx(10, rel=0.1)
    assert kurtosis(Quantisation(0.1)) == pytest.approx(1.8, abs=0.1)


def test_spread_follows_the_value_as_stated():
    clean = np.repeat([[-3.0], [0.0], [3.0]], 20_000, axis=0)
    for model, expected in (
        (Multiplicative(0.1), [0.3, 0, 0.3]),
        (Heteroscedastic(0.1), [0.2236, 0.0707, 0.2236]),
    ):
        error = inject(model, clean).values - clean
        np.testing.assert_allclose(error.reshape(3, -1).std(1), expected, rtol=0.03)


@pytest.mark.parametrize("phi", [0.0, 0.8, -0.5])
def test_autocorrelated_errors_linger_and_are_stationary(phi):
    clean = np.zeros((400, 500))
    error = inject(Autocorrelated(0.1, phi=phi), clean).values
    np.testing.assert_allclose(error[[0, 200, -1]].std(1), 0.1, rtol=0.15)
    assert (error[1:] * error[:-1]).mean() / (error**2).mean() == pytest.approx(phi, abs=0.02)
    assert (error[5:] * error[:-5]).mean() / (error**2).mean() == pytest.approx(phi**5, abs=0.02)


def test_impulses_have_one_height_both_signs_and_the_stated_rate():
    error = inject(Impulses(0.1, rate=0.04), standardised()).values - standardised()
    spikes = error[np.abs(error) > 1e-9]
    np.testing.assert_allclose(np.abs(spikes), 0.5)
    assert spikes.size / error.size == pytest.approx(0.04, rel=0.1)
    assert (spikes > 0).mean() == pytest.approx(0.5, abs=0.03)


def test_quantised_values_lie_on_a_grid_of_the_stated_step():
    values = inject(Quantisation(0.1), standardised()).values
    for column in values.T:
        gaps = np.diff(np.unique(column.round(9)))
        np.testing.assert_allclose(
            gaps / (np.sqrt(12) * 0.1), np.round(gaps / (np.sqrt(12) * 0.1)), atol=1e-6
        )


def test_missing_values_of_a_series_are_interpolated_over_gaps_of_the_stated_length():
    clean = Scaler().fit(synthetic.seasonal().to_numpy()).transform(synthetic.seasonal().to_numpy())
    values = inject(Missing(0.1, length=5), clean).values
    gone = values[:, 0] != clean[:, 0]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], gone, [0]]).astype(int)))
    lengths = edges[1::2] - edges[::2]
    assert set(lengths) <= set(range(1, 6))
    assert (lengths == 5).mean() > 0.9
    start = edges[::2][lengths == 5][0]
    inner = values[start - 1 : start + 6, 0]
    np.testing.assert_allclose(np.diff(inner), np.diff(inner)[0], atol=1e-12)
    np.testing.assert_array_equal(values[~gone, 0], clean[~gone, 0])


def test_missing_values_of_a_table_become_the_mean():
    clean = standardised()
    values = inject(Missing(0.2), clean, kind="tabular").values
    gone = values != clean
    np.testing.assert_allclose(values[gone], 0, atol=1e-12)
    assert gone.mean() == pytest.approx(0.04, rel=0.1)


@pytest.mark.parametrize("model", MODELS)
def test_level_zero_is_the_identity(model):
    clean = standardised(300)
    noisy = inject(model(0.0), clean)
    np.testing.assert_array_equal(noisy.values, clean)
    assert not noisy.hit.any()


@pytest.mark.parametrize("model", MODELS)
def test_same_seed_same_bytes_input_and_global_state_untouched(model):
    clean = standardised(300)
    clean.flags.writeable = False
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    one, same, other = (inject(model(0.3), clean, seed).values for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize("model", SIGNAL_FREE)
def test_another_level_scales_the_same_draw(model):
    clean = standardised(300)
    small, large = (inject(model(sigma), clean).values - clean for sigma in (0.05, 0.15))
    np.testing.assert_allclose(3 * small, large, atol=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_switches_constants_and_target(model):
    clean = standardised(500)
    clean[:, 3] = 0
    constant = np.array([False, False, False, True])
    both = inject(model(0.3), clean, constant=constant, target_column=2)
    assert both.n_constant == 1
    assert ((both.values != clean).any(0) == [True, True, True, False]).all()
    features = inject(model(0.3, target=False), clean, constant=constant, target_column=2)
    assert ((features.values != clean).any(0) == [True, True, False, False]).all()
    target = inject(model(0.3, features=False), clean, constant=constant, target_column=2)
    assert ((target.values != clean).any(0) == [False, False, True, False]).all()
    np.testing.assert_array_equal(target.values[:, 2], both.values[:, 2])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5])
def test_a_fraction_of_the_rows_gets_the_noise_that_all_would_have_got(model, fraction):
    clean = standardised(1_000)
    everything, some = inject(model(0.3), clean), inject(model(0.3, fraction=fraction), clean)
    assert some.hit.sum() <= round(1_000 * fraction)
    np.testing.assert_array_equal(some.hit, (some.values != clean).any(1))
    np.testing.assert_array_equal(some.values[some.hit], everything.values[some.hit])
    if model in (Gaussian, Laplace, StudentT):
        assert some.hit.sum() == round(1_000 * fraction)


@pytest.mark.parametrize(
    ("model", "bad"),
    [
        (Gaussian, {"sigma": -0.1}),
        (Gaussian, {"sigma": float("nan")}),
        (Laplace, {"sigma": float("inf")}),
        (Gaussian, {"sigma": "much"}),
        (Gaussian, {"sigma": None}),
        (Gaussian, {"target": "yes"}),
        (Gaussian, {"fraction": True}),
        (Missing, {"length": 2.5}),
        (Gaussian, {"fraction": 1.2}),
        (Gaussian, {"fraction": -0.1}),
        (StudentT, {"df": 2.0}),
        (Impulses, {"rate": 0.0}),
        (Autocorrelated, {"phi": 1.0}),
        (Missing, {"length": 0}),
    ],
)
def test_bad_settings_name_the_key_and_the_value(model, bad):
    key, value = next(iter(bad.items()))
    with pytest.raises(SettingInvalid, match=rf"noise\.{key}.*{value}"):
        model(**bad)


def test_models_that_need_an_order_say_so():
    with pytest.raises(SettingInvalid, match="choose another noise model for tables"):
        inject(Autocorrelated(0.1), standardised(50), kind="tabular")
    with pytest.raises(SettingInvalid, match="must know the kind"):
        inject(Missing(0.1), standardised(50), kind=None)


def test_every_model_has_a_configuration_with_its_defaults():
    targets = {}
    for path in CONF.glob("*.yaml"):
        conf = yaml.safe_load(path.read_text())
        model = getattr(noise, conf.pop("_target_").removeprefix("experiments.data.noise."))
        targets[path.stem] = model
        assert model(**conf) == (Gaussian(0.0) if path.stem == "none" else model())
        assert set(conf) == set(vars(model()))
    assert set(targets.values()) == set(MODELS)
