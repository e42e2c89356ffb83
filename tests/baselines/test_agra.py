"""AGRA's gradients against automatic differentiation, and both forms on data whose bad labels are known."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy

from baselines.agra import AgraClassifier, choose_labels, f1_loss, label_similarity
from baselines.agra_regressor import AgraRegressor, recorded, sample_gradients


def blobs(n=300, classes=3, flipped=0.3, seed=0):
    """Well separated classes whose labels are moved on by one for a known share of the rows."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=n)
    X = 4 * np.eye(classes, 5)[truth] - 1 + rng.standard_normal((n, 5))
    hit = rng.random(n) < flipped
    return X.astype(np.float32), truth, np.where(hit, (truth + 1) % classes, truth), hit


def test_label_similarity_is_the_cosine_of_per_sample_gradients():
    generator = torch.Generator().manual_seed(0)
    x, weight, bias, direction = (torch.randn(s, generator=generator) for s in ((6, 4), (3, 4), (3,), (3, 4)))

    def loss(weight, row, label):
        return cross_entropy((weight @ row + bias)[None], label[None])

    ours = label_similarity(x, (x @ weight.T + bias).softmax(dim=1), direction)
    for label in range(3):
        own = vmap(grad(loss), in_dims=(None, 0, 0))(weight, x, torch.full((6,), label))
        theirs = torch.nn.functional.cosine_similarity(own.flatten(1), direction.flatten()[None])
        torch.testing.assert_close(ours[:, label], theirs, rtol=1e-5, atol=1e-6)


def test_label_similarity_where_gradients_vanish():
    assert torch.equal(
        label_similarity(torch.zeros(2, 3), torch.full((2, 2), 0.5), torch.ones(2, 3)), torch.zeros(2, 2)
    )


def test_f1_loss_counts_softly():
    labels = torch.tensor([0, 0, 1])
    sure = 100 * torch.eye(2)[labels]
    torch.testing.assert_close(f1_loss(sure, labels), torch.tensor(0.0))
    torch.testing.assert_close(f1_loss(-sure, labels), torch.tensor(1.0))
    # all shares 1/2: tp = (1, 1/2), sum p = (3/2, 3/2), sum y = (2, 1)
    expected = 1 - (2 * 1 / 3.5 + 2 * 0.5 / 2.5) / 2
    torch.testing.assert_close(f1_loss(torch.zeros(3, 2), labels), torch.tensor(expected))


class TwoHeads(torch.nn.Module):
    """Two linear maps over the steps of a window, shared by the channels, as in DLinear."""

    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Linear(4, 1), torch.nn.Linear(4, 1, bias=False)

    def forward(self, x):
        x = x.transpose(1, 2)
        return (self.a(x) + self.b(x.square())).sum(dim=1)


@pytest.mark.parametrize(
    ("net", "names", "shape"),
    [
        (torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)), ["2"], (5, 3)),
        (TwoHeads(), ["a", "b"], (5, 4, 2)),
    ],
)
def test_sample_gradients_are_those_of_vmap(net, names, shape):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(shape, generator=generator), torch.randn(shape[0], generator=generator)
    layers = [net.get_submodule(name) for name in names]
    with recorded(layers) as calls:
        losses = (net(x)[:, 0] - y) ** 2
    ours = sample_gradients(losses, layers, calls)
    rest = dict(net.named_parameters())
    wanted = {f"{name}.{p}": v for name in names for p, v in net.get_submodule(name).named_parameters()}

    def loss(parameters, row, goal):
        return (functional_call(net, {**rest, **parameters}, row[None])[0, 0] - goal) ** 2

    theirs = vmap(grad(loss), in_dims=(None, 0, 0))(wanted, x, y)
    torch.testing.assert_close(ours, torch.cat([theirs[name].flatten(1) for name in wanted], dim=1))


@pytest.mark.parametrize("weighted", [False, True])
def test_classifier_drops_flipped_labels_rather_than_others(weighted):
    X, truth, labels, hit = blobs()
    model = AgraClassifier("f1", weighted=weighted, lr=0.1, epochs=20, batch_size=64)
    model.fit(X, labels, validation=blobs(seed=1)[::2])
    assert model.score(X, truth) > 0.93
    assert model.dropped_[hit].mean() > 0.7
    assert model.dropped_[~hit].mean() < 0.35
    assert AgraClassifier(None, epochs=2).fit(X, labels).dropped_.max() == 0


