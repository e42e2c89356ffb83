"""Words of a command line: those passed on to Hydra, and an answer with similar names to those it would refuse."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from experiments.base.errors import BadConfig, HarnessError, UnknownName, WrongCall, near, plain_name
from experiments.base.paths import CONF
from experiments.config.members import check_member
from experiments.config.schema import Config, as_config, register
from experiments.config.targets import parameters_of, resolve

GROUPS = ("dataset", "noise", "protocol", "backbone", "denoiser", "regressor", "profile")
OWN = "own"
"""The dataset of those who name a file, and no YAML of theirs."""
FOLDER_FLAGS = {"--config-dir", "-cd"}
VALUE_FLAGS = FOLDER_FLAGS | {"--cfg", "-c", "--info", "-i"}
FLAGS = VALUE_FLAGS | {"--multirun", "-m", "--run", "-r", "--resolve", "--hydra-help", "--version"}
"""Options of Hydra's own; others replace our configuration, or unpickle a file."""


class Refused(WrongCall):
    """A word that would reach past the run: what Hydra itself calls, or where it writes."""


def checked_line(arguments: Sequence[str]) -> list[str]:
    """A whole command line of ``experiments.run``, each word `checked`, options first.

    Hydra's parser takes the words of a line in one piece: those after an option in their midst it would refuse.

    Raises
    ------
    HarnessError
        For what is refused or does not exist.
    """
    folders, before = config_folders(arguments), ""
    options: list[str] = []
    words: list[str] = []
    for word in arguments:
        if word.startswith("-"):
            if word.partition("=")[0] not in FLAGS:
                raise Refused(
                    f"'{word}' is no option of a run: there are {', '.join(sorted(FLAGS))}, --help; a setting is "
                    "written without dashes, KEY=VALUE"
                )
            options.append(word)
        elif before in VALUE_FLAGS:
            options.append(word)
        else:
            words.append(checked(word, folders))
        before = word
    return [*options, *with_own_dataset(words)]


def with_own_dataset(words: Sequence[str]) -> list[str]:
    """The words, and ``dataset=own`` where they describe the user's own table and name no dataset."""
    keys = {word.partition("=")[0].lstrip("+") for word in words}
    own = {"dataset.path", "dataset._target_"} & keys and "dataset" not in keys
    return [f"dataset={OWN}", *words] if own else list(words)


def checked(word: str, folders: Sequence[Path] = ()) -> str:
    """Accept ``+dataset=ett`` as ``dataset=ett``, and answer an unknown name with the near ones.

    Parameters
    ----------
    word : str
    folders : sequence of Path
        Where groups have members beside `CONF`.
    """
    one = parsed(word)
    key = one.key_or_group
    first = re.split(r"[./]", key)[0]
    if "hydra" in re.split(r"[./]", f"{key}/{one.package or ''}"):
        _check_hydra(word, one)
        return word
    known = [field.name for field in fields(Config)]
    groups = {*GROUPS, *(path.name for folder in folders for path in folder.iterdir() if path.is_dir())}
    if first not in groups.union(known):
        raise UnknownName("key", first, groups.union(known), f" in '{word}'")
    if key == "campaign":  # a sweep's own file goes there before its runs are looked at
        for name in _names(one.value()):
            plain_name(key, name)
    if key not in groups:
        return word
    choices = choices_of(key, folders)
    for name in _names(one.value()):
        if name not in choices:
            raise UnknownName(key, name, choices)
    return word.lstrip("+") if key in known else word


def choices_of(group: str, folders: Sequence[Path] = ()) -> list[str]:
    """Members of a group, ours and those of further folders."""
    return sorted({path.stem for folder in (CONF, *folders) for path in (folder / group).glob("*.yaml")})


def config_folders(arguments: Sequence[str]) -> list[Path]:
    """Folders that ``--config-dir`` and ``hydra.searchpath`` add to the configuration's.

    Raises
    ------
    HarnessError
        If one is absent, or holds a file that configures Hydra itself.
    """
    given: list[str] = []
    for word, after in itertools.pairwise([*arguments, ""]):
        flag, equals, value = word.partition("=")
        if flag in FOLDER_FLAGS:
            given.append(value if equals else after)
            if not given[-1] or ("=" in given[-1] and not Path(given[-1]).exists()):
                raise WrongCall(
                    f"{flag} needs a folder: {flag} PATH{f', got {given[-1]!r}' if given[-1] else ''}"
                )
        elif flag.lstrip("+") == "hydra.searchpath":
            given += _names(parsed(word).value())
    folders = [Path(each.removeprefix("file://")) for each in given]
    for folder in folders:
        if not folder.is_dir():
            raise BadConfig(f"there is no folder {folder} to read configurations from")
        for path in sorted(folder.rglob("*.y*ml")):
            _check_file(path, path.relative_to(folder))
    return folders


