"""What every denoiser promises, on every kind of data."""

import pickle
import random
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from baselines.autoencoder import TutorialAutoencoder
from baselines.base import Denoiser, Problem
from baselines.controls import Constant, Identity
from baselines.dae import DAE
from baselines.detectors import IsolationForest, Residual
from baselines.dn_resnet import DnResNet
from baselines.emd import EMD
from baselines.kalman import Kalman
from baselines.moving_average import MovingAverage
from baselines.pca import PCA
from baselines.wavelet import Wavelet


@dataclass(frozen=True)
class Case:
    denoiser: type
    hyper: dict
    causal: bool


SHORT = {"epochs": 3, "patience": 2}
CASES = [
    Case(Identity, {}, True),
    Case(Constant, {}, True),
    Case(PCA, {}, True),
    Case(PCA, {"components": "cv"}, True),
    Case(Wavelet, {}, False),
    Case(EMD, {}, False),
    Case(Kalman, {}, True),
    Case(MovingAverage, {}, True),
    Case(DAE, {**SHORT, "hidden": (16,)}, True),
    Case(DnResNet, SHORT, True),
    Case(TutorialAutoencoder, {"epochs": 3}, True),
    Case(IsolationForest, {"trees": 5}, True),
    Case(Residual, {}, True),
]
EVERY = [
    pytest.param(case, settings, kind, id=f"{case.denoiser.__name__}-{settings}-{kind}{i}")
    for i, case in enumerate(CASES)
    for settings in ("paper", "sound")
    for kind in ("tabular", "series")
]
every = pytest.mark.parametrize(("case", "settings", "kind"), EVERY)


class LastStep(torch.nn.Module):
    """Stand-in for a trained backbone: a linear map of a row, or of a window's last step."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.utils.skip_init(torch.nn.Linear, 4, 1)  # draws nothing
        torch.nn.init.constant_(self.linear.weight, 0.5)
        torch.nn.init.zeros_(self.linear.bias)

    def forward(self, x):
        return self.linear(x if x.ndim == 2 else x[:, -1])


def backbone(outputs):
    return SimpleNamespace(module=LastStep())


def data(kind, n=90, seed=0):
    """Correlated columns, the fourth of a table a count, and a target where the kind has one."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 2)) @ rng.standard_normal((2, 4)) + 0.1 * rng.standard_normal((n, 4))
    if kind == "series":
        return X.cumsum(axis=0), None
    X[:, 3] = X[:, 3].round()
    return X, X[:, 0] - X[:, 1] + 0.1 * rng.standard_normal(n)


def fitted(case, settings, kind, X, y, seed=1):
    problem = Problem(kind=kind, sigma=0.1, window=6, backbone=backbone)
    return case.denoiser(settings, **case.hyper).fit(X, y, seed=seed, problem=problem)


def values(result):
    return result.X if result.y is None else np.column_stack([result.X, result.y])


@every
def test_shape_finite_and_inputs_untouched(case, settings, kind):
    X, y = data(kind)
    X.setflags(write=False)
    before = X.copy(), None if y is None else y.copy()
    denoiser = fitted(case, settings, kind, X, y)
    assert isinstance(denoiser, Denoiser)
    result = denoiser.denoise(X, y)
    assert result.X.shape == X.shape
    assert result.X.dtype == X.dtype
    assert (result.y is None) == (y is None)
    assert np.isfinite(values(result)).all()
    assert not np.shares_memory(result.X, X)
    np.testing.assert_array_equal(X, before[0])
    if y is not None:
        assert result.y.shape == y.shape
        np.testing.assert_array_equal(y, before[1])
    if "score" in result.info:
        assert result.info["score"].shape == (len(X),)


@every
def test_same_seed_same_bytes_and_global_state_untouched(case, settings, kind):
    X, y = data(kind)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global state is what is tested
    torch.manual_seed(3)
    states = random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state()  # noqa: NPY002
    first = values(fitted(case, settings, kind, X, y).denoise(X, y))
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tobytes() == states[1]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])
    torch.manual_seed(4)
    second = values(fitted(case, settings, kind, X, y).denoise(X, y))
    assert first.tobytes() == second.tobytes()


