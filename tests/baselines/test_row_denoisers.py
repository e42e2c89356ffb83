"""PCA, the networks of rows, the controls and the detectors against what they promise."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA as Components

from baselines.autoencoder import TutorialAutoencoder
from baselines.base import Problem
from baselines.controls import Constant, Identity
from baselines.dae import DAE
from baselines.detectors import IsolationForest, Residual
from baselines.dn_resnet import DnResNet
from baselines.pca import PCA, held_out_likelihood, likeliest_components


def plane(n=300, noise=0.2, seed=0):
    """Two latent numbers seen through eight columns of unit variance, clean and noisy."""
    rng = np.random.default_rng(seed)
    clean = rng.standard_normal((n, 2)) @ rng.standard_normal((2, 8))
    clean = (clean - clean.mean(axis=0)) / clean.std(axis=0)
    return clean, clean + noise * rng.standard_normal(clean.shape)


def left(denoiser, seed=0):
    """Share of the injected squared error that is left."""
    clean, noisy = plane()
    refined = denoiser.fit(noisy, seed=seed, problem=Problem(sigma=0.2)).denoise(noisy).X
    return np.square(refined - clean).sum() / np.square(noisy - clean).sum()


def test_controls():
    X, y = plane()[1][:, :7], plane()[1][:, 7]
    same = Identity().fit(X, y).denoise(X, y)
    np.testing.assert_array_equal(same.X, X)
    np.testing.assert_array_equal(same.y, y)
    flat = Constant().fit(X[:100], y[:100]).denoise(X[100:], y[100:])
    np.testing.assert_allclose(flat.X, np.tile(X[:100].mean(axis=0), (200, 1)))
    np.testing.assert_allclose(flat.y, y[:100].mean())


def test_pca_keeps_the_fewest_components_with_95_percent():
    _, noisy = plane()
    result = PCA().fit(noisy).denoise(noisy)
    k = result.info["components"]
    full = Components().fit(noisy)
    share = full.explained_variance_ratio_.cumsum()
    assert share[k - 1] >= 0.95 > share[k - 2]
    oracle = Components(k).fit(noisy)
    np.testing.assert_allclose(result.X, oracle.inverse_transform(oracle.transform(noisy)), atol=1e-10)


def test_pca_by_cross_validation_finds_the_plane():
    clean, noisy = plane()
    assert likeliest_components(noisy, seed=0) == 2
    result = PCA(components="cv").fit(noisy).denoise(noisy)
    assert np.square(result.X - clean).sum() < 0.5 * np.square(noisy - clean).sum()
    assert PCA(components=3).fit(noisy).denoise(noisy).info["components"] == 3


def test_likelihood_is_scikit_learns():
    _, noisy = plane(60)
    ours = held_out_likelihood(noisy[:40], noisy[40:])
    theirs = [20 * Components(k, svd_solver="full").fit(noisy[:40]).score(noisy[40:]) for k in range(1, 8)]
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_pca_of_a_constant_frame():
    frame = np.full((10, 3), 4.0)
    np.testing.assert_array_equal(PCA().fit(frame).denoise(frame).X, frame)


@pytest.mark.parametrize("hyper", [{"variance": 1.0}, {"components": 0}, {"components": "some"}])
def test_pca_refuses(hyper):
    with pytest.raises(ValueError, match="PCA: "):
        PCA(**hyper)


def test_published_dae_is_shut_in_by_its_sigmoid():
    _, noisy = plane()
    denoiser = DAE(epochs=2).fit(noisy)
    widths = [layer.out_features for layer in denoiser._net if isinstance(layer, torch.nn.Linear)]
    assert widths == [256, 128, 64, 32, 8, 32, 64, 128, 256, 8]
    refined = denoiser.denoise(noisy).X
    assert refined.min() >= 0
    assert refined.max() <= 1


def test_published_dn_resnet_ends_near_the_identity():
    _, noisy = plane()
    refined = DnResNet(epochs=100).fit(noisy).denoise(noisy).X
    assert np.square(refined - noisy).mean() < 1e-3 * noisy.var()


@pytest.mark.parametrize(
    ("denoiser", "bound"),
    [(DAE("sound", hidden=(64,), epochs=150, batch_size=32, lr=3e-3), 0.9), (DnResNet("sound"), 0.75)],
)
def test_sound_networks_come_closer_to_the_truth(denoiser, bound):
    assert left(denoiser) < bound


def test_networks_stop_early_and_depend_on_the_seed():
    _, noisy = plane(100)
    few = DnResNet(epochs=500, patience=1).fit(noisy)
    assert 1 < few.denoise(noisy).info["epochs"] < 500
    other = DnResNet(epochs=500, patience=1).fit(noisy, seed=1)
    assert not np.array_equal(few.denoise(noisy).X, other.denoise(noisy).X)


def test_sound_networks_learn_from_the_training_part_alone():
    _, noisy = plane(100)
    changed = noisy.copy()
    train = np.random.default_rng(0).permutation(100)[:60]
    changed[np.setdiff1d(np.arange(100), train)] = 9.0
    problem = Problem(sigma=0.2, train_rows=train)
    for build in (lambda: DAE("sound", epochs=2), lambda: DnResNet("sound", epochs=2)):
        first = build().fit(noisy, problem=problem).denoise(noisy).X
        np.testing.assert_array_equal(first, build().fit(changed, problem=problem).denoise(noisy).X)
        alone = build().fit(noisy[train], problem=Problem(sigma=0.2)).denoise(noisy).X
        np.testing.assert_array_equal(first, alone)


@pytest.mark.parametrize("build", [lambda: DAE(epochs=0), lambda: DnResNet(patience=0)])
def test_networks_refuse(build):
    with pytest.raises(ValueError, match="at least 1"):
        build()


def test_isolation_forest_finds_rows_that_were_hit():
    from sklearn.metrics import roc_auc_score

    clean, _ = plane()
    hit = np.arange(300) < 15
    X = clean + 3.0 * hit[:, None] * np.random.default_rng(1).standard_normal(clean.shape)
    result = IsolationForest().fit(X).denoise(X)
    np.testing.assert_array_equal(result.X, X)
    assert roc_auc_score(hit, result.info["score"]) > 0.9


class First(torch.nn.Module):
    """Predict the first feature of the row, or of the window's last step."""

    def __init__(self):
        super().__init__()
        self.one = torch.nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.one * (x if x.ndim == 2 else x[:, -1])[:, :1]


