"""What identifies a cell, and cells on disk."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.base.code import versions_of
from experiments.base.seeds import seed_of
from experiments.store.cell import SCHEMA, Cell, SchemaMismatch, key_of
from experiments.store.files import Store, StoreError, write_atomically

SPEC = {"stage": "denoise", "dataset": "made_up", "sigma": 0.05, "params": {"a": [1, 2], "b": None}}


def cell(status="ok", **spec):
    full = {**SPEC, **spec}
    return Cell(key_of(full), "denoise", status, None, full, metrics={"swd": 0.1, "rho_bar": float("nan")})


def test_a_key_does_not_depend_on_the_order_of_a_spec_but_on_every_value():
    assert key_of(SPEC) == key_of(dict(reversed(SPEC.items())))
    assert key_of(SPEC) != key_of({**SPEC, "sigma": 0.06})
    assert key_of(SPEC) != key_of({**SPEC, "params": {"a": [2, 1], "b": None}})


@given(
    st.dictionaries(st.text(), st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none())
)
def test_a_key_survives_json(spec):
    assert key_of(json.loads(json.dumps(spec))) == key_of(spec)


def test_a_key_refuses_what_json_cannot_tell_apart():
    with pytest.raises(ValueError):
        key_of({"sigma": float("nan")})
    with pytest.raises(TypeError, match="cannot be part of a cell"):
        key_of({"model": object()})


def test_versions_leave_out_the_build():
    versions = versions_of(
        "torch.nn.Linear", "sklearn.linear_model.Ridge", "baselines.wavelet.Wavelet", "pywt"
    )
    assert {"numpy", "torch", "scikit-learn", "denograd-harness", "PyWavelets"} <= set(versions)
    assert not any("+" in version for version in versions.values())


def test_seeds_differ_by_role_and_axis():
    seeds = {seed_of(role, "ett", r) for role in ("split", "noise", "rows") for r in range(100)}
    assert len(seeds) == 300
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seed_of("split", "a", 1) != seed_of("split", "a1")


def test_a_cell_comes_back_as_it_was_stored(tmp_path):
    store = Store(tmp_path)
    store.put(cell())
    found = Store(tmp_path, read_only=True).get(cell().key)
    assert np.isnan(found.metrics.pop("rho_bar"))
    assert found.metrics == {"swd": 0.1}
    assert found.spec == SPEC
    assert "NaN" not in store.cell_path(found.key).read_text()


def test_a_torn_foreign_or_swapped_file_counts_as_absent(tmp_path):
    store = Store(tmp_path)
    one, two = cell(), cell(dataset="other")
    for content in ("", one.to_json()[:-20], "[]", "{}", two.to_json()):
        write_atomically(store.cell_path(one.key), content.encode())
        assert store.get(one.key) is None
        assert list(store.cells()) == []


def test_a_cell_of_another_schema_is_refused_not_misread(tmp_path):
    store = Store(tmp_path)
    write_atomically(store.cell_path(cell().key), replace(cell(), schema=SCHEMA + 1).to_json().encode())
    with pytest.raises(SchemaMismatch, match=f"schema {SCHEMA + 1}"):
        store.get(cell().key)


def test_a_cell_without_a_sum_is_called_old_and_a_torn_one_damaged(tmp_path):
    store = Store(tmp_path)
    path = store.cell_path(cell().key)
    record = json.loads(cell().to_json())
    del record["sum"]
    write_atomically(path, json.dumps(record).encode())
    with pytest.raises(SchemaMismatch, match=f"{path.name}.*before cells carried a checksum: delete it"):
        store.get(cell().key)
    path.write_text(json.dumps(record)[:-20])
    assert store.get(cell().key) is None
    path.write_text(cell().to_json().replace("made_up", "made_it"))
    assert store.get(cell().key) is None


def test_a_skipped_cell_can_be_opened_again_and_then_gives_way_to_a_failure(tmp_path):
    store = Store(tmp_path)
    store.put(cell("skipped"))
    store.put(cell("failed"))
    assert store.finished(cell().key).status == "skipped"
    store.reopen(cell().key)
    assert store.finished(cell().key) is None
    store.put(cell("failed"))
    assert store.get(cell().key).status == "failed"
    store.reopen(cell().key)
    store.put(cell("skipped"))
    assert store.finished(cell().key).status == "skipped"


def test_a_failure_is_tried_again_and_never_replaces_a_result(tmp_path):
    store = Store(tmp_path)
    store.put(cell("failed"))
    assert store.get(cell().key).status == "failed"
    assert store.finished(cell().key) is None
    store.put(cell())
    store.put(cell("failed"))
    assert store.finished(cell().key).status == "ok"


def test_arrays_come_back_with_the_same_bytes_or_not_at_all(tmp_path):
    store = Store(tmp_path)
    X = np.random.default_rng(0).normal(size=(5, 3))
    store.save_arrays("k", {"X": X})
    assert store.load_arrays("k")["X"].tobytes() == X.tobytes()
    path = tmp_path / "arrays" / "k.npz"
    path.write_bytes(path.read_bytes()[:-40])
    assert store.load_arrays("k") is None
    assert store.load_arrays("none") is None


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_results_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="results_dir=PATH"):
        Store(tmp_path / "file" / "campaign")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere"
)
def test_a_results_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="permission"):
        Store(tmp_path / "campaign")
