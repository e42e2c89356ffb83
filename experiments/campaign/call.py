"""A command line of ``python -m experiments.campaign``, taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.base.command import plain_words
from experiments.base.errors import BadConfig, UnknownName, WrongCall
from experiments.base.paths import CONF
from experiments.campaign import runs
from experiments.campaign.engines.base import ENGINES, EngineConf
from experiments.config.words import GROUPS, checked, config_folders, parsed, without_folders

AXES = ("dataset", "protocol", "denoiser", "regressor", "repetition", "noise", "sigma")


@dataclass
class Call:
    """A command line, taken apart.

    Attributes
    ----------
    campaign : str
    engine : EngineConf
    plan : bool
    only : dict of str to set of str
    overrides : list of str
        For every run.
    folders : list of Path
        With further members of the groups, and further campaigns.
    """

    campaign: str
    engine: EngineConf
    plan: bool = False
    only: dict[str, set[str]] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)


def parse(arguments: Sequence[str]) -> Call:
    """Take a command line apart.

    Raises
    ------
    HarnessError
        For a name or key that does not exist, with near ones.
    """
    own: dict[str, str] = {}
    engine: dict[str, str] = {}
    only: dict[str, set[str]] = {}
    overrides = []
    folders = config_folders(arguments)
    for argument in plain_words(without_folders(arguments), {"plan"}):
        key, equals, value = argument.partition("=")
        key = key.lstrip("+")
        if key in ("campaign", "plan", "engine"):
            own[key] = value
        elif key == "workers" or key.startswith("engine."):
            engine[key.removeprefix("engine.")] = value
        elif key == "only":
            raise WrongCall(f"'{argument}': write only.AXIS=A,B, of the axes {', '.join(AXES)}")
        elif key.startswith("only."):
            if (axis := key.removeprefix("only.")) not in AXES:
                raise UnknownName("axis for 'only.'", axis, AXES)
            only[axis] = {_plain(axis, each) for each in value.strip("[]").split(",")}
        elif not equals:
            raise WrongCall(f"'{argument}' is no KEY=VALUE: see 'python -m experiments.campaign --help'")
        else:
            overrides.append(checked(argument, folders))
            if key.partition(".")[0] not in GROUPS and parsed(argument).is_sweep_override():
                raise WrongCall(
                    f"'{argument}' has several values, but {key} holds for the whole campaign: only "
                    f"{', '.join(GROUPS)} can have several. A comma in a value needs quotes: {key}='\"A,B\"'"
                )
    if "campaign" not in own:
        raise WrongCall(f"which campaign? +campaign=NAME, one of {', '.join(runs.files(folders))}")
    if own.get("plan", "false").lower() not in ("true", "false"):
        raise BadConfig(f"plan must be true or false, got '{own['plan']}'")
    settings = engine_of(own.get("engine", "serial"), engine)
    return Call(own["campaign"], settings, own.get("plan", "").lower() == "true", only, overrides, folders)


def _plain(axis: str, value: str) -> str:
    """A value of an axis as plans write it."""
    if axis != "sigma":
        return value.strip()
    try:
        return f"{float(value):g}"
    except ValueError as error:
        raise BadConfig(f"only.sigma is a number or several, got '{value}'") from error


def engine_of(name: str, options: dict[str, str]) -> EngineConf:
    """An engine's settings: its class's, then its file's in ``conf/engine``, then the given ones."""
    if name not in ENGINES:
        raise UnknownName("engine", name, ENGINES)
    known = [f.name for f in fields(ENGINES[name])]
    for key in options:
        if key not in known:
            having = [other for other, conf in ENGINES.items() if key in {f.name for f in fields(conf)}]
            if having:
                raise WrongCall(
                    f"engine={name} has no {key}: that is an option of engine={' or '.join(having)}"
                )
            raise UnknownName(f"option of engine={name}", key, known)
    node = OmegaConf.structured(ENGINES[name])
    given = OmegaConf.from_dotlist([f"{key}={value}" for key, value in options.items()])
    try:
        conf: Any = OmegaConf.to_object(
            OmegaConf.merge(node, OmegaConf.load(CONF / "engine" / f"{name}.yaml"), given)
        )
    except OmegaConfBaseException as error:
        raise BadConfig(f"engine.{error.full_key}: {str(error).splitlines()[0]}") from error
    for key, value in vars(conf).items():
        if isinstance(value, int | float) and value < (1 if key in ("workers", "jobs", "recycle") else 0):
            raise BadConfig(f"engine.{key} is too small: {value}")
    return conf
