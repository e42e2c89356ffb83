"""The one training loop, and trained networks on disk.

The data stay whole tensors, indexed once per batch: no loader, no collation, and windows of a series stay
views of it. Adam and the squared error throughout.
"""

from __future__ import annotations

import copy
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from baselines.training import seeded
from experiments.base.resources import torch_device

Kind = Literal["tabular", "series"]

EVALUATION_BATCH = 1024

REVISION = 1
"""To be raised when trained networks come out otherwise; see `experiments.base.code`."""


class BackboneUnreadable(Exception):
    """A stored network that cannot be used: damaged, of another architecture, or of another format."""


@dataclass(frozen=True)
class TrainSettings:
    """How to train.

    Attributes
    ----------
    epochs : int
        Maximum number of passes over the training part.
    patience : int or None
        Stop after this many epochs without a lower validation loss; None never stops early. The weights of the
        best epoch are kept either way.
    batch_size : int or None
        Rows per step; None takes 128 for a table and 64 for windows.
    lr : float
        Learning rate of Adam.
    clip : float or None
        Largest norm of a step's gradient; None takes 1 for networks that call themselves ``recurrent`` and no
        limit for others.
    """

    epochs: int = 100
    patience: int | None = 15
    batch_size: int | None = None
    lr: float = 1e-3
    clip: float | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch_size", "lr", "clip"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be positive, got {value}")


@dataclass
class History:
    """What happened in a training run.

    Attributes
    ----------
    train, valid : list of float
        Mean squared error per epoch, the former averaged over its steps (dropout on, weights moving);
        `valid` stays empty without a validation part.
    best_epoch : int
        The epoch, counted from 1, whose weights the network holds.
    seconds : float
        Wall time.
    """

    train: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0


@contextmanager
def reproducible(seed: int, device: torch.device | None = None, threads: int = 1) -> Iterator[None]:
    """Seed torch's own generators and pin its CPU threads; both are put back at the end.

    Initial weights and dropout draw from torch's global generator and take no other.
    """
    before = torch.get_num_threads()
    with seeded(seed, device):
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def build_network(make: Callable[..., nn.Module], *, seed: int, **parameters: Any) -> nn.Module:
    """Call `make` with torch's generator seeded, so that the initial weights depend on `seed` alone."""
    with reproducible(seed):
        return make(**parameters)


def train(
    module: nn.Module,
    X: Tensor,
    y: Tensor,
    X_valid: Tensor | None = None,
    y_valid: Tensor | None = None,
    settings: TrainSettings = TrainSettings(),
    *,
    seed: int,
    device: str = "auto",
    progress: str | None = None,
    threads: int = 1,
) -> History:
    """Train `module` in place by Adam on the mean squared error.

    Parameters
    ----------
    module : nn.Module
        Maps a batch of rows of `X` to ``(batch, k)``. Left on its own device, in evaluation mode.
    X : (n, d) or (n, W, C) float tensor
        Rows, or windows; windows may be a view of their series.
    y : (n,) or (n, k) float tensor
        Targets.
    X_valid, y_valid : tensors or None
        Validation part: the weights of the epoch with the lowest loss on it are kept. Without it all epochs
        are run and the last weights stay.
    settings : TrainSettings
    seed : int
        Of the order of the rows and of dropout.
    device : {"auto", "cpu", "cuda"}
        Where to train; "auto" takes CUDA where there is one.
    progress : str or None
        Title of a progress bar (only drawn on a terminal); None draws none.
    threads : int
        CPU threads of torch. Small networks are fastest with one, and their bytes depend on the number.

    Returns
    -------
    history : History

    Raises
    ------
    ValueError
        If lengths or widths do not fit together, or a part is empty.
    FloatingPointError
        If the loss becomes NaN or infinite.
    """
    place, home = _device(device), _home(module)
    y = _column(X, y, "the training part")
    if (X_valid is None) != (y_valid is None):
        raise ValueError("X_valid and y_valid belong together: hand over both or none")
    if X_valid is not None and y_valid is not None:
        y_valid = _column(X_valid, y_valid, "the validation part").to(place)
        X_valid = X_valid.to(place)
    X, y = X.to(place), y.to(place)
    with reproducible(seed, place, threads):
        module.to(place)
        try:
            return _train(module, X, y, X_valid, y_valid, settings, seed, progress)
        finally:
            module.to(home).eval()


