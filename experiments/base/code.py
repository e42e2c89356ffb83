"""Whose code a class is, and what says that it has changed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import metadata

OURS = ("denograd", "baselines", "experiments")
"""Packages of this project."""

_FIRST = "0.1.0"
"""What stands for our own code in the key of every cell. It is no version, though it began as one."""


def is_ours(path: str) -> bool:
    """Whether a dotted path leads into this project."""
    return path.partition(".")[0] in OURS


def versions_of(*packages: str) -> dict[str, str]:
    """Versions of the distributions that hold the given packages, NumPy's with them.

    Parameters
    ----------
    *packages : str
        Names to import, such as ``"sklearn"``; of a dotted path the first part counts.

    Returns
    -------
    versions : dict
        Distribution to version, without the local part (``+cpu``), which names a build and not a version.
    """
    modules = {"numpy", *(package.partition(".")[0] for package in packages)} - {"builtins"}
    ours = modules & set(OURS)
    versions = {"denograd-harness": _FIRST} if ours else {}
    for module in sorted(modules - ours | ({"torch"} if ours else set())):
        for distribution in _distributions().get(module, ()):
            versions[distribution] = _version(distribution)
    return versions


@cache
def _version(distribution: str) -> str:
    return metadata.version(distribution).partition("+")[0]


@cache
def _distributions() -> Mapping[str, list[str]]:
    return {module: sorted(set(names)) for module, names in metadata.packages_distributions().items()}
