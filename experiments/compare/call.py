"""A command line of ``python -m experiments.compare``, taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.base.command import plain_words
from experiments.base.errors import WrongCall
from experiments.campaign.call import engine_of
from experiments.campaign.engines.base import EngineConf
from experiments.config.words import checked, config_folders, searchpath, without_folders

KEYS = ("denoiser", "allow_targets", "results_dir", "columns", "data_dir", "device", "threads")


@dataclass
class Call:
    """A command line, taken apart.

    Attributes
    ----------
    names : tuple of str
        The methods to compare.
    shared, own : list of str
        Words for every run, and those that concern the methods alone.
    engine : EngineConf
    recompute : bool
    """

    names: tuple[str, ...]
    shared: list[str]
    own: list[str]
    engine: EngineConf
    recompute: bool = False


def parse(arguments: Sequence[str]) -> Call:
    """Take a command line apart.

    Raises
    ------
    HarnessError
        For a name or key that does not exist, with near ones; for one that would change the campaign.
    """
    folders = config_folders(arguments)
    names: list[str] = []
    engine: dict[str, str] = {}
    own, shared = searchpath(folders), list[str]()
    chosen, recompute = "serial", False
    for word in plain_words(without_folders(arguments), {"recompute"}):
        key, _, value = word.lstrip("+").partition("=")
        if key == "denoiser":
            checked(word, folders)
            names += [name.strip() for name in value.strip("[]").split(",") if name.strip()]
        elif key == "recompute":
            recompute = _switch(value)
        elif key == "engine":
            chosen = value
        elif key.startswith("engine."):
            engine[key.removeprefix("engine.")] = value
        elif key.partition(".")[0] not in KEYS:
            checked(word, folders)  # a misspelt one is told with the near ones
            raise WrongCall(f"'{word}': a comparison takes {', '.join(KEYS)}; the rest is the campaign's")
        else:
            (own if key.startswith(("denoiser", "allow_targets")) else shared).append(checked(word, folders))
    if not names:
        raise WrongCall("which method? denoiser=NAME: see 'python -m experiments.list denoiser'")
    return Call(tuple(dict.fromkeys(names)), shared, own, engine_of(chosen, engine), recompute)


def _switch(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise WrongCall(f"recompute is true or false, got '{value}'")
    return value.lower() == "true"