def _train(
    module: nn.Module,
    X: Tensor,
    y: Tensor,
    X_valid: Tensor | None,
    y_valid: Tensor | None,
    settings: TrainSettings,
    seed: int,
    progress: str | None,
) -> History:
    started = time.perf_counter()
    history = History()
    order = torch.Generator().manual_seed(seed)
    clip = settings.clip or (1.0 if getattr(module, "recurrent", False) else None)
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=settings.lr, fused=True)
    loss_of = nn.functional.mse_loss
    batch_size = settings.batch_size or (128 if X.ndim == 2 else 64)
    best, best_state = float("inf"), None
    bar = tqdm(total=settings.epochs, desc=progress, disable=None if progress else True, leave=False)
    with bar:
        for epoch in range(1, settings.epochs + 1):
            module.train()
            total = torch.zeros((), device=X.device)
            for rows in _batches(torch.randperm(len(X), generator=order).to(X.device), batch_size):
                output = module(X.index_select(0, rows))
                goal = y.index_select(0, rows)
                _check_output(output, goal, type(module).__name__)
                loss = loss_of(output, goal)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                if clip is not None:
                    nn.utils.clip_grad_norm_(parameters, clip)
                optimiser.step()
                total += loss.detach() * len(rows)
            history.train.append(_finite(total.item() / len(X), epoch, settings))
            if X_valid is not None and y_valid is not None:
                error = loss_of(_forward(module, X_valid), y_valid).item()
                history.valid.append(_finite(error, epoch, settings))
                if error < best:
                    best, best_state, history.best_epoch = error, copy.deepcopy(module.state_dict()), epoch
                elif settings.patience is not None and epoch - history.best_epoch >= settings.patience:
                    break
            bar.update()
            bar.set_postfix(loss=f"{(history.valid or history.train)[-1]:.3g}", refresh=False)
    if best_state is None:
        history.best_epoch = len(history.train)
    else:
        module.load_state_dict(best_state)
    history.seconds = time.perf_counter() - started
    return history


def predict(module: nn.Module, X: Tensor, *, device: str = "auto", threads: int = 1) -> Tensor:
    """Run `module` in evaluation mode over the rows of `X`, in batches.

    Parameters
    ----------
    module : nn.Module
        Left on its own device.
    X : (n, d) or (n, W, C) float tensor
    device, threads
        As in `train`.

    Returns
    -------
    output : (n, k) tensor on the CPU
    """
    place, home = _device(device), _home(module)
    with reproducible(0, place, threads):
        module.to(place)
        try:
            return _forward(module, X).cpu()
        finally:
            module.to(home)


def _forward(module: nn.Module, X: Tensor) -> Tensor:
    place = _home(module)
    module.eval()
    with torch.inference_mode():
        return torch.cat(
            [module(X[i : i + EVALUATION_BATCH].to(place)) for i in range(0, len(X), EVALUATION_BATCH)]
        )


def _batches(order: Tensor, size: int) -> list[Tensor]:
    """Cut `order` into batches; a single row left over joins the one before (batch norm fails on it)."""
    parts = list(order.split(size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def _column(X: Tensor, y: Tensor, where: str) -> Tensor:
    if len(X) == 0 or len(X) != len(y):
        raise ValueError(
            f"{where} has {len(X)} rows of inputs and {len(y)} of targets: need as many, at least one"
        )
    return y[:, None] if y.ndim == 1 else y


def _check_output(output: object, goal: Tensor, name: str) -> None:
    if not isinstance(output, Tensor):
        raise ValueError(
            f"{name} returned a {type(output).__name__}: wanted a tensor of shape {tuple(goal.shape)}"
        )
    if output.shape != goal.shape:
        raise ValueError(
            f"{name} gives {tuple(output.shape)} for targets of shape {tuple(goal.shape)}: build it with "
            f"outputs={goal.shape[1]}"
        )


def _finite(loss: float, epoch: int, settings: TrainSettings) -> float:
    if loss != loss or loss in (float("inf"), float("-inf")):
        raise FloatingPointError(
            f"the loss became {loss} in epoch {epoch} (learning rate {settings.lr}): look for NaN, "
            "standardise the data, or lower the rate"
        )
    return loss


def _device(device: str) -> torch.device:
    return torch.device(torch_device(device))


def _home(module: nn.Module) -> torch.device:
    return next(module.parameters()).device


@dataclass
class Network:
    """A trained network and what it was trained for.

    Attributes
    ----------
    module : nn.Module
        In evaluation mode, on the CPU.
    kind : {"tabular", "series"}
    window : int or None
        Time steps per window; None for a table.
    outputs : {"target", "all"}
        Whether it predicts the target alone or every channel.
    history : History
    """

    module: nn.Module
    kind: Kind
    window: int | None
    outputs: Literal["target", "all"]
    history: History


def save_backbone(backbone: Network, path: str | Path) -> None:
    """Write `backbone` to `path`, in one step: a reader sees all of it or nothing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"kind": backbone.kind, "window": backbone.window, "outputs": backbone.outputs}
    content = {"format": 1, "facts": facts, "history": asdict(backbone.history)}
    content["state"] = {name: tensor.cpu() for name, tensor in backbone.module.state_dict().items()}
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        torch.save(content, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def load_backbone(path: str | Path, module: nn.Module) -> Network:
    """Read a backbone into `module`, a fresh network of the same architecture.

    Only tensors and plain values are read (``weights_only=True``): a file cannot run code.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    BackboneUnreadable
        If the file is damaged or holds something else. `module` may then be half filled: throw it away, and
        train anew.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no backbone at {path}: train one and save it there")
    try:
        with zipfile.ZipFile(path) as archive:  # torch itself does not check the checksums
            if damaged := archive.testzip():
                raise ValueError(f"wrong checksum in {damaged}")
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != 1:
            raise ValueError(f"format {content['format']}, expected 1")
        module.load_state_dict(content["state"])
        return Network(module.eval(), **content["facts"], history=History(**content["history"]))
    except Exception as error:  # unpickling, zip, key and shape errors: torch promises no common type
        raise BackboneUnreadable(
            f"the backbone at {path} cannot be used ({type(error).__name__}: {error}): "
            "delete the file and train anew"
        ) from error
