"""Every network: shapes, published sizes, gradients to the inputs, learning, copies."""

import copy
import pickle
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from experiments.config.targets import resolve
from experiments.models.cnn1d import CNN1D
from experiments.models.cnn_lstm import CNNLSTM
from experiments.models.dlinear import DLinear
from experiments.models.ft_transformer import FTTransformer
from experiments.models.lstm import LSTM
from experiments.models.mlp import MLP
from experiments.models.training import TrainSettings, build_network, predict, train
from experiments.models.xlstm import XLSTM

CONF = Path(__file__).parents[3] / "conf" / "backbone"
BACKBONES = {
    path.stem: OmegaConf.to_object(OmegaConf.load(path))[path.stem] for path in sorted(CONF.glob("*.yaml"))
}

SMALL = {
    "mlp": {"hidden": [16, 8]},
    "cnn1d": {"channels": [8, 8], "dropout": 0.0},
    "ft_transformer": {"blocks": 1, "width": 16, "heads": 2, "attention_dropout": 0.0, "dropout": 0.0},
    "lstm": {"hidden": 16, "layers": 1},
    "xlstm": {"hidden": 16, "heads": 2, "dropout": 0.0},
    "cnn_lstm": {"dropout": 0.0},
    "dlinear": {"average": 5},
}
W, C = 8, 3


def resolved(name):
    network = dict(BACKBONES[name]["network"])
    return resolve(network.pop("_target_")), network


def make(name, outputs=1, seed=0, n_features=C):
    return build_network(
        resolved(name)[0], seed=seed, n_features=n_features, outputs=outputs, window=W, **SMALL[name]
    )


def inputs(name, n, seed=0, channels=C):
    shape = (n, channels) if BACKBONES[name]["kinds"] == ["tabular"] else (n, W, channels)
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def linear(X):
    """A linear target; of a window, of the target's own last steps."""
    weights = torch.tensor([1.0, -2.0, 0.5])
    return X @ weights if X.ndim == 2 else X[:, -3:, 0] @ weights


every = pytest.mark.parametrize("name", sorted(BACKBONES))


def size(module):
    return sum(p.numel() for p in module.parameters())


def test_no_network_is_left_out():
    assert set(SMALL) == set(BACKBONES)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (MLP(18), 12_801),  # House, published
        (LSTM(5), 51_521),  # Microsoft Stock, published
        (DLinear(5, window=24), 2 * 25),
        (CNNLSTM(5), 3 * 5 * 20 + 6 * 3 * 10 + 6 * 6 * 5 + 4 * 20 * (6 + 20 + 2) + 20 * 21 + 10 * 21 + 11),
        (XLSTM(5), 63_752 + 64 * 6 + 65),  # the blocks count as the authors' package does
        (CNN1D(18), 64 * 4 + 128 * (3 * 64 + 1) + 256 * (3 * 128 + 1) + 2 * 448 + 64 * 257 + 65),
    ],
)
def test_parameter_counts(module, expected):
    assert size(module) == expected


def test_ft_transformer_counts_as_its_authors_package():
    d, width, inner = 18, 192, 256
    block = 4 * width * (width + 1) + 2 * inner * (width + 1) + width * (inner + 1) + 2 * 2 * width
    without_first_norm = 2 * width  # the first attention has no layer norm
    assert (
        size(FTTransformer(d))
        == 2 * d * width + width + 2 * block - without_first_norm + 2 * width + width + 1
    )


@every
def test_the_configuration_builds(name):
    cls, network = resolved(name)
    module = build_network(cls, seed=0, n_features=C, outputs=1, window=24, **network)
    assert size(module) > 0
    TrainSettings(**BACKBONES[name]["training"])


@every
@pytest.mark.parametrize("outputs", [1, C])
@pytest.mark.parametrize("n", [1, 5])
def test_shapes(name, outputs, n):
    assert make(name, outputs).eval()(inputs(name, n)).shape == (n, outputs)


@every
def test_gradients_reach_the_inputs_and_match_finite_differences(name):
    module = make(name).double().eval()
    X = inputs(name, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(module, X, eps=1e-6, atol=1e-5)
    (gradient,) = torch.autograd.grad(module(X).sum(), X)
    assert gradient.abs().sum() > 0


@every
def test_rows_do_not_see_each_other_in_evaluation(name):
    module, X = make(name).eval(), inputs(name, 6)
    alone = torch.cat([module(X[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(module(X), alone, rtol=1e-4, atol=1e-5)


@every
def test_learns_a_linear_target_better_than_the_mean(name):
    X, X_test = inputs(name, 200), inputs(name, 100, seed=1)
    module = make(name)
    settings = TrainSettings(epochs=8 if name == "xlstm" else 20, patience=None, batch_size=16, lr=0.01)
    train(module, X, linear(X), X_test, linear(X_test), settings, seed=0, device="cpu")
    error = (predict(module, X_test, device="cpu")[:, 0] - linear(X_test)).square().mean()
    assert error < 0.7 * linear(X_test).var()


@every
def test_same_seed_same_bytes(name):
    X = inputs(name, 20)
    found = []
    for seed in (0, 0, 1):
        module = make(name, seed=seed)
        train(module, X, linear(X), settings=TrainSettings(epochs=1), seed=seed, device="cpu")
        found.append(predict(module, X, device="cpu"))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@every
def test_constant_columns_wide_rows_and_one_row(name):
    for n, channels in ((20, C), (6, 12), (1, C)):
        X = inputs(name, n, channels=channels)
        X[..., 1] = 0.0
        module = make(name, n_features=channels)
        train(module, X, X.flatten(1).mean(1), settings=TrainSettings(epochs=2), seed=0, device="cpu")
        assert torch.isfinite(predict(module, X, device="cpu")).all()


@every
def test_copies_and_pickles(name):
    module, X = make(name).eval(), inputs(name, 3)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(other(X), module(X))


def test_dlinear_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="1 or all 3 channels, not 2"):
        DLinear(3, outputs=2, window=8)
    with pytest.raises(ValueError, match="window"):
        DLinear(3)
    with pytest.raises(ValueError, match="odd"):
        DLinear(3, window=8, average=4)


def test_dlinear_keeps_the_channels_apart():
    module, X = DLinear(3, outputs=3, window=8, average=5), torch.randn(2, 8, 3)
    moved = X.clone()
    moved[:, :, 1] += 1
    change = (module(moved) - module(X)).abs()
    assert (change[:, [0, 2]] == 0).all()
    assert (change[:, 1] > 0).all()


def test_cnn_lstm_keeps_time_and_channels_apart():
    seen = []
    module = CNNLSTM(2)
    module.lstm.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    module(torch.randn(4, 24, 2))
    assert seen == [(4, 9, 6)]  # (24 + 19) // 2 = 21, (21 + 9) // 2 = 15, (15 + 4) // 2 = 9 steps, 6 channels
