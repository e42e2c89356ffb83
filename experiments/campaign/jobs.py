"""Slurm array jobs by submitit: each takes a share of the tasks and works on it with a local pool."""

from __future__ import annotations

import heapq
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from experiments.base import screen
from experiments.base.resources import machine
from experiments.campaign.drive import bury, drive
from experiments.campaign.engines.base import EngineUnusable, LocalConf, SlurmConf
from experiments.campaign.engines.local import Local, fits
from experiments.campaign.plan import Plan, plan
from experiments.config.schema import Config
from experiments.store.cell import Cell, key_of
from experiments.store.files import FINISHED, Store

POLL_S = 2.0
"""How often the jobs are looked after."""

Only = dict[str, set[str]]
Share = list[tuple[Config, str, int]]
"""Configuration, protocol and repetition of the tasks that a job does."""


def drive_jobs(
    again: Callable[[], Plan],
    store: Store,
    conf: SlurmConf,
    only: Only,
    log: Callable[[str], None] = lambda line: print(screen.fitted(line), flush=True),
) -> list[Cell]:
    """Do a campaign in jobs, and what lost jobs left undone in further ones.

    Parameters
    ----------
    again : callable
        Plans the campaign anew.
    store : Store
    conf : SlurmConf
    only : dict
        See `experiments.campaign.plan.plan`.
    log : callable
        Takes a line on how far the jobs are.

    Returns
    -------
    failed : list of Cell
    """
    try:
        import submitit
    except ImportError as error:
        raise EngineUnusable("engine=slurm needs submitit: pip install -e '.[slurm]'") from error
    found = again()
    asked = found.items
    if conf.cluster == "local" and asked:
        fits(conf.workers, asked[0].unit.config.threads)
    for attempt in range(conf.retries + 1):
        shares = shares_of(found, conf.jobs)
        if not shares:
            break
        endings = _jobs(submitit, shares, store, conf, only, log)
        found = again()
        lost = [item for item in found.items if not _recorded(item, store)]
        if not lost or not endings:
            break
        log(f"{len(endings)} jobs ended early, {len(lost)} units are left: {endings[0]}")
        if attempt == conf.retries:
            for item in lost:
                bury(item, store, f"its job ended early: {endings[0]}", "")
    cells = [store.get(key_of(spec)) for item in asked for spec in item.specs(store.finished(item.trial.key))]
    return [cell for cell in cells if cell is not None and cell.status not in FINISHED]


def shares_of(found: Plan, jobs: int) -> list[Share]:
    """Deal a plan's tasks out to jobs, the longest first, each to the job with the least to do."""
    seconds: dict[tuple[int, str, int], float] = defaultdict(float)
    configs: dict[int, Config] = {}
    for item in found.items:
        config = item.unit.config
        configs[id(config)] = config
        seconds[id(config), item.trial.protocol, item.trial.repetition] += item.seconds
    heap: list[tuple[float, int, Share]] = [(0.0, job, []) for job in range(min(jobs, len(seconds)))]
    for (config_id, protocol, repetition), cost in sorted(seconds.items(), key=lambda pair: -pair[1]):
        load, job, share = heapq.heappop(heap)
        share.append((configs[config_id], protocol, repetition))
        heapq.heappush(heap, (load + cost, job, share))
    return [share for _, _, share in sorted(heap, key=lambda entry: entry[1])]


def work(share: Share, conf: SlurmConf, only: Only) -> int:
    """What a job does: its share, with a local pool.

    Returns
    -------
    failed : int
        Cells that failed; they are in the store.
    """
    config = share[0][0]
    store = Store(f"{config.results_dir}/{config.campaign}")
    whole = Plan()
    for one, protocol, repetition in share:
        narrowed = {**only, "protocol": {protocol}, "repetition": {str(repetition)}}
        part = plan([one], store, only=narrowed)
        whole.first += part.first
        whole.after |= part.after
    pool = LocalConf(conf.timeout_s, conf.memory_mb, conf.retries, conf.recycle, conf.workers)
    return len(drive(whole, store, Local(pool, config.threads), retries=conf.retries))


def _jobs(
    submitit: Any,
    shares: Sequence[Share],
    store: Store,
    conf: SlurmConf,
    only: Only,
    log: Callable[[str], None],
) -> list[str]:
    """Run an array of jobs to its end; how those ended that did not finish."""
    threads = shares[0][0][0].threads
    cores = int(machine()["cores"])
    if conf.cluster == "local":  # submitit starts all at once
        fitting = max(1, cores // (conf.workers * threads))
        shares = [
            [task for share in shares[job::fitting] for task in share]
            for job in range(min(fitting, len(shares)))
        ]
    executor = submitit.AutoExecutor(folder=str(store.root / "jobs"), cluster=conf.cluster)
    options: dict[str, Any] = {
        "name": store.root.name,
        "timeout_min": max(1, round(conf.hours * 60)),
        "cpus_per_task": conf.workers * threads,
        "mem_gb": conf.memory_gb,
        "gpus_per_node": conf.gpus_per_job,
    }
    if conf.partition:
        options["slurm_partition"] = conf.partition
    executor.update_parameters(**options)
    jobs = executor.map_array(work, shares, [conf] * len(shares), [only] * len(shares))
    log(
        f"{len(jobs)} jobs: {', '.join(str(job.job_id) for job in jobs)}; their logs are in {store.root / 'jobs'}"
    )
    shown = -1
    try:
        while not all(job.done() for job in jobs):
            time.sleep(POLL_S)
            stored = sum(1 for _ in (store.root / "cells").glob("*/*.json"))
            if stored != shown:
                shown = stored
                log(
                    f"[{stored} cells stored, {sum(not job.done() for job in jobs)} of {len(jobs)} jobs left]"
                )
    except BaseException:
        for job in jobs:
            job.cancel()
        raise
    errors = [job.exception() for job in jobs]
    return [_ending(str(error)) for error in errors if error is not None]


def _ending(error: str) -> str:
    """The line of submitit's account that says what happened: the exception's, else the first, which has its state."""
    traceback = error.partition("Traceback (most recent call last)")[2].partition("\n-----")[0]
    raised = [line for line in traceback.splitlines() if re.match(r"[A-Za-z_][\w.]*(: |$)", line)]
    head, *rest = error.strip().splitlines()
    return raised[-1] if raised else " ".join([head.partition(" with path ")[0], *rest[:1]])


def _recorded(item: Any, store: Store) -> bool:
    """Whether something is stored of what is left of a unit: it was tried, and the next call's turn."""
    denoised = store.finished(item.trial.key)
    specs = item.specs(denoised)
    if not specs:  # waits for a denoiser that has failed itself, or was lost itself
        return store.get(item.trial.key) is not None
    return all(store.get(key_of(spec)) is not None for spec in specs)
