"""The metrics, against other libraries and against what their definitions promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from experiments.base import metrics


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    before = rng.standard_normal((300, 5)) @ rng.standard_normal((5, 5))
    return before, before + 0.3 * rng.standard_normal((300, 5))


def test_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(1)
    y, prediction = rng.standard_normal((2, 200))
    ours = metrics.scores(y, prediction)
    assert ours["mse"] == pytest.approx(oracle.mean_squared_error(y, prediction))
    assert ours["rmse"] == pytest.approx(oracle.root_mean_squared_error(y, prediction))
    assert ours["mae"] == pytest.approx(oracle.mean_absolute_error(y, prediction))
    assert ours["r2"] == pytest.approx(oracle.r2_score(y, prediction))
    assert 0 < ours["smape"] < 200


def test_a_target_that_does_not_vary_has_no_r2_and_zero_over_zero_is_no_error():
    result = metrics.scores(np.zeros(9), np.zeros(9))
    assert np.isnan(result["r2"])
    assert result["mse"] == result["smape"] == 0


@pytest.mark.parametrize(
    ("y", "prediction", "message"),
    [
        ([1.0, 2.0], [1.0], "one row of numbers each"),
        ([], [], "one row of numbers each"),
        ([1.0, np.nan], [1.0, 2.0], "y holds NaN"),
        ([1.0, 2.0], [1.0, np.inf], "prediction holds NaN"),
    ],
)
def test_scores_refuse_what_cannot_be_scored(y, prediction, message):
    with pytest.raises(ValueError, match=message):
        metrics.scores(y, prediction)


def test_errors_are_reported_in_original_units_as_well_and_improvement_is_the_same_in_both():
    rng = np.random.default_rng(2)
    y, one, two = rng.standard_normal((3, 50))
    a, b = (metrics.score_metrics(y, p, mean=40.0, scale=7.0) for p in (one, two))
    assert a["mse_original"] == pytest.approx(49 * a["mse"])
    assert a["mae_original"] == pytest.approx(7 * a["mae"])
    scaled, original = (metrics.imp(a[m], b[m]) for m in ("mse", "mse_original"))
    assert scaled == pytest.approx(original)


def test_improvement_without_an_error_before_is_no_number():
    assert np.isnan(metrics.imp(0.0, 1.0))
    assert metrics.imp(2.0, 0.0) == 100
    assert metrics.imp(1.0, 3.0) == -200


@pytest.mark.parametrize(("n", "d"), [(257, 7), (50, 1), (3, 40)])
def test_swd_agrees_with_pot(n, d):
    from ot.sliced import sliced_wasserstein_distance

    rng = np.random.default_rng(n)
    A, B = rng.standard_normal((n, d)), 0.5 + 2 * rng.standard_normal((n, d))
    directions = np.random.default_rng(5).standard_normal((100, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    expected = sliced_wasserstein_distance(A, B, projections=directions.T, p=2)
    assert metrics.swd(A, B, seed=5) == pytest.approx(expected)


def test_swd_of_a_shift_and_of_a_permutation(frames):
    before, _ = frames
    assert metrics.swd(before, before[::-1]) == pytest.approx(0, abs=1e-12)
    shifted = metrics.swd(before, before + 1.0, n_projections=4000)
    assert shifted == pytest.approx(1.0, rel=0.05)  # E (direction . 1)^2 = 1


def test_swd_does_not_depend_on_the_chunks(frames, monkeypatch):
    whole = metrics.swd(*frames)
    tall = np.tile(frames[0], (4000, 1))[: 2**20 + 1, :1]
    assert metrics.swd(tall, tall + 2, n_projections=3) == pytest.approx(2)  # one projection per chunk
    assert metrics.swd(*frames) == whole


def test_rho_bar_is_the_mean_of_the_columns_correlations(frames):
    before, after = frames
    expected = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(before.T, after.T, strict=True)])
    assert metrics.rho_bar(before, after) == (pytest.approx(expected), 0)


def test_constant_columns_are_counted_and_not_averaged_in(frames):
    before, after = frames[0].copy(), frames[1].copy()
    before[:, 0] = 3.0
    after[:, 1] = 1e-17 * np.random.default_rng(0).standard_normal(300)
    rho, n_constant = metrics.rho_bar(before, after)
    assert n_constant == 2
    assert rho == pytest.approx(metrics.rho_bar(before[:, 2:], after[:, 2:])[0])
    nothing, every = metrics.rho_bar(before, np.zeros_like(before))
    assert np.isnan(nothing)
    assert every == 5


def test_rho_pooled_and_rho_matrix(frames):
    before, after = frames
    assert metrics.rho_pooled(before, after) == pytest.approx(
        np.corrcoef(before.ravel(), after.ravel())[0, 1]
    )
    upper = np.triu_indices(5, 1)
    a, b = (np.corrcoef(frame.T)[upper] for frame in frames)
    assert metrics.rho_matrix(before, after) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert np.isnan(metrics.rho_matrix(before[:, :2], after[:, :2]))
    assert np.isnan(metrics.rho_pooled(before, np.ones_like(before)))


def test_recovery_is_100_at_the_truth_0_at_the_noise_and_negative_beyond(frames):
    clean, noisy = frames
    assert metrics.recovery(clean, noisy, clean) == 100
    assert metrics.recovery(clean, noisy, noisy) == 0
    assert metrics.recovery(clean, noisy, clean + 2 * (noisy - clean)) == pytest.approx(-300)
    assert np.isnan(metrics.recovery(clean, clean, noisy))
    with pytest.raises(ValueError, match="shapes differ"):
        metrics.recovery(clean, noisy[:5], noisy)


def test_kl_is_zero_for_the_same_data_and_positive_otherwise(frames):
    before, after = frames
    assert metrics.kl(before, before[::-1]) == 0
    assert 0 < metrics.kl(before, after) < metrics.kl(before, after + 10) < np.inf
    assert metrics.kl(np.ones((9, 2)), np.ones((9, 2))) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_detection_agrees_with_scikit_learn(rows):
    score, hit = (np.array(column) for column in zip(*rows, strict=True))
    ours = metrics.detection(score, hit)
    if hit.all() or not hit.any():
        assert np.isnan(list(ours.values())).all()
    else:
        assert ours["auroc"] == pytest.approx(oracle.roc_auc_score(hit, score))
        assert ours["average_precision"] == pytest.approx(oracle.average_precision_score(hit, score))


def test_data_metrics_of_the_identity_and_of_a_constant(frames):
    clean, noisy = frames
    y, y_noisy = clean[:, 0], noisy[:, 0]
    same = metrics.data_metrics(noisy, noisy, y_before=y_noisy, y_after=y_noisy, clean=clean, y_clean=y)
    assert same["swd"] == same["kl"] == same["recovery"] == same["recovery_X"] == same["recovery_y"] == 0
    assert same["rho_bar"] == pytest.approx(1)
    gone = metrics.data_metrics(noisy, np.zeros_like(noisy))
    assert set(gone) == {"swd", "rho_bar", "n_constant", "rho_pooled", "rho_matrix", "kl"}
    assert gone["n_constant"] == 5
    assert np.isnan(gone["rho_bar"])


def test_recovery_of_both_weighs_features_and_target_by_their_error(frames):
    clean, noisy = frames
    y, y_noisy = clean[:, 0], noisy[:, 0]
    result = metrics.data_metrics(noisy, clean, y_before=y_noisy, y_after=y_noisy, clean=clean, y_clean=y)
    assert result["recovery_X"] == 100
    assert result["recovery_y"] == 0
    injected = np.sum((noisy - clean) ** 2), np.sum((y_noisy - y) ** 2)
    assert result["recovery"] == pytest.approx(100 * injected[0] / sum(injected))


def test_an_output_that_is_not_finite_is_refused(frames):
    before, after = frames
    after[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        metrics.data_metrics(before, after)
