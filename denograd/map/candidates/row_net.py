"""What the rest of the row tells about a value beyond its prediction: a small network trained on Stein's risk.

The closed form looks at one value and its blind-spot prediction at a time. The net reads the whole noisy row and adds
a correction to every value's step. It is trained on the estimate itself of the error that is left: with the step S
and the correction o(y), both in noise levels, and b of random signs,

    (S + o(y))^2 + 2 b (o(y + 0.1 sigma b) - o(y)) / 0.1

whose second part estimates the divergence of o (Ramani et al., 2008; as a loss: Soltanayev and Chun, 2018).
The signs are drawn anew in every batch: a net learns stored ones by heart. Cross-fitted, so that the estimate holds.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from denograd.data.arrays import Array
from denograd.models.training import FoldRows, train_folds

HIDDEN, BATCH, PASSES = 64, 256, 60
RATE, WARM_UP, DECAY = 2e-3, 0.1, 0.05
LEAST_STEPS, MOST_STEPS = 200, 1500

FLOPS = 6e11
"""Work that the training may take: about half a minute of one core."""

PROBE = 0.1
"""Size of a probe in noise levels; larger ones bias the divergence."""

PROBES = 8
"""So many measure the divergence of the trained nets."""

CLIP = 8.0
"""Inputs, in standard deviations, are clipped here."""

PIECE = 8192
"""Rows that pass through a net at once."""

Weights = list[Tensor]


class RowNet:
    """One net per fold, for all columns that have noise.

    Parameters
    ----------
    seed : int
    device : torch.device or str
    verbose : bool

    Attributes
    ----------
    correction_, divergence_ : (n, c) arrays
        Of the fitted rows, each by the net that was not trained on it: in noise levels, and its derivative in the
        value itself (in noise levels as well).
    """

    def __init__(self, *, seed: int = 0, device: torch.device | str = "cpu", verbose: bool = False) -> None:
        self.seed = seed
        self.device = torch.device(device)
        self.verbose = verbose

    def fit(self, X: Array, sigma: Array, step: Array, fold: NDArray[np.int64]) -> Self:
        """Train.

        Parameters
        ----------
        X : (n, c) array
            Noisy rows, standardised.
        sigma : (n, c) array
            Noise levels in the same units; a column of zeros is an input only.
        step : (n, c) array
            What the correction is added to, in noise levels.
        fold : (n,) int array
        """
        self.moves_ = np.asarray((sigma > 0).any(0))
        x, level, target = (torch.from_numpy(v).float().to(self.device) for v in (X, sigma, step))
        g = torch.Generator().manual_seed(self.seed)
        self.nets_ = _train(x, level, target, fold, self.moves_, g, self.verbose)
        self.correction_, self.divergence_ = np.zeros(X.shape), np.zeros(X.shape)
        columns = np.flatnonzero(self.moves_)
        with torch.no_grad():
            for k, rows in _by_fold(fold):
                here = np.ix_(rows, columns)
                at = torch.from_numpy(rows).to(self.device)
                plain = self._forward(x[at], k)
                self.correction_[here] = plain.cpu().numpy()
                for _ in range(PROBES):
                    signs = _signs(x[at].shape, g).to(self.device)
                    change = self._forward(x[at] + PROBE * level[at] * signs, k) - plain
                    slope = signs[:, columns] * change / (PROBE * PROBES)
                    self.divergence_[here] += slope.cpu().numpy()
        return self

    def predict(self, X: Array) -> Array:
        """Correction of new rows in noise levels, by the mean of all nets; ``(n, c) -> (n, c)``."""
        out = np.zeros(X.shape)
        folds = len(self.nets_[0])
        with torch.no_grad():
            for start in range(0, len(X), PIECE):
                x = torch.from_numpy(X[start : start + PIECE]).float().to(self.device)
                mean = torch.stack([self._forward(x, k) for k in range(folds)]).mean(0)
                out[start : start + PIECE, self.moves_] = mean.cpu().numpy()
        return out

    def _forward(self, x: Tensor, fold: int) -> Tensor:
        return _forward(x[None], [w[fold : fold + 1] for w in self.nets_])[0]


def _forward(x: Tensor, net: Weights) -> Tensor:
    """Two hidden layers: ``(folds, b, c) -> (folds, b, k)``."""
    w1, b1, w2, b2, w3 = net
    silu = torch.nn.functional.silu
    return silu(torch.baddbmm(b2, silu(torch.baddbmm(b1, x.clamp(-CLIP, CLIP), w1)), w2)) @ w3


def _signs(shape: torch.Size, g: torch.Generator) -> Tensor:
    return torch.randint(0, 2, shape, generator=g).float() * 2 - 1


def _by_fold(fold: NDArray[np.int64]) -> list[tuple[int, NDArray[np.int64]]]:
    """Pieces of the rows of every fold."""
    pieces = []
    for k in range(int(fold.max()) + 1):
        rows = np.flatnonzero(fold == k)
        pieces += [(k, part) for part in np.array_split(rows, len(rows) // PIECE + 1)]
    return pieces


def _train(
    x: Tensor,
    level: Tensor,
    target: Tensor,
    fold: NDArray[np.int64],
    moves: NDArray[np.bool_],
    g: torch.Generator,
    verbose: bool,
) -> Weights:
    """Train the nets of all folds in the same batched products."""
    kept = torch.from_numpy(np.flatnonzero(moves)).to(x.device)
    target = target[:, kept]
    folds, c, outputs, h = int(fold.max()) + 1, x.shape[1], len(kept), HIDDEN

    def init(*shape: int, fan: float) -> Tensor:
        value: Tensor = (torch.rand(*shape, generator=g) * 2 - 1) / fan**0.5
        return value.to(x.device).requires_grad_()

    def zeros() -> Tensor:
        return torch.zeros(folds, 1, h, device=x.device, requires_grad=True)

    net = [init(folds, c, h, fan=c), zeros(), init(folds, h, h, fan=h), zeros()]
    net.append(init(folds, h, outputs, fan=1e3 * h))
    rows = FoldRows(fold, BATCH)

    def risk(batch: Tensor) -> Tensor:
        noisy = x[batch]
        signs = _signs(noisy.shape, g).to(x.device)
        both = _forward(torch.cat([noisy, noisy + PROBE * level[batch] * signs], 1), net)
        plain, nudged = both[:, : rows.batch], both[:, rows.batch :]
        change = 2 * signs[..., kept] * (nudged - plain) / PROBE
        return ((target[batch] + plain) ** 2 + change).sum() / rows.batch

    work = 6.0 * folds * 2 * rows.batch * h * (c + h + outputs)
    train_folds(
        net,
        rows,
        risk,
        steps=min(max(PASSES * rows.rounds, LEAST_STEPS), MOST_STEPS, max(int(FLOPS / work), 1)),
        rate=RATE,
        warm_up=WARM_UP,
        g=g,
        decay=DECAY,
        progress="row net" if verbose else None,
    )
    return [w.detach() for w in net]
