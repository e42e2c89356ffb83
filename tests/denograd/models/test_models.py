"""Real models: nothing of them changes, and dropout, batch norm, layouts do not get in the way."""

import numpy as np
import pytest
import torch
from torch import nn

from denograd import DenoGrad, denoise
from denograd.models.frozen import frozen
from denograd.models.layouts import find_layout

SERIES = {"is_ts": True, "window_size": 8}
HOW = {"max_epochs": 3, "verbose": False}


def run(model, X, y=None, fit=SERIES, **kwargs):
    layout = kwargs.pop("layout", "auto")
    y = X[:, 0].copy() if y is None else y
    return DenoGrad(model, nn.MSELoss(), "cpu", layout=layout).fit(X, y, **fit).transform(**HOW | kwargs)


class Everything(nn.Module):
    """Recurrent layers with dropout, batch norm, a frozen and an unfrozen part, modules in mixed modes."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 8, 2, batch_first=True, dropout=0.5)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 1)
        self.head.bias.requires_grad_(False)

    def forward(self, x):
        return self.head(self.drop(self.norm(self.rnn(x)[0][:, -1])))


@pytest.fixture
def everything():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Everything()
    model.train()
    model.norm.eval()
    return model


def state(model):
    return (
        {name: value.clone() for name, value in model.state_dict().items()},
        [p.requires_grad for p in model.parameters()],
        [m.training for m in model.modules()],
        [p.grad for p in model.parameters()],
        model.rnn.dropout,
    )


@pytest.mark.parametrize("rule", ["fixed", "gauss_newton", "global"])
def test_the_model_is_left_as_it_was(everything, series, rule):
    before = state(everything)
    first = run(everything, series, rule=rule)
    after = state(everything)
    assert all(torch.equal(before[0][name], after[0][name]) for name in before[0])
    assert before[1:] == after[1:]
    np.testing.assert_array_equal(first[0], run(everything, series, rule=rule)[0])  # no dropout


def test_also_after_an_exception(everything, series):
    class Broken(nn.MSELoss):
        calls = 0

        def forward(self, a, b):
            Broken.calls += 1
            if Broken.calls > 6:
                raise KeyboardInterrupt
            return super().forward(a, b)

    before = state(everything)
    fitted = DenoGrad(everything, Broken(), "cpu").fit(series, series[:, 0], **SERIES)
    with pytest.raises(KeyboardInterrupt):
        fitted.transform(batch_size=20, **HOW)
    after = state(everything)
    assert all(torch.equal(before[0][name], after[0][name]) for name in before[0])
    assert before[1:] == after[1:]


def test_recurrent_models_run_without_dropout(build, series):
    """As a release left them in train mode, its result was random: ours is that of the model in eval mode."""
    wild = build("lstm", 3, layers=2, dropout=0.5).train()
    calm = build("lstm", 3, layers=2, dropout=0.0).eval()
    np.testing.assert_array_equal(run(wild, series)[0], run(calm, series)[0])


def test_the_weights_get_no_gradients(build, table):
    X, y = table
    model = build("mlp", 5)
    seen = []
    model.register_forward_pre_hook(lambda m, i: seen.append([p.requires_grad for p in m.parameters()]))
    run(model, X, y, fit={})
    assert not any(flag for flags in seen for flag in flags)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("guard", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_off(build, table, guard):
    X, y = table
    model = build("mlp", 5)
    with guard():
        inside = run(model, X, y, fit={})
    np.testing.assert_array_equal(inside[0], run(model, X, y, fit={})[0])


@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU])
def test_other_recurrent_cells(series, cell):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = cell(3, 5, batch_first=True)
            self.head = nn.Linear(5, 1)

        def forward(self, x):
            return self.head(self.rnn(x)[0][:, -1]).squeeze(1)

    assert np.isfinite(run(Net(), series)[0]).all()


def test_frozen_restores_dropout_of_recurrent_modules(everything):
    with frozen(everything, torch.device("cpu")):
        assert not any(m.training for m in everything.modules())
    assert everything.rnn.dropout == 0.5


# Layouts


class Turning(nn.Module):
    """A convolution that takes (batch, time, channel), for it turns its input itself."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x.transpose(1, 2))


