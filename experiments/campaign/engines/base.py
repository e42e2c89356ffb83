"""What an engine is, and the settings of each."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from experiments.base.errors import WrongCall

if TYPE_CHECKING:  # the settings are read before torch is there
    from experiments.campaign.engines.unit import Report, Unit


class Engine(Protocol):
    """What `experiments.campaign.drive.drive` needs of an engine."""

    @property
    def slots(self) -> int:
        """Units that run at once."""
        ...

    def submit(self, unit: Unit) -> Future[Report]:
        """Start a unit; called only while a slot is free. A dead worker is a `WorkerDied` in the future."""
        ...

    def stop(self) -> None:
        """Kill what is running and end the workers."""
        ...


class EngineUnusable(WrongCall):
    """An engine that cannot do what is asked of it."""


class WorkerDied(Exception):
    """The process that did a unit is gone; the message says how it ended."""


@dataclass
class EngineConf:
    """Settings that all engines have.

    Attributes
    ----------
    timeout_s : float or None
        Limit per unit: a denoiser's fit and pass, or a regressor's fit and its scores.
    memory_mb : float or None
        Limit of a worker's resident memory, libraries (some 400 MB) and data included.
    retries : int
        How often a unit is sent again whose worker died for no reason of its own; then it has failed.
    recycle : int
        Units after which a worker is replaced.
    """

    timeout_s: float | None = None
    memory_mb: float | None = None
    retries: int = 0
    recycle: int = 200


@dataclass
class SerialConf(EngineConf):
    """This process, one unit after the other. It cannot stop a unit: no limits."""


@dataclass
class LocalConf(EngineConf):
    """Worker processes on this machine."""

    workers: int = 2


@dataclass
class RayConf(EngineConf):
    """A Ray cluster: the one at `address` (``auto``: the one running here), or one started for the campaign.

    A unit takes ``threads`` CPUs and `gpus_per_unit` of a GPU, fractions allowed.
    """

    address: str | None = None
    gpus_per_unit: float = 0.0
    retries: int = 2


@dataclass
class SlurmConf(EngineConf):
    """Slurm array jobs, each a local pool for its share of the units; a shared folder is needed.

    `cluster` may be ``local``: the same jobs as processes of this machine, all at once.
    """

    jobs: int = 4
    workers: int = 2
    partition: str | None = None
    hours: float = 24.0
    memory_gb: float = 8.0
    gpus_per_job: int = 0
    cluster: str = "slurm"
    retries: int = 2


ENGINES: dict[str, type[EngineConf]] = {
    "serial": SerialConf,
    "local": LocalConf,
    "ray": RayConf,
    "slurm": SlurmConf,
}
