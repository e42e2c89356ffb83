"""The runs that a campaign's file defines."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from experiments.base.errors import BadConfig, UnknownName
from experiments.base.paths import CONF
from experiments.config.schema import Config, register
from experiments.config.words import composed_of, explained, searchpath


def files(folders: Sequence[Path] = ()) -> dict[str, Path]:
    """Campaigns' files by name, those of the user's folders among them."""
    return {
        path.stem: path
        for folder in (CONF, *folders)
        for path in sorted((folder / "campaigns").glob("*.yaml"))
    }


def configurations(name: str, overrides: Sequence[str], folders: Sequence[Path] = ()) -> list[Config]:
    """All runs of a campaign.

    Parameters
    ----------
    name : str
        A file of ``conf/campaigns``.
    overrides : sequence of str
        For every run; they win over the file's.
    folders : sequence of Path
        See `Call`.
    """
    if name not in (known := files(folders)):
        raise UnknownName("campaign", name, known)
    shared, sweeps = _content(known[name])
    register()
    if GlobalHydra.instance().is_initialized():
        GlobalHydra.instance().clear()
    configs = []
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for sweep in sweeps:
            merged = _merged([*shared, *sweep, *overrides, f"campaign={name}"])
            for one in _expanded(merged):
                try:
                    configs.append(composed_of([*one, *searchpath(folders)]))
                except (HydraException, OmegaConfBaseException) as error:
                    raise explained(error, one) from error
    return configs


def _content(path: Path) -> tuple[list[str], list[list[str]]]:
    """The words that all runs of a campaign's file share, and those of each sweep.

    Raises
    ------
    BadConfig
        If it has another form.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    example = "runs: [profile=quick]\nsweeps:\n  first: [dataset=diabetes, 'noise.sigma=0.1,0.2']"
    if not isinstance(content, dict) or not content.get("sweeps") or set(content) - {"runs", "sweeps"}:
        found = ", ".join(map(str, content)) if isinstance(content, dict) else "no keys"
        raise BadConfig(
            f"{path} holds {found or 'no keys'}: it takes 'sweeps', and 'runs' if need be, like this:\n{example}"
        )
    shared, sweeps = content.get("runs") or [], content["sweeps"]
    parts = {"runs": shared, "sweeps": sweeps}
    if isinstance(sweeps, dict):
        parts = {"runs": shared, **{f"sweeps.{name}": sweep for name, sweep in sweeps.items()}}
    for where, words in parts.items():
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise BadConfig(f"{path}: {where} is no list of words, KEY=VALUE each. Like this:\n{example}")
    return shared, list(sweeps.values()) if isinstance(sweeps, dict) else [sweeps]


def _merged(overrides: Sequence[str]) -> list[str]:
    """Of several values for a key the last."""
    by_key: dict[str, str] = {}
    for override in overrides:
        key = re.split(r"[=@]", override.lstrip("+~"), maxsplit=1)[0]
        by_key.pop(key, None)
        by_key[key] = override
    return list(by_key.values())


def _expanded(overrides: Sequence[str]) -> Iterator[list[str]]:
    """The combinations of a sweep."""
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise BadConfig(str(error)) from error
    choices = [
        [f"{one.get_key_element()}={value}" for value in one.sweep_string_iterator()]
        if one.is_sweep_override()
        else [str(one.input_line)]
        for one in parsed
    ]
    yield from map(list, itertools.product(*choices))
