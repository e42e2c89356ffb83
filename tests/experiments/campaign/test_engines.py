"""Engines: the same cells whoever computes them, and what becomes of a unit that dies, hangs or eats the memory."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_info

from experiments.base.resources import machine
from experiments.campaign import jobs as slurm
from experiments.campaign.command import main
from experiments.campaign.engines import unit
from experiments.campaign.engines.base import EngineUnusable, LocalConf
from experiments.campaign.engines.local import Local, _Worker
from experiments.campaign.plan import plan
from experiments.campaign.runs import configurations
from experiments.store.claims import running
from experiments.store.files import Store

ROOT = Path(__file__).resolve().parents[3]
PARTS = Path(__file__).with_name("campaign_parts.py")
SMALL = [
    "+campaign=demo",
    "dataset=diabetes",
    "noise.sigma=0.05",
    "protocol=[paper]",
    "denoiser=[identity,pca]",
]
two_cores = pytest.mark.skipif(int(machine()["cores"]) < 2, reason="needs two cores")


@pytest.fixture(autouse=True)
def parts_importable(monkeypatch):
    """The components that misbehave are found by this process and by workers of any engine."""
    monkeypatch.syspath_prepend(str(PARTS.parent))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(PARTS.parent)]))


def call(tmp_path, *arguments):
    return main([*SMALL, "allow_targets=[campaign_parts]", f"results_dir={tmp_path}", *arguments])


def cells(tmp_path):
    return {cell.key: cell for cell in Store(tmp_path / "demo", read_only=True).cells()}


def content(tmp_path):
    """What must not depend on who computed it: specs and metrics, to the byte."""
    return {
        key: json.dumps([cell.spec, cell.metrics, cell.status], sort_keys=True)
        for key, cell in cells(tmp_path).items()
    }


def doomed(name, **options):
    given = ",".join(
        f"{key}:{value}" for key, value in {"_target_": "campaign_parts.Doomed", **options}.items()
    )
    return f"+denoiser.{name}={{{given}}}"


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """What a campaign of this process computes."""
    folder = tmp_path_factory.mktemp("serial")
    assert main([*SMALL, f"results_dir={folder}"]) == 0
    return content(folder)


@two_cores
def test_a_pool_computes_the_same_bytes(tmp_path, serial, capsys):
    assert call(tmp_path, "engine=local", "engine.recycle=2") == 0
    assert content(tmp_path) == serial
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert len(lines) == len(serial)
    assert lines[-1].startswith(f"[{len(serial)}/{len(serial)}, 0 failed")
    assert not list((tmp_path / "demo" / "claims").iterdir())


@two_cores
def test_what_dies_hangs_or_eats_is_stored_with_its_reason_and_the_others_finish(tmp_path, serial, capsys):
    ways = {
        "raise": ("failed", "ZeroDivisionError: made to fail"),
        "kill": ("failed", "killed by SIGKILL"),
        "exit": ("failed", "exit code 3"),
        "crash": ("failed", "Segmentation fault"),
        "hang": ("timeout", "campaign_parts.py"),
        "spin": ("timeout", "campaign_parts.py"),
        "eat": ("failed", "Out of memory"),
    }
    dying = [doomed(f"d_{way}", way=way) for way in ways]
    limits = ["engine=local", "engine.workers=2", "engine.timeout_s=15", "engine.memory_mb=600"]
    assert call(tmp_path, *limits, *dying) == 1
    error = capsys.readouterr().err
    assert f"{len(ways)} cells failed" in error
    stored = {c.spec["denoiser"]: c for c in cells(tmp_path).values() if c.stage == "denoise"}
    for way, (status, reason) in ways.items():
        cell = stored[f"d_{way}"]
        assert (way, cell.status) == (way, status)
        assert reason in cell.reason
        assert f"d_{way}" in error
    finished = {key: text for key, text in content(tmp_path).items() if '"ok"' in text}
    assert finished == serial, "the others are as if nothing had happened"


@two_cores
def test_a_killed_unit_is_sent_again_if_so_wished_and_by_the_next_call(tmp_path):
    once = doomed("shy", way="kill", once=tmp_path / "first")
    assert call(tmp_path, "engine=local", "engine.retries=1", once, "regressor=[ridge]") == 0
    assert {cell.status for cell in cells(tmp_path).values()} == {"ok"}
    (tmp_path / "first").unlink()
    other = tmp_path / "other"
    again = [f"results_dir={other}", "engine=local", once, "regressor=[ridge]"]
    assert call(other, *again) == 1
    assert sorted(cell.status for cell in cells(other).values()) == ["failed", "ok", "ok", "ok", "ok"]
    assert call(other, *again) == 0
    assert content(other) == content(tmp_path)


@two_cores
def test_a_worker_killed_while_idle_is_replaced(tmp_path):
    """Before the pool has noticed it as well as after."""
    config = configurations("demo", [*SMALL[1:], "regressor=[ridge]", f"results_dir={tmp_path}"])[0]
    store = Store(tmp_path / "demo")
    units = [item.unit for item in plan([config], store).items if item.regressor is None]
    pool = Local(LocalConf(workers=1), 1)
    try:
        for one in (*units, units[0]):
            assert not pool.submit(one).result(60).busy
            wait_for(lambda: pool._free)
            [worker] = pool._free
            killed(worker, noticed=one is units[0])
    finally:
        pool.stop()
    assert {cell.status for cell in store.cells()} == {"ok"}
    assert len(list(store.cells())) == len(units) == 2


def test_workers_times_threads_fit_the_cores():
    cores = int(machine()["cores"])
    with pytest.raises(EngineUnusable, match=f"engine.workers={cores}"):
        Local(LocalConf(workers=cores + 1), 1)
    with pytest.raises(EngineUnusable, match="threads=2"):
        Local(LocalConf(workers=cores), 2)


def test_memory_of_a_unit_is_returned_and_threads_are_held():
    import campaign_parts  # importable by the fixture

    worker = _Worker()
    try:
        before, threads = worker._executor.submit(campaign_parts.state).result()
        worker._executor.submit(campaign_parts.hoard).result()
        after, _ = worker._executor.submit(campaign_parts.state).result()
    finally:
        worker.kill()
    assert threads == 1
    assert after < before + 30


def test_threads_are_held_whatever_the_units_before_had():
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 1):
            unit._keep_to(threads)
            assert torch.get_num_threads() == threads
            assert {pool["num_threads"] for pool in threadpool_info()} <= {1, threads}
    finally:
        unit._keep_to(before)


def test_the_serial_engine_returns_memory_and_freezes_nothing(tmp_path, monkeypatch):
    trimmed, frozen = [], gc.get_freeze_count()
    monkeypatch.setattr(unit, "_trim", lambda: trimmed.append)
    assert call(tmp_path, "regressor=[ridge]") == 0
    assert len(trimmed) == 4
    assert gc.get_freeze_count() == frozen


def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    arguments = [
        *SMALL,
        f"results_dir={tmp_path}",
        "allow_targets=[campaign_parts]",
        "engine=local",
        "workers=1",
    ]
    parent = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "experiments.campaign",
            *arguments,
            doomed("slow", way="hang"),
            "regressor=[ridge]",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    worker = wait_for(lambda: claimant(tmp_path, "slow"))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_for(lambda: gone(worker), seconds=10)
    assert all(cell.status == "ok" for cell in cells(tmp_path).values()), "finished cells are there"


def test_ctrl_c_ends_at_once_and_keeps_what_is_finished(tmp_path):
    arguments = [
        *SMALL,
        f"results_dir={tmp_path}",
        "allow_targets=[campaign_parts]",
        "engine=local",
        "workers=1",
    ]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "experiments.campaign",
            *arguments,
            doomed("slow", way="hang"),
            "regressor=[ridge]",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    worker = wait_for(lambda: claimant(tmp_path, "slow"))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert error.strip().endswith("goes on from there.")
    assert "Traceback" not in error
    assert wait_for(lambda: gone(worker), seconds=10)
    assert {cell.status for cell in cells(tmp_path).values()} <= {"ok"}


@pytest.mark.slow
@two_cores
def test_ray_on_two_nodes_computes_the_same_bytes_and_survives_the_loss_of_one(tmp_path, serial):
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    nap = "+denoiser.nap={_target_:campaign_parts.Nap,seconds:5}"
    arguments = [*SMALL, "allow_targets=[campaign_parts]", f"results_dir={tmp_path}", "engine=ray"]
    shy = doomed("shy", way="kill", once=tmp_path / "once")
    arguments += [f"engine.address={cluster.address}", "regressor=[ridge]", nap, shy]
    doing = subprocess.Popen(
        [sys.executable, "-m", "experiments.campaign", *arguments],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: claimant(tmp_path, "nap"))
        cluster.remove_node(second)
        _, error = doing.communicate(timeout=120)
    finally:
        doing.kill()
        cluster.shutdown()
    assert (doing.returncode, error) == (0, "")
    found = content(tmp_path)
    assert len(found) == 8
    assert {key: text for key, text in found.items() if key in serial}.items() <= serial.items()


@pytest.mark.slow
@two_cores
@pytest.mark.parametrize("cluster", ["local", "slurm"])
def test_slurm_jobs_compute_the_same_bytes_and_lost_ones_are_sent_again(tmp_path, serial, capsys, cluster):
    """Without a cluster the jobs are processes of this machine: submitit's local executor."""
    pytest.importorskip("submitit", reason="the extra `slurm` is not installed")
    if cluster == "slurm" and not slurm_answers():
        pytest.skip("no Slurm here: neither sinfo nor sacct answers")
    arguments = ["engine=slurm", f"engine.cluster={cluster}", "engine.workers=1", "engine.jobs=2"]
    arguments += ["engine.memory_gb=2"]
    shy = doomed("shy", way="kill_job", once=tmp_path / "once")
    assert call(tmp_path, *arguments, shy, doomed("d", way="raise")) == 1
    out, error = capsys.readouterr()
    assert "1 cells failed" in error
    assert "jobs ended early" in out
    assert {key: text for key, text in content(tmp_path).items() if key in serial} == serial
    stored = {c.spec["denoiser"]: c for c in cells(tmp_path).values() if c.stage == "denoise"}
    assert (stored["shy"].status, stored["d"].status) == ("ok", "failed")


