"""What a configuration selects, by name: denoisers, backbones, regressors, the noise model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from experiments.base.code import is_ours, revision_of, source_of
from experiments.base.errors import BadConfig
from experiments.base.resources import torch_device
from experiments.config.schema import Config
from experiments.config.targets import (
    DENOISER,
    build,
    parameters_of,
    resolve,
    resolve_function,
    targets_within,
)

TRANSFORMER = "experiments.methods.transformer.Transformer"
"""What makes a denoiser of a scikit-learn transformer."""


@dataclass(frozen=True)
class Component:
    """A class and the parameters that a configuration gives it, under the name that tables show.

    Attributes
    ----------
    name : str
    target : str
        Dotted path of the class.
    params : dict
        Its parameters, caps applied.
    where : str
        Place in the configuration, for messages.
    allow : tuple of str
        Further packages that targets may come from.
    """

    name: str
    target: str
    params: dict[str, Any]
    where: str
    allow: tuple[str, ...] = ()

    @property
    def cls(self) -> type:
        return resolve(self.target, self.allow)

    @property
    def identity(self) -> dict[str, Any]:
        """The parameters that a result depends on: not where files lie, nor how many processes compute it."""
        return {
            name: value
            for name, value in self.params.items()
            if name not in ("workers", "n_jobs", "model_path")
        }

    @property
    def packages(self) -> tuple[str, ...]:
        """What computes the result: the target's package, and what the class or its network say they use."""
        network = getattr(self.cls, "network_class", None)
        uses = (*getattr(self.cls, "uses", ()), *getattr(network, "uses", ()))
        return (self.target, *targets_within(self.params), *uses)

    @property
    def classes(self) -> tuple[type, ...]:
        """The class, and those that its parameters name."""
        return (self.cls, *(resolve(target, self.allow) for target in targets_within(self.params)))

    @property
    def revision(self) -> int:
        """See `experiments.base.code`."""
        settings = self.params.get("settings")
        return 1 + sum(revision_of(cls, settings=settings) - 1 for cls in self.classes)

    @property
    def source(self) -> str | None:
        """See `experiments.base.code`."""
        return "-".join(filter(None, map(source_of, self.classes))) or None

    @property
    def seeded_as(self) -> str:
        """The name that its draws go by: its own, or the one that its class shares with what it is compared with."""
        return str(getattr(self.cls, "seeded_as", self.name))

    @property
    def seed_revision(self) -> int:
        """2 where its draws go by another name than its own, as they did at first."""
        return 1 if self.seeded_as == self.name else 2

    def takes(self, parameter: str) -> bool:
        """Whether its constructor names a parameter."""
        return parameter in parameters_of(self.cls)

    @property
    def needs_backbone(self) -> bool:
        return bool(getattr(self.cls, "needs_backbone", False))

    def make(
        self, *, seed: int | None = None, device: str = "auto", threads: int | None = None, **known: Any
    ) -> Any:
        """Build the object.

        What the run knows goes to any class whose constructor names it, under the usual names, unless the
        configuration sets it: the seed to ``random_state`` and ``seed``, the threads to ``threads`` and ``n_jobs``.

        Parameters
        ----------
        seed : int, optional
        device : {"auto", "cpu", "cuda"}
        threads : int, optional
        **known
            What else the class may want to know, such as ``n_features`` of a network.

        Raises
        ------
        BadTarget
            For parameters that do not exist.
        """
        known |= {"random_state": seed, "seed": seed, "threads": threads, "n_jobs": threads}
        named = parameters_of(self.cls)
        if "device" in named:
            known["device"] = torch_device(device)
        given = {
            name: value
            for name, value in known.items()
            if name in named and value is not None and self.params.get(name) is None
        }
        node = {"_target_": self.target, **self.params, **given}
        return build(node, where=self.where, allow=self.allow)

    def under(self, protocol: str, config: Config) -> Component:
        """The same denoiser with the settings that the protocol requires, unless the configuration names its own."""
        if "settings" not in self.params or self.params["settings"] is not None:
            return self
        return replace(self, params={**self.params, "settings": config.protocol[protocol].settings})

    def without(self, parameter: str) -> Component:
        """The same component without a parameter that is not its constructor's."""
        return replace(self, params={k: v for k, v in self.params.items() if k != parameter})

    def capped(self, **caps: int | None) -> Component:
        """The same component with each named parameter at most its cap."""
        params = dict(self.params)
        for key, cap in caps.items():
            if cap is not None and isinstance(params.get(key), int):
                params[key] = min(params[key], cap)
        return replace(self, params=params)


