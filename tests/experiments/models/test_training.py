"""The training loop: seeds, early stopping, best weights, errors; and networks on disk."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from experiments.models.lstm import LSTM
from experiments.models.mlp import MLP
from experiments.models.training import (
    BackboneUnreadable,
    History,
    Network,
    TrainSettings,
    build_network,
    load_backbone,
    predict,
    reproducible,
    save_backbone,
    train,
)


def draw(n=120, d=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, d, generator=generator)
    return X, X @ torch.arange(1.0, d + 1) + 0.1 * torch.randn(n, generator=generator)


def weights(module):
    return torch.cat([p.detach().flatten() for p in module.state_dict().values()])


def numpy_state():
    return np.random.get_state()[1].copy()  # noqa: NPY002  (only looked at)


def fresh(seed=0, hidden=(8,)):
    return build_network(MLP, seed=seed, n_features=3, outputs=1, hidden=hidden)


def test_same_seed_same_bytes_another_seed_others():
    X, y = draw()
    found = []
    for seed in (1, 1, 2):
        module = fresh()
        train(module, X, y, settings=TrainSettings(epochs=2, batch_size=16), seed=seed, device="cpu")
        found.append(weights(module))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_initial_weights_depend_on_the_seed_alone():
    assert torch.equal(weights(fresh(3)), weights(fresh(3)))
    assert not torch.equal(weights(fresh(3)), weights(fresh(4)))


def test_global_state_stays_as_it_was():
    X, y = draw()
    module = build_network(LSTM, seed=0, n_features=3, hidden=4)
    before = torch.get_rng_state(), numpy_state(), torch.get_num_threads()
    torch.set_num_threads(2)
    train(module, X[:, None], y, settings=TrainSettings(epochs=1), seed=0, device="cpu", threads=1)
    predict(module, X[:, None], device="cpu")
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before[2])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (numpy_state() == before[1]).all()


def test_threads_are_pinned_inside():
    with reproducible(0, threads=2):
        assert torch.get_num_threads() == 2


def test_best_weights_are_kept():
    X, y = draw(40)
    X_valid, y_valid = draw(60, seed=1)
    module = fresh(hidden=(64, 64))
    settings = TrainSettings(epochs=60, patience=None, lr=0.05, batch_size=8)
    history = train(module, X, y, X_valid, y_valid, settings, seed=0, device="cpu")
    assert len(history.valid) == 60
    assert history.best_epoch == 1 + int(np.argmin(history.valid)) < 60
    error = nn.functional.mse_loss(predict(module, X_valid, device="cpu")[:, 0], y_valid).item()
    assert error == pytest.approx(min(history.valid), rel=1e-5)


def test_patience_counts_epochs_without_a_better_one():
    X, y = draw()
    history = train(
        fresh(),
        X,
        y,
        X,
        torch.full_like(y, 1e3),
        TrainSettings(epochs=50, patience=3, lr=1e-12),
        seed=0,
        device="cpu",
    )
    assert len(history.valid) == history.best_epoch + 3


def test_without_validation_all_epochs_are_run():
    X, y = draw()
    history = train(fresh(), X, y, settings=TrainSettings(epochs=4, patience=1), seed=0, device="cpu")
    assert (len(history.train), history.valid, history.best_epoch) == (4, [], 4)


def test_module_is_left_in_evaluation_mode():
    X, y = draw()
    module = fresh()
    train(module, X, y, settings=TrainSettings(epochs=1), seed=0, device="cpu")
    assert not module.training
    assert not any(m.training for m in module.modules())


def test_dropout_is_off_in_predictions():
    module = build_network(LSTM, seed=0, n_features=3, hidden=8, dropout=0.5)
    X, _ = draw()
    module.train()
    assert torch.equal(predict(module, X[:, None], device="cpu"), predict(module, X[:, None], device="cpu"))


def test_windows_may_be_a_view_of_their_series():
    series = torch.randn(80, 2, generator=torch.Generator().manual_seed(0))
    view = series.unfold(0, 6, 1).transpose(1, 2)
    found = []
    for X in (view, view.contiguous()):
        module = build_network(LSTM, seed=0, n_features=2, hidden=4)
        train(module, X, X[:, -1, 0], settings=TrainSettings(epochs=1), seed=0, device="cpu")
        found.append(weights(module))
    assert torch.equal(*found)


@pytest.mark.parametrize(
    ("recurrent", "clip", "largest"), [(True, None, 1.0), (False, None, None), (False, 0.5, 0.5)]
)
def test_recurrent_networks_have_their_gradient_clipped(monkeypatch, recurrent, clip, largest):
    seen = []
    real = nn.utils.clip_grad_norm_
    monkeypatch.setattr(nn.utils, "clip_grad_norm_", lambda p, norm: (seen.append(norm), real(p, norm)))
    X, y = draw()
    module = fresh()
    module.recurrent = recurrent
    train(module, X, y, settings=TrainSettings(epochs=1, clip=clip), seed=0, device="cpu")
    assert set(seen) == ({largest} if largest else set())


def test_a_last_batch_of_one_row_joins_the_one_before():
    X, y = draw(9)
    seen = []

    class Spy(MLP):
        def forward(self, x):
            seen.append(len(x))
            return super().forward(x)

    train(Spy(3), X, y, settings=TrainSettings(epochs=1, batch_size=4), seed=0, device="cpu")
    assert seen == [4, 5]


def test_all_channels_as_targets():
    X, y = draw()
    Y = torch.stack([y, -y], dim=1)
    module = build_network(MLP, seed=0, n_features=3, outputs=2, hidden=[16])
    history = train(module, X, Y, settings=TrainSettings(epochs=30, lr=0.02), seed=0, device="cpu")
    assert history.train[-1] < 0.1 * history.train[0]


def test_errors_say_what_to_do():
    X, y = draw()
    run = {"seed": 0, "device": "cpu"}
    with pytest.raises(ValueError, match="build it with outputs=2"):
        train(fresh(), X, torch.stack([y, y], 1), **run)
    with pytest.raises(ValueError, match="validation part has 0 rows"):
        train(fresh(), X, y, X[:0], y[:0], **run)
    with pytest.raises(ValueError, match="120 rows of inputs and 3 of targets"):
        train(fresh(), X, y[:3], **run)
    with pytest.raises(ValueError, match="belong together"):
        train(fresh(), X, y, X, None, **run)
    with pytest.raises(FloatingPointError, match="epoch 1"):
        train(fresh(), X * torch.nan, y, **run)
    with pytest.raises(ValueError, match="lr must be positive, got -1"):
        TrainSettings(lr=-1)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="CUDA"):
            train(fresh(), X, y, seed=0, device="cuda")


def test_a_failure_leaves_the_module_usable():
    X, y = draw()
    module = fresh()
    before = torch.get_rng_state()
    with pytest.raises(FloatingPointError):
        train(module, X * torch.nan, y, seed=0, device="cpu")
    assert torch.equal(torch.get_rng_state(), before)
    assert not module.training


# ---------------------------------------------------------------------------------- networks on disk


@pytest.fixture
def stored(tmp_path):
    module = build_network(MLP, seed=5, n_features=3, hidden=[8])
    backbone = Network(module, "tabular", None, "target", History([1.0], [2.0], 1, 0.5))
    save_backbone(backbone, tmp_path / "deep" / "net.pt")
    return backbone, tmp_path / "deep" / "net.pt"


def test_a_backbone_comes_back_as_it_was(stored):
    backbone, path = stored
    back = load_backbone(path, fresh(seed=6))
    assert torch.equal(weights(back.module), weights(backbone.module))
    assert (back.kind, back.window, back.outputs, back.history) == (
        "tabular",
        None,
        "target",
        backbone.history,
    )
    assert not back.module.training
    assert [p.name for p in path.parent.iterdir()] == ["net.pt"]


def test_every_damage_is_noticed(stored):
    _, path = stored
    whole = path.read_bytes()
    payload = whole.index(np.float32(weights(load_backbone(path, fresh()).module)[0]).tobytes())
    flipped = bytearray(whole)
    flipped[payload] ^= 1
    for content in (b"", whole[:-100], whole[:50], b"no zip at all", bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(BackboneUnreadable, match="delete the file and train anew"):
            load_backbone(path, fresh())


def test_another_architecture_is_an_error(stored):
    with pytest.raises(BackboneUnreadable, match="size mismatch"):
        load_backbone(stored[1], fresh(hidden=[9]))


def test_an_absent_file_is_another_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="train one"):
        load_backbone(tmp_path / "none.pt", fresh())


def test_a_file_cannot_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    for name, dump in (("a.pt", torch.save), ("b.pt", lambda o, f: f.write_bytes(pickle.dumps(o)))):
        dump({"format": Evil()}, tmp_path / name)
        with pytest.raises(BackboneUnreadable):
            load_backbone(tmp_path / name, fresh())
    assert not (tmp_path / "touched").exists()


def test_a_trained_module_can_be_copied_and_saved_by_others(stored):
    module = stored[0].module
    assert torch.equal(weights(copy.deepcopy(module)), weights(module))
    torch.save(module.state_dict(), io.BytesIO())
