import gzip
import hashlib
import pickle
import subprocess
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from experiments.base.errors import (
    DatasetCorrupt,
    DatasetInvalid,
    DatasetMissing,
    HarnessError,
    UnknownName,
)
from experiments.data import sources
from experiments.data.dataset import Dataset
from experiments.data.recipes import DATASETS, Recipe, _series, load_dataset
from experiments.data.sources import Source

GOOD = b"date,a,b\n2020-01-01,1,2\n2020-01-02,3,4\n"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Register the series `my_data` (target b) and return a function that puts its file somewhere."""
    monkeypatch.delenv("DENOGRAD_DATA", raising=False)
    monkeypatch.setattr(sources, "RAW", tmp_path / "raw")

    def put(content=GOOD, path="given/my_data/f.csv", known=None, packed=None):
        sha256 = hashlib.sha256(GOOD if known is None else known).hexdigest()
        source = Source("my_data/f.csv", "https://page.test", "CC0", sha256, len(GOOD))
        monkeypatch.setitem(sources.SOURCES, source.path, source)
        recipe = Recipe("my_data", "series", (2, 2), "b", (source.path,), _series)
        monkeypatch.setitem(DATASETS, "my_data", recipe)
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(packed if packed is not None else content)
        return tmp_path / path

    return put


@pytest.mark.parametrize("folder", ["my_data", "my-data"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_folder_names_and_gzip(folder, ending, place, tmp_path):
    place(gzip.compress(GOOD, mtime=0) if ending else GOOD, f"given/{folder}/f.csv{ending}")
    dataset = load_dataset("my_data", tmp_path / "given")
    assert dataset.shape == (2, 2)
    assert dataset.sha256 == hashlib.sha256(GOOD).hexdigest()


def test_search_order(place, tmp_path, monkeypatch):
    (tmp_path / "given").mkdir()
    last = place(path="raw/my_data/f.csv")
    assert sources.locate(sources.SOURCES["my_data/f.csv"], tmp_path / "given") == last
    second = place(path="env/my_data/f.csv")
    monkeypatch.setenv("DENOGRAD_DATA", str(tmp_path / "env"))
    assert sources.locate(sources.SOURCES["my_data/f.csv"], tmp_path / "given") == second
    first = place(path="given/my-data/f.csv")
    assert sources.locate(sources.SOURCES["my_data/f.csv"], tmp_path / "given") == first


def test_unknown_dataset_shows_near_names():
    with pytest.raises(UnknownName, match="Did you mean parkinsons"):
        load_dataset("parkinson")
    with pytest.raises(UnknownName, match=r"There are .*wth"):
        load_dataset("zzzzzz")


def test_missing_file_says_where_it_was_sought_and_how_to_get_it(place, tmp_path):
    place().unlink()
    with pytest.raises(DatasetMissing) as caught:
        load_dataset("my_data", tmp_path / "given")
    message = str(caught.value)
    for part in (
        "my_data/f.csv",
        str(tmp_path / "given"),
        str(tmp_path / "raw"),
        "experiments.fetch my_data",
    ):
        assert part in message
    assert hashlib.sha256(GOOD).hexdigest()[:8] in message


@pytest.mark.parametrize("content", [GOOD[:-8], GOOD.replace(b"3", b"9"), b""])
def test_truncated_or_altered_file_shows_both_sums(content, place, tmp_path):
    path = place(content)
    with pytest.raises(DatasetCorrupt) as caught:
        load_dataset("my_data", tmp_path / "given")
    for part in (
        str(path),
        hashlib.sha256(GOOD).hexdigest(),
        hashlib.sha256(content).hexdigest(),
        "https://page.test",
    ):
        assert part in str(caught.value)


CRLF = GOOD.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("published", "content"),
    [
        (GOOD, CRLF),
        (CRLF, GOOD),
        (GOOD, GOOD.replace(b"\n", b"\r\n", 1)),
        (CRLF, CRLF.replace(b"\r", b"", 1)),
    ],
    ids=["CRLF", "LF", "some CRLF", "some LF"],
)
def test_a_file_that_differs_in_its_line_ends_alone_is_told_so_and_can_be_mended(
    published, content, place, tmp_path
):
    path = place(content, "given/my_data/f.csv", known=published)
    with pytest.raises(DatasetCorrupt, match="but for its line ends") as caught:
        load_dataset("my_data", tmp_path / "given")
    mend = str(caught.value).partition("turn them back: ")[2]
    subprocess.run(["sh", "-c", mend], check=True)
    assert path.read_bytes() == published
    assert load_dataset("my_data", tmp_path / "given").shape == (2, 2)


def test_line_ends_in_a_packed_file_are_told_as_well(place, tmp_path):
    place(path="given/my_data/f.csv.gz", packed=gzip.compress(CRLF, mtime=0))
    with pytest.raises(DatasetCorrupt, match=r"line ends.*unpack it, then sed .*f\.csv$"):
        load_dataset("my_data", tmp_path / "given")


def test_another_distribution_is_accepted_on_request_and_carries_its_own_sum(place, tmp_path):
    other = GOOD.replace(b"3", b"9")
    place(other)
    dataset = load_dataset("my_data", tmp_path / "given", verify=False)
    assert dataset.frame["a"].tolist() == [1, 9]
    assert dataset.sha256 == hashlib.sha256(other).hexdigest()


@pytest.mark.parametrize("packed", [gzip.compress(GOOD, mtime=0)[:-10], b"\x1f\x8b" + b"x" * 30, GOOD, b""])
def test_damaged_gzip(packed, place, tmp_path):
    place(path="given/my_data/f.csv.gz", packed=packed)
    with pytest.raises(DatasetCorrupt, match=r"f\.csv\.gz"):
        load_dataset("my_data", tmp_path / "given")


def test_a_gzip_that_unpacks_to_more_than_the_file_has_is_not_unpacked(place, tmp_path, monkeypatch):
    path = place(path="given/my_data/f.csv.gz", packed=gzip.compress(GOOD + bytes(100_000_000), 1))
    tracemalloc.start()
    with pytest.raises(DatasetCorrupt, match=f"unpacks to more than {2 * len(GOOD)} bytes") as caught:
        load_dataset("my_data", tmp_path / "given")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
    assert str(path) in str(caught.value)
    monkeypatch.setattr(sources, "LIMIT", 1000)  # another distribution may be longer, within reason
    with pytest.raises(DatasetCorrupt, match="more than 1,000 bytes"):
        load_dataset("my_data", tmp_path / "given", verify=False)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"day,a,b\n1,2,3\n", "columns are missing: date"),
        (b"date,a,c\n1,2,3\n", "columns are missing: b"),
        (b"date,a,b\n1,2,3\n2,,4\n", "NaN or infinite, the first in row 1 of column 'a'"),
        (b"date,a,b\n1,2,3\n2,inf,4\n", "NaN or infinite"),
        (b"date,a,b\n1,2,3\n2,4,3\n", "target 'b' has no variance"),
        (b"date,a,b\n1,x,3\n2,y,4\n", r"not numeric: \['a'\]"),
        (b"date,a,b\n", "needs rows"),
        (b"date,b\n1,2\n2,3\n", "at least two columns"),
        (b"\n\n", "cannot be read as expected"),
        (b"date,a,b\n1,2,3\n1,2,3,4,5\n", "cannot be read as expected"),
        (b"\xff\xfe\x00\x01", "cannot be read as expected"),
    ],
)
def test_content_that_nothing_can_be_learnt_from(content, what, place, tmp_path):
    place(content, known=content)
    with pytest.raises(DatasetInvalid, match=what) as caught:
        load_dataset("my_data", tmp_path / "given")
    assert "my_data" in str(caught.value) or "series" in str(caught.value)


def test_repeated_column():
    frame = pd.DataFrame(np.arange(4.0).reshape(2, 2), columns=["a", "a"])
    with pytest.raises(DatasetInvalid, match="more than once"):
        Dataset("d", "tabular", frame, "a", "")


@pytest.mark.parametrize("origin", ["data_dir", "DENOGRAD_DATA"])
def test_data_folder_that_does_not_exist(origin, place, tmp_path, monkeypatch):
    place()
    nowhere = str(tmp_path / "nowhere")
    if origin == "DENOGRAD_DATA":
        monkeypatch.setenv(origin, nowhere)
    with pytest.raises(DatasetMissing, match=f"{origin}=.*is not a folder"):
        load_dataset("my_data", nowhere if origin == "data_dir" else None)


def test_folder_in_place_of_the_file(place, tmp_path):
    path = place()
    path.unlink()
    path.mkdir()
    with pytest.raises(DatasetMissing):
        load_dataset("my_data", tmp_path / "given")


def test_embedded_data_need_no_folder(monkeypatch):
    monkeypatch.setenv("DENOGRAD_DATA", "/nowhere")
    assert load_dataset("poly2", "/nowhere").shape == (2000, 3)


def test_a_source_without_a_sum_is_refused():
    with pytest.raises(ValueError, match="nothing proves the file"):
        Source("my_data/f.csv", "page", "CC0")


def test_errors_survive_the_way_between_processes():
    error = UnknownName("dataset", "wht", ["wth", "ett"])
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.near) == (UnknownName, str(error), ["wth"])
    assert isinstance(copy, HarnessError)
