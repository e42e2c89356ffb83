"""A pool on this machine: one standard executor per worker, so a dead worker takes nothing with it but its unit."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess

from experiments.base.resources import machine
from experiments.campaign.engines.base import EngineUnusable, LocalConf, WorkerDied
from experiments.campaign.engines.unit import Limits, Report, Unit, perform

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Local:
    """See `experiments.campaign.engines.Engine`.

    Raises
    ------
    EngineUnusable
        If workers times threads are more than the cores.
    """

    def __init__(self, conf: LocalConf, threads: int) -> None:
        fits(conf.workers, threads)
        self.slots = conf.workers
        self._limits, self._recycle = Limits(conf.timeout_s, conf.memory_mb), conf.recycle
        self._free: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._before = {name: os.environ.get(name) for name in (*THREADS, "OMP_WAIT_POLICY")}
        os.environ |= dict.fromkeys(THREADS, str(threads)) | {"OMP_WAIT_POLICY": "passive"}

    def submit(self, unit: Unit) -> Future[Report]:
        outcome: Future[Report] = Future()
        worker, done = self._submitted(unit)
        done.add_done_callback(partial(self._finish, worker, outcome))
        return outcome

    def _submitted(self, unit: Unit) -> tuple[_Worker, Future[Report]]:
        """Give a unit to an idle worker that is still alive, else to a new one."""
        while self._free:
            worker = self._free.pop()
            with contextlib.suppress(BrokenProcessPool):
                if worker.alive:
                    return worker, worker.submit(unit, self._limits)
            self._all.discard(worker)
            worker.leave()
        self._all.add(worker := _Worker())
        return worker, worker.submit(unit, self._limits)

    def _finish(self, worker: _Worker, outcome: Future[Report], done: Future[Report]) -> None:
        error = done.exception()
        spoiled = error is None and done.result().spoiled
        if error is None and not spoiled and worker.units < self._recycle:
            self._free.append(worker)
        else:
            self._all.discard(worker)
            worker.leave(at_once=spoiled)
        if isinstance(error, BrokenProcessPool):
            outcome.set_exception(WorkerDied(worker.ending))
        elif error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(done.result())

    def stop(self) -> None:
        for worker in tuple(self._all):
            worker.kill()
        for name, value in self._before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


def fits(workers: int, threads: int) -> None:
    """Refuse a pool that this machine has too few cores for.

    Raises
    ------
    EngineUnusable
    """
    cores = int(machine()["cores"])
    if not 1 <= workers * threads <= cores:
        raise EngineUnusable(
            f"engine.workers={workers} with threads={threads} each do not fit the {cores} cores of this "
            f"machine: use engine.workers={max(1, cores // threads)}, or fewer threads"
        )


class _Worker:
    """A process that does one unit at a time."""

    def __init__(self) -> None:
        self._executor = ProcessPoolExecutor(1, _context(), initializer=_start)
        self._process: BaseProcess | None = None
        self.units = 0

    def submit(self, unit: Unit, limits: Limits) -> Future[Report]:
        self.units += 1
        before = set(multiprocessing.active_children())
        with _no_interrupt():
            future = self._executor.submit(perform, unit, limits)
        started = set(multiprocessing.active_children()) - before
        self._process = self._process or next(iter(started), None)
        return future

    @property
    def alive(self) -> bool:
        """Whether the process is there; asked without taking its exit code from who waits for that."""
        return self._process is not None and not wait([self._process.sentinel], 0)

    @property
    def ending(self) -> str:
        """How the process ended."""
        if self._process is None:
            return "its process could not be started"
        self._process.join(10)
        code = self._process.exitcode
        if code is not None and code < 0:
            return f"its process was killed by {signal.Signals(-code).name}"
        return f"its process ended with exit code {code}"

    def leave(self, *, at_once: bool = False) -> None:
        """End the process when it is idle; at once where it could not end by itself."""
        if at_once and self._process is not None:
            self._process.kill()
        self._executor.shutdown(wait=False)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)


@cache
def _context() -> BaseContext:
    """How workers start: as forks of a server that has loaded the libraries and computed nothing.

    A worker is there in milliseconds and shares the libraries' memory. A fork of this process would copy its
    threads' locks; on macOS, where forks of a process with frameworks loaded crash, workers load for themselves.
    """
    if sys.platform == "darwin":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["experiments.campaign.preload"])
    return context


def _start() -> None:
    """Make a worker deaf to Ctrl-C, which its parent handles, and let it not outlive that parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Hold Ctrl-C back while a process is started: it inherits that until it can see to it itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
