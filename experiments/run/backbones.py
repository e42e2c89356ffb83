"""The trained backbone of a task, trained once and kept on disk for every denoiser that it drives."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from torch import nn

from baselines.base import Backbone, Outputs
from experiments.base.code import revision_of, versions_of
from experiments.base.seeds import seed_of
from experiments.config.components import Component
from experiments.data.task import Task
from experiments.models import training
from experiments.models.estimators import as_tensor
from experiments.models.training import (
    BackboneUnreadable,
    Network,
    TrainSettings,
    load_backbone,
    predict,
    reproducible,
    save_backbone,
    train,
)
from experiments.store.cell import key_of, with_code
from experiments.store.claims import alone
from experiments.store.files import Store


@dataclass(frozen=True)
class Trained:
    """A trained network as denoisers see it: `baselines.base.Backbone`.

    Parameters
    ----------
    network : Network
    valid : callable
        Gives inputs and goals, (n, k), of the noisy validation part.
    device : {"auto", "cpu", "cuda"}
        Where it predicts; between calls it lies on the CPU.
    """

    network: Network
    valid: Callable[[], tuple[np.ndarray, np.ndarray]]
    device: str = "cpu"

    @property
    def module(self) -> Any:
        return self.network.module

    @cached_property
    def valid_mse(self) -> np.ndarray:
        inputs, goal = self.valid()
        return ((self.predict(inputs) - goal.reshape(len(goal), -1)) ** 2).mean(axis=0)

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return predict(self.network.module, as_tensor(inputs), device=self.device).numpy()


def with_backbone(spec: dict[str, Any], component: Component) -> dict[str, Any]:
    """A spec, and what says that the code of its backbone has changed."""
    revision = revision_of(component.cls, training)
    return with_code(spec, {"backbone": revision}, {"backbone": component.source})


class BackboneProvider:
    """Gives a task's backbone: from memory, from disk, or by training it on the noisy train part.

    Parameters
    ----------
    task : Task
    component : Component
        The network's class, its parameters, and ``training`` among them.
    spec : dict
        What identifies the task, apart from the denoiser.
    store : Store
    device : str
    threads : int
    """

    def __init__(
        self,
        task: Task,
        component: Component,
        spec: dict[str, Any],
        store: Store,
        *,
        device: str,
        threads: int,
    ) -> None:
        self._task, self._component, self._spec, self._store = task, component, spec, store
        self._device, self._threads = device, threads
        self._trained: dict[Outputs, Trained] = {}

    def __call__(self, outputs: Outputs = "target") -> Backbone:
        """The backbone that predicts the target, or all that it can: of a series every channel."""
        if self._task.kind == "tabular":
            outputs = "target"  # the other columns are its inputs
        if outputs not in self._trained:
            network = self._load_or_train(outputs)
            valid = partial(self._samples, self._task.split.valid, outputs)
            self._trained[outputs] = Trained(network, valid, self._device)
        return self._trained[outputs]

    @property
    def seconds(self) -> float:
        """Training time of the backbones handed out, whenever they were trained."""
        return sum(trained.network.history.seconds for trained in self._trained.values())

    @property
    def summary(self) -> dict[str, Any]:
        """How the training went."""
        return {
            outputs: {
                "epochs": len(trained.network.history.train),
                "best_epoch": trained.network.history.best_epoch,
                "valid_mse": min(trained.network.history.valid, default=None),
                "parameters": sum(p.numel() for p in trained.module.parameters()),
            }
            for outputs, trained in self._trained.items()
        }

    def _load_or_train(self, outputs: Outputs) -> Network:
        task, component = self._task, self._component
        settings = TrainSettings(**component.params["training"])
        network = component.without("training")
        spec = {
            **self._spec,
            "backbone": component.name,
            "backbone_params": component.identity,
            "outputs": outputs,
            "versions": versions_of(*component.packages),
        }
        path = self._store.backbone_path(key_of(with_backbone(spec, component)))
        seed = seed_of("backbone", spec["dataset"], spec["noise"], spec["repetition"], component.name)
        series = task.kind == "series"
        width = task.X.shape[1] if outputs == "all" else 1

        def fresh() -> Any:
            with reproducible(seed):
                return network.make(
                    n_features=task.X.shape[1],
                    outputs=width,
                    window=task.window if series else None,
                    seed=seed,
                    device="cpu",  # where it is trained is decided below
                    threads=self._threads,
                )

        with alone(path.with_suffix(".lock")):  # of several workers that need it at once, one trains
            try:
                return load_backbone(path, fresh())
            except FileNotFoundError:
                pass
            except BackboneUnreadable as error:
                logging.getLogger(__name__).warning("%s; training anew", error)
            trained = self._trained_anew(fresh(), outputs, settings, seed)
            save_backbone(trained, path)
            return trained

    def _trained_anew(
        self, module: nn.Module, outputs: Outputs, settings: TrainSettings, seed: int
    ) -> Network:
        task = self._task
        X, y = self._samples(task.split.train, outputs)
        X_valid, y_valid = self._samples(task.split.valid, outputs)
        history = train(
            module,
            as_tensor(X),
            as_tensor(y),
            as_tensor(X_valid),
            as_tensor(y_valid),
            settings,
            seed=seed,
            device=self._device,
            progress=f"backbone {self._component.name}",
            threads=self._threads,
        )
        return Network(module, task.kind, task.window if task.kind == "series" else None, outputs, history)

    def _samples(self, rows: np.ndarray, outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
        task = self._task
        inputs, target = task.samples(task.X, task.y, rows)
        if outputs == "target":
            return inputs, target
        return inputs, task.X[rows[rows >= task.window]]