@every
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_refused(case, settings, kind, bad):
    X, y = data(kind)
    denoiser = fitted(case, settings, kind, X, y)
    X[7, 2] = bad
    with pytest.raises(ValueError, match="row 7, column 2"):
        denoiser.denoise(X, y)
    with pytest.raises(ValueError, match="row 7, column 2"):
        denoiser.fit(X, y, problem=Problem(kind, backbone=backbone))


@every
def test_constant_column(case, settings, kind):
    X, y = data(kind)
    X[:, 1] = 2.5
    result = fitted(case, settings, kind, X, y).denoise(X, y)
    assert np.isfinite(values(result)).all()
    published_kalman = case.denoiser is Kalman and settings == "paper"  # starts at 0
    if case.denoiser not in (DAE, DnResNet) and not published_kalman:
        np.testing.assert_allclose(result.X[:, 1], 2.5, atol=1e-6)


@every
def test_pickles(case, settings, kind):
    X, y = data(kind)
    denoiser = fitted(case, settings, kind, X, y)
    again = pickle.loads(pickle.dumps(denoiser))
    assert values(again.denoise(X, y)).tobytes() == values(denoiser.denoise(X, y)).tobytes()


@every
def test_fitted_on_train_refines_new_data(case, settings, kind):
    X, y = data(kind)
    denoiser = fitted(case, settings, kind, X[:60], None if y is None else y[:60])
    new = denoiser.denoise(X[60:], None if y is None else y[60:])
    assert new.X.shape == X[60:].shape
    assert np.isfinite(values(new)).all()


@every
def test_features_alone(case, settings, kind):
    if not case.denoiser.features_only:
        pytest.skip("says that it needs the target")
    X, _ = data(kind)
    result = fitted(case, settings, kind, X, None).denoise(X)
    assert result.y is None
    assert result.X.shape == X.shape


@every
def test_single_precision_and_integers(case, settings, kind):
    X, y = data(kind)
    X32, y32 = X.astype(np.float32), None if y is None else y.astype(np.float32)
    assert fitted(case, settings, kind, X32, y32).denoise(X32, y32).X.dtype == np.float32
    whole = (10 * X).astype(int), None if y is None else (10 * y).astype(int)
    assert np.isfinite(fitted(case, settings, kind, *whole).denoise(*whole).X).all()


@every
def test_causal_passes_do_not_see_the_future(case, settings, kind):
    X, y = data(kind)
    denoiser = fitted(case, settings, kind, X, y)
    assert denoiser.causal == case.causal
    if not case.causal:
        with pytest.raises(ValueError, match="no causal form"):
            denoiser.denoise(X, y, causal=True)
        return
    past = values(denoiser.denoise(X, y, causal=True))[:50]
    X, y = X.copy(), None if y is None else y.copy()
    X[50:] = np.random.default_rng(5).standard_normal(X[50:].shape) * 3
    if y is not None:
        y[50:] = -4.0
    np.testing.assert_allclose(values(denoiser.denoise(X, y, causal=True))[:50], past, rtol=0, atol=1e-6)


@every
def test_call_order_and_columns_are_checked(case, settings, kind):
    X, y = data(kind)
    with pytest.raises(RuntimeError, match="before fit"):
        case.denoiser(settings, **case.hyper).denoise(X, y)
    denoiser = fitted(case, settings, kind, X, y)
    with pytest.raises(ValueError, match="columns"):
        denoiser.denoise(X[:, :3], y)
    with pytest.raises(ValueError, match="two-dimensional"):
        denoiser.denoise(X[:, 0])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.denoiser.__name__)
def test_settings_are_named(case):
    with pytest.raises(ValueError, match=r"'paper'.*'sound'.*'pape'"):
        case.denoiser("pape", **case.hyper)
    assert case.denoiser(**case.hyper).settings == "paper"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.denoiser.__name__)
def test_tiny_data(case):
    for n in (1, 2, 3, 8):
        X = np.random.default_rng(0).standard_normal((n, 4))
        if case.denoiser is Residual and n < 8:
            continue
        for settings in ("paper", "sound"):
            result = fitted(case, settings, "series", X, None).denoise(X)
            assert np.isfinite(result.X).all()
