"""The configuration's schema: a key that is not here is an error, not a silent addition."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from experiments.base.errors import BadConfig, UnknownName, plain_name
from experiments.base.paths import CONF
from experiments.base.resources import machine

PROTOCOLS = {"paper", "deployable"}
KINDS = ("tabular", "series")


@dataclass
class DatasetConf:
    """One of the project's datasets by its name, or the user's own table: `path`, or `_target_`, and `target`.

    `kind` null is a series where `time` is given, else a table; `name` null is that of the YAML, or made of the file's
    or the function's.
    """

    name: str | None = None
    kind: str | None = None
    window: int = 24
    path: str | None = None
    _target_: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    target: str | None = None
    time: str | None = None
    drop: list[str] = field(default_factory=list)
    gaps: str = "drop"
    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    missing: list[str] = field(default_factory=list)
    sheet: int | str = 0

    @property
    def is_own(self) -> bool:
        """Whether it is none of the project's datasets."""
        return bool(self.path or self._target_)


@dataclass
class ProtocolConf:
    settings: str = MISSING


@dataclass
class TrainingConf:
    epochs: int = 100
    patience: int | None = 15
    batch_size: int | None = None
    lr: float = 1e-3


@dataclass
class BackboneConf:
    kinds: list[str] = MISSING
    network: dict[str, Any] = MISSING
    training: TrainingConf = field(default_factory=TrainingConf)


@dataclass
class RegressorConf:
    kinds: list[str] = MISSING
    estimator: dict[str, Any] = MISSING


@dataclass
class ProfileConf:
    name: str = MISSING
    rows: int | None = None
    backbone_epochs: int | None = None
    regressor_epochs: int | None = None
    denograd_epochs: int | None = None
    autoencoder_epochs: int | None = None


@dataclass
class Config:
    """One run. Groups first, then what holds for the whole run."""

    dataset: DatasetConf = field(default_factory=DatasetConf)
    noise: dict[str, Any] = MISSING
    protocol: dict[str, ProtocolConf] = MISSING
    backbone: dict[str, BackboneConf] = MISSING
    denoiser: dict[str, Any] = MISSING
    regressor: dict[str, RegressorConf] = MISSING
    profile: ProfileConf = field(default_factory=ProfileConf)

    campaign: str = "runs"
    repetitions: int = 1
    results_dir: str = "results"
    data_dir: str | None = None
    device: str = "auto"
    threads: int = 1
    keep_arrays: bool = True
    figure: bool = True
    columns: str = "fit"
    fail_fast: bool = False
    allow_targets: list[str] = field(default_factory=list)


def register() -> None:
    """Make the schema known to Hydra under the name ``schema``."""
    ConfigStore.instance().store(name="schema", node=Config)


def as_config(node: DictConfig) -> Config:
    """Resolve a composed configuration and check what the types alone do not say.

    Raises
    ------
    BadConfig
        With the key, its value and the values it may have.
    """
    config: Config = OmegaConf.to_object(node)  # type: ignore[assignment]  # the node's type is Config
    if config.repetitions < 1:
        raise BadConfig(f"repetitions must be at least 1, got {config.repetitions}")
    if config.threads < 1:
        raise BadConfig(f"threads must be at least 1, got {config.threads}")
    if config.device not in ("auto", "cpu") and not config.device.startswith("cuda"):
        raise BadConfig(f"device must be auto, cpu or cuda, got '{config.device}'")
    for key in ("results_dir", "data_dir"):
        if getattr(config, key) == "":
            raise BadConfig(f"{key}= names no folder: write {key}=FOLDER, or leave it out")
    _check_dataset(config.dataset)
    if config.columns not in ("fit", "all"):
        raise BadConfig(f"columns must be fit or all, got '{config.columns}'")
    names = {
        "campaign": [config.campaign],
        "profile.name": [config.profile.name],
        "dataset.name": [str(config.dataset.name)],
    }
    for group in ("protocol", "backbone", "denoiser", "regressor"):
        names[group] = list(getattr(config, group))
    for key, given in names.items():
        for name in given:
            plain_name(key, name)
    if unknown := set(config.protocol) - PROTOCOLS:
        raise BadConfig(f"protocol must be among {', '.join(sorted(PROTOCOLS))}, got '{unknown.pop()}'")
    for group in ("backbone", "regressor"):
        for name, member in getattr(config, group).items():
            for kind in member.kinds:
                if kind not in KINDS:
                    raise UnknownName(f"{group}.{name}.kinds", kind, KINDS)
    for key, value in vars(config.profile).items():
        if isinstance(value, int) and value < 1:
            raise BadConfig(f"profile.{key} must be at least 1, got {value}")
    return config


def _check_dataset(dataset: DatasetConf) -> None:
    """Check what is known of a dataset before it is read, and give the user's own its name and kind."""
    if dataset.window < 1:
        raise BadConfig(f"dataset.window must be at least 1 time step, got {dataset.window}")
    ours = {path.stem for path in (CONF / "dataset").glob("*.yaml")}
    if not dataset.is_own:
        if dataset.name is None:
            raise BadConfig("dataset.path=FILE is missing: where is your table?")
        given = [key for key in ("target", "time", "drop", "arguments") if getattr(dataset, key)]
        if given:
            raise BadConfig(
                f"dataset.{given[0]} belongs to a table of your own: name its file with dataset.path=FILE. What "
                f"{dataset.name} is made of is laid down"
            )
        return
    if dataset.path and dataset._target_:
        raise BadConfig(
            "dataset.path and dataset._target_ both say where the data come from: leave one of them out"
        )
    if not dataset.target:
        raise BadConfig("dataset.target=COLUMN is missing: which column is to be predicted?")
    if dataset.name is None:
        stem = (
            Path(dataset.path).name.partition(".")[0]
            if dataset.path
            else str(dataset._target_).rpartition(".")[2]
        )
        name = re.sub(r"[^\w+-]+", "_", stem).strip("_+-") or "own"
        dataset.name = f"my_{name}" if name in ours else name
    elif dataset.name in ours:
        raise BadConfig(
            f"dataset.name={dataset.name} is one of the project's own datasets: choose another name"
        )
    if dataset.kind is None:
        dataset.kind = "series" if dataset.time else "tabular"


def threads_fit(threads: int) -> None:
    """Refuse more threads than this machine, which is to do the work, has cores.

    Raises
    ------
    BadConfig
    """
    cores = int(machine()["cores"])
    if threads > cores:
        raise BadConfig(
            f"threads={threads} is more than the {cores} cores of this machine: use at most {cores}"
        )
