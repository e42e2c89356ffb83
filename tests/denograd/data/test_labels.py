"""What pandas knows of the rows and columns: time, labels, names; masks; and what comes back."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from baselines.base import stack
from denograd import BlindSpot, DenoGrad, denoise, refine
from denograd.data import with_gaps
from denograd.data.time_index import check_index, check_labels

RNG = np.random.default_rng
DAYS = pd.date_range("2024-01-01", periods=300, freq="D")


def waves(n=300, index=None, columns="abc"):
    t = np.arange(n) / 10
    X = np.stack([np.sin(t), np.cos(t), np.sin(2 * t)], 1) + 0.2 * RNG(0).normal(size=(n, 3))
    return pd.DataFrame(X, columns=list(columns), index=index)


def text(numbers):
    return pd.Index([str(v) for v in numbers])


OUT_OF_ORDER = {
    "shuffled": DAYS[RNG(0).permutation(300)],
    "backwards": DAYS[::-1],
    "sorted as text": text(sorted(range(300), key=str)),
    "dates as text": text(DAYS.strftime("%Y-%m-%d")[RNG(0).permutation(300)]),
    "numbers": pd.Index(RNG(0).permutation(300)),
    "periods": pd.period_range("2024-01", periods=300, freq="M")[RNG(0).permutation(300)],
    "durations": pd.to_timedelta(np.arange(300), "h")[::-1],
    "time zone": DAYS.tz_localize("Europe/Madrid")[RNG(0).permutation(300)],
}
FINE = {
    "days": DAYS,
    "months": pd.date_range("1990-01-31", periods=300, freq="ME"),
    "business days": pd.bdate_range("2024-01-01", periods=300),
    "periods": pd.period_range("1990-01", periods=300, freq="M"),
    "hours across a change of the clock": pd.date_range(
        "2024-03-30", periods=300, freq="h", tz="Europe/Madrid"
    ),
    "counted": pd.RangeIndex(300),
    "text that counts": text(range(300)),
    "dates as text": text(DAYS.strftime("%Y-%m-%d")),
    "names": text(f"row {i}" for i in range(300, 0, -1)),
    "two levels": pd.MultiIndex.from_product([range(3), range(100)]),
    "some gaps": DAYS[np.sort(RNG(0).permutation(300)[:280])],
}


@pytest.mark.parametrize("index", OUT_OF_ORDER.values(), ids=OUT_OF_ORDER)
def test_a_series_that_is_not_in_order_is_noticed(index):
    with pytest.warns(
        UserWarning, match=r"X: the rows are not in the order of their index \(\d+ steps back\)"
    ):
        check_index(waves(index=index), "series")


@pytest.mark.parametrize("index", FINE.values(), ids=FINE)
def test_a_series_in_order_is_not_complained_of(index):
    check_index(waves(len(index), index=index), "series")
    check_index(waves(len(index), index=index), "tabular")


def test_repeated_missing_and_uneven_stamps_are_noticed():
    with pytest.warns(UserWarning, match="150 time stamps come more than once"):
        check_index(waves(index=DAYS[np.arange(300) // 2]), "series")
    half = np.sort(RNG(0).permutation(600)[:300])
    with pytest.warns(UserWarning, match="the steps are uneven: .*asfreq"):
        check_index(waves(index=pd.date_range("2024-01-01", periods=600, freq="h")[half]), "series")
    with pytest.warns(UserWarning, match="5 time stamps are missing"):
        check_index(waves(index=DAYS.where(np.arange(300) % 60 > 0)), "series")


def test_every_door_looks_at_the_index():
    numbered = waves(index=OUT_OF_ORDER["numbers"])
    with pytest.warns(UserWarning, match="not in the order"):
        denoise(numbered, 0.2, kind="series", hidden=0)
    with pytest.warns(UserWarning, match="not in the order"):
        denoise(numbered["a"], 0.2, kind="series", hidden=0)
    frame = waves(index=OUT_OF_ORDER["shuffled"])
    with pytest.warns(UserWarning, match="not in the order"):
        BlindSpot("series", hidden=0).fit(frame)
    with pytest.warns(UserWarning, match="not in the order"):
        DenoGrad(nn.Linear(24, 1), nn.MSELoss()).fit(frame, "a", is_ts=True, window_size=8, flattening=True)


@pytest.mark.parametrize("name", ["shuffled", "backwards", "periods", "durations", "time zone"])
def test_a_time_index_gives_the_order_of_a_series(name):
    index = OUT_OF_ORDER[name]
    order = np.argsort(index, kind="stable")
    shuffled = waves().iloc[np.argsort(order)].set_axis(index)
    found = denoise(shuffled, 0.2, hidden=0)
    assert found.kind == "series"
    assert "rows put in order of time" in found.notes[0]
    assert found.data.index.equals(index)
    straight = denoise(waves(), 0.2, kind="series", hidden=0)
    assert_allclose(found.data.to_numpy()[order], straight.data.to_numpy())
    assert denoise(shuffled, 0.2, kind="tabular", hidden=0).kind == "tabular"  # samples with a date


# Labels of X and y


def pair(frame, y):
    return DenoGrad(nn.Linear(3, 1), nn.MSELoss()).fit(frame, y)


def test_labels_that_contradict_are_refused():
    frame = waves(index=DAYS)
    y = frame["a"] + frame["b"]
    with pytest.raises(ValueError, match=r"another order: .*y\.loc\[X\.index\]"):
        pair(frame, y[::-1])
    with pytest.raises(ValueError, match="are not the same"):
        pair(frame, y.set_axis(DAYS + pd.Timedelta(days=1)))
    with pytest.raises(ValueError, match="another order"):
        pair(frame.reset_index(drop=True).sample(frac=1, random_state=0), y.reset_index(drop=True))
    with pytest.raises(ValueError, match="another order"):
        pair(frame, y[::-1].to_frame())
    pair(frame, y)
    pair(frame, y.to_numpy())
    pair(frame, y.reset_index(drop=True))  # only counts
    pair(frame.to_numpy(), y[::-1])
    check_labels(frame.iloc[[0, 2, 5]], y.iloc[:3].reset_index(drop=True))


# Names of columns


def named(columns):
    frame = waves()
    frame.columns = columns
    return frame


@pytest.mark.parametrize(
    "columns", [[2, 0, 1], [("a", 1), ("a", 2), ("b", 1)], [1.5, "x", None], ["1", 1, 2]]
)
def test_targets_by_any_name(columns):
    frame = named(pd.Index(columns, tupleize_cols=False))
    for position, name in enumerate(columns):
        if name is None:
            continue
        expected = DenoGrad(nn.Linear(3, 1), nn.MSELoss()).fit(frame, target_cols=position)._fitted
        for y in (name, [name]):
            found = DenoGrad(nn.Linear(3, 1), nn.MSELoss()).fit(frame, y)._fitted
            assert found.target_cols == (position,)
            assert_array_equal(found.y, expected.y)
    both = DenoGrad(nn.Linear(3, 1), nn.MSELoss()).fit(frame, [columns[1], columns[0]])._fitted
    assert both.target_cols == (1, 0)


def test_two_levels_of_names():
    frame = named(pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]))
    assert DenoGrad(nn.Linear(3, 1), nn.MSELoss()).fit(frame, ("a", 2))._fitted.target_cols == (1,)
    result = denoise(frame, {("a", 1): 0.2}, hidden=0)
    assert_array_equal(result.data[("b", 1)], frame[("b", 1)])
    assert result.data.columns.equals(frame.columns)


def test_a_name_that_comes_twice_is_not_guessed():
    frame = named(["a", "b", "a"])
    with pytest.raises(ValueError, match=r"2 columns named 'a', numbers \[0, 2\]: .*target_cols"):
        DenoGrad(nn.Linear(3, 1), nn.MSELoss()).fit(frame, "a")
    with pytest.raises(ValueError, match=r"several columns are named 'a'"):
        denoise(frame, {"a": 0.2}, hidden=0)
    result = denoise(frame, 0.2, hidden=0)
    assert list(result.data.columns) == ["a", "b", "a"]
    assert_allclose(result.data.to_numpy(), denoise(frame.to_numpy(), 0.2, hidden=0).data)
    mixed = pd.concat([frame.iloc[:, :2].astype("float32"), frame.iloc[:, 2:]], axis=1)
    kept = denoise(mixed, 0.2, hidden=0).data
    assert list(kept.dtypes) == list(mixed.dtypes)
    one = DenoGrad(nn.Linear(3, 1), nn.MSELoss()).fit(frame, "b")
    assert one._fitted.target_cols == (1,)


def test_a_list_of_numbers_is_a_target_unless_it_names_columns():
    frame = waves(4)
    frame.columns = [0, 1, 2]
    values = DenoGrad(nn.Linear(3, 1), nn.MSELoss()).fit(frame, [0.0, 1.0, 2.0, 1.5])
    assert values._fitted.target_cols is None
    assert DenoGrad(nn.Linear(3, 1), nn.MSELoss()).fit(frame, [0, 2])._fitted.target_cols == (0, 2)


# Masks


def masked():
    X = waves().to_numpy().copy()
    X[7, 1] = -999.0
    return np.ma.masked_equal(X, -999.0)


def test_a_mask_is_a_gap():
    X = masked()
    kept, filled = (denoise(X, 0.2, gaps=gaps, hidden=0).data for gaps in ("keep", "fill"))
    assert np.argwhere(kept.mask).tolist() == [[7, 1]]
    assert not filled.mask.any()
    assert abs(filled[7, 1]) < 2
    with pytest.raises(ValueError, match="masked values, the first at row 7, column 1"):
        BlindSpot(hidden=0).fit(X)
    blind = BlindSpot(hidden=0).fit(X.data)
    for ask in (lambda: refine(blind, X, 0.2), lambda: blind.predict(X)):
        with pytest.raises(ValueError, match="masked values, the first at row 7, column 1"):
            ask()
    with pytest.raises(ValueError, match="masked"):
        DenoGrad(nn.Linear(3, 1), nn.MSELoss()).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="masked"):
        DenoGrad(nn.Linear(3, 1), nn.MSELoss()).fit(X.data, X[:, 1])
    with pytest.raises(ValueError, match="masked values, the first at row 7, column 1"):
        stack(X, None)
    with pytest.raises(ValueError, match="masked"):
        stack(X.data, X[:, 1])
    whole = np.ma.masked_array(X.data, mask=False)
    assert_array_equal(denoise(whole, 0.2, hidden=0).data, denoise(X.data, 0.2, hidden=0).data)


def test_with_gaps_leaves_the_rest_alone():
    X = masked()
    assert np.isnan(with_gaps(X)).sum() == 1
    assert X.mask.sum() == 1
    counts = np.ma.masked_equal([1, 2, -9], -9)
    assert_array_equal(with_gaps(counts), [1.0, 2.0, np.nan])
    assert with_gaps(counts[:2]).dtype == counts.dtype
    assert with_gaps([1, 2]) == [1, 2]


# What comes back


@pytest.mark.parametrize("make", [lambda f: f, lambda f: f.to_numpy(), lambda f: f.astype("Float64")])
def test_a_fitted_denoiser_can_be_pickled(make):
    frame = make(waves(index=DAYS))
    fitted = DenoGrad(nn.Linear(3, 1), nn.MSELoss()).fit(
        frame, frame.iloc[:, 0] if hasattr(frame, "iloc") else frame[:, 0]
    )
    again = pickle.loads(pickle.dumps(fitted))
    found, expected = (f.transform(max_epochs=3, verbose=False) for f in (again, fitted))
    for a, b in zip(found[:2], expected[:2], strict=True):
        assert type(a) is type(b)
        if hasattr(a, "equals"):
            assert a.equals(b)
        else:
            assert_array_equal(a, b)


def test_not_fitted_without_scikit_learn():
    code = """
import sys
sys.modules["sklearn"] = None
import torch, denograd
for call in (lambda: denograd.DenoGrad(torch.nn.Linear(1, 1), torch.nn.MSELoss()).transform(),
             lambda: denograd.BlindSpot().predict([[1.0]])):
    try:
        call()
    except ValueError as error:
        assert isinstance(error, AttributeError) and type(error).__name__ == "NotFittedError", error
    else:
        raise SystemExit("no error")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
