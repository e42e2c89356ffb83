"""AGRA for regression: any network that ends in a linear layer, trained without contradicted samples.

The classification form and the source are in `baselines.agra`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from tqdm import tqdm

from baselines.agra import samples
from baselines.training import seeded
from denograd.data import with_gaps
from denograd.models import choose_device


class AgraRegressor(RegressorMixin, BaseEstimator):
    """Any network that ends in a linear layer, trained without the samples that contradict the rest.

    The comparison batch has the size of the training batch, is drawn uniformly and scored by the squared
    error; gradients are those of all parameters of the last layer.

    Parameters
    ----------
    network : callable
        ``network(n_features=, outputs=1, window=, **options)`` makes the module; ``window`` is None for rows.
        A subclass may set ``network_class`` instead.
    options : mapping, optional
    threshold : float
        Samples at or below this cosine are dropped; -inf keeps all (plain training).
    last_layer : sequence of str, optional
        Names of the linear modules that give the output; by default the last one the network registers.
    epochs, patience : int
        Maximum number of epochs; with a validation part, epochs without an improvement before the training stops.
        The weights of the best epoch are kept.
    batch_size : int, optional
        By default 128 rows or 64 windows.
    lr : float
        Of Adam.
    device : {"auto", "cpu", "cuda"}
    random_state : int

    Attributes
    ----------
    network_ : nn.Module
        On the CPU, in evaluation mode.
    dropped_ : list of float
        Share of the samples dropped, per epoch.
    best_epoch_ : int
        Counted from 1.
    """

    network_class: ClassVar[Callable[..., nn.Module] | None] = None
    default_last_layer: ClassVar[Sequence[str] | None] = None
    input: ClassVar[str] = "flat"
    uses_validation: ClassVar[bool] = True
    revision: ClassVar[int] = 1

    def __init__(
        self,
        network: Callable[..., nn.Module] | None = None,
        options: Mapping[str, Any] | None = None,
        threshold: float = 0.0,
        last_layer: Sequence[str] | None = None,
        epochs: int = 50,
        patience: int = 10,
        batch_size: int | None = None,
        lr: float = 1e-3,
        device: str = "auto",
        random_state: int = 0,
    ) -> None:
        self.network = network
        self.options = options
        self.threshold = threshold
        self.last_layer = last_layer
        self.epochs = epochs
        self.patience = patience
        self.batch_size = batch_size
        self.lr = lr
        self.device = device
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, validation: tuple[ArrayLike, ArrayLike] | None = None) -> Self:
        """Train on `X`, (n, d) rows or (n, W, C) windows, and the target `y` (n,).

        Raises
        ------
        ValueError
            For NaN, other shapes, no network, or one without the linear layers named.
        """
        make = self.network or type(self).network_class
        if make is None:
            raise ValueError("AgraRegressor needs network=, a callable that makes the module")
        device = choose_device(None if self.device == "auto" else self.device)
        x, goal = samples(X), _goal(y, X)
        held = None if validation is None else (samples(validation[0]), _goal(validation[1], validation[0]))
        self.shape_in_ = x.shape[1:]
        self.n_features_in_ = x.shape[-1]
        window = x.shape[1] if x.ndim == 3 else None
        with seeded(self.random_state, device):
            net = make(n_features=x.shape[-1], outputs=1, window=window, **(self.options or {})).to(device)
            self._train(net, x, goal, held, self.batch_size or (128 if x.ndim == 2 else 64))
        self.network_ = net.cpu().eval()
        return self

    def _train(
        self, net: nn.Module, x: Tensor, goal: Tensor, held: tuple[Tensor, Tensor] | None, batch_size: int
    ) -> None:
        layers = last_layers(net, self.last_layer or type(self).default_last_layer)
        device = layers[0].weight.device
        parameters = [p for layer in layers for p in layer.parameters()]
        optimizer = torch.optim.Adam(net.parameters(), lr=self.lr, fused=True)
        draw = torch.Generator().manual_seed(self.random_state)
        best, best_epoch, state = float("inf"), 0, None
        self.dropped_: list[float] = []
        for epoch in tqdm(range(1, self.epochs + 1), desc="AGRA epochs", disable=None, leave=False):
            net.train()
            dropped = 0
            for rows in torch.randperm(len(x), generator=draw).split(batch_size):
                compared = torch.randint(len(x), (len(rows),), generator=draw)
                direction = torch.autograd.grad(
                    mse_loss(net(x[compared].to(device))[:, 0], goal[compared].to(device)), parameters
                )
                with recorded(layers) as calls:
                    losses = (net(x[rows].to(device))[:, 0] - goal[rows].to(device)) ** 2
                own = sample_gradients(losses, layers, calls)
                towards = torch.cat([part.flatten() for part in direction])
                kept = nn.functional.cosine_similarity(own, towards[None], dim=1) > self.threshold
                n_kept = int(kept.sum())  # the host waits: whether there is a step depends on it
                dropped += len(rows) - n_kept
                if n_kept:
                    optimizer.zero_grad()
                    losses[kept].mean().backward()
                    if getattr(net, "recurrent", False):
                        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                    optimizer.step()
            self.dropped_.append(dropped / len(x))
            self.best_epoch_ = epoch
            if held is not None:
                error = mse_loss(_predict(net, held[0]), held[1]).item()
                if error < best:
                    best, state, best_epoch = error, copy.deepcopy(net.state_dict()), epoch
                elif epoch - best_epoch >= self.patience:
                    break
        if state is not None:
            net.load_state_dict(state)
            self.best_epoch_ = best_epoch

    def predict(self, X: ArrayLike) -> NDArray[np.floating]:
        """Predict ``(n,)`` values."""
        check_is_fitted(self, "network_")
        x = samples(X)
        if x.shape[1:] != self.shape_in_:
            raise ValueError(f"fitted on inputs of shape {tuple(self.shape_in_)}, got {tuple(x.shape[1:])}")
        return _predict(self.network_, x).numpy().astype(float)


def last_layers(net: nn.Module, names: Sequence[str] | None) -> list[nn.Linear]:
    """The linear modules named, or the last one that the network registers."""
    linear = {name: module for name, module in net.named_modules() if isinstance(module, nn.Linear)}
    names = list(linear)[-1:] if names is None else names
    if not names or not set(names) <= set(linear):
        raise ValueError(
            f"{type(net).__name__} has no linear layer {names or ''}: last_layer takes some of {list(linear)}"
        )
    return [linear[name] for name in names]


@contextmanager
def recorded(layers: Sequence[nn.Linear]) -> Iterator[dict[nn.Module, tuple[Tensor, Tensor]]]:
    """Collect what goes into each layer and what comes out of it."""
    calls: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def keep(layer: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
        calls[layer] = (arguments[0].detach(), output)

    handles = [layer.register_forward_hook(keep) for layer in layers]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def sample_gradients(
    losses: Tensor, layers: Sequence[nn.Linear], calls: Mapping[nn.Module, tuple[Tensor, Tensor]]
) -> Tensor:
    """Gradient of every sample's loss with respect to the parameters of linear layers, without a loop.

    One backward pass to the layers' outputs gives each sample's slope there; its gradient is the outer product of
    that and the layer's input. Unlike vmap over the network this also holds behind recurrent layers.

    Parameters
    ----------
    losses : (n,) tensor
    layers : sequence of Linear
    calls : mapping
        From `recorded`: input (n, ..., in) and output (n, ..., out) of each layer.

    Returns
    -------
    gradients : (n, p) tensor
        In the order of the layers' own parameters: weight, then bias.
    """
    outputs = [calls[layer][1] for layer in layers]
    slopes = torch.autograd.grad(losses.sum(), outputs, retain_graph=True)
    parts = []
    for layer, slope in zip(layers, slopes, strict=True):
        slope, given = slope.flatten(1, -2) if slope.ndim > 2 else slope[:, None], calls[layer][0]
        given = given.flatten(1, -2) if given.ndim > 2 else given[:, None]
        parts.append(torch.einsum("nmo,nmi->noi", slope, given).flatten(1))
        if layer.bias is not None:
            parts.append(slope.sum(dim=1))
    return torch.cat(parts, dim=1)


def _predict(net: nn.Module, x: Tensor) -> Tensor:
    net.eval()
    device = next(net.parameters()).device
    with torch.no_grad():
        return torch.cat([net(batch.to(device))[:, 0].cpu() for batch in x.split(1024)])


def _goal(y: ArrayLike, X: ArrayLike) -> Tensor:
    values, rows = np.array(with_gaps(y), dtype=np.float32), len(np.asarray(X))
    if values.shape != (rows,):
        raise ValueError(f"y must have shape ({rows},), one value per row of X, got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(
            f"y has NaN or an infinite value, first in row {np.flatnonzero(~np.isfinite(values))[0]}"
        )
    return torch.from_numpy(values)