def denoisers_of(config: Config) -> list[Component]:
    """The selected denoisers, `identity` first: the others are compared with it."""
    profile = config.profile
    chosen = [
        _as_denoiser(_component(name, node, "denoiser", config)).capped(
            max_epochs=profile.denograd_epochs, epochs=profile.autoencoder_epochs
        )
        for name, node in config.denoiser.items()
    ]
    for component in chosen:
        if not all(callable(getattr(component.cls, method, None)) for method in DENOISER):
            raise BadConfig(f"{component.where} names {component.target}, which is no denoiser")
        component.under(
            next(iter(config.protocol)), config
        ).make()  # a misspelt parameter shows before any work
    if not any(component.name == "identity" for component in chosen):
        raise BadConfig(
            "denoiser must hold 'identity': every Imp% compares with it. "
            f"Try 'denoiser=[{','.join(['identity', *(c.name for c in chosen)])}]'"
        )
    return sorted(chosen, key=lambda component: component.name != "identity")


def _as_denoiser(component: Component) -> Component:
    """A denoiser as it is; a scikit-learn transformer within what makes it one."""
    cls = component.cls
    if callable(getattr(cls, "denoise", None)) or not callable(getattr(cls, "transform", None)):
        return component
    inside = {"_target_": component.target, **component.params}
    return replace(component, target=TRANSFORMER, params={"transformer": inside})


def backbones_of(config: Config) -> list[Component]:
    """The selected backbones that fit the dataset's kind."""
    chosen = []
    for name, conf in config.backbone.items():
        if config.dataset.kind not in conf.kinds:
            continue
        training = {**vars(conf.training)}
        if config.profile.backbone_epochs is not None:
            training["epochs"] = min(training["epochs"], config.profile.backbone_epochs)
        component = _component(name, conf.network, "backbone", config)
        chosen.append(replace(component, params={**component.params, "training": training}))
    if not chosen:
        raise _none_fits("backbone", config.backbone, config)
    return chosen


def regressors_of(config: Config) -> list[Component]:
    """The selected regressors that fit the dataset's kind."""
    chosen = []
    for name, conf in config.regressor.items():
        if config.dataset.kind in conf.kinds:
            component = _component(name, conf.estimator, "regressor", config)
            chosen.append(component.capped(epochs=config.profile.regressor_epochs))
            chosen[-1].make()
    if not chosen:
        raise _none_fits("regressor", config.regressor, config)
    return chosen


def _none_fits(group: str, names: Collection[str], config: Config) -> BadConfig:
    """Why nothing of a group is left."""
    see = f"see 'python -m experiments.list {group}'"
    if not names:
        return BadConfig(f"no {group} is selected: name one or several, {see}")
    data = f"{config.dataset.kind} data such as {config.dataset.name}"
    return BadConfig(f"no selected {group} ({', '.join(names)}) is made for {data}: {see}")


def dataset_function_of(config: Config) -> Callable[[], Any] | None:
    """What gives the user's own frame, where it is a function."""
    dataset = config.dataset
    if dataset._target_ is None:
        return None
    return partial(resolve_function(dataset._target_, config.allow_targets), **dataset.arguments)


def noise_of(config: Config) -> Any:
    """The noise model."""
    component = _component("noise", config.noise, "noise", config)
    lacking = [name for name in ("inject",) if not callable(getattr(component.cls, name, None))]
    noise = None if lacking else component.make()
    lacking += [name for name in ("sigma", "features", "target", "fraction") if not hasattr(noise, name)]
    if lacking:
        raise BadConfig(
            f"noise names {component.target}, which is no noise model: it has no {', '.join(lacking)}. "
            "Inherit from experiments.data.noise.Noise"
        )
    return noise


def _component(name: str, node: Any, group: str, config: Config) -> Component:
    where = group if name == group else f"{group}.{name}"
    if name == "_target_":
        raise BadConfig(
            f"{group} has a _target_ and no name: a YAML of a group holds its content under the name that tables show, "
            f"as in 'halve:' and, indented below it, '_target_: {node}'"
        )
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise BadConfig(
            f"{where} has no _target_, the class to build. Is '{name}' misspelt? "
            "See 'python -m experiments.list' for the choices"
        )
    params = {key: value for key, value in node.items() if key != "_target_"}
    component = Component(name, str(node["_target_"]), params, where, tuple(config.allow_targets))
    return replace(component, params={**_defaults(component), **params})


def _defaults(component: Component) -> dict[str, Any]:
    """Simple defaults of the constructor of one of our own classes: they belong to what identifies a cell."""
    cls = component.cls
    if not is_ours(cls.__module__):
        return {}
    parameters = inspect.signature(cls).parameters.values()
    simple = (bool, int, float, str, type(None), list)
    from_run = (
        *("random_state", "seed", "device", "threads", "blind_spots"),
        *("n_features", "outputs", "window"),
    )
    return {
        p.name: p.default
        for p in parameters
        if p.default is not p.empty and isinstance(p.default, simple) and p.name not in from_run
    }
