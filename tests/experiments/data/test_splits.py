import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.base.errors import DatasetInvalid, SettingInvalid
from experiments.data.dataset import Dataset
from experiments.data.noise import Gaussian
from experiments.data.splits import Scaler, split_rows, window_view
from experiments.data.task import prepare


@given(st.integers(10, 5_000), st.sampled_from(["tabular", "series"]), st.integers(0, 2**63))
def test_parts_have_the_stated_sizes_and_cover_every_row_once(n, kind, seed):
    split = split_rows(n, kind, seed)
    sizes = [len(split.train), len(split.valid), len(split.test)]
    assert sizes == [7 * n // 10, n // 10, n - 7 * n // 10 - n // 10]
    assert min(sizes) > 0
    np.testing.assert_array_equal(
        np.sort(np.concatenate([split.train, split.valid, split.test])), np.arange(n)
    )


def test_series_are_split_by_time_and_tables_by_the_seed():
    split = split_rows(100, "series", 3)
    np.testing.assert_array_equal(split.train, np.arange(70))
    np.testing.assert_array_equal(split.test, np.arange(80, 100))
    one, same, other = (split_rows(100, "tabular", seed).train for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@given(st.integers(0, 2**63), st.lists(st.integers(1, 40), min_size=12, max_size=60))
def test_groups_stay_whole_and_parts_keep_about_their_sizes(seed, sizes):
    groups = np.repeat(np.arange(len(sizes)), sizes)[::-1]
    n = len(groups)
    split = split_rows(n, "tabular", seed, groups)
    parts = [split.train, split.valid, split.test]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    assert sum(len(np.unique(groups[part])) for part in parts) == len(sizes)
    assert abs(len(split.train) - 7 * n // 10) <= max(sizes) / 2 + 1


@pytest.mark.parametrize("kind", ["series", "tabular"])
def test_a_task_names_the_test_rows_that_the_train_part_says_nothing_about(kind):
    values = np.random.default_rng(0).normal(size=(200, 3))
    frame = pd.DataFrame(values, columns=["y", "pressure", "wind"])

    def far(frame):
        dataset = Dataset("made_up", kind, frame, "y", "0")
        return prepare(dataset, Gaussian(sigma=0.3), "paper", repetition=0, window=6, rows=None)

    task = far(frame)
    assert task.far_test_rows() == {}
    row = task.split.test[3]
    frame.loc[row, "pressure"] = 100.0
    frame.loc[task.split.train[3], "wind"] = 100.0  # a training row may be what it likes
    found = far(frame).far_test_rows()
    train = frame["pressure"].to_numpy()[task.split.train]
    assert (found["rows"], found["of"]) == (1, 40)
    assert found["furthest"] == {"pressure": round((100 - train.mean()) / train.std(), 1)}


def test_a_task_splits_a_dataset_by_its_groups():
    groups = np.repeat(np.arange(40), 5)
    frame = pd.DataFrame({"y": np.random.default_rng(0).normal(size=200), "group": groups * 1.0})
    dataset = Dataset("made_up", "tabular", frame, "y", "0", groups=groups)
    task = prepare(dataset, Gaussian(sigma=0.0), "paper", repetition=0, window=6, rows=150)
    parts = [set(task.X[part, 0]) for part in (task.split.train, task.split.valid, task.split.test)]
    assert len(task.X) == 150
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_bad_splits():
    with pytest.raises(DatasetInvalid, match="at least 10"):
        split_rows(9, "series")
    with pytest.raises(SettingInvalid, match="'image'"):
        split_rows(90, "image")


def test_scaler_standardises_only_centres_constants_and_can_be_undone():
    rng = np.random.default_rng(0)
    X = np.column_stack(
        [rng.normal(5, 3, 50), np.full(50, 0.1), rng.normal(1e9, 1e-3, 50), rng.random(50) < 0.2]
    )
    scaler = Scaler().fit(X)
    Z = scaler.transform(X)
    assert scaler.constant.tolist() == [False, True, False, False]
    np.testing.assert_allclose(Z[:, [0, 3]].mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(Z[:, [0, 2, 3]].std(0), 1, atol=1e-6)
    assert (Z[:, 1] == 0).all()
    np.testing.assert_allclose(scaler.inverse(Z), X, rtol=1e-12)


def test_scaler_leaves_its_input_alone_and_holds_for_other_rows():
    X = np.array([[0.0, 1.0], [2.0, 1.0]])
    X.flags.writeable = False
    scaler = Scaler().fit(X)
    np.testing.assert_array_equal(scaler.transform(np.array([[4.0, 3.0]])), [[3.0, 2.0]])


@given(st.integers(2, 60), st.integers(1, 59))
def test_windows_hold_the_steps_before_their_target(length, window):
    if window >= length:
        window = length - 1
    Z = np.arange(length * 2.0).reshape(length, 2)
    windows = window_view(Z, window)
    assert windows.shape == (length - window, window, 2)
    for s in (0, length - window - 1):
        np.testing.assert_array_equal(windows[s], Z[s : s + window])


def test_windows_are_a_read_only_view():
    Z = np.zeros((50, 3))
    windows = window_view(Z, 8)
    assert np.shares_memory(windows, Z)
    with pytest.raises(ValueError, match="read-only"):
        windows[0, 0, 0] = 1


@pytest.mark.parametrize(
    ("window", "what"), [(50, "too long for a series of 50"), (0, "at least one"), (-3, "-3")]
)
def test_windows_that_do_not_fit(window, what):
    with pytest.raises(SettingInvalid, match=what):
        window_view(np.zeros((50, 3)), window)
