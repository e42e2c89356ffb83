"""Cross-fitted regressions of every column on all the others: a ridge in closed form, small networks in one go."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from denograd.data.arrays import Array
from denograd.models.training import FoldRows, train_folds

Folds = NDArray[np.int64]

PENALTIES = (1.0, 10.0, 100.0, 1000.0)
"""Ridge penalties (on sums over rows of standardised columns) that the cross-fitting chooses from."""

BATCH, RATE, WARM_UP = 256, 3e-3, 0.15
"""Rows of a batch, highest learning rate of the networks, and the share of the steps until it is reached."""

COMPONENTS = 16
"""So many leading components stand for all columns before the networks of a wide table."""

MOST_VALUES = 2**22
"""A batch has fewer rows where a layer of all networks would have more values."""

FLOPS = 6e11
"""Work that training the networks may take: about half a minute of one core."""


def fit_ridge(F: Array, Z: Array, fold: Folds, own: NDArray[np.int64]) -> tuple[Array, Array, Array, Array]:
    """Ridge of every column on all features but its own, every fold's from one eigendecomposition.

    With the precision ``P = (F'F + penalty I)^-1`` the ridge coefficients of feature j on all the others are
    ``-P[:, j] / P[j, j]``. The penalty is chosen per column by its cross-fitted error.

    Parameters
    ----------
    F : (n, d) array
        Features.
    Z : (n, c) array
        Columns: ``Z[:, j] == F[:, own[j]]``.
    fold : (n,) int array
    own : (c,) int array

    Returns
    -------
    weights : (folds, d, c) array
        Zero where an output's own value stands.
    bias : (folds, c) array
    guess : (n, c) array
        Cross-fitted predictions.
    components : (folds, d, k) array
        Leading principal components of what every fold learns from, scaled so that scores have a mean variance of 1.
    """
    n, c = Z.shape
    folds, d, each = fold.max() + 1, F.shape[1], np.arange(c)
    total, sums = F.T @ F, F.sum(0)
    weights, mean = np.empty((len(PENALTIES), folds, d, c)), np.empty((folds, d))
    guess = np.empty((len(PENALTIES), n, c))
    components = np.empty((folds, d, min(COMPONENTS, d)))
    for k in range(folds):
        part = F[fold == k]
        rest = n - len(part)
        mean[k] = (sums - part.sum(0)) / rest
        gram = total - part.T @ part - rest * np.outer(mean[k], mean[k])
        values, vectors = np.linalg.eigh(gram)
        values = np.maximum(values, 0.0)
        leading = slice(d - components.shape[2], d)
        components[k] = vectors[:, leading] / np.sqrt(np.maximum(values[leading].mean() / rest, 1e-12))
        for p, penalty in enumerate(PENALTIES):
            W = (vectors / (values + penalty)) @ vectors[own].T
            W /= -W[own, each]
            W[own, each] = 0.0
            weights[p, k] = W
            guess[p, fold == k] = (part - mean[k]) @ W + mean[k][own]
    best = ((guess - Z) ** 2).sum(1).argmin(0)
    chosen = weights[best, :, :, each].transpose(1, 2, 0)
    bias = mean[:, own] - np.einsum("kd,kdc->kc", mean, chosen)
    return chosen, bias, guess[best, :, each].T, components


def fit_wide_ridge(
    windows: Array, Z: Array, fold: Folds, *, verbose: bool = False
) -> tuple[Array, Array, Array]:
    """Ridge of every column on the other columns of its row and its own neighbours in time.

    Parameters
    ----------
    windows : (n, 2 context + 1, c) array
    Z : (n, c) array
    fold : (n,) int array

    Returns
    -------
    weights : (folds, c + 2 context, c) array
        First of the row's columns, then of the column's past and future.
    bias : (folds, c) array
    guess : (n, c) array
        Cross-fitted predictions.
    """
    n, c = Z.shape
    folds, width = fold.max() + 1, windows.shape[1]
    size = c + width - 1
    weights, bias, out = np.empty((folds, size, c)), np.empty((folds, c)), np.empty((n, c))
    parts = [fold == k for k in range(folds)]
    across = np.stack([Z[p].T @ Z[p] for p in parts])
    rest = np.array([n - p.sum() for p in parts])
    for j in tqdm(range(c), desc="blind-spot ridge", disable=None if verbose else True, leave=False):
        side = np.delete(windows[:, :, j], width // 2, axis=1)
        both = np.concatenate([Z, side], 1)
        gram = np.empty((folds, size, size))
        gram[:, :c, :c] = across
        gram[:, c:] = np.stack([side[p].T @ both[p] for p in parts])
        gram[:, :c, c:] = gram[:, c:, :c].transpose(0, 2, 1)
        sums = np.stack([both[p].sum(0) for p in parts])
        mean = (sums.sum(0) - sums) / rest[:, None]
        gram = gram.sum(0) - gram - rest[:, None, None] * mean[:, :, None] * mean[:, None, :]
        target = gram[:, :, j].copy()
        gram[:, j], gram[:, :, j], target[:, j] = 0.0, 0.0, 0.0  # leaves the own value a weight of 0
        best = np.inf
        for penalty in PENALTIES:
            W = np.linalg.solve(gram + penalty * np.eye(size), target[..., None])[..., 0]
            b = mean[:, j] - (mean * W).sum(1)
            guess = np.empty(n)
            for k, p in enumerate(parts):
                guess[p] = both[p] @ W[k] + b[k]
            error = ((guess - Z[:, j]) ** 2).sum()
            if error < best:
                best, out[:, j], weights[:, :, j], bias[:, j] = error, guess, W, b
    return weights, bias, out


def net_forward(x: Tensor, net: dict[str, Tensor], shift: Tensor | None = None) -> Tensor:
    """Two hidden layers per fold and column: ``(folds, b, d) -> (folds, b, c)``.

    Those of a wide table see scores on leading components, from which the part of the column's own value is taken off.
    `shift`, (b, d, c), is added to the inputs of every column's network.
    """
    folds, c, h, _ = net["w2"].shape
    seen = x if (components := net.get("components")) is None else x @ components
    first = torch.baddbmm(net["b1"], seen, net["w1"]).view(folds, -1, c, h)
    if components is not None:
        own = (components.transpose(1, 2)[..., None] * net["w1"].view(folds, -1, c, h)).sum(1)
        first = torch.addcmul(first, x[..., None], own[:, None], value=-1)
    if shift is not None:
        moved = shift[None] if components is None else torch.einsum("bdc,fdk->fbkc", shift, components)
        first = first + torch.einsum("fbkc,fkch->fbch", moved, net["w1"].view(folds, -1, c, h))
    a = torch.relu(first).transpose(1, 2)
    a = torch.relu(a @ net["w2"] + net["b2"])
    out: Tensor = (a @ net["w3"] + net["b3"])[..., 0].transpose(1, 2)
    return out


def fit_nets(
    x: Tensor,
    target: Tensor,
    fold: Folds,
    *,
    blind: NDArray[np.int64],
    unseen: NDArray[np.bool_],
    hidden: int,
    epochs: int,
    seed: int,
    components: Tensor | None = None,
    verbose: bool = False,
) -> dict[str, Tensor]:
    """Train one network per fold and column, all of them in the same batched products.

    Parameters
    ----------
    x : (n, d) float32 tensor
        Features.
    target : (folds, n, c) float32 tensor
        What every fold's networks are to learn, from the rows of the other folds.
    fold : (n,) int array
    blind : (c,) int array
        The feature that a column's network must not see.
    unseen : (d,) bool array
        Features that no network is to see (constant ones).
    hidden, epochs, seed : int
    components : (folds, d, k) tensor, optional
        Of a wide table, whose features are its columns: see `net_forward`.

    Returns
    -------
    dict of tensors
        For `net_forward`; masked weights are exactly zero.
    """
    folds, _, c = target.shape
    inputs = x.shape[1] if components is None else components.shape[2]
    rows = FoldRows(fold, min(BATCH, max(MOST_VALUES // (folds * c * hidden), 1)))
    spread = torch.stack([target[k][rows.train[k]].std(0) for k in range(folds)]).clamp_min(1e-6)
    g = torch.Generator().manual_seed(seed)
    net = _initial_nets(folds, inputs, c, hidden, g, x.device)
    fixed = {} if components is None else {"components": components}
    mask = torch.ones(inputs, c)
    if components is None:  # an input that a network must not see gets no weight
        mask[torch.from_numpy(unseen)] = 0.0
        mask[torch.from_numpy(blind), torch.arange(c)] = 0.0
    mask = mask.repeat_interleave(hidden, dim=1).to(x.device)
    each = torch.arange(folds, device=x.device)[:, None]

    def loss(batch: Tensor) -> Tensor:
        guess = net_forward(x[batch], {**net, **fixed, "w1": net["w1"] * mask})
        goal = target[each, batch] / spread[:, None]
        return torch.nn.functional.huber_loss(guess, goal, delta=2.0, reduction="sum") / rows.batch

    work = 6.0 * folds * rows.batch * c * hidden * (inputs + hidden)
    train_folds(
        net.values(),
        rows,
        loss,
        steps=min(epochs * rows.rounds, int(FLOPS / work)),
        rate=RATE,
        warm_up=WARM_UP,
        g=g,
        progress="blind-spot nets" if verbose else None,
    )
    trained = {name: value.detach() for name, value in net.items()}
    trained["w1"] *= mask
    trained["w3"] *= spread[:, :, None, None]
    trained["b3"] *= spread[:, :, None, None]
    return trained | fixed


def _initial_nets(
    folds: int, d: int, c: int, h: int, g: torch.Generator, device: torch.device
) -> dict[str, Tensor]:
    """Draw the weights that training starts from; the last layer's are small, so that it starts near 0."""

    def init(*shape: int, fan: int) -> Tensor:
        value: Tensor = (torch.rand(*shape, generator=g) * 2 - 1) / fan**0.5
        return value.to(device).requires_grad_()

    return {
        "w1": init(folds, d, c * h, fan=d),
        "b1": init(folds, 1, c * h, fan=d),
        "w2": init(folds, c, h, h, fan=h),
        "b2": init(folds, c, 1, h, fan=h),
        "w3": init(folds, c, h, 1, fan=100 * h),
        "b3": torch.zeros(folds, c, 1, 1, device=device, requires_grad=True),
    }
