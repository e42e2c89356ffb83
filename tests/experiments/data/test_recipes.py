import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from experiments.base.errors import DatasetCorrupt
from experiments.data import sources
from experiments.data.dataset import Dataset
from experiments.data.recipes import _SUPPORT2, DATASETS, load_dataset

CONF = Path(__file__).resolve().parents[3] / "conf" / "dataset"
NOT_AT_HAND = {"lattice_physics", "ecl"}
FROM_FILES = sorted(name for name, recipe in DATASETS.items() if recipe.files)
WITHOUT_FILES = sorted(set(DATASETS) - set(FROM_FILES))

BENCHMARK = {
    "house_prices": ("tabular", (21_436, 19), "price"),
    "lattice_physics": ("tabular", (24_000, 40), "k-inf"),
    "parkinsons": ("tabular", (5_875, 20), "total_UPDRS"),
    "rt_iot2022": ("tabular", (117_915, 82), "active.avg"),
    "support2": ("tabular", (8_579, 33), "age"),
    "daily_climate": ("series", (1_576, 4), "meantemp"),
    "ecl": ("series", (6_000, 320), "MT_320"),
    "ett": ("series", (17_420, 7), "OT"),
    "microsoft_stock": ("series", (2_192, 5), "Close"),
    "wth": ("series", (35_064, 12), "Visibility"),
}

real = pytest.mark.data


def csv(frame: pd.DataFrame, **options) -> bytes:
    return frame.to_csv(index=False, lineterminator="\n", **options).encode()


@pytest.mark.parametrize("name", sorted(BENCHMARK))
def test_registry_states_the_published_preparation(name):
    recipe = DATASETS[name]
    assert (recipe.kind, recipe.shape, recipe.target) == BENCHMARK[name]


@real
@pytest.mark.parametrize("name", [name for name in FROM_FILES if name not in NOT_AT_HAND])
def test_real_file_gives_the_published_shape(name):
    if not os.environ.get("DENOGRAD_DATA"):
        pytest.skip("DENOGRAD_DATA does not name a folder with the raw files")
    dataset, recipe = load_dataset(name), DATASETS[name]
    assert dataset.shape == recipe.shape
    assert (dataset.kind, dataset.target) == (recipe.kind, recipe.target)
    assert (dataset.frame.dtypes == np.float64).all()
    if len(recipe.files) == 1:
        assert dataset.sha256 == recipe.sources[0].sha256


@real
def test_interpolated_stock_prices_have_the_published_number_of_values():
    if not os.environ.get("DENOGRAD_DATA"):
        pytest.skip("DENOGRAD_DATA does not name a folder with the raw files")
    counts = load_dataset("microsoft_stock").frame.nunique().to_dict()
    assert counts == {"Open": 2064, "High": 2052, "Low": 2049, "Close": 2039, "Volume": 2192}


@pytest.mark.parametrize("name", WITHOUT_FILES)
def test_data_without_files_are_the_same_every_time(name):
    first, second = load_dataset(name), load_dataset(name)
    assert first.shape == DATASETS[name].shape
    assert first.sha256 == second.sha256
    pd.testing.assert_frame_equal(first.frame, second.frame)


@pytest.fixture(scope="module")
def lattice_raw() -> bytes:
    values = np.random.default_rng(0).uniform(0.7, 5, (24_000, 41)).round(5)
    return csv(pd.DataFrame(values), sep=" ", header=False)


@pytest.fixture(scope="module")
def ecl_raw() -> bytes:
    values = np.random.default_rng(0).integers(1, 1_000, (6_010, 321))
    values[:, 182] = 0
    frame = pd.DataFrame(values, columns=[f"MT_{i:03d}" for i in range(321)])
    frame.insert(0, "date", pd.date_range("2012-01-01", periods=len(frame), freq="h"))
    return csv(frame)


@pytest.mark.parametrize(
    ("name", "raw", "line_ends"),
    [
        ("lattice_physics", "lattice_raw", "\r\n"),
        ("lattice_physics", "lattice_raw", "\n"),
        ("ecl", "ecl_raw", "\n"),
    ],
)
def test_generated_raw_form_gives_the_published_shape(name, raw, line_ends, request, tmp_path, monkeypatch):
    content = request.getfixturevalue(raw)
    file = DATASETS[name].files[0]
    stored = content.replace(b"\n", line_ends.encode())
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_bytes(stored)
    with pytest.raises(DatasetCorrupt, match="git blob"):
        load_dataset(name, tmp_path)
    monkeypatch.setitem(
        sources.SOURCES, file, replace(sources.SOURCES[file], blobs=(sources.git_blob(content),))
    )
    dataset = load_dataset(name, tmp_path)
    assert dataset.shape == DATASETS[name].shape
    assert dataset.sha256 == hashlib.sha256(stored).hexdigest()
    assert "PPPF" not in dataset.frame
    assert "MT_182" not in dataset.frame