def composed(arguments: Sequence[str]) -> Config:
    """The configuration that a command line describes, for those who are not Hydra's own entry point.

    Raises
    ------
    HarnessError
        For a word that does not fit, or an invalid configuration.
    """
    words = words_of(checked_line(arguments))
    register()
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return composed_of([*words, *searchpath(config_folders(arguments))])
    except (HydraException, OmegaConfBaseException) as error:
        raise explained(error, arguments) from error


def composed_of(overrides: Sequence[str]) -> Config:
    """The configuration of Hydra's overrides, where Hydra is initialised with a folder."""
    node = compose("config", overrides=list(overrides), return_hydra_config=True)
    how = node.hydra
    with open_dict(node):
        del node["hydra"]
    return config_of(node, how)


def config_of(node: DictConfig, how: Any) -> Config:
    """A composed configuration, checked.

    A dataset without a name has that of its YAML. A relative ``dataset.path`` in a YAML is taken from that YAML's
    folder, where such a file is; else it is looked for as one on the command line is, see
    `experiments.data.files.find`.

    Parameters
    ----------
    node : DictConfig
    how : node
        Hydra's own: what was chosen, and from which folders.
    """
    chosen = str(how.runtime.choices.dataset)
    if node.dataset.name is None and chosen != OWN:
        node.dataset.name = chosen
    config = as_config(node)
    path = config.dataset.path
    named = any(parsed(word).key_or_group == "dataset.path" for word in how.overrides.task)
    if path and not named:
        sources = [Path(each.path) for each in how.runtime.config_sources if each.schema == "file"]
        for folder in (source / "dataset" for source in sources):
            if (folder / f"{chosen}.yaml").is_file():
                beside = (folder / Path(path).expanduser()).resolve()
                config.dataset.path = str(beside) if beside.is_file() else path
    return config


def words_of(line: Sequence[str]) -> list[str]:
    """The words of a command line without its options and the folders that it names."""
    return [
        word
        for before, word in itertools.pairwise(["", *line])
        if not word.startswith("-") and before not in VALUE_FLAGS and "hydra.searchpath" not in word
    ]


def without_folders(line: Sequence[str]) -> list[str]:
    """A command line without what `config_folders` reads from it."""
    return [
        word
        for before, word in itertools.pairwise(["", *line])
        if not FOLDER_FLAGS & {before, word.partition("=")[0]} and "hydra.searchpath" not in word
    ]


def searchpath(folders: Sequence[Path]) -> list[str]:
    """The word by which Hydra reads further folders."""
    quoted = ",".join("'" + f"file://{folder.resolve()}".replace("'", "\\'") + "'" for folder in folders)
    return [f"hydra.searchpath=[{quoted}]"] if folders else []


def explained(error: Exception, words: Sequence[str]) -> BadConfig:
    """Hydra's error in our words; of a key that does not exist with the near ones.

    Parameters
    ----------
    error : HydraException or OmegaConfBaseException
    words : sequence of str
        The command line.
    """
    match = re.search(r"Could not override '([^']+)'", str(error))
    if match and (hint := _misspelt(match[1], words)):
        return BadConfig(hint)
    where = str(getattr(error, "full_key", None) or "")
    group, _, rest = where.partition(".")
    if group in GROUPS and not rest:
        return BadConfig(f"{group} is empty: choose one or several, see 'python -m experiments.list {group}'")
    if group in GROUPS and rest.endswith(".kinds"):
        return BadConfig(
            f"{where.removesuffix('.kinds')} has no kinds: say which data it takes, kinds: [tabular, series]"
        )
    if group in GROUPS and rest == "_target_":
        return BadConfig(
            f"{group} has a _target_ and no name: a YAML of a group holds its content under the name that tables show"
        )
    if several := re.search(r"Ambiguous value for argument '(.+)'", str(error)):
        key, _, value = several[1].replace("\\'", "'").partition("=")
        return BadConfig(
            f"{key} has several values, {value}: 'python -m experiments.run -m' does a run for each. A comma in a "
            f"value needs quotes: {_quoted(key, value)}"
        )
    told = [
        line.strip()
        for each in (error, error.__cause__)
        if each is not None
        for line in str(each).splitlines()
    ]
    aside = ("Error merging override", "full_key:", "object_type=", "reference_type=", "See https://hydra.cc")
    lines = [line for line in dict.fromkeys(told) if line and not line.startswith(aside)]
    named = re.search(r"^full_key: (\S+)$", "\n".join(told), flags=re.MULTILINE)
    return BadConfig((f"{named[1]}: " if named else "") + "\n".join(lines))