def test_slurm_jobs_on_this_machine_must_fit_it_before_they_are_sent(tmp_path, capsys):
    pytest.importorskip("submitit", reason="the extra `slurm` is not installed")
    assert call(tmp_path, "engine=slurm", "engine.cluster=local", "engine.workers=64000") == 2
    assert "EngineUnusable: engine.workers=64000" in capsys.readouterr().err
    assert cells(tmp_path) == {}


@pytest.mark.parametrize(
    ("account", "ending"),
    [
        (
            "Job (task=0) failed during processing with trace:\n-------\nTraceback (most recent call last):\n"
            '  File "x.py", line 1\n    f()\n'
            "experiments.campaign.engines.EngineUnusable: too many: workers\n\n-------\n"
            "You can check full logs with 'job.stderr(0)'or at paths:\n  - /jobs/1.err\n  - /jobs/1.out",
            "experiments.campaign.engines.EngineUnusable: too many: workers",
        ),
        (
            "Job 7 (task: 0) with path /jobs/7.pkl\nhas not produced any output (state: NODE_FAIL)\n"
            "No output/error stream produced ! Check: /jobs/7.out",
            "Job 7 (task: 0) has not produced any output (state: NODE_FAIL)",
        ),
    ],
)
def test_a_lost_job_says_why_and_not_where_its_log_is(account, ending):
    assert slurm._ending(account) == ending


@pytest.mark.parametrize(("engine", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_an_engine_that_is_not_installed_says_what_to_install(tmp_path, monkeypatch, capsys, engine, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert call(tmp_path, f"engine={engine}") == 2
    assert f".[{engine}]" in capsys.readouterr().err


def slurm_answers():
    """Whether there is a cluster that says how its jobs ended."""
    if not (shutil.which("sinfo") and shutil.which("sacct")):
        return False
    asked = (["sinfo", "--noheader"], ["sacct", "--noheader"])
    return all(subprocess.run(one, capture_output=True, check=False).returncode == 0 for one in asked)


def killed(worker, noticed):
    os.kill(worker._process.pid, signal.SIGKILL)
    wait_for(lambda: worker._executor._broken if noticed else not worker.alive)


def claimant(folder, label):
    """The process that is at a unit."""
    return next((pid for pid, what in running(folder / "demo" / "claims") if label in what), None)


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_for(what, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    raise TimeoutError("it did not come")
