"""``device=cuda`` on a machine without one (`pretend_cuda`): where tensors lie, and when the host waits for the device.

A loop may wait once an epoch for each number that it reports or decides by, and never for a batch.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import nn

from baselines.agra_regressor import AgraRegressor
from baselines.autoencoder import TutorialAutoencoder
from baselines.base import Problem
from baselines.dae import DAE
from baselines.dn_resnet import DnResNet
from denograd import BlindSpot
from experiments.base.paths import CONF
from experiments.config.schema import as_config, register
from experiments.methods.map import DenoGradMap, DenoGradMapBackbone
from experiments.methods.rules import DenoGradRule
from experiments.methods.target import DenoGradTarget
from experiments.models import estimators
from experiments.models.dlinear import DLinear
from experiments.models.lstm import LSTM
from experiments.models.mlp import MLP
from experiments.models.training import TrainSettings, build_network, predict, train
from experiments.run.bench import Bench
from experiments.run.loop import execute
from experiments.store.files import Store
from tests.pretend_cuda import CUDA, OnCuda, pretend_cuda

STEPS = 8
ROUNDING = {"rtol": 1e-4, "atol": 1e-5}
"""Of float32 over a few epochs; the values are the CPU's, but more threads may add them up."""

RNG = np.random.default_rng(0)
TABLE = RNG.standard_normal((120, 3)) @ RNG.standard_normal((3, 4)) + 0.1 * RNG.standard_normal((120, 4))
SERIES = np.column_stack(
    [np.sin(np.arange(120) / 7), np.cos(np.arange(120) / 5)]
) + 0.1 * RNG.standard_normal((120, 2))
WINDOWS = np.lib.stride_tricks.sliding_window_view(SERIES, STEPS, axis=0).transpose(0, 2, 1)[:-1]
NETWORKS = [
    estimators.DNN,
    estimators.LSTMRegressor,
    estimators.XLSTMRegressor,
    estimators.CNNLSTMRegressor,
    estimators.DLinearRegressor,
    estimators.FTTransformerRegressor,
    estimators.CNN1DRegressor,
]


def both(work):
    """What `work(device)` gives on the CPU, on the pretended device, and what the host waited for there."""
    here = work("cpu")
    with pretend_cuda() as counted:
        there = work("cuda")
    return here, there, counted


def per_epoch(work, few=1, many=3):
    """How often the host waits for the device in one epoch, by what for: `work(epochs)` is done with few and many."""
    found = []
    for epochs in (few, many):
        with pretend_cuda() as counted:
            work(epochs)
        found.append(dict(counted))
    return {what: (n - found[0].get(what, 0)) / (many - few) for what, n in found[1].items()}


def test_the_pretended_device_behaves_as_one():
    with pretend_cuda() as counted:
        x, w = torch.zeros(3, device="cuda"), nn.Linear(3, 2).to("cuda")
        assert (x + 1).device == w(x).device == w.weight.device == CUDA
        assert not counted
        with pytest.raises(RuntimeError, match="same device"):
            x + torch.ones(3)
        with pytest.raises(TypeError, match="numpy"):
            x.numpy()
        assert float(x.sum()) == 0.0
        assert not bool((x > 0).any())
        assert counted == {"numbers": 2}
        x[x > 0]
        assert counted["shapes"] == 1
        assert not isinstance(x.cpu(), OnCuda)
        assert counted["copies"] == 1


@pytest.mark.parametrize("regressor", NETWORKS)
def test_every_network_trains_there_and_waits_twice_an_epoch(regressor):
    flat = regressor.input == "flat"
    X = torch.tensor(TABLE if flat else WINDOWS, dtype=torch.float32)
    y = torch.tensor((TABLE if flat else SERIES[STEPS:])[:, 0], dtype=torch.float32)

    def trained(device, epochs=1):
        window = None if flat else STEPS
        network = build_network(
            regressor.network_class, seed=3, n_features=X.shape[-1], outputs=1, window=window
        )
        seen = []
        network.register_forward_pre_hook(lambda module, given: seen.append(given[0].device.type))
        settings = TrainSettings(epochs=epochs, patience=None, batch_size=16)
        history = train(network, X[:32], y[:32], X[32:48], y[32:48], settings, seed=3, device=device)
        output = predict(network, X, device=device)
        assert set(seen) == {device}
        assert {p.device.type for p in network.parameters()} == {"cpu"}  # it comes home
        return history.train, history.valid, output

    here, there, _ = both(trained)
    np.testing.assert_allclose(here[:2], there[:2], **ROUNDING)
    torch.testing.assert_close(here[2], there[2], **ROUNDING)
    assert per_epoch(lambda epochs: trained("cuda", epochs)) == {"numbers": 2, "copies": 0}


