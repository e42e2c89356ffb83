"""Models that are no function of a sample alone are refused, with the reason; what is unusual is made to work."""

import copy
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from torch.nn import functional as F

from denograd import DenoGrad
from denograd.rules.affine import descend_affine


class Wrapped(nn.Module):
    """A perceptron of rows with something odd in front of it."""

    def __init__(self, odd, inputs=5):
        super().__init__()
        self.odd = odd
        self.net = nn.Sequential(nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x):
        return self.net(self.odd(x))


class Stateful(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 1)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.net(x) + self.calls


class Running(nn.Module):
    """Statistics that move although the model is in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 1)
        self.register_buffer("mean", torch.zeros(5))

    def forward(self, x):
        self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(0)
        return self.net(x - self.mean)


class KeepsHidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head, self.hidden = nn.GRU(3, 4, batch_first=True), nn.Linear(4, 1), None

    def forward(self, x):
        out, hidden = self.rnn(x, self.hidden)
        self.hidden = hidden.detach()
        return self.head(out[:, -1])


class Sideways(nn.Module):
    """Recurrent over the batch: batch_first=True is missing."""

    def __init__(self, cell):
        super().__init__()
        self.rnn, self.head = cell(3, 4), nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


class Attention(nn.Module):
    def __init__(self, batch_first):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=batch_first)
        self.rise, self.head = nn.Linear(3, 4), nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.layer(self.rise(x))[:, -1])


class OwnNoise(nn.Module):
    def forward(self, x):
        return x.sum(1) + 0.1 * torch.randn(len(x))


def refined(model, data, forward=None, **how):
    X, y = data
    fit = {"is_ts": True, "window_size": 8} if X.shape[1] == 3 else {}
    denoiser = DenoGrad(model, nn.MSELoss(), "cpu", forward=forward).fit(X, y, **fit)
    return denoiser.transform(verbose=False, **{"max_epochs": 3, **how})


@pytest.fixture
def sequence(series):
    return series, series[:, 0].copy()


BATCH = {
    "mean": lambda: Wrapped(lambda x: x - x.mean(0)),
    "deviation": lambda: Wrapped(lambda x: x / x.std(0)),
    "softmax": lambda: Wrapped(lambda x: x.softmax(0)),
    "position": lambda: Wrapped(lambda x: x + torch.arange(len(x))[:, None] / 10),
    "batch norm": lambda: Wrapped(nn.BatchNorm1d(5, track_running_stats=False)),
    "functional batch norm": lambda: Wrapped(lambda x: F.batch_norm(x, None, None, training=True)),
}
SEQUENCE = {
    "lstm": lambda: Sideways(nn.LSTM),
    "gru": lambda: Sideways(nn.GRU),
    "rnn": lambda: Sideways(nn.RNN),
    "transformer": lambda: Attention(False),
}
CHANCE = {
    "dropout": lambda: Wrapped(lambda x: F.dropout(x, 0.2)),
    "alpha dropout": lambda: Wrapped(lambda x: F.alpha_dropout(x, 0.2, training=True)),
    "rand": lambda: Wrapped(lambda x: x + 0.1 * torch.rand_like(x)),
    "own noise": OwnNoise,
}
STATE = {"count": Stateful, "statistics": Running}
PLACE = {
    "relu": lambda: nn.Sequential(nn.ReLU(inplace=True), nn.Linear(5, 1)),
    "minus": lambda: Wrapped(lambda x: x.sub_(x.mean(1, keepdim=True))),
    "column": lambda: Wrapped(lambda x: x.index_fill_(1, torch.tensor([0]), 0.0)),
    "clamp": lambda: Wrapped(lambda x: x.clamp_(-1, 1)),
}


@pytest.mark.parametrize("rule", ["fixed", "gauss_newton", "map"])
@pytest.mark.parametrize(("models", "message"), [
    (BATCH, "depends on the other samples"), (CHANCE, "depends on chance"),
    (STATE, "depends on the calls before"), (PLACE, "writes into its input"),
])  # fmt: skip
def test_what_is_no_function_of_a_row_is_refused(table, models, message, rule):
    how = {"sigma": 0.1} if rule == "map" else {}
    for make in models.values():
        with pytest.raises(ValueError, match=message):
            refined(make(), table, rule=rule, **how)


@pytest.mark.parametrize("rule", ["fixed", "global"])
@pytest.mark.parametrize("make", SEQUENCE.values(), ids=SEQUENCE)
def test_batch_first_is_missed(sequence, make, rule):
    with pytest.raises(ValueError, match="batch_first=True may be missing"):
        refined(make(), sequence, rule=rule)


def test_a_kept_hidden_state_is_refused(sequence):
    with pytest.raises(ValueError, match="depends on the calls before"):
        refined(KeepsHidden(), sequence)


def test_windows_written_into_are_refused(sequence):
    model = nn.Sequential(nn.Flatten(), nn.Hardtanh(inplace=True), nn.Linear(24, 1))
    with pytest.raises(ValueError, match="writes into its input"):
        refined(model, sequence)


def test_what_is_right_passes_and_the_random_state_stays(table, sequence):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    for model, data in (
        (Wrapped(nn.Dropout(0.5)), table),
        (Wrapped(nn.BatchNorm1d(5)), table),
        (Wrapped(lambda x: x.clone().clamp_(-1, 1)), table),
        (Wrapped(lambda x: x - x.mean(1, keepdim=True)), table),
        (nn.Sequential(nn.Linear(5, 1), nn.Flatten(0)), table),
        (Attention(True), sequence),
    ):
        torch.set_rng_state(state)
        model.train()
        X, _, _, _ = refined(model, data)
        assert (data[0] != X).any()
        assert model.training
        torch.set_rng_state(state)
    model = CHANCE["rand"]()
    torch.set_rng_state(state)
    with pytest.raises(ValueError, match="chance"):
        refined(model, table)
    assert torch.equal(torch.get_rng_state(), state)


# Half precision


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("rule", ["fixed", "gauss_newton", "global", "map"])
def test_half_precision_models_are_computed_in_float32(build, table, series, dtype, rule):
    model = build("lstm" if rule == "global" else "mlp", 3 if rule == "global" else 5).to(dtype)
    data = (series, series[:, 0].copy()) if rule == "global" else table
    weights = [p.clone() for p in model.parameters()]
    places = [p.data_ptr() for p in model.parameters()]
    how = {"rule": rule, **({"sigma": 0.1} if rule == "map" else {})}
    X, y, grad_x, grad_y = refined(model, data, **how)
    expected = refined(copy.deepcopy(model).float(), data, **how)
    for a, b in zip((X, y, *grad_x, *grad_y), (*expected[:2], *expected[2], *expected[3]), strict=True):
        assert np.isfinite(a).all()
        assert_allclose(a, b, atol=1e-6)
    assert (data[0] != X).any()
    for p, before, place in zip(model.parameters(), weights, places, strict=True):
        assert p.dtype == dtype
        assert torch.equal(p, before)
        assert p.data_ptr() == place


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_what_is_asked_for_comes_back(build, table, dtype):
    X, y = (v.astype(dtype) for v in table)
    new_X, new_y, _, _ = refined(build("mlp", 5).half(), (X, y))
    assert (new_X.dtype, new_y.dtype) == (dtype, dtype)
    exact = refined(build("mlp", 5).half().float(), (X.astype(np.float32), y.astype(np.float32)))
    assert_allclose(new_X, exact[0], rtol=2 * np.finfo(dtype).eps, atol=1e-6)


def test_nothing_that_is_not_finite_leaves_in_silence(table):
    """A step beyond what float16 holds."""
    X, y = (v.astype(np.float16) for v in table)
    with pytest.raises(FloatingPointError, match=r"[Xy]: .* float16"):
        refined(Wrapped(nn.Identity()), (X, y), nrr=1e6, nr_threshold=0.0, max_epochs=1)


# Models that are asked in another way


class Timed(nn.Module):
    """Wants time features beside the window, and says more than the prediction."""

    def __init__(self, window=8):
        super().__init__()
        self.net = nn.Linear(window * 4, 1)

    def forward(self, inputs):
        x = torch.cat([inputs["values"], inputs["hour"]], 2)
        return {"prediction": self.net(x.flatten(1)), "attention": None}


@pytest.mark.parametrize(("stride", "batch_size"), [(1, 7), (3, 1000)])
@pytest.mark.parametrize("rule", ["fixed", "global", "map"])
def test_time_features_stand_apart(series, rule, stride, batch_size):
    """The same as a model that gets them as channels that do not move."""
    hour = torch.tensor(np.random.default_rng(5).normal(size=(150, 1)))
    steps = torch.arange(8)
    torch.manual_seed(0)
    timed = Timed().double()

    def forward(model, x, first):
        return model({"values": x, "hour": hour[first[:, None] + steps]})["prediction"]

    X, y = series.astype(float), series[:, 0].astype(float)
    inputs = torch.tensor(np.stack([X[i : i + 8] for i in range(142)]))
    inputs = torch.cat([inputs, hour[torch.arange(142)[:, None] + steps]], 2).flatten(1)
    with torch.no_grad():  # a good forecast, or nothing would move
        timed.net.weight.copy_(torch.linalg.lstsq(inputs, torch.tensor(y[8:, None])).solution.t())
        timed.net.bias.zero_()
    how = {"rule": rule, "max_epochs": 4, "batch_size": batch_size, "verbose": False}
    if rule == "map":
        how |= {"solver": "one_step", "folds": 1}
        del how["max_epochs"]
        how["sigma"] = {0: 0.1, 1: 0.1, 2: 0.1, "y": 0.1}
    denoiser = DenoGrad(timed, nn.MSELoss(), "cpu", forward=forward)
    found = denoiser.fit(X, y, is_ts=True, window_size=8, stride=stride).transform(**how)
    assert (found[1] != y).any()

    class Plain(nn.Module):  # sees the step's number as a channel that does not move
        def forward(self, x):
            return timed({"values": x[..., :3], "hour": x[..., 3:]})["prediction"]

    if rule == "map":  # a column can be held there
        wide = np.column_stack([X, hour.numpy()])
        plain = DenoGrad(Plain(), nn.MSELoss(), "cpu").fit(wide, y, is_ts=True, window_size=8, stride=stride)
        assert_allclose(found[1], plain.transform(**how)[1], atol=1e-8)
    else:
        again = denoiser.transform(**{**how, "batch_size": 11})
        assert_allclose(found[0], again[0], atol=1e-8)


def test_a_mask_of_rows_stands_apart(table):
    X, y = table
    mask = torch.from_numpy((np.arange(len(X)) % 2 == 0).astype(np.float32))
    torch.manual_seed(0)
    net = nn.Linear(5, 1)
    found = refined(
        net, (X, y), forward=lambda model, x, first: model(x * mask[first][:, None]), batch_size=13
    )
    assert (found[0][1::2] == X[1::2]).all()
    assert (found[0][::2] != X[::2]).any()
    folded = refined(
        net, (X, y), forward=lambda model, x, first: model(x * mask[first][:, None]), rule="map", sigma=0.2,
        folds=3, max_epochs=5,
    )  # fmt: skip
    assert (folded[0][1::2] == X[1::2]).all()


def test_dicts_tuples_and_several_inputs_are_explained(series):
    data = series, series[:, 0].copy()
    with pytest.raises(ValueError, match=r"more than one tensor is asked through forward="):
        refined(Timed(), data)
    with pytest.raises(TypeError, match=r"got tuple: pick it with forward="):
        refined(nn.LSTM(3, 1, batch_first=True), data)
    rnn = nn.LSTM(3, 1, batch_first=True)
    X, _, _, _ = refined(rnn, data, forward=lambda model, x, first: model(x)[0][:, -1])
    assert (data[0] != X).any()
    with pytest.raises(ValueError, match=r"look at forward\(model, x, first\)"):
        refined(rnn, data, forward=lambda model, x, first: model(x, 3, 4))


def test_lazy_and_quantised_layers_are_named(table):
    with pytest.raises(ValueError, match=r"LazyLinear \(0\) has no weights yet"):
        refined(nn.Sequential(nn.LazyLinear(4), nn.Linear(4, 1)), table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 1)))
    with pytest.raises(ValueError, match=r"Linear \(0\) is quantised"):
        refined(model, table)


# Losses


class Likelihood(nn.Module):
    """Negative on a good fit."""

    def __init__(self, reduction):
        super().__init__()
        self.reduction = reduction

    def forward(self, prediction, target):
        each = 0.5 * (prediction - target) ** 2 / 0.01 - 9.0
        return each.mean() if self.reduction == "mean" else each.sum() if self.reduction == "sum" else each


@pytest.mark.parametrize("loss", [nn.MSELoss, Likelihood])
def test_elementwise_and_negative_losses_count_as_what_they_are(build, series, loss):
    model = build("lstm", 3)

    def run(reduction):
        denoiser = DenoGrad(model, loss(reduction=reduction), "cpu")
        denoiser.fit(series, is_ts=True, window_size=8, target_cols=0)
        return denoiser.transform(rule="global", max_epochs=5, verbose=False, batch_size=20)[0]

    assert_allclose(run("none"), run("mean"), atol=1e-6)
    assert np.abs(run("sum") - run("mean")).max() > 1e-3


# Units


class Scaled(nn.Module):
    def __init__(self, unit):
        super().__init__()
        self.net, self.unit = nn.Linear(3, 1), unit

    def forward(self, x):
        return self.unit * self.net(x)


@pytest.mark.parametrize("rule", ["fixed", "gauss_newton"])
@pytest.mark.parametrize("unit", [1e-25, 1e25])
def test_gradients_that_the_type_cannot_square_are_refused(rule, unit):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 3)).astype(np.float32), (unit * rng.normal(size=100)).astype(np.float32)
    with pytest.raises(ValueError, match="standardise X and y"):
        DenoGrad(Scaled(unit), nn.MSELoss(), "cpu").fit(X, y).transform(rule=rule, verbose=False)


@pytest.mark.parametrize("unit", [1e-40, 1e40])
def test_in_float64_steps_keep_their_length_in_any_unit(unit):
    """`gauss_newton` closes a share of a distance, whatever the unit of the target."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 3)), rng.normal(size=100)

    def closed(unit):
        torch.manual_seed(0)
        model = Scaled(unit).double()
        denoiser = DenoGrad(model, nn.MSELoss(), "cpu").fit(X * unit, y * unit)
        model.net.weight.data /= unit
        how = {"rule": "gauss_newton", "max_epochs": 1, "nr_threshold": 0.0, "verbose": False}
        new_X, new_y, _, _ = denoiser.transform(**how)
        return np.column_stack([new_X, new_y]) / unit

    moved = closed(unit)
    assert (moved[:, 3] != y).all()
    assert_allclose(moved, closed(1.0), rtol=1e-6)


