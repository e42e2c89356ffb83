"""Faults, real ones; after each, the same call ends with the same specs and metrics as if nothing had happened."""

import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from experiments.campaign.command import main
from experiments.store.files import Store

sys.path.append(str(Path(__file__).parent))  # forked processes look for their function there
import campaign_parts

SMALL = [
    *("+campaign=demo", "dataset=diabetes", "noise.sigma=0.05", "profile.rows=300"),
    *("denoiser=[identity,pca,denograd_fixed]", "regressor=[ridge,knn]"),
]


def call(tmp_path, *arguments):
    return main([*SMALL, f"results_dir={tmp_path}", *arguments])


def content(tmp_path):
    """Specs, metrics and states to the byte; times and provenance differ by their nature."""
    return {
        cell.key: json.dumps([cell.spec, cell.metrics, cell.status, cell.reason], sort_keys=True)
        for cell in Store(tmp_path / "demo", read_only=True).cells()
    }


def rubbish(tmp_path):
    """Files that no reader would take for a result."""
    return [
        p for p in (tmp_path / "demo").rglob("*") if p.is_file() and p.suffix not in (".json", ".npz", ".pt")
    ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    assert main([*SMALL, f"results_dir={folder}"]) == 0
    return content(folder)


def server():
    """Children that have the libraries loaded before they start: what is killed is the work, not the imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["experiments.campaign.preload"])
    return context


def start(target, *arguments):
    """A campaign in a process of its own."""
    process = server().Process(
        target=getattr(campaign_parts, target), args=([*SMALL, *arguments[-1:]], *arguments[:-1])
    )
    process.start()
    return process


@pytest.mark.slow
def test_sigkill_at_twenty_random_moments_loses_no_finished_cell(tmp_path, undisturbed):
    draw = random.Random(0)
    found, kills, whole = {}, 0, 0
    while kills < 20:
        process = start("silently", f"results_dir={tmp_path / str(whole)}")
        process.join(draw.uniform(0.2, 1.2))
        killed = process.exitcode is None
        process.kill()
        process.join()
        before, found = found, content(tmp_path / str(whole))
        assert before.items() <= found.items(), "what was finished is still there, to the byte"
        kills += killed
        if not killed:  # through before its time: the rest of the kills meet a new one
            assert found == undisturbed
            found, whole = {}, whole + 1
    assert call(tmp_path / str(whole)) == 0
    assert content(tmp_path / str(whole)) == undisturbed


@pytest.mark.parametrize("way", ["silently", "without_locks"])
def test_two_campaigns_at_once_on_one_store(tmp_path, undisturbed, way):
    pair = [start(way, f"results_dir={tmp_path}") for _ in range(2)]
    for process in pair:
        process.join(60)
    assert [process.exitcode for process in pair] == [0, 0]
    assert content(tmp_path) == undisturbed
    assert not list((tmp_path / "demo" / "claims").iterdir())


def test_a_full_disk_ends_the_campaign_by_name_and_the_next_call_goes_on(tmp_path, undisturbed, capsys):
    """A small file system where one may be mounted."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount a file system here")
    try:
        assert call(tmp_path) == 1
        error = capsys.readouterr().err
        assert "No space left on device" in error
        assert "run the same command again" in error or "cells failed" in error
        kept = {key: text for key, text in content(tmp_path).items() if '"ok"' in text}
        assert kept.items() <= undisturbed.items()
        subprocess.run(["mount", "-o", "remount,size=50m", str(tmp_path)], check=True)
        assert call(tmp_path) == 0
        assert content(tmp_path) == undisturbed
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_files_that_may_not_grow_end_the_campaign_and_leave_no_torn_one(tmp_path, undisturbed):
    process = start("limited", 4096, f"results_dir={tmp_path}")
    process.join(60)
    assert process.exitcode == 1
    kept = {key: text for key, text in content(tmp_path).items() if '"ok"' in text}
    assert kept.items() <= undisturbed.items()
    assert call(tmp_path) == 0
    assert content(tmp_path) == undisturbed
    assert rubbish(tmp_path) == []


