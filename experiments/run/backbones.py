"""The trained backbone of a task, trained once and kept on disk for every denoiser that it drives."""

from __future__ import annotations

import logging
from typing import Any, Literal

import numpy as np

from experiments.base.seeds import seed_of
from experiments.config.components import Component
from experiments.data.task import Task
from experiments.models.estimators import as_tensor
from experiments.models.training import (
    Backbone,
    BackboneUnreadable,
    TrainSettings,
    build_network,
    load_backbone,
    predict,
    save_backbone,
    train,
)
from experiments.store.cell import key_of, versions_of
from experiments.store.files import Store

Outputs = Literal["target", "all"]


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
        self.task, self.component, self.spec, self.store = task, component, spec, store
        self.device, self.threads = device, threads
        self._trained: dict[Outputs, Backbone] = {}

    def __call__(self, outputs: Outputs = "target") -> Backbone:
        """The backbone that predicts the target, or all that it can: of a series every channel."""
        if self.task.kind == "tabular":
            outputs = "target"  # the other columns are its inputs
        if outputs not in self._trained:
            self._trained[outputs] = self._load_or_train(outputs)
        return self._trained[outputs]

    def valid_mse(self, outputs: Outputs = "target") -> np.ndarray:
        """Mean squared error of every output on the noisy validation part, (k,)."""
        X, y = self._samples(self.task.split.valid, outputs)
        error = predict(self(outputs).module, as_tensor(X)).numpy() - y.reshape(len(y), -1)
        return (error**2).mean(axis=0)

    @property
    def seconds(self) -> float:
        """Training time of the backbones handed out, whenever they were trained."""
        return sum(backbone.history.seconds for backbone in self._trained.values())

    @property
    def summary(self) -> dict[str, Any]:
        """How the training went."""
        return {
            outputs: {
                "epochs": len(backbone.history.train),
                "best_epoch": backbone.history.best_epoch,
                "valid_mse": min(backbone.history.valid, default=None),
                "parameters": sum(p.numel() for p in backbone.module.parameters()),
            }
            for outputs, backbone in self._trained.items()
        }

    def _load_or_train(self, outputs: Outputs) -> Backbone:
        task, component = self.task, self.component
        network = {key: value for key, value in component.params.items() if key != "training"}
        spec = {
            **self.spec,
            "backbone": component.name,
            "backbone_params": component.identity,
            "outputs": outputs,
            "versions": versions_of(*component.packages),
        }
        path = self.store.backbone_path(key_of(spec))
        seed = seed_of("backbone", spec["dataset"], spec["noise"], spec["repetition"], component.name)
        series = task.kind == "series"
        width = task.X.shape[1] if outputs == "all" else 1

        def fresh() -> Any:
            return build_network(
                component.cls,
                seed=seed,
                n_features=task.X.shape[1],
                outputs=width,
                window=task.window if series else None,
                **network,
            )

        try:
            return load_backbone(path, fresh())
        except FileNotFoundError:
            pass
        except BackboneUnreadable as error:
            logging.getLogger(__name__).warning("%s; training anew", error)
        module = fresh()
        X, y = self._samples(task.split.train, outputs)
        X_valid, y_valid = self._samples(task.split.valid, outputs)
        history = train(
            module,
            as_tensor(X),
            as_tensor(y),
            as_tensor(X_valid),
            as_tensor(y_valid),
            TrainSettings(**component.params["training"]),
            seed=seed,
            device=self.device,
            progress=f"backbone {component.name}",
            threads=self.threads,
        )
        backbone = Backbone(module, task.kind, task.window if series else None, outputs, history)
        save_backbone(backbone, path)
        return backbone

    def _samples(self, rows: np.ndarray, outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
        task = self.task
        inputs, target = task.samples(task.X, task.y, rows)
        if outputs == "target":
            return inputs, target
        return inputs, task.X[rows[rows >= task.window]]
