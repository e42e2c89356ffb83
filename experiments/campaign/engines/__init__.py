"""Who does the units of a campaign: this process, a pool on this machine, or a Ray cluster.

An engine distributes units and says when a worker died; it knows nothing of what a unit does
(`experiments.campaign.engines.unit.perform`, the same for all of them). Slurm's jobs are each a local pool:
`experiments.campaign.jobs`.
"""

from __future__ import annotations

from experiments.campaign.engines.base import Engine, EngineConf, LocalConf, RayConf


def make_engine(conf: EngineConf, threads: int) -> Engine:
    """Start the engine that a configuration names; see `ENGINES`.

    Raises
    ------
    EngineUnusable
        If it cannot do what is asked, or its package is not installed.
    """
    # what does units loads torch; the settings of an engine are read before that
    from experiments.campaign.engines.local import Local
    from experiments.campaign.engines.ray import Ray
    from experiments.campaign.engines.serial import Serial

    if isinstance(conf, LocalConf):
        return Local(conf, threads)
    if isinstance(conf, RayConf):
        return Ray(conf, threads)
    return Serial(conf, threads)
