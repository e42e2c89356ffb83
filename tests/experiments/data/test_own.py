"""A user's own table: what becomes of it, what is said, what identifies it, and the answer where it cannot be."""

import hashlib
import os

import numpy as np
import pandas as pd
import pytest

from experiments.base.errors import (
    DatasetCorrupt,
    DatasetInvalid,
    DatasetMissing,
    SettingInvalid,
    UnknownName,
)
from experiments.data import chosen, files, own
from experiments.data.own import Preparation
from experiments.data.sources import data_folders


def frame(n=40):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "y": rng.normal(size=n)})


def made(table, target="y", **how):
    return own.from_frame(table, Preparation(target, **how), name="mine")


def said(dataset, words):
    return [change for change in dataset.own.changes if words in change]


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "mine.csv"
    frame().to_csv(path, index=False)
    return path


def test_a_file_is_identified_by_its_content(csv, tmp_path):
    first = own.from_file(csv, Preparation("y"), name="mine")
    assert first.sha256 == hashlib.sha256(csv.read_bytes()).hexdigest()
    copy = tmp_path / "other.csv"
    copy.write_bytes(csv.read_bytes())
    assert own.from_file(copy, Preparation("y"), name="mine").sha256 == first.sha256
    csv.write_text(csv.read_text().replace("a,b,y", "a,b2,y"))
    assert own.from_file(csv, Preparation("y"), name="mine").sha256 != first.sha256


@pytest.mark.parametrize("name", ["mine.csv.gz", "mine.csv.xz", "mine.csv.bz2", "mine.zip", "plain.csv.gz"])
def test_a_packed_file_is_identified_by_what_it_holds(csv, name):
    packed = csv.with_name(name)
    frame().to_csv(packed, index=False, compression=None if name.startswith("plain") else "infer")
    assert own.from_file(packed, Preparation("y"), name="mine").sha256 == (
        own.from_file(csv, Preparation("y"), name="mine").sha256
    )


def test_what_is_done_to_the_table_identifies_it_as_well():
    table = frame().assign(c=1.5)
    plain, dropped = made(table), made(table, drop=("b",))
    assert plain.own.identity["dataset_settings"] == {}
    assert dropped.own.identity["dataset_settings"] == {"drop": ["b"]}
    assert plain.own.frame_sha256 != dropped.own.frame_sha256


def test_a_plain_table_stays_as_it_is_and_nothing_is_said():
    table = frame()
    dataset = made(table)
    pd.testing.assert_frame_equal(dataset.frame, table)
    assert dataset.own.changes == ()
    assert dataset.own.roles == {"a": "feature", "b": "feature", "y": "target"}


def test_the_users_frame_is_not_touched():
    table = frame().assign(city="A", day=pd.Timestamp("2024-01-01"))
    before = table.copy()
    made(table)
    pd.testing.assert_frame_equal(table, before)


def test_text_and_categories_become_columns_as_in_the_published_recipes():
    table = frame().assign(
        city=np.resize(["A", "B", "C"], 40), grade=pd.Categorical(np.resize(["x", "y"], 40))
    )
    dataset = made(table)
    expected = pd.get_dummies(table, columns=["city", "grade"], drop_first=True, dtype=float)
    pd.testing.assert_frame_equal(dataset.frame, expected)
    assert said(dataset, "'city', 'grade' of text one-hot encoded")
    assert dataset.own.roles["city"] == "feature: one-hot, 3 values in 2 columns"


def test_text_of_too_many_values_is_left_out_and_that_is_said():
    table = pd.concat([frame(), frame()], ignore_index=True).assign(note=[f"n{i}" for i in range(80)])
    dataset = made(table)
    assert list(dataset.frame) == ["a", "b", "y"]
    assert said(dataset, "'note' left out: text of 80 different values")


def test_bools_are_numbers():
    assert made(frame().assign(on=np.resize([True, False], 40))).frame["on"].tolist()[:2] == [1.0, 0.0]


def test_dates_go_into_the_index_and_no_column_of_them_remains():
    days = pd.date_range("2024-01-01", periods=40).astype(str)
    dataset = made(frame().assign(day=days, seen=pd.Timestamp("2024-05-01")))
    assert list(dataset.frame) == ["a", "b", "y"]
    assert dataset.own.roles["day"] == "time of the rows"
    assert said(dataset, "'seen' of dates left out")


def test_a_series_is_put_in_the_order_of_its_time():
    table = frame().assign(t=pd.date_range("2024-01-01", periods=40, freq="h"))
    shuffled = table.sample(frac=1, random_state=0)
    dataset = made(shuffled, kind="series", time="t")
    pd.testing.assert_frame_equal(dataset.frame, table.drop(columns="t"))
    assert said(dataset, "rows put in the order of 't'")
    assert made(table, kind="series", time="t").own.changes == ()


def test_uneven_steps_of_a_series_are_said():
    table = frame().assign(t=pd.date_range("2024-01-01", periods=40, freq="h")).drop(index=[5, 6])
    assert said(
        made(table, kind="series", time="t"),
        "1 of 37 steps in 't' are not of the usual length (0 days 01:00:00)",
    )


def test_numbers_may_be_the_time():
    dataset = made(frame().assign(step=np.arange(40)[::-1]), kind="series", time="step")
    assert list(dataset.frame) == ["a", "b", "y"]
    assert said(dataset, "order of 'step'")


def test_dates_in_two_formats_are_refused_with_the_row():
    table = frame().assign(
        t=["2024-01-01", "31/12/2024", *pd.date_range("2024-01-03", periods=38).astype(str)]
    )
    with pytest.raises(DatasetInvalid, match=r"1 of 40 entries .* 't' .* the first in row 2: '31/12/2024'"):
        made(table, kind="series", time="t")


