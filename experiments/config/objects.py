"""Objects as configurations: the YAML that would build them."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from experiments.base.errors import BadConfig


def node_of(made: Any) -> dict[str, Any]:
    """The class of an object and its constructor's parameters; objects among these likewise.

    Parameters
    ----------
    made : object
        A scikit-learn estimator, or one that keeps each of its constructor's parameters under the same name.

    Raises
    ------
    BadConfig
        If it cannot be built again: a parameter is not kept, or is nothing that identifies a result (a function, an
        array); the class is defined inside a function.
    """
    cls = type(made)
    if "<locals>" in cls.__qualname__:
        raise BadConfig(
            f"{cls.__name__} is defined inside a function, where it cannot be found again: define it in a module or "
            "at the top of the notebook"
        )
    params = {key: _plain(value, f"{cls.__name__}.{key}") for key, value in _parameters(made)}
    return {"_target_": f"{cls.__module__}.{cls.__qualname__}", **params}


def name_of(made: Any) -> str:
    """A name for tables: KernelSmoother -> kernel_smoother."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(made).__name__).lower()


def _parameters(made: Any) -> Iterator[tuple[str, Any]]:
    if callable(getattr(made, "get_params", None)):
        yield from made.get_params(deep=False).items()
        return
    for name, parameter in inspect.signature(type(made)).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if not hasattr(made, name):
            raise BadConfig(
                f"{type(made).__name__} does not keep its constructor's parameter '{name}': write "
                f"self.{name} = {name}, so that it can be built anew for every fit"
            )
        yield name, getattr(made, name)


def _plain(value: Any, where: str) -> Any:
    """A parameter as a configuration holds it."""
    if isinstance(value, list | tuple):
        return [_plain(each, where) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each, where) for key, each in value.items()}
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return value.item()
    if callable(getattr(value, "get_params", None)) and not isinstance(value, type):
        return node_of(value)
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadConfig(
            f"{where} is {value!r}, which cannot be part of what identifies a result: use numbers, texts, lists of "
            "them or scikit-learn objects, or put it into a class of your own"
        ) from error
    return value