def _misspelt(key: str, words: Sequence[str]) -> str | None:
    """What is wrong with a dotted key, given the groups chosen; None if nothing is."""
    chosen, allow = [], []
    for one in (parsed(word) for word in words_of(words) if "=" in word and not word.startswith("~")):
        if one.key_or_group in GROUPS:
            value = next(iter(one.sweep_string_iterator())) if one.is_sweep_override() else None
            chosen.append(f"{one.key_or_group}={value}" if value else str(one.input_line))
        elif one.key_or_group == "allow_targets":
            allow = list(_names(one.value()))
    chosen += searchpath(config_folders(words))
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        node: Any = compose("config", overrides=chosen)
    path = key.split(".")
    for depth, part in enumerate(path):
        if not OmegaConf.is_dict(node):
            return f"{'.'.join(path[:depth])} is a value and has no '{part}' ({key})"
        if part not in node:
            known, where = {str(name) for name in node}, ".".join(path[:depth])
            if "_target_" in node:
                with suppress(HarnessError):
                    known |= parameters_of(resolve(str(node["_target_"]), allow))
                if part in known:
                    return f"{where} leaves {part} at its default: set it with +{key}=VALUE"
            there = f"in {where} ({key})" if where else "among the settings of a run"
            return f"there is no '{part}' {there}. {near(part, known - {'_target_'})}"
        node = node[part]
    return None


def parsed(word: str) -> Override:
    """A word as Hydra reads it.

    Raises
    ------
    BadConfig
        For what is no KEY=VALUE.
    """
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException as error:
        first, (key, equals, value) = str(error).splitlines()[0], word.partition("=")
        hint = f"{first}. A value with special characters needs quotes: {_quoted(key, value)}"
        if not equals:
            groups = [group for group in GROUPS if word in choices_of(group)]
            hint = f"did you mean {' or '.join(f'{group}={word}' for group in groups)}?" if groups else first
        elif value.startswith("[") and "]" not in value:
            hint = f"a list in several words needs quotes around it all: '{key}=[A, B]'"
        raise BadConfig(f"'{word}' is no KEY=VALUE: {hint}") from error


def _quoted(key: str, value: str) -> str:
    """A word for a shell, its value in double quotes, which stand within the shell's single ones as they are."""
    text = QuotedString(value.strip("'\""), Quote.double).with_quotes()
    return shlex.quote(f"{key}={text}")


def _names(value: Any) -> Iterator[str]:
    """Names in a group's value: one, a list, or a sweep over them."""
    if isinstance(value, ChoiceSweep):
        value = value.list
    if isinstance(value, list):
        for each in value:
            yield from _names(each)
    elif isinstance(text := getattr(value, "text", value), str | int | float):
        yield str(text)


def _check_hydra(word: str, one: Override) -> None:
    """Let a word through that chooses or sets a launcher: no other class, no other place to write."""
    key = one.key_or_group
    launcher = key.startswith("hydra.launcher.") and "._" not in key
    if key == "hydra/launcher":
        launcher = all(re.fullmatch(r"\w+", name) for name in _names(one.value()))
    plain = (
        "{" not in word and not one.package
    )  # neither a dict nor an interpolation, which may hold a _target_
    if key == "hydra.searchpath":
        launcher = "pkg:" not in word  # would import a package
    if not (plain and (launcher or key in ("hydra.verbose", "hydra.mode"))):
        raise Refused(
            f"'{word}' is refused: of Hydra itself a command line may set hydra/launcher, plain values of "
            "hydra.launcher.KEY, hydra.searchpath to folders, hydra.verbose and hydra.mode. Results go to results_dir"
        )


def _check_file(path: Path, inside: Path) -> None:
    """Refuse a file that would configure Hydra: it could name any class or function to call."""
    text = path.read_text(encoding="utf-8")
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadConfig(f"{path} is no YAML: {error}") from error
    words = list(_strings(content))
    words += [line for line in text.splitlines() if line.lstrip().startswith("#") and "@package" in line]
    if "hydra" in inside.parts or any(re.search(r"(^|[\s/.@])hydra([/.:@]|\s*$)", word) for word in words):
        raise Refused(f"{path} configures Hydra itself, which only the project's own files may do")
    if len(inside.parts) == 2:
        check_member(path, inside.parts[0], content)


def _strings(node: Any) -> Iterator[str]:
    """Keys of a YAML, and entries of its lists."""
    if isinstance(node, dict):
        for key, child in node.items():
            yield str(key)
            yield from _strings(child)
    elif isinstance(node, list):
        for child in node:
            yield from [child] if isinstance(child, str) else _strings(child)