def test_rows_with_a_gap_are_dropped_counted_and_said():
    table = frame()
    table.loc[3:5, "a"] = np.nan
    table.loc[5:8, "b"] = np.nan
    dataset = made(table)
    assert len(dataset.frame) == 34
    assert said(dataset, "6 of 40 rows with a missing value dropped (missing: 'b' 4, 'a' 3)")


def test_gaps_of_a_table_are_filled_by_the_median_except_the_targets():
    table = frame()
    table.loc[3, "a"], table.loc[4, "y"] = np.nan, np.nan
    dataset = made(table, gaps="fill")
    assert len(dataset.frame) == 39
    assert dataset.frame.loc[3, "a"] == table["a"].drop(index=4).median()
    assert said(dataset, "1 row without a target dropped")
    assert said(dataset, "1 missing values filled by the column's median")


def test_gaps_of_a_series_are_filled_by_interpolation_in_time():
    times = pd.to_datetime(["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 04:00"])
    table = pd.DataFrame({"t": times, "y": [0.0, np.nan, 4.0]})
    rest = pd.DataFrame({"t": pd.date_range("2024-01-02", periods=20, freq="h"), "y": np.arange(20.0)})
    table = pd.concat([table, rest], ignore_index=True).assign(a=1.0)
    dataset = made(table, kind="series", time="t", gaps="fill")
    assert dataset.frame["y"].iloc[1] == pytest.approx(1.0)
    assert dataset.own.settings == {"time": "t", "gaps": "fill"}


def test_constant_and_empty_columns_are_noted():
    dataset = made(frame().assign(k=7, none=np.nan))
    assert said(dataset, "'k' constant: kept, without noise")
    assert said(dataset, "'none' without a value left out")
    assert list(dataset.frame) == ["a", "b", "y", "k"]


@pytest.mark.parametrize(
    ("table", "how", "message"),
    [
        (frame(), {"target": "yy"}, "no column for dataset.target in 'mine': 'yy'. Did you mean y?"),
        (frame(), {"drop": ("aa",)}, "dataset.drop"),
        (frame(), {"time": "t", "kind": "series"}, "dataset.time"),
        (frame(), {"drop": ("y",)}, "is the target"),
        (frame().assign(y=1.0), {}, "no variance"),
        (frame().assign(y=np.nan), {}, "holds no value"),
        (frame().assign(y="low"), {}, "must be numbers, but holds 'low'"),
        (frame()[["y"]], {}, "nothing but the target is left"),
        (frame(9), {}, "9 rows are left, at least 10"),
        (frame().assign(a=np.inf), {}, "infinite"),
        (frame().set_axis(["a", "a", "y"], axis=1), {}, "columns occur more than once: a"),
        (frame().assign(a=pd.Series([np.nan] * 35 + [1.0] * 5)), {}, "5 rows are left"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(table, how, message):
    with pytest.raises((DatasetInvalid, UnknownName)) as caught:
        made(table, **how)
    assert message in str(caught.value)


@pytest.mark.parametrize("how", [{"kind": "table"}, {"gaps": "keep"}, {"time": "a"}])
def test_settings_outside_their_values_are_refused(how):
    with pytest.raises(SettingInvalid, match=r"dataset\."):
        Preparation("y", **how)


def test_a_missing_file_is_answered_with_the_near_ones(csv):
    with pytest.raises(DatasetMissing, match=r"no file mnie\.csv in .* Did you mean mine\.csv"):
        files.find(csv.with_name("mnie.csv"))


def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DatasetCorrupt, match="is no regular file"):
        files.read(files.find(tmp_path / "pipe.csv"))


def test_a_file_that_may_not_be_read(csv):
    csv.chmod(0)
    if was_root := os.geteuid() == 0:  # nothing is forbidden to root
        for folder in csv.parents:
            folder.chmod(folder.stat().st_mode | 0o111) if folder.owner() == "root" else None
        os.seteuid(65534)
    try:
        with pytest.raises(DatasetMissing, match="no permission to read it"):
            files.read(files.find(csv))
    finally:
        if was_root:
            os.seteuid(0)


def test_a_folder_is_no_file(csv):
    with pytest.raises(DatasetMissing, match=r"is a folder: it holds mine\.csv"):
        files.find(csv.parent)


def test_a_relative_path_is_looked_up_below_the_data_folder(csv, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert files.find("mine.csv", tmp_path) == csv
    monkeypatch.setenv("DENOGRAD_DATA", str(tmp_path))
    assert files.find("mine.csv") == csv
    assert data_folders()[0] == tmp_path
    assert data_folders(tmp_path) == data_folders()  # the same folder twice is searched, and named, once


def test_a_function_that_raises_or_returns_no_frame_is_told():
    with pytest.raises(DatasetInvalid, match="raised ZeroDivisionError: division by zero"):
        own.from_function(lambda: 1 / 0, Preparation("y"), name="mine")
    with pytest.raises(DatasetInvalid, match="a pandas DataFrame is wanted, got list"):
        own.from_function(list, Preparation("y"), name="mine")


def test_the_account_names_changes_and_caps():
    class Caps:
        def __init__(self):
            self.name, self.rows, self.backbone_epochs, self.regressor_epochs = "smoke", 30, 2, None

    lines = list(chosen.told(made(frame().assign(k=1)), Caps()))
    assert lines[0] == "mine: 40 rows x 4 columns, tabular, target 'y'"
    assert lines[2:] == [
        "  profile smoke takes 30 of them, drawn at random",
        "  profile smoke caps epochs: backbone 2",
    ]
