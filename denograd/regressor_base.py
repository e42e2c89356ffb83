"""The conventions of a scikit-learn regressor, for classes that must load without scikit-learn."""

from __future__ import annotations

import inspect
from typing import Any, Self


class RegressorBase:
    """Parameters, representation and tags of a regressor that wraps others.

    A subclass lists its parameters in its constructor and stores each under its own name, as scikit-learn asks
    of its estimators. A parameter that has ``get_params`` itself is reached as ``name__parameter``.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Give the parameters of the constructor; `deep` adds those of inner estimators as ``name__parameter``."""
        params = {name: getattr(self, name) for name in _defaults(type(self))}
        if deep:
            for name, value in list(params.items()):
                if hasattr(value, "get_params") and not isinstance(value, type):
                    params |= {f"{name}__{key}": inner for key, inner in value.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters by the names that `get_params` gives.

        Raises
        ------
        ValueError
            For a name that is no parameter.
        """
        known = _defaults(type(self))
        inner: dict[str, dict[str, Any]] = {}
        for name, value in params.items():
            outer, nested, key = name.partition("__")
            if outer not in known or (
                nested and not hasattr(params.get(outer, getattr(self, outer)), "set_params")
            ):
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(known)}"
                )
            if nested:
                inner.setdefault(outer, {})[key] = value
            else:
                setattr(self, name, value)
        for outer, changed in inner.items():
            getattr(self, outer).set_params(**changed)
        return self

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that this is a regressor."""
        from sklearn.utils import RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True),
            regressor_tags=RegressorTags(),
        )

    def __repr__(self) -> str:
        defaults = _defaults(type(self))
        params = self.get_params(deep=False)
        shown = (
            f"{name}={value!r}"
            for name, value in params.items()
            if defaults[name] is inspect.Parameter.empty
            or (value is not defaults[name] and value != defaults[name])
        )
        return f"{type(self).__name__}({', '.join(shown)})"


def _defaults(cls: type) -> dict[str, Any]:
    """Defaults of the constructor's parameters, in their order; ``Parameter.empty`` where one has none."""
    signature = inspect.signature(cls.__init__)  # type: ignore[misc]  # of this very class
    return {name: p.default for name, p in signature.parameters.items() if name != "self"}