@pytest.mark.parametrize("settings", ["paper", "sound"])
@pytest.mark.parametrize("denoiser", [DAE, DnResNet, TutorialAutoencoder])
def test_the_baselines_networks_train_there_and_wait_once_an_epoch(denoiser, settings):
    def denoised(device, epochs=3):
        method = denoiser(settings, epochs=epochs, device=device).fit(
            TABLE, seed=1, problem=Problem(sigma=0.1)
        )
        assert next(method._net.parameters()).device.type == device
        return method.denoise(TABLE).X

    here, there, _ = both(denoised)
    np.testing.assert_allclose(here, there, **ROUNDING)
    assert per_epoch(lambda epochs: denoised("cuda", epochs)) == {"numbers": 1, "copies": 0}


def test_agra_waits_for_each_batch_whether_there_is_a_step():
    def trained(device, epochs=2):
        net = AgraRegressor(MLP, {"hidden": [8]}, epochs=epochs, batch_size=40, device=device)
        return net.fit(TABLE[:, 1:], TABLE[:, 0]).predict(TABLE[:, 1:])

    here, there, _ = both(trained)
    np.testing.assert_allclose(here, there, **ROUNDING)
    assert per_epoch(lambda epochs: trained("cuda", epochs)) == {"numbers": 3, "shapes": 3, "copies": 0}


@pytest.mark.parametrize(
    ("rule", "network"),
    [
        *((rule, network) for rule in ("fixed", "gauss_newton") for network in (MLP, LSTM, DLinear)),
        ("global", LSTM),
        ("global", DLinear),
    ],
)
def test_every_published_rule_runs_there_and_waits_once_an_epoch(rule, network):
    series = network is not MLP
    X = SERIES if series else TABLE[:, 1:]

    def denoised(device, epochs=3):
        module = build_network(network, seed=0, n_features=X.shape[1], outputs=1, window=24).eval()
        backbone = SimpleNamespace(module=module)
        problem = Problem("series" if series else "tabular", backbone=lambda outputs: backbone)
        method = DenoGradRule(rule, max_epochs=epochs, device=device).fit(X, None, problem=problem)
        out = method.denoise(X, None if series else TABLE[:, 0])
        return out.X, out.y

    here, there, _ = both(denoised)
    np.testing.assert_allclose(here[0], there[0], **ROUNDING)
    np.testing.assert_allclose(here[1], there[1], **ROUNDING)
    found = per_epoch(lambda epochs: denoised("cuda", epochs))
    assert found.pop("numbers") == 1
    assert not any(found.values())


@pytest.mark.parametrize("kind", ["tabular", "series"])
def test_a_blind_spot_trains_there_without_waiting(kind):
    data = TABLE if kind == "tabular" else SERIES

    def trained(device, epochs=2):
        return BlindSpot(kind, epochs=epochs, device=device).fit(data).prediction_

    here, there, _ = both(trained)
    np.testing.assert_allclose(here, there, **ROUNDING)
    assert not any(per_epoch(lambda epochs: trained("cuda", epochs)).values())


@pytest.mark.parametrize(
    ("kind", "solver"), [("tabular", "auto"), ("tabular", "one_step"), ("series", "one_step")]
)
def test_map_runs_there(kind, solver):
    data = TABLE if kind == "tabular" else SERIES

    def denoised(device):
        method = DenoGradMap(solver=solver, device=device).fit(data, problem=Problem(kind, sigma=0.1))
        assert method._blind.device.type == device
        return method.denoise(data).X

    here, there, counted = both(denoised)
    np.testing.assert_allclose(here, there, **ROUNDING)
    assert not counted["numbers"] + counted["shapes"]


def test_the_target_of_a_series_and_map_with_any_backbone_run_there():
    module = build_network(DLinear, seed=0, n_features=2, outputs=2, window=24).eval()
    problem = Problem("series", sigma=0.1, backbone=lambda outputs: SimpleNamespace(module=module))

    def denoised(device):
        target = DenoGradTarget(device=device).fit(SERIES, problem=problem).denoise(SERIES).y
        moved = DenoGradMapBackbone(solver="one_step", device=device).fit(SERIES, problem=problem)
        return target, moved.denoise(SERIES).X

    here, there, _ = both(denoised)
    np.testing.assert_allclose(here[0], there[0], **ROUNDING)
    np.testing.assert_allclose(here[1], there[1], **ROUNDING)


def test_a_run_on_cuda_is_one_override(tmp_path):
    register()
    words = ["dataset=seasonal", "profile=smoke", "profile.rows=100", "noise.sigma=0.2"]
    words += ["protocol=[deployable]", "denoiser=[identity,dae,denograd_fixed]"]
    words += ["profile.denograd_epochs=3", "profile.autoencoder_epochs=3", "regressor=[dlinear]"]

    def cells(device):
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = as_config(compose("config", overrides=[*words, f"device={device}"]))
        return {cell.key: cell for cell in execute(Bench(config, Store(tmp_path / device)))}

    here, there, counted = both(cells)
    assert counted["copies"]
    assert {cell.status for cell in there.values()} == {"ok"}
    assert here.keys() == there.keys()
    for key, cell in here.items():
        assert there[key].metrics == pytest.approx(cell.metrics, rel=1e-3, abs=1e-4, nan_ok=True)