# Affine models of windows


class Decomposed(nn.Module):
    """As DLinear: trend and remainder, a linear layer each; says nothing of being affine."""

    def __init__(self, window=8, channels=3, bend=None):
        super().__init__()
        self.trend, self.rest = nn.Linear(window * channels, 2), nn.Linear(window * channels, 2)
        self.bend = bend

    def forward(self, x):
        smooth = F.avg_pool1d(F.pad(x.transpose(1, 2), (1, 1), mode="replicate"), 3, 1).transpose(1, 2)
        out = self.trend(smooth.flatten(1)) + self.rest((x - smooth).flatten(1))
        return out if self.bend is None else self.bend(out)


BENDS = {
    "relu": F.relu,
    "tanh": lambda v: 1000 * torch.tanh(v / 1000),
    "clamp": lambda v: v.clamp(-30, 30),
    "square": lambda v: v + 1e-4 * v**2,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rule", ["fixed", "gauss_newton"])
def test_an_affine_model_is_found_out(series, rule, dtype, monkeypatch):
    torch.manual_seed(0)
    model = Decomposed().to(dtype)
    calls = []

    def spy(*args, **kwargs):
        calls.append(1)
        return descend_affine(*args, **kwargs)

    monkeypatch.setattr("denograd.rules.registry.descend_affine", spy)
    fitted = DenoGrad(model, nn.MSELoss(), "cpu").fit(
        series.astype(np.float64), is_ts=True, window_size=8, target_cols=[0, 1]
    )
    how = {"rule": rule, "max_epochs": 4, "save_gradients": False, "verbose": False}
    found = fitted.transform(**how)
    assert calls == [1]
    model.affine = False
    plain = fitted.transform(**how)
    assert calls == [1]
    for a, b in zip(found[:2], plain[:2], strict=True):
        assert_allclose(a, b, atol=2e-5 if dtype is torch.float32 else 1e-10)


@pytest.mark.parametrize("bend", BENDS.values(), ids=BENDS)
def test_what_is_not_affine_takes_the_ordinary_path(series, bend, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.delattr("denograd.rules.registry.descend_affine")
    DenoGrad(Decomposed(bend=bend), nn.MSELoss(), "cpu").fit(
        series, is_ts=True, window_size=8, target_cols=[0, 1]
    ).transform(max_epochs=1, save_gradients=False, verbose=False)