@pytest.fixture
def reachable():
    """A folder that other users can reach; the usual temporary ones are closed to them."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def all_may_read(folder):
    return all(each.stat().st_mode & 0o001 for each in (Path(folder), *Path(folder).parents))


@pytest.mark.skipif(
    os.geteuid() == 0 and not (all_may_read(sys.base_prefix) and all_may_read(sys.prefix)),
    reason="the superuser may write anywhere, and nobody else may read this Python",
)
def test_a_store_that_may_only_be_read_is_named_and_unharmed(reachable, undisturbed, capsys):
    assert call(reachable, "only.denoiser=identity") == 0
    before = {p: p.read_bytes() for p in reachable.rglob("*") if p.is_file()}
    folders = [p for p in (reachable, *reachable.rglob("*")) if p.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        if os.geteuid() == 0:  # whom modes do not hold back
            process = start("as_nobody", f"results_dir={reachable}")
            process.join(60)
            assert process.exitcode == 1
        else:
            assert call(reachable) == 1
            assert "cannot write" in capsys.readouterr().err
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert {p: p.read_bytes() for p in reachable.rglob("*") if p.is_file()} == before
    assert call(reachable) == 0
    assert content(reachable) == undisturbed


def test_a_store_that_becomes_read_only_in_mid_run(tmp_path, undisturbed, monkeypatch, capsys):
    replace, calls = os.replace, 0

    def refuse(*arguments):
        nonlocal calls
        calls += 1
        if calls > 7:
            raise OSError(30, "Read-only file system")
        return replace(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        assert call(tmp_path) == 1
    assert "Read-only file system" in capsys.readouterr().err
    assert content(tmp_path).items() <= undisturbed.items()
    assert call(tmp_path) == 0
    assert content(tmp_path) == undisturbed


def test_damaged_cells_backbones_and_arrays_are_made_again(tmp_path, undisturbed):
    assert call(tmp_path) == 0
    draw = random.Random(1)
    store = tmp_path / "demo"
    for part, share in (("cells", 0.5), ("backbones", 1.0), ("arrays", 1.0)):
        for path in sorted(p for p in (store / part).rglob("*") if p.is_file()):
            if draw.random() < share:
                _damage(path, draw)
    assert call(tmp_path) == 0
    assert content(tmp_path) == undisturbed


def _damage(path: Path, draw: random.Random) -> None:
    data = path.read_bytes()
    way = draw.randrange(3)
    if way == 0:
        path.write_bytes(data[: len(data) // 2])  # torn
    elif way == 1:
        path.write_bytes(b"")
    else:
        path.write_bytes(bytes(len(data)))  # blocks that were never written


def test_one_bit_of_a_cell(tmp_path, undisturbed):
    """A flipped bit in a metric is not noticed by JSON: the cell's own sum notices."""
    assert call(tmp_path) == 0
    path = next((tmp_path / "demo" / "cells").rglob("*.json"))
    text = path.read_text()
    where = text.index('"metrics"') + text[text.index('"metrics"') :].index(".") + 1
    flipped = text[:where] + str((int(text[where]) + 1) % 10) + text[where + 1 :]
    path.write_text(flipped)
    assert call(tmp_path) == 0
    assert content(tmp_path) == undisturbed


def test_a_clock_that_goes_backwards(tmp_path, undisturbed, monkeypatch):
    now = [2_000_000_000.0]

    def backwards():
        now[0] -= 3600
        return now[0]

    with monkeypatch.context() as patch:
        patch.setattr(time, "time", backwards)
        assert call(tmp_path, "only.denoiser=identity,pca") == 0
    for path in tmp_path.rglob("*"):
        os.utime(path, (4e9, 4e9))  # files from the future
    assert call(tmp_path) == 0
    assert content(tmp_path) == undisturbed