def test_a_git_blob_id_is_the_one_that_git_computes():
    assert sources.git_blob(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_house_prices_keep_the_first_sale():
    raw = csv(
        pd.DataFrame({"id": [1, 2, 1], "date": "20140502T000000", "price": [5, 6, 7], "lat": [1, 2, 3]})
    )
    assert DATASETS["house_prices"].prepare(raw).to_dict("list") == {"price": [5, 6], "lat": [1, 2]}


def support2_raw(first: str | None) -> bytes:
    n = 1_000
    frame = pd.DataFrame({column: np.arange(n) % 7 for column in _SUPPORT2})
    frame["age"] = np.arange(n)
    for column, levels in {
        "sex": ["male", "female"],
        "dzgroup": ["Coma", "ARF", "CHF"],
        "race": ["white", "asian"],
        "dzclass": ["Cancer", "Coma"],
        "ca": ["no", "yes"],
        "dnr": ["no dnr", "dnr"],
        "income": ["low", "high"],
        "sfdm2": ["a", "b"],
    }.items():
        frame[column] = np.resize(levels, n)
    frame.loc[:800, "income"] = None  # 801 gaps: the column goes
    frame.loc[:0, "crea"] = None  # one gap: the row goes
    text = frame.to_csv(index_label=first, lineterminator="\n")
    if first is None:  # as published: 47 names above 48 fields
        text = text.removeprefix(",")
    return text.encode()


@pytest.mark.parametrize("first", [None, "id", "sno", ""])
def test_support2_accepts_every_name_of_the_row_number(first):
    frame = DATASETS["support2"].prepare(support2_raw(first))
    # 42 columns less income, dzclass, ca, dnr; sex, dzgroup, race become 1 + 2 + 1 dummies
    assert frame.shape == (999, 42 - 4 - 3 + 4)
    assert frame["age"].tolist() == list(range(1, 1_000))
    assert {"sex_male", "dzgroup_CHF", "dzgroup_Coma", "race_white"} <= set(frame)
    assert not {"sex_female", "dzgroup_ARF", "income", "death", "id", "sno"} & set(frame)


@pytest.mark.parametrize("first", ["no", "Unnamed: 0"])
def test_rt_iot_drops_constants_then_duplicates_then_encodes(first):
    frame = pd.DataFrame(
        {
            first: [0, 1, 2, 3],
            "proto": ["tcp", "tcp", "udp", "icmp"],
            "service": ["-", "-", "dns", "-"],
            "flags": 0,
            "active.avg": [1.0, 1.0, 2.0, 3.0],
            "active.max": [1.0, 1.0, 2.0, 3.0],
            "idle.avg": [1.0, 1.0, 2.0, 3.0],
            "Attack_type": "x",
        }
    )
    prepared = DATASETS["rt_iot2022"].prepare(csv(frame))
    assert list(prepared) == ["active.avg", "proto_tcp", "proto_udp", "service_dns"]
    assert prepared["active.avg"].tolist() == [1, 2, 3]


def test_stock_days_are_rounded_and_interpolated():
    frame = pd.DataFrame({"Date": ["4/1/2015 16:00:00", "4/2/2015 13:00:00", "4/6/2015 16:00:00"]})
    for column in ("Open", "High", "Low", "Close", "Volume"):
        frame[column] = [1, 2, 6]
    prepared = DATASETS["microsoft_stock"].prepare(csv(frame))
    assert prepared["Close"].tolist() == [1, 2, 3, 4, 5, 6]
    assert str(prepared.index[0].date()) == "2015-04-02"


def test_series_has_its_target_first_and_a_table_has_it_apart():
    frame = pd.DataFrame({"a": [1.0, 2], "t": [3.0, 4], "b": [5.0, 6]})
    X, y, names = Dataset("s", "series", frame, "t", "").X_y()
    assert names == ["t", "a", "b"]
    np.testing.assert_array_equal(X, [[3, 1, 5], [4, 2, 6]])
    np.testing.assert_array_equal(y, X[:, 0])
    table, y, names = Dataset("t", "tabular", frame, "t", "").X_y()
    assert names == ["a", "b"]
    np.testing.assert_array_equal(table, [[1, 5], [2, 6]])
    X[:], table[:], y[:] = 0, 0, 0  # copies of one's own, writable
    assert frame["t"].tolist() == [3, 4]


def test_every_dataset_has_a_configuration_that_agrees():
    assert {path.stem for path in CONF.glob("*.yaml")} == {*DATASETS, "own"}
    for name, recipe in DATASETS.items():
        conf = yaml.safe_load((CONF / f"{name}.yaml").read_text())
        window = {"window": 24} if recipe.kind == "series" else {}
        assert conf == {"name": name, "kind": recipe.kind, **window}