def test_classifier_is_reproducible_and_clones():
    X, _, labels, _ = blobs(100)
    state = torch.get_rng_state()
    first = AgraClassifier("cross_entropy", random_state=3).fit(X, labels)
    assert torch.equal(torch.get_rng_state(), state)
    second = clone(first).fit(X, labels)
    np.testing.assert_array_equal(first.coef_, second.coef_)
    assert not np.array_equal(first.coef_, clone(first).set_params(random_state=4).fit(X, labels).coef_)
    assert first.best_epoch_ == 10


def test_other_class():
    X, truth, labels, _ = blobs()
    names = np.array(["a", "b", "c"])
    spare = AgraClassifier("f1", other="none of them", lr=0.1, epochs=20, batch_size=64).fit(X, names[labels])
    assert set(spare.predict(X)) <= set(names)
    assert spare.coef_.shape == (3, 5)
    assert spare.score(X, names[truth]) > 0.9
    known = AgraClassifier("f1", other="c", lr=0.1, epochs=3).fit(X, names[labels])
    assert known.coef_.shape == (3, 5)


def test_the_other_label_is_taken_where_it_agrees_better():
    similarity = torch.tensor([[0.5, 0.1, 0.2], [-0.5, 0.1, 0.2], [-0.5, 0.1, -0.2]])
    given = torch.tensor([0, 0, 0])
    labels, agreement = choose_labels(similarity, given, other=2)
    assert labels.tolist() == [0, 2, 2]
    torch.testing.assert_close(agreement, torch.tensor([0.5, 0.2, -0.2]))
    assert choose_labels(similarity, given, None)[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("model", "X", "y", "message"),
    [
        (AgraClassifier("hinge"), np.eye(3), [0, 1, 2], "comparison must be"),
        (AgraClassifier(), np.eye(3), [1, 1, 1], "at least two classes"),
        (AgraClassifier(), np.eye(3), [1, 2], "y must have shape"),
        (AgraClassifier(), np.full((3, 2), np.nan), [0, 1, 2], "NaN"),
        (AgraClassifier(), np.zeros(3), [0, 1, 2], "2 dimensions"),
        (AgraRegressor(), np.eye(3), [0.0, 1, 2], "needs network="),
        (AgraRegressor(lambda **_: torch.nn.ReLU()), np.eye(3), [0.0, 1, 2], "no linear layer"),
    ],
)
def test_refusals(model, X, y, message):
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


def small(n_features, outputs, window, hidden=16):
    flatten = [] if window is None else [torch.nn.Flatten()]
    wide = n_features * (window or 1)
    return torch.nn.Sequential(
        *flatten, torch.nn.Linear(wide, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, outputs)
    )


def plane(n=400, hit_share=0.2, seed=0):
    """A linear target, a known share of it replaced by gross errors."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3))
    truth = X @ [1.0, -1.0, 0.5]
    hit = rng.random(n) < hit_share
    return X, truth, np.where(hit, truth + rng.choice([-4, 6], n), truth)


def test_regressor_learns_and_reports_what_it_dropped():
    X, truth, y = plane()
    options = {"hidden": 16}
    model = AgraRegressor(small, options, epochs=30, lr=1e-2, device="cpu")
    model.fit(X, y, validation=plane(100, seed=1)[::2])
    assert np.square(model.predict(X) - truth).mean() < 0.5 * np.square(y - truth).mean()
    assert all(0 < share < 1 for share in model.dropped_)
    assert 1 <= model.best_epoch_ <= len(model.dropped_)
    everything = AgraRegressor(small, options, threshold=-np.inf, epochs=2, device="cpu").fit(X, y)
    assert everything.dropped_ == [0.0, 0.0]
    nothing = AgraRegressor(small, options, threshold=1.1, epochs=2, device="cpu").fit(X, y)
    assert nothing.dropped_ == [1.0, 1.0]


def test_regressor_on_windows_is_reproducible_and_leaves_torch_alone():
    series = np.random.default_rng(0).standard_normal((90, 2)).cumsum(axis=0)
    X = np.lib.stride_tricks.sliding_window_view(series, 6, axis=0)[:-1].swapaxes(1, 2)
    state = torch.get_rng_state()
    model = AgraRegressor(small, epochs=2, device="cpu").fit(X, series[6:, 0])
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(model.predict(X), clone(model).fit(X, series[6:, 0]).predict(X))
    with pytest.raises(ValueError, match="fitted on inputs of shape"):
        model.predict(X[:, :3])
    with pytest.raises(ValueError, match="no linear layer"):
        AgraRegressor(small, last_layer=["head"], device="cpu").fit(X, series[6:, 0])
