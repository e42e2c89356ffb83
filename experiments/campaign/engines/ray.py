"""A Ray cluster: each unit a task, wherever a CPU (or a fraction of a GPU) is free."""

from __future__ import annotations

import logging
import os
from concurrent.futures import Future
from functools import partial
from typing import Any

from experiments.base.paths import ROOT
from experiments.base.resources import machine
from experiments.campaign.engines.base import EngineUnusable, RayConf, WorkerDied
from experiments.campaign.engines.local import THREADS
from experiments.campaign.engines.unit import Limits, Report, Unit, perform


class Ray:
    """See `experiments.campaign.engines.Engine`. Nodes need this checkout and the results folder under the same paths.

    Raises
    ------
    EngineUnusable
        If Ray is not installed, no cluster answers, or it has not what one unit needs.
    """

    def __init__(self, conf: RayConf, threads: int) -> None:
        try:
            import ray
        except ImportError as error:
            raise EngineUnusable("engine=ray needs Ray: pip install -e '.[ray]'") from error
        self._ray = ray
        root = str(ROOT)
        paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        variables = dict.fromkeys(THREADS, str(threads)) | {"OMP_WAIT_POLICY": "passive", "PYTHONPATH": paths}
        if data := os.environ.get("DENOGRAD_DATA"):
            variables["DENOGRAD_DATA"] = data
        options: dict[str, Any] = {"runtime_env": {"env_vars": variables}, "log_to_driver": False}
        if conf.address is None:
            options |= {"num_cpus": int(machine()["cores"]), "include_dashboard": False}
        try:
            ray.init(conf.address, logging_level=logging.ERROR, **options)
        except (ConnectionError, ValueError) as error:
            raise EngineUnusable(f"engine.address={conf.address}: {error}") from error
        remote: Any = ray.remote
        needs = {"num_cpus": threads, "num_gpus": conf.gpus_per_unit}
        task = remote(max_retries=0, max_calls=conf.recycle, **needs)(perform)
        self._start = partial(task.remote, limits=Limits(conf.timeout_s, conf.memory_mb))
        self._needs = {"CPU": float(threads), "GPU": conf.gpus_per_unit}
        self._tasks: dict[Future[Report], Any] = {}
        if self.slots < 1:
            self.stop()
            raise EngineUnusable(f"the Ray cluster has {self._there}, one unit needs {self._needs}")

    @property
    def _there(self) -> dict[str, float]:
        resources = self._ray.cluster_resources()
        return {name: resources.get(name, 0.0) for name in self._needs}

    @property
    def slots(self) -> int:
        """As many units as the cluster has room for now: nodes may come and go."""
        there = self._there
        return int(min(there[name] // need for name, need in self._needs.items() if need))

    def submit(self, unit: Unit) -> Future[Report]:
        outcome: Future[Report] = Future()
        reference = self._start(unit)
        self._tasks[outcome] = reference
        reference.future().add_done_callback(partial(self._finish, outcome))
        return outcome

    def _finish(self, outcome: Future[Report], done: Future[Report]) -> None:
        self._tasks.pop(outcome, None)
        error = done.exception()
        if error is None:
            outcome.set_result(done.result())
        elif isinstance(error, self._ray.exceptions.RayTaskError):
            outcome.set_exception(error.cause)
        else:  # a worker or a node is gone
            first = next(iter(str(error).splitlines()), "")
            outcome.set_exception(WorkerDied(f"{type(error).__name__}: {first}"))

    def stop(self) -> None:
        for reference in list(self._tasks.values()):
            self._ray.cancel(reference, force=True)
        self._ray.shutdown()
