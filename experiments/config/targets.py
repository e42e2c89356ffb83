"""From a ``_target_`` in a YAML to an object: only classes of known kinds, only parameters that exist."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from experiments.base.code import OURS
from experiments.base.errors import HarnessError, WrongCall, near
from experiments.config.schema import Config

ALLOWED = (*OURS, "torch.nn", "torch.optim", "sklearn", "xgboost")
"""Packages whose classes a configuration may name."""

DENOISER = ("skip", "fit", "denoise")
"""What every denoiser can do, see `baselines.base.Denoiser`."""

MOVED = {
    "experiments.denoisers.DenoGradRule": "experiments.methods.rules.DenoGradRule",
    "experiments.denoisers.DenoGradMap": "experiments.methods.map.DenoGradMap",
    "experiments.denoisers.DenoGradMapBackbone": "experiments.methods.map.DenoGradMapBackbone",
    "experiments.denoisers.DenoGradMapForecast": "experiments.methods.map.DenoGradMapForecast",
    "experiments.regressors.ARIMA": "experiments.models.regressors.ARIMA",
    "experiments.regressors.TabPFN": "experiments.models.regressors.TabPFN",
}
"""Classes that stand elsewhere than they did: old path to new one. The old paths work until the next release."""


class BadTarget(WrongCall):
    """A ``_target_`` that is no class of an allowed kind, or does not take its parameters."""


def resolve(target: str, allow: Sequence[str] = ()) -> type:
    """Find the class that a dotted path names.

    Parameters
    ----------
    target : str
        Such as ``"baselines.kalman.Kalman"``.
    allow : sequence of str
        Further packages whose classes are accepted (``allow_targets`` of the configuration).

    Returns
    -------
    cls : type
        Defined (by its own ``__module__``, whatever path led to it) in an allowed package, and a network, an
        optimiser, an estimator, a denoiser or a noise model.

    Raises
    ------
    BadTarget
        Otherwise. Nothing is called, and no module outside the allowed packages is imported.
    """
    packages = (*ALLOWED, *allow)
    target = _moved(target)
    _check_package(target, packages)
    module, name = _module(target), target.rpartition(".")[2]
    found = vars(module).get(name)
    if not inspect.isclass(found):
        classes = [n for n, each in vars(module).items() if inspect.isclass(each)]
        hint = f" {near(name, classes)}" if classes else ""
        raise BadTarget(f"_target_ '{target}' is not a class.{hint}")
    if not _under(f"{found.__module__}.", packages):
        raise BadTarget(
            f"_target_ '{target}' is defined in {found.__module__}, outside {', '.join(packages)}"
        )
    if not _is_component(found):
        if callable(getattr(found, "predict", None)):
            raise BadTarget(
                f"_target_ '{target}' has predict but no get_params, by which it is cloned for every fit: derive it "
                "from sklearn.base.RegressorMixin and sklearn.base.BaseEstimator"
            )
        lacking = [method for method in DENOISER if not callable(getattr(found, method, None))]
        raise BadTarget(
            f"_target_ '{target}' is neither a network, an optimiser, an estimator, a denoiser nor a noise model"
            + (
                f": to be a denoiser it lacks {', '.join(lacking)} (see baselines.base.Denoiser)"
                if len(lacking) < len(DENOISER)
                else ""
            )
        )
    return found


def check_packages(config: Config) -> None:
    """Refuse denoisers, regressors and noise models of packages that the user has not opened; imports nothing.

    Raises
    ------
    BadTarget
        With the setting that opens the package.
    """
    packages = (*ALLOWED, *config.allow_targets)
    estimators = [regressor.estimator for regressor in config.regressor.values()]
    for target in targets_within([config.denoiser, config.noise, estimators]):
        _check_package(_moved(target), packages)


def _check_package(target: str, packages: Sequence[str]) -> None:
    if not _under(target, packages):
        raise BadTarget(
            f"_target_ '{target}' lies outside {', '.join(packages)}: if you trust its package, open it with "
            f"allow_targets=[{target.partition('.')[0]}]"
        )


def resolve_function(target: str, allow: Sequence[str]) -> Callable[..., Any]:
    """Find the function that a dotted path names, in a package that the user has opened.

    Raises
    ------
    BadTarget
        If its package is not among `allow`, it cannot be imported, or it is no function that is defined there.
    """
    if not _under(target, allow):
        raise BadTarget(
            f"_target_ '{target}' is a function of a package that is not opened: if you trust it, say "
            f"allow_targets=[{target.partition('.')[0]}]"
        )
    module = _module(target)
    name = target.rpartition(".")[2]
    found = vars(module).get(name)
    if not inspect.isfunction(found) or not _under(f"{found.__module__}.", allow):
        functions = [
            n for n, o in vars(module).items() if inspect.isfunction(o) and o.__module__ == module.__name__
        ]
        hint = near(name, functions) if functions else "It has none."
        raise BadTarget(f"_target_ '{target}' is no function that {module.__name__} defines. {hint}")
    return found


def build(node: Mapping[str, Any], *, where: str, allow: Sequence[str] = ()) -> Any:
    """Make the object that a configuration node describes.

    Parameters
    ----------
    node : mapping
        ``_target_`` and the constructor's parameters.
    where : str
        The node's place in the configuration, for messages.
    allow : sequence of str
        See `resolve`.

    Raises
    ------
    BadTarget
        For a bad target, or a parameter that the constructor does not take (near names are shown).
    """
    if "_target_" not in node:
        raise BadTarget(f"{where} has no _target_: name the class to build")
    cls = resolve(str(node["_target_"]), allow)
    arguments = {key: value for key, value in node.items() if key != "_target_"}
    known = parameters_of(cls)
    for key in arguments:
        if not takes_any(cls) and key not in known:
            raise BadTarget(f"{where}.{key}: {cls.__name__} takes no parameter '{key}'. {near(key, known)}")
    built = {key: _built(value, f"{where}.{key}", allow) for key, value in arguments.items()}
    try:
        return cls(**built)
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise BadTarget(
            f"{where}: {cls.__name__}({given}) cannot be made: {str(error) or type(error).__name__}"
        ) from error


def targets_within(value: Any) -> Iterator[str]:
    """The dotted paths that parameters name, however deep."""
    if isinstance(value, Mapping):
        if "_target_" in value:
            yield str(value["_target_"])
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from targets_within(each)


def _built(value: Any, where: str, allow: Sequence[str]) -> Any:
    """A parameter, with the objects that it describes built."""
    if isinstance(value, list):
        return [_built(each, where, allow) for each in value]
    if isinstance(value, Mapping) and "_target_" in value:
        return build(value, where=where, allow=allow)
    return value


def parameters_of(cls: type) -> set[str]:
    """Names that a constructor takes."""
    if hasattr(cls, "get_params") and hasattr(cls, "_get_param_names"):
        try:
            xgboost = cls.__module__.startswith("xgboost")
            return set(cls().get_params()) if xgboost else set(cls._get_param_names())
        except RuntimeError as error:
            raise BadTarget(f"{cls.__name__} is no estimator that can be cloned: {error}") from error
    keyword = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name for p in inspect.signature(cls).parameters.values() if p.kind in keyword}


def takes_any(cls: type) -> bool:
    """Whether a constructor takes parameters of any name."""
    if hasattr(cls, "_get_param_names"):
        return False
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(cls).parameters.values())


@cache
def _moved(target: str) -> str:
    """The path that a class has now; of a class that has moved, the user is told once."""
    if target not in MOVED:
        return target
    print(f"_target_ {target} has moved: write {MOVED[target]}", file=sys.stderr)
    return MOVED[target]


def _module(target: str) -> ModuleType:
    try:
        if target.startswith("sklearn.impute."):  # IterativeImputer is hidden as long as it is experimental
            importlib.import_module("sklearn.experimental.enable_iterative_imputer")
        return importlib.import_module(target.rpartition(".")[0])
    except ImportError as error:
        raise BadTarget(f"_target_ '{target}' cannot be imported: {error}") from error


def _under(path: str, packages: Sequence[str]) -> bool:
    return any(path.startswith(f"{package}.") for package in packages)


def _is_component(cls: type) -> bool:
    import torch
    from sklearn.base import BaseEstimator

    if issubclass(cls, torch.nn.Module | torch.optim.Optimizer | BaseEstimator):
        return True
    denoiser = all(callable(getattr(cls, name, None)) for name in DENOISER)
    return denoiser or callable(getattr(cls, "inject", None))