@pytest.mark.parametrize("channels", [3, 8])
def test_layout_is_found(build, channels):
    x = torch.randn(4, 8, channels, generator=torch.Generator().manual_seed(0))
    cnn = build("cnn", channels)
    deep = nn.Sequential(nn.Sequential(nn.Identity(), nn.Sequential(cnn)))
    assert find_layout(build("lstm", channels), x) == "ntc"
    assert find_layout(nn.Sequential(nn.Flatten(), nn.Linear(8 * channels, 1)), x) == "ntc"
    assert find_layout(cnn, x) == "nct"
    assert find_layout(nn.Sequential(cnn), x) == "nct"
    assert find_layout(Turning(cnn), x) == "ntc"
    assert find_layout(deep, x) == "nct"
    assert find_layout(deep, x, "ntc") == "ntc"
    cnn.input_layout = "ntc"
    assert find_layout(cnn, x) == "ntc"
    assert find_layout(cnn, x, "nct") == "nct"
    with pytest.raises(ValueError, match="layout must be"):
        find_layout(cnn, x, "tcn")


def test_a_layout_changes_nothing_but_the_orientation(build, series):
    cnn = build("cnn", 3)
    expected = run(Turning(cnn), series)[0]
    np.testing.assert_array_equal(run(cnn, series)[0], expected)
    np.testing.assert_array_equal(run(nn.Sequential(cnn), series)[0], expected)
    np.testing.assert_array_equal(run(cnn, series, layout="nct")[0], expected)


def test_flattened_windows_go_time_step_by_time_step(build, series):
    model = build("mlp", 24)
    unflattened = nn.Sequential(nn.Flatten(), model)
    flattened = run(model, series, fit=SERIES | {"flattening": True})[0]
    np.testing.assert_array_equal(flattened, run(unflattened, series)[0])


# Affine models


class Affine(nn.Sequential):
    affine = True


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize(("stride", "future"), [(1, 1), (3, 5), (11, 1)])
@pytest.mark.parametrize("rule", ["fixed", "gauss_newton"])
def test_an_affine_model_takes_the_short_way_to_the_same_place(series, rule, stride, future, targets):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Affine(nn.Flatten(), nn.Linear(24, targets))
    y = series[:, :targets].astype(np.float64)
    fit = SERIES | {"stride": stride, "future": future}
    how = {"rule": rule, "nr_threshold": 0.2, "max_epochs": 8}
    long = run(model, series, y, fit, save_gradients=True, **how)
    short = run(model, series, y, fit, save_gradients=False, **how)
    np.testing.assert_allclose(long[0], short[0], atol=1e-6)
    np.testing.assert_allclose(long[1], short[1], atol=1e-6)
    assert not np.array_equal(short[0], series)


def test_a_model_that_only_says_it_is_affine_is_found_out(build, series):
    model = Affine(nn.Flatten(), build("mlp", 24))
    with pytest.raises(ValueError, match="not affine in its input"):
        run(model, series, save_gradients=False)


# Devices


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(
    "how",
    [
        {"rule": "fixed"},
        {"rule": "gauss_newton"},
        {"rule": "global"},
        {"rule": "map", "sigma": 0.2},
        {"rule": "map", "sigma": 0.2, "folds": 2},
    ],
    ids=str,
)
def test_cuda_gives_what_the_cpu_gives(everything, series, how):
    before = state(everything)
    y = series[:, 0].copy()
    on_cpu, on_cuda = (
        DenoGrad(everything, nn.MSELoss(), device).fit(series, y, **SERIES).transform(**HOW | how)
        for device in ("cpu", "cuda")
    )
    if "folds" not in how:  # trained anew with other random numbers
        np.testing.assert_allclose(on_cpu[0], on_cuda[0], atol=1e-3 if how["rule"] == "map" else 1e-4)
    after = state(everything)
    assert all(torch.equal(before[0][name], after[0][name]) for name in before[0])
    assert before[1:] == after[1:]
    assert next(everything.parameters()).device.type == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", ["tabular", "series"])
def test_a_tensor_on_cuda_is_denoised_there(series, kind):
    X = torch.tensor(series, dtype=torch.float64)
    on_cpu = denoise(X, 0.2, kind, hidden=4, epochs=1, solver="one_step").data
    on_cuda = denoise(X.cuda(), 0.2, kind, hidden=4, epochs=1, solver="one_step").data
    assert on_cuda.device.type == "cuda"
    np.testing.assert_allclose(on_cpu, on_cuda.cpu(), atol=1e-3)
    assert denoise(X.cuda(), 0.2, kind, hidden=4, epochs=1).data.device.type == "cuda"
