"""Files that a user adds to a group: their form, and the error for another one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.base.errors import BadConfig

KINDS = ("tabular", "series")
PART = {"regressor": "estimator", "backbone": "network"}
"""What holds the class of a member that also says for which kinds of data it is."""


def check_member(path: Path, group: str, content: Any) -> None:
    """Check the form of a file of a group.

    Parameters
    ----------
    path : Path
        For messages.
    group : str
        The folder that it lies in: ``denoiser``, ``regressor``, ``backbone`` or ``noise``; others may hold anything.
    content : object
        Of the YAML.

    Raises
    ------
    BadConfig
        With what the file should look like.
    """
    if group not in ("denoiser", "noise", *PART):
        return
    if not isinstance(content, Mapping):
        raise BadConfig(f"{path} holds no keys: it should look like this:\n{_example(group, path.stem)}")
    if group == "noise":
        if "_target_" not in content and "defaults" not in content:
            raise BadConfig(
                f"{path} has no _target_ at its top: it should look like this:\n{_example(group, path.stem)}"
            )
        return
    if flat := {"_target_", "kinds", *PART.values()} & set(content):
        raise BadConfig(
            f"{path} is flat: {', '.join(sorted(flat))} must stand below the member's name, like this:\n"
            f"{_example(group, path.stem, content)}"
        )
    for name, node in content.items():
        if name != "defaults":
            _check_node(path, group, str(name), node)


def _check_node(path: Path, group: str, name: str, node: Any) -> None:
    part = PART.get(group)
    inner = node.get(part) if part and isinstance(node, Mapping) else node
    if not isinstance(inner, Mapping) or "_target_" not in inner:
        where = f"{name}.{part}" if part else name
        example = _example(group, name, node)
        raise BadConfig(
            f"{path}: {where} has no _target_, the class to build. It should look like this:\n{example}"
        )
    if part is None:
        return
    kinds = node.get("kinds")
    if not isinstance(kinds, list) or not kinds or not set(kinds) <= set(KINDS):
        got = "is missing" if kinds is None else f"is {kinds}"
        raise BadConfig(
            f"{path}: {name}.kinds {got}: say for which data it is, kinds: [tabular], [series] or [tabular, series]"
        )


def _example(group: str, name: str, given: Any = None) -> str:
    """A file as it should be, with the class that was given."""
    node = given if isinstance(given, Mapping) else {}
    target = node.get("_target_") or node.get(PART.get(group, ""), {}).get("_target_") or "mypackage.MyClass"
    if group == "noise":
        return f"  _target_: {target}\n  sigma: 0.05"
    if group == "denoiser":
        return f"  {name}:\n    _target_: {target}"
    return f"  {name}:\n    kinds: [tabular, series]\n    {PART[group]}:\n      _target_: {target}"
