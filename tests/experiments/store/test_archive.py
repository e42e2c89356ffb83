"""The one file that travels: what is read is what was written, or it is refused by name."""

import contextlib
import json

import numpy as np
import pandas as pd
import pytest

from experiments.base.paths import ROOT
from experiments.store import archive, parquet
from experiments.store.cell import Cell, SchemaMismatch, key_of, with_code
from experiments.store.files import Store
from experiments.store.frame import AXES, frame
from experiments.store.parquet import ARCHIVE, ArchiveUnreadable


def cell(started="2026-01-01", mse=0.25, revisions=None, sources=None, **axes):
    spec = {
        "dataset": "made_up",
        "stage": "denoise",
        "denoiser": "pca",
        "sigma": 0.05,
        "versions": {"numpy": "2"},
    }
    spec = with_code(spec | axes, revisions or {}, sources or {})
    return Cell(
        key_of(spec),
        "denoise",
        "ok",
        None,
        spec,
        {"swd": mse, "rho_bar": np.nan},
        provenance={"started": started},
    )


def stored(tmp_path, *cells):
    store = Store(tmp_path / "c")
    for each in cells:
        store.put(each)
    return tmp_path / "c"


def test_the_archive_comes_back_as_it_was_written_and_gives_the_same_bytes(tmp_path):
    cells = frame(cell(denoiser=f"d{i}", mse=i / 7) for i in range(20))
    path = archive.save(cells, tmp_path)
    first = path.read_bytes()
    again = archive.load(tmp_path)
    pd.testing.assert_frame_equal(again, cells.sort_values("key", ignore_index=True))
    archive.save(cells, tmp_path)
    assert path.read_bytes() == first


def test_no_flipped_bit_is_read_as_another_number(tmp_path):
    path = archive.save(frame(cell(denoiser=f"d{i}", mse=i / 7) for i in range(20)), tmp_path)
    content, right = path.read_bytes(), archive.load(tmp_path)
    rng, refused = np.random.default_rng(0), 0
    for bit in rng.choice(8 * len(content), 200, replace=False):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            found = archive.load(tmp_path)
        except ArchiveUnreadable:
            refused += 1
        else:
            pd.testing.assert_frame_equal(found, right)
    assert refused > 100


def test_no_flipped_bit_of_a_cell_is_read_as_another_number(tmp_path):
    folder = stored(tmp_path, cell())
    store = Store(folder, read_only=True)
    path = store.cell_path(cell().key)
    content, right = path.read_bytes(), cell().to_json()
    for bit in np.random.default_rng(0).choice(8 * len(content), 200, replace=False):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << int(bit % 8)
        path.write_bytes(flipped)
        with contextlib.suppress(SchemaMismatch):
            found = store.get(cell().key)
            assert found is None or found.to_json() == right


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda cells: cells.drop(columns="swd"), "its digest does not fit"),
        (lambda cells: cells.assign(swd=-cells["swd"]), "its digest does not fit"),
        (lambda cells: cells.iloc[:-1], "its digest does not fit"),
        (lambda cells: cells.assign(denoiser="other"), "its digest does not fit"),
    ],
)
def test_an_edited_archive_is_refused_with_what_to_do(tmp_path, edit, message, monkeypatch):
    cells = frame(cell(denoiser=f"d{i}") for i in range(3))
    digest = parquet.digest_of(cells)
    monkeypatch.setattr(parquet, "digest_of", lambda _: digest)
    path = archive.save(edit(cells), tmp_path)
    monkeypatch.undo()
    with pytest.raises(ArchiveUnreadable, match=f"{path}.*{message}.*Restore it"):
        archive.load(tmp_path)


def test_an_archive_without_a_digest_or_a_column_is_refused(tmp_path):
    cells = frame([cell()])
    cells.to_parquet(tmp_path / ARCHIVE)
    with pytest.raises(ArchiveUnreadable, match="carries no digest"):
        archive.load(tmp_path)
    archive.save(cells.drop(columns="denoiser"), tmp_path)
    with pytest.raises(ArchiveUnreadable, match="lacks the columns denoiser"):
        archive.load(tmp_path)


@pytest.mark.parametrize("path", sorted((ROOT / "results").glob(f"*/{ARCHIVE}")), ids=lambda p: p.parent.name)
def test_the_archives_that_are_kept_are_whole(path):
    assert len(archive.load(path.parent))