class FirstBackbone:
    module = First()

    def __init__(self, outputs="target"):
        assert outputs == "target"


def test_residual_is_the_backbones():
    X = np.random.default_rng(0).standard_normal((30, 3))
    y = X[:, 0] + np.where(np.arange(30) == 4, 2.0, 0.0)
    problem = Problem("tabular", backbone=FirstBackbone)
    score = Residual().fit(X, y, problem=problem).denoise(X, y).info["score"]
    np.testing.assert_allclose(score, np.where(np.arange(30) == 4, 2.0, 0.0), atol=1e-6)
    problem = Problem("series", window=5, backbone=FirstBackbone)
    score = Residual().fit(X, problem=problem).denoise(X).info["score"]
    np.testing.assert_allclose(score[5:], np.abs(np.diff(X[4:, 0])), atol=1e-6)
    np.testing.assert_allclose(score[:5], np.median(score[5:]))


def test_residual_needs_a_backbone_and_a_target():
    X = np.zeros((5, 2))
    assert Residual().skip(Problem()) == "needs a trained backbone"
    assert Residual().skip(Problem(backbone=FirstBackbone)) is None
    with pytest.raises(ValueError, match=r"problem\.backbone"):
        Residual().fit(X, X[:, 0])
    with pytest.raises(ValueError, match="target y"):
        Residual().fit(X, problem=Problem(backbone=FirstBackbone))


@pytest.mark.parametrize("hyper", [{"corruption": "rain"}, {"loss": "l3"}])
def test_tutorial_autoencoder_refuses(hyper):
    with pytest.raises(ValueError, match="must be one of"):
        TutorialAutoencoder(**hyper)


@pytest.mark.parametrize("make", [DAE, DnResNet])
@pytest.mark.parametrize(("problem", "clean"), [
    (Problem("tabular", sigma=0.3, sigma_target=0.0), [4]),
    (Problem("tabular", levels=np.array([0.3, 0.0, 0.3, 0.0, 0.1])), [1, 3]),
    (Problem("series", sigma=0.3, sigma_target=0.0), [0]),
    (Problem("tabular", sigma=0.3), []),
    (Problem("tabular"), []),
])  # fmt: skip
def test_columns_known_to_be_clean_are_inputs_alone(make, problem, clean):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 5)) + 0.3 * rng.normal(size=(200, 5))
    found = (
        make(settings="sound", epochs=2)
        .fit(Z[:, :4], Z[:, 4], seed=0, problem=problem)
        .denoise(Z[:, :4], Z[:, 4])
    )
    refined = np.column_stack([found.X, found.y])
    assert np.flatnonzero((refined == Z).all(0)).tolist() == clean
    published = make(epochs=2).fit(Z[:, :4], Z[:, 4], seed=0, problem=problem).denoise(Z[:, :4], Z[:, 4])
    assert (np.column_stack([published.X, published.y]) != Z).any(0).all()


@pytest.mark.parametrize("make", [DAE, DnResNet])
def test_the_corruption_has_the_level_of_each_column(make, monkeypatch):
    seen = []

    def train(net, rows, corrupt, **_):
        seen.append((rows, corrupt(rows)))
        return {}

    monkeypatch.setattr("baselines.dae.train_reconstruction", train)
    X = np.random.default_rng(0).normal(size=(20_000, 3)) * [1.0, 10.0, 1.0]
    problem = Problem("tabular", levels=np.array([0.5, 0.2, 0.0]))
    make(settings="sound", masking=0.0).fit(X, seed=0, problem=problem)
    rows, corrupted = seen[0]
    np.testing.assert_allclose((corrupted - rows).std(0), [0.5, 2.0, 0.0], rtol=0.03)
