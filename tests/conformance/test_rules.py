"""What every rule of DenoGrad promises behind the interface of the denoisers, on every kind of data."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import yaml

from baselines.base import Denoiser, Problem
from experiments.base.paths import CONF
from experiments.config.targets import resolve
from experiments.models.dlinear import DLinear
from experiments.models.estimators import as_tensor
from experiments.models.mlp import MLP
from experiments.models.training import build_network, predict

WINDOW = 6
RULES = {
    name: entry
    for path in sorted((CONF / "denoiser").glob("denograd_*.yaml"))
    for name, entry in yaml.safe_load(path.read_text()).items()
}
SHORT = {"max_epochs": 3}
SIGMA = 0.2
HOLDS = {"denograd_map_est"}
"""What leaves data alone in which nothing shows the noise."""


@dataclass
class Backbone:
    module: torch.nn.Module
    valid_mse: np.ndarray

    def predict(self, inputs):
        return predict(self.module, as_tensor(inputs)).numpy()


class Provider:
    """A backbone of small random weights, as the pipeline hands it over."""

    def __init__(self, kind):
        self.kind = kind

    def __call__(self, outputs="target"):
        hyper = {"n_features": 4, "outputs": 4 if outputs == "all" and self.kind == "series" else 1}
        if self.kind == "series":
            module = build_network(DLinear, seed=0, window=WINDOW, **hyper)
        else:
            module = build_network(MLP, seed=0, window=None, hidden=[8], **hyper)
        return Backbone(module.eval(), np.full(hyper["outputs"], 0.5))


def make(name):
    entry = dict(RULES[name])
    made = resolve(entry.pop("_target_"))
    return made(**(entry | SHORT if "max_epochs" in entry else entry))


def problem(kind):
    return Problem(kind, sigma=SIGMA, window=WINDOW, backbone=Provider(kind))


def data(kind, n=150):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 2)) @ rng.standard_normal((2, 4)) + SIGMA * rng.standard_normal((n, 4))
    if kind == "series":
        return X.cumsum(axis=0) / 5, None
    return X, X[:, 0] - X[:, 1] + SIGMA * rng.standard_normal(n)


def values(result):
    return result.X if result.y is None else np.column_stack([result.X, result.y])


EVERY = [
    (name, kind)
    for name in RULES
    for kind in ("tabular", "series")
    if make(name).skip(Problem(kind, sigma=SIGMA)) is None
]
every = pytest.mark.parametrize(("name", "kind"), EVERY)


def test_every_rule_has_a_kind_of_data():
    assert {name for name, _ in EVERY} == set(RULES)
    assert len(RULES) >= 7


@every
def test_shape_finite_and_inputs_untouched(name, kind):
    X, y = data(kind)
    X.setflags(write=False)
    denoiser = make(name).fit(X, y, problem=problem(kind))
    assert isinstance(denoiser, Denoiser)
    result = denoiser.denoise(X, y)
    assert result.X.shape == X.shape
    assert result.X.dtype == X.dtype
    assert not np.shares_memory(result.X, X)
    assert np.isfinite(values(result)).all()
    target = X[:, 0] if y is None else y  # some refine it alone, and leave the features as observed
    moved = (result.X != X).any() or (result.y is not None and (result.y != target).any())
    assert moved or name in HOLDS
    if y is not None:
        assert result.y.shape == y.shape


@every
def test_same_seed_same_bytes_and_global_state_untouched(name, kind):
    X, y = data(kind)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = values(make(name).fit(X, y, problem=problem(kind)).denoise(X, y))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(4)
    second = values(make(name).fit(X, y, problem=problem(kind)).denoise(X, y))
    assert first.tobytes() == second.tobytes()


@every
def test_weights_stay_as_they_were(name, kind):
    X, y = data(kind)
    modules = []

    class Watched(Provider):
        def __call__(self, outputs="target"):
            found = super().__call__(outputs)
            modules.append((found.module, {k: v.clone() for k, v in found.module.state_dict().items()}))
            return found

    make(name).fit(X, y, problem=Problem(kind, sigma=SIGMA, window=WINDOW, backbone=Watched(kind))).denoise(
        X, y
    )
    assert bool(modules) == getattr(make(name), "needs_backbone", False)
    for module, before in modules:
        assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
        assert all(p.requires_grad and p.grad is None for p in module.parameters())


@every
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_refused(name, kind, bad):
    X, y = data(kind)
    denoiser = make(name).fit(X, y, problem=problem(kind))
    X = X.copy()
    X[7, 2] = bad
    with pytest.raises(ValueError, match=r"row 7|finite|NaN|infinite"):
        denoiser.denoise(X, y)


@every
def test_constant_column(name, kind):
    X, y = data(kind)
    X[:, 1] = 2.5
    assert np.isfinite(values(make(name).fit(X, y, problem=problem(kind)).denoise(X, y))).all()


@every
def test_pickles(name, kind):
    X, y = data(kind)
    denoiser = make(name).fit(X, y, problem=problem(kind))
    again = pickle.loads(pickle.dumps(denoiser))
    assert values(again.denoise(X, y)).tobytes() == values(denoiser.denoise(X, y)).tobytes()


@every
def test_fitted_on_train_refines_new_data(name, kind):
    X, y = data(kind)
    denoiser = make(name).fit(X[:100], None if y is None else y[:100], problem=problem(kind))
    new = denoiser.denoise(X[100:], None if y is None else y[100:])
    assert new.X.shape == X[100:].shape
    assert np.isfinite(values(new)).all()


@every
def test_single_precision(name, kind):
    X, y = data(kind)
    X32, y32 = X.astype(np.float32), None if y is None else y.astype(np.float32)
    assert make(name).fit(X32, y32, problem=problem(kind)).denoise(X32, y32).X.dtype == np.float32


@every
def test_no_causal_pass_or_a_true_one(name, kind):
    X, y = data(kind)
    denoiser = make(name).fit(X, y, problem=problem(kind))
    if not denoiser.causal:
        with pytest.raises(ValueError, match="no causal"):
            denoiser.denoise(X, y, causal=True)
        return
    past = values(denoiser.denoise(X, y, causal=True))[:100]
    X = X.copy()
    X[100:] = 3.0
    np.testing.assert_allclose(values(denoiser.denoise(X, y, causal=True))[:100], past, rtol=0, atol=1e-6)