@pytest.mark.parametrize("name", ["._KEY.json", "KEY 2.json", "note.json", "KEY.json"])
def test_a_foreign_or_damaged_file_is_ignored_and_counted(tmp_path, name):
    one, other = cell(), cell(denoiser="dae")
    folder = stored(tmp_path, one)
    path = Store(folder).cell_path(other.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.with_name(name.replace("KEY", other.key))
    path.write_bytes(b"\x00\x05\x16\x07\xff\xfe Mac OS X")
    store = Store(folder)
    assert [found.key for found in store.cells()] == [one.key]
    assert store.unreadable == {path}
    assert "1 file in" in store.told()
    assert path.name in store.told()
    assert list(archive.load(folder)["key"]) == [one.key]


def test_a_deep_or_binary_file_is_no_cell(tmp_path):
    folder = stored(tmp_path, cell())
    for content in (
        b"[" * 100_000,
        b"\xff" * 10,
        json.dumps({"schema": "draft-07"}).encode(),
        b'{"schema": true}',
    ):
        Store(folder).cell_path(cell().key).write_bytes(content)
        assert Store(folder).get(cell().key) is None


def test_of_what_older_code_computed_the_newest_counts(tmp_path):
    old = cell("2026-01-01", mse=0.1)
    new = cell("2026-02-01", mse=0.2, revisions={"denoiser": 2})
    mine = cell("2026-03-01", mse=0.3, sources={"denoiser": "ab"}, versions={"numpy": "3"})
    other = cell("2026-01-01", mse=0.4, denoiser="dae")
    found = archive.load(stored(tmp_path, old, new, mine, other))
    assert set(found["swd"]) == {0.3, 0.4}


def test_revision_one_is_no_part_of_a_key():
    spec = {"denoiser": "pca"}
    assert key_of(with_code(spec, {"denoiser": 1}, {"denoiser": None})) == key_of(spec)
    raised = with_code(spec, {"denoiser": 2, "task": 1}, {})
    assert raised == {**spec, "revisions": {"denoiser": 2}}
    assert with_code(raised, {"regressor": 3}, {})["revisions"] == {"denoiser": 2, "regressor": 3}


def whole(**axes):
    """A cell with every axis that a run's cells have."""
    spec = {
        **{axis: None for axis in AXES if not axis.startswith(("regressor", "variant"))},
        **{
            "dataset": "made_up",
            "rows": 1000,
            "sigma": 0.0,
            "repetition": 0,
            "stage": "denoise",
            "denoiser": "pca",
        },
        **{
            "noise_params": {},
            "denoiser_params": {"k": [1, 2.5], "s": None},
            "backbone_params": {},
            "versions": {},
        },
    }
    spec = with_code(spec | axes, {"denoiser": 2}, {})
    return Cell(
        key_of(spec),
        spec["stage"],
        "ok",
        None,
        spec,
        {"swd": 0.1},
        {"fit_s": 1.0},
        {"peak_mb": 2.0},
        {"a": [1]},
    )


def test_an_archives_cells_count_as_done_where_they_have_no_file(tmp_path):
    cells = [
        whole(),
        whole(window=24, kind="series"),
        whole(stage="score", regressor="knn", regressor_params={}, variant="noisy"),
    ]
    archive.save(frame(cells), tmp_path)
    store = Store(tmp_path, read_only=True)
    assert list(store.cells()) == []
    assert sorted(found.key for found in store.everything()) == sorted(each.key for each in cells)
    for each in cells:
        found = store.finished(each.key)
        assert (found.spec, found.metrics, found.timings) == (each.spec, each.metrics, each.timings)
        assert (found.memory, found.info) == (each.memory, each.info)


@pytest.mark.parametrize("path", sorted((ROOT / "results").glob(f"*/{ARCHIVE}")), ids=lambda p: p.parent.name)
def test_every_row_of_the_archives_that_are_kept_is_a_cell_with_its_key(path):
    assert len(list(parquet.cells_of(path.parent))) == len(archive.load(path.parent))


def test_a_damaged_archive_is_no_obstacle_to_computing_and_is_told(tmp_path):
    folder = stored(tmp_path, cell())
    (folder / ARCHIVE).write_bytes(b"PAR1 nonsense")
    store = Store(folder)
    assert store.get(cell().key)
    assert store.get("0" * 64) is None
    assert ARCHIVE in store.told()
