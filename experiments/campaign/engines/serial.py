"""Units in this process, one after the other."""

from __future__ import annotations

from concurrent.futures import Future

from experiments.campaign.engines.base import EngineConf, EngineUnusable
from experiments.campaign.engines.unit import Report, Unit, perform
from experiments.config.schema import threads_fit


class Serial:
    """See `experiments.campaign.engines.Engine`."""

    slots = 1

    def __init__(self, conf: EngineConf, threads: int = 1) -> None:
        threads_fit(threads)
        if conf.timeout_s or conf.memory_mb:
            raise EngineUnusable(
                "engine=serial cannot stop a unit, so engine.timeout_s and engine.memory_mb mean nothing to it: "
                "use engine=local engine.workers=1"
            )

    def submit(self, unit: Unit) -> Future[Report]:
        future: Future[Report] = Future()
        try:
            future.set_result(perform(unit))
        except Exception as error:
            future.set_exception(error)
        return future

    def stop(self) -> None:
        """Nothing runs between two calls."""
