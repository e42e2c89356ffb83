"""Whose code a class is, and how a change of it is detected.

A result is stored under a key that names what computed it: a component of ours by its `revision`, which is raised
when its results change; a class of a library by the version of the library; any other class by its source.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType

OURS = ("denograd", "baselines", "experiments")
"""Packages of this project."""

_FIRST = "0.1.0"
"""What stands for our own code in the key of every cell. It is no version, though it began as one."""


def is_ours(path: str) -> bool:
    """Whether a dotted path leads into this project."""
    return path.partition(".")[0] in OURS


def revision_of(cls: type, *modules: ModuleType, settings: str | None = None) -> int:
    """The revision of a component of ours: 1, and one more for every raise in what it is made of.

    That is the attribute ``revision`` of the class, of those that it inherits from, and of the network that it wraps
    (``network_class``): a number or, where only some `settings` give other results, ``{settings: number}``; and the
    constant ``REVISION`` of the modules given and of those in ``built_on``.
    """
    classes = {*cls.__mro__, *getattr(getattr(cls, "network_class", None), "__mro__", ())}
    stated = [vars(each).get("revision", 1) for each in classes]
    raised = sum((each.get(settings, 1) if isinstance(each, Mapping) else each) - 1 for each in stated)
    built_on = {*modules, *getattr(cls, "built_on", ())}
    return 1 + raised + sum(module.REVISION - 1 for module in built_on)


def source_of(cls: type) -> str | None:
    """A hash of the source that a user's class is made of; None for ours, for a library's, and where there is none.

    Every module counts that the class inherits from, and every one that those import, as far as it is the user's.
    """
    if is_ours(cls.__module__):
        return None
    modules = {each.__module__ for each in cls.__mro__}
    files: dict[str, Path] = {}
    for name in sorted(modules):
        _collect(name, files)
    if not files:
        return None
    sums = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files.values())
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()[:16]


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


def _collect(name: str, files: dict[str, Path]) -> None:
    """Add a user's module and what it imports, as far as that is the user's, to `files`."""
    if name in files or is_ours(name) or (path := _users_file(name)) is None:
        return
    files[name] = path
    for imported in _imported(path.read_text(encoding="utf-8"), name, path.name == "__init__.py"):
        _collect(imported, files)


def _users_file(name: str) -> Path | None:
    """The source of a module that is neither part of Python nor installed."""
    if name.partition(".")[0] in sys.stdlib_module_names:
        return None
    module = sys.modules.get(name)
    try:
        origin = getattr(module, "__file__", None) if module else importlib.util.find_spec(name).origin  # type: ignore[union-attr]  # None is caught
    except (ImportError, AttributeError, ValueError):
        return None
    if origin is None or not origin.endswith(".py"):
        return None
    path = Path(origin).resolve()
    installed = {Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib", "stdlib")}
    # also those of the Python that a virtual environment builds on
    elsewhere = {"site-packages", "dist-packages"} & set(path.parts)
    return None if elsewhere or any(folder in path.parents for folder in installed) else path


def _imported(source: str, name: str, is_package: bool) -> Iterator[str]:
    """Modules that a source may import, functions' imports among them: names that are no modules are harmless."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                kept = name.split(".")[: len(name.split(".")) - node.level + is_package]
                base = ".".join([*kept, *filter(None, [base])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def _version(distribution: str) -> str:
    return metadata.version(distribution).partition("+")[0]


@cache
def _distributions() -> Mapping[str, list[str]]:
    return {module: sorted(set(names)) for module, names in metadata.packages_distributions().items()}
