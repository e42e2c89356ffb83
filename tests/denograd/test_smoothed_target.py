"""The target without what its neighbours in time do not confirm."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from denograd import BlindSpot, smooth_target

QUICK = {"hidden": 0}  # the ridge alone


def waves(n=400, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    clean = np.column_stack([np.sin(t / 9), np.cos(t / 5), np.sin(t / 17)])
    return clean, clean + noise * rng.normal(size=clean.shape)


def test_it_is_the_cross_fitted_prediction_and_its_r2():
    clean, noisy = waves()
    values, r2 = smooth_target(noisy, 0, seed=3)
    blind = BlindSpot("series").fit(noisy, seed=3)
    np.testing.assert_allclose(values, blind.prediction_[:, 0], atol=1e-5)
    assert r2 == pytest.approx(1 - blind.mse_[0] / noisy[:, 0].var(), abs=1e-5)
    assert ((values - clean[:, 0]) ** 2).mean() < 0.5 * 0.3**2
    noise = np.random.default_rng(1).normal(size=(600, 3))
    assert abs(smooth_target(noise, 0, **QUICK).r2) < 0.1  # white noise says nothing of itself


def test_rows_after_the_training_part_are_context_and_stay():
    _, noisy = waves()
    values, _ = smooth_target(noisy, 1, valid_from=300, **QUICK)
    np.testing.assert_array_equal(values[300:], noisy[300:, 1])
    late, near = noisy.copy(), noisy.copy()
    late[308:] = 99.0  # eight steps are in sight of row 299
    near[307] = 99.0
    np.testing.assert_array_equal(smooth_target(late, 1, valid_from=300, **QUICK).values[:300], values[:300])
    changed = smooth_target(near, 1, valid_from=300, **QUICK).values[:300] != values[:300]
    assert changed[299]
    assert not changed[:299].any()


def test_frames_names_and_single_series():
    _, noisy = waves(200)
    frame = pd.DataFrame(noisy, columns=["load", "wind", "sun"], index=pd.RangeIndex(5, 205)).astype(
        "float32"
    )
    by_name = smooth_target(frame, "wind", **QUICK).values
    assert isinstance(by_name, pd.Series)
    assert by_name.name == "wind"
    assert by_name.dtype == "float32"
    assert by_name.index.equals(frame.index)
    np.testing.assert_array_equal(by_name, smooth_target(frame, 1, **QUICK).values)
    np.testing.assert_array_equal(by_name, smooth_target(frame, -2, **QUICK).values)
    alone = smooth_target(frame["sun"], "sun", **QUICK)
    assert alone.values.name == "sun"
    assert alone.r2 > 0.5
    np.testing.assert_array_equal(alone.values, smooth_target(frame["sun"].to_numpy(), 0, **QUICK).values)


def test_a_table_is_predicted_from_its_other_columns():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(300, 3))
    table[:, 2] = table[:, 0] - table[:, 1] + 0.1 * rng.normal(size=300)
    values, r2 = smooth_target(table, 2, kind="tabular", **QUICK)
    assert r2 > 0.9
    assert np.abs(values - table[:, 0] + table[:, 1]).mean() < 0.1


def test_a_regressor_that_learns_from_it_errs_less():
    gains = []
    for seed in range(5):
        clean, noisy = waves(400, noise=0.5, seed=seed)
        windows = np.lib.stride_tricks.sliding_window_view(noisy[:-1], 12, axis=0).reshape(-1, 36)
        smoothed = smooth_target(noisy, 0, valid_from=250, **QUICK).values[12:]
        train, test = slice(0, 238), slice(238, None)
        error = [
            ((Ridge().fit(windows[train], y[train]).predict(windows[test]) - clean[12:, 0][test]) ** 2).mean()
            for y in (noisy[12:, 0], smoothed)
        ]
        gains.append(1 - error[1] / error[0])
    assert np.mean(gains) > 0.1


def test_what_cannot_be_is_refused():
    _, noisy = waves(100)
    frame = pd.DataFrame(noisy, columns=["load", "wind", "sun"])
    with pytest.raises(ValueError, match="no column 'wnd'; near names: wind"):
        smooth_target(frame, "wnd")
    with pytest.raises(ValueError, match=r"number of one of the 3 columns, 0 to 2, got 3"):
        smooth_target(noisy, 3)
    with pytest.raises(ValueError, match="got 'load'"):
        smooth_target(noisy, "load")
    with pytest.raises(ValueError, match="or its name, got a Series"):
        smooth_target(frame, frame["load"])
    with pytest.raises(ValueError, match="frame has 2 columns 'load'"):
        smooth_target(pd.concat([frame, frame], axis=1), "load")
    with pytest.raises(TypeError, match=r"column 'time'.* leave the column out"):
        smooth_target(frame.assign(time=pd.date_range("2026", periods=100)), "load")
    with pytest.raises(ValueError, match="kind must be 'tabular' or 'series', got 'table'"):
        smooth_target(frame, "load", kind="table")
    with pytest.raises(ValueError, match=r"valid_from must be a row number from 1 to 100.*got 101"):
        smooth_target(noisy, 0, valid_from=101)
    with pytest.raises(ValueError, match="one single value"):
        smooth_target(np.column_stack([noisy, np.ones(100)]), 3)
    with pytest.raises(ValueError, match="NaN"):
        smooth_target(np.where(np.arange(100)[:, None] == 7, np.nan, noisy), 0)
    with pytest.raises(ValueError, match="too few"):
        smooth_target(noisy[:30], 0)
