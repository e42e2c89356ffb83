"""The blind-spot backbone: every column predicted from everything but the value itself.

Noise2Void (Krull et al., 2019) and Noise2Self (Batson and Royer, 2019): an estimate of a value that does not
see that value has an error independent of that value's noise, so its residual is honest. Here every column is
an output. On a table, output ``j`` sees the other columns of its row; in a series also ``context`` steps on
both sides, of all columns or, in a wide series, of its own column only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

Kind = Literal["tabular", "series"]
Array = NDArray[np.floating[Any]]

WIDE = 32
"""A series with more columns than this sees its neighbours in time in its own column only."""

PENALTIES = (1.0, 10.0, 100.0, 1000.0)
"""Ridge penalties (on sums over rows of standardised columns) that the cross-fitting chooses from."""

CHUNK = 4096
"""Rows that pass through the networks at once."""

FLOPS = 6e11
"""Work that training the networks may take."""


@dataclass(frozen=True)
class Segment:
    """Rows that are predicted together, and the rows that their prediction reads.

    Attributes
    ----------
    rows : slice
        Predicted rows.
    reads : slice
        Contiguous rows that `predict` has to be given.
    predict : callable
        ``(len(reads), c) tensor -> (len(rows), k) tensor``, differentiable.
    """

    rows: slice
    reads: slice
    predict: Callable[[Tensor], Tensor]


def fold_of(n: int, folds: int, kind: Kind, rng: np.random.Generator) -> NDArray[np.int64]:
    """Fold of every row: contiguous blocks of a series, shuffled on a table; shape (n,)."""
    fold = np.arange(n) * folds // n
    return fold if kind == "series" else rng.permutation(fold)


class BlindSpot:
    """A self-supervised backbone that trains itself in seconds.

    A ridge regression per column, from the closed form, plus one small network per column that learns what
    the ridge leaves over, weighted by what it explains of rows it was not trained on. Both are cross-fitted:
    a row is always predicted by the model that did not learn from it, a new row by the mean of all models.

    Parameters
    ----------
    kind : {"tabular", "series"}
        Whether the order of the rows means something.
    context : int, default 8
        Steps on either side that a series' prediction sees.
    folds : int, default 5
        Parts of the cross-fitting: contiguous blocks of a series, random rows of a table.
    hidden : int, default 32
        Units of both hidden layers of a column's network; 0 leaves the ridge alone. Wide series (more than
        32 columns) have no network.
    epochs : int, default 20
        Passes of the network over the data, fewer where they would take more than about a minute.
    verbose : bool, default False
        Show a progress bar.

    Attributes
    ----------
    residual_ : (n, c) float32 array
        Cross-fitted prediction minus observation of the fitted rows.
    mse_ : (c,) array
        V of every column: its mean squared residual. Its root bounds the noise level from above.
    constant_ : (c,) bool array
        Columns constant in the fitted rows: predicted by that constant, never moved by the rule `map`.
    fold_ : (n,) int array
        Fold of every fitted row.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.linspace(0, 20, 400)
    >>> X = np.column_stack([np.sin(t), np.cos(t)]) + 0.1 * np.random.default_rng(0).normal(size=(400, 2))
    >>> blind = BlindSpot("series").fit(X, seed=0)
    >>> blind.predict(X, fitted_rows=400).shape
    (400, 2)
    >>> bool((np.sqrt(blind.mse_) < 0.15).all())  # not far above the noise of 0.1
    True
    """

    def __init__(
        self,
        kind: Kind = "tabular",
        *,
        context: int = 8,
        folds: int = 5,
        hidden: int = 32,
        epochs: int = 20,
        verbose: bool = False,
    ) -> None:
        if kind not in ("tabular", "series"):
            raise ValueError(f"kind must be 'tabular' or 'series', got {kind!r}")
        if context < 1 or folds < 2 or hidden < 0 or epochs < 1:
            raise ValueError(
                "context and epochs must be at least 1, folds at least 2 and hidden at least 0, "
                f"got {context}, {epochs}, {folds}, {hidden}"
            )
        self.kind = kind
        self.context = context
        self.folds = folds
        self.hidden = hidden
        self.epochs = epochs
        self.verbose = verbose

    def fit(self, X: Array, *, seed: int = 0) -> Self:
        """Train on the rows of `X`.

        Parameters
        ----------
        X : (n, c) array
            Any units: columns are standardised inside.
        seed : int
            Of the folds and the networks. The global random state is neither read nor touched.

        Raises
        ------
        ValueError
            If `X` is not two-dimensional, holds NaN, or has too few rows or columns.
        """
        X = check_frame(X)
        n, c = X.shape
        needed = 4 * self.folds if self.kind == "tabular" else 4 * self.folds + 2 * self.context
        if n < needed:
            raise ValueError(f"{n} rows are too few for {self.folds} folds: give at least {needed}")
        if self.kind == "tabular" and c < 2:
            raise ValueError("a table of one column has no other column to predict it from; is it a series?")
        self.center_ = X.mean(0)
        spread = X.std(0)
        self.constant_ = (X[0] == X).all(0) | (spread <= 1e-12 * np.abs(self.center_))
        self.scale_ = np.where(self.constant_, 1.0, spread)
        rng = np.random.default_rng(seed)
        self.fold_ = fold_of(n, self.folds, self.kind, rng)
        self.columns_ = c
        self.wide_ = self.kind == "series" and c > WIDE
        Z = (X - self.center_) / self.scale_
        Z[:, self.constant_] = 0.0
        features = self._features(torch.from_numpy(Z)).numpy()
        linear = self._fit_wide(features, Z) if self.wide_ else self._fit_linear(features, Z)
        residual = linear - Z
        self.gain_ = torch.zeros(c)
        self.net_: dict[str, Tensor] = {}
        if self.hidden and not self.wide_ and not self.constant_.all():
            residual = self._fit_nets(features.astype(np.float32), Z, residual, rng)
        self.residual_ = (residual * self.scale_).astype(np.float32)
        self.mse_ = (self.residual_.astype(float) ** 2).mean(0)
        return self

    def _fit_linear(self, F: Array, Z: Array) -> Array:
        """Ridge of every column on all other features, every fold from one inverse.

        With the precision ``P = (F'F + lam I)^-1`` the ridge coefficients of feature j on all the others are
        ``-P[:, j] / P[j, j]``. The penalty is chosen per column by its cross-fitted error.
        """
        n, c = Z.shape
        own = self._own()
        total, sums = F.T @ F, F.sum(0)
        weights = np.empty((len(PENALTIES), self.folds, F.shape[1], c))
        mean = np.empty((self.folds, F.shape[1]))
        out = np.empty((len(PENALTIES), n, c))
        for k in range(self.folds):
            part = F[self.fold_ == k]
            rest = n - len(part)
            mean[k] = (sums - part.sum(0)) / rest
            gram = total - part.T @ part - rest * np.outer(mean[k], mean[k])
            values, vectors = np.linalg.eigh(gram)
            values = np.maximum(values, 0.0)
            for p, penalty in enumerate(PENALTIES):
                W = (vectors / (values + penalty)) @ vectors[own].T
                W /= -W[own, np.arange(c)]
                W[own, np.arange(c)] = 0.0
                weights[p, k] = W
                out[p, self.fold_ == k] = (part - mean[k]) @ W + mean[k][own]
        best = ((out - Z) ** 2).sum(1).argmin(0)
        weights = weights[best, :, :, np.arange(c)].transpose(1, 2, 0)
        self.linear_ = torch.tensor(weights, dtype=torch.float32)
        bias = mean[:, own] - np.einsum("kd,kdc->kc", mean, weights)
        self.bias_ = torch.tensor(bias, dtype=torch.float32)
        return out[best, :, np.arange(c)].T

    def _fit_wide(self, F: Array, Z: Array) -> Array:
        """Ridge of every column on the other columns of its row and its own neighbours in time."""
        n, c = Z.shape
        k2 = 2 * self.context
        lags = np.delete(F.reshape(n, k2 + 1, c), self.context, axis=1)
        size = c + k2
        weights = np.empty((self.folds, size, c))
        bias = np.empty((self.folds, c))
        out = np.empty((n, c))
        parts = [self.fold_ == k for k in range(self.folds)]
        across = np.stack([Z[p].T @ Z[p] for p in parts])
        rest = np.array([n - p.sum() for p in parts])
        for j in tqdm(range(c), desc="ridge", disable=None if self.verbose else True, leave=False):
            side = np.ascontiguousarray(lags[:, :, j])
            both = np.concatenate([Z, side], 1)
            gram = np.empty((self.folds, size, size))
            gram[:, :c, :c] = across
            gram[:, c:] = np.stack([side[p].T @ both[p] for p in parts])
            gram[:, :c, c:] = gram[:, c:, :c].transpose(0, 2, 1)
            sums = np.stack([both[p].sum(0) for p in parts])
            mean = (sums.sum(0) - sums) / rest[:, None]
            gram = gram.sum(0) - gram - rest[:, None, None] * mean[:, :, None] * mean[:, None, :]
            target = gram[:, :, j].copy()
            gram[:, j], gram[:, :, j], target[:, j] = 0.0, 0.0, 0.0
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
        self.linear_ = torch.tensor(weights, dtype=torch.float32)
        self.bias_ = torch.tensor(bias, dtype=torch.float32)
        return out

    def _fit_nets(self, F: NDArray[np.float32], Z: Array, residual: Array, rng: np.random.Generator) -> Array:
        """One net per fold and column, all trained at once on what the ridge leaves over."""
        n, c = Z.shape
        d, h = F.shape[1], self.hidden
        x_all, own = torch.from_numpy(F), torch.from_numpy(self._own())
        train = [np.flatnonzero(self.fold_ != k) for k in range(self.folds)]
        m = min(map(len, train))
        # in-sample residuals of every fold's ridge, each column in units of its own spread
        left = [torch.from_numpy(Z).float() - self._linear_part(x_all, k) for k in range(self.folds)]
        spread = torch.stack([left[k][train[k]].std(0) for k in range(self.folds)]).clamp_min(1e-6)
        target = torch.stack(left) / spread[:, None]
        g = torch.Generator().manual_seed(int(rng.integers(2**63)))

        def init(*shape: int, fan: int) -> Tensor:
            return ((torch.rand(*shape, generator=g) * 2 - 1) / fan**0.5).requires_grad_()

        mask = torch.ones(d, c, 1)
        mask[own, torch.arange(c)] = 0.0
        seen = torch.from_numpy(~self.constant_).float()
        mask *= seen.repeat(d // c)[:, None, None]
        mask = mask.expand(d, c, h).reshape(d, c * h)
        net = {
            "w1": init(self.folds, d, c * h, fan=d),
            "b1": init(self.folds, 1, c * h, fan=d),
            "w2": init(self.folds, c, h, h, fan=h),
            "b2": init(self.folds, c, 1, h, fan=h),
            "w3": init(self.folds, c, h, 1, fan=100 * h),
            "b3": torch.zeros(self.folds, c, 1, 1, requires_grad=True),
        }
        batch = min(256, m)
        per_step = 6.0 * self.folds * batch * c * h * (d + h)
        steps = max(1, min(self.epochs * (m // batch), int(FLOPS / per_step)))
        optimiser = torch.optim.AdamW(net.values(), lr=3e-3, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps + 1, pct_start=0.15)
        each = torch.arange(self.folds)[:, None]
        pool = torch.stack([torch.from_numpy(t[np.linspace(0, len(t) - 1, m).astype(int)]) for t in train])
        for step in tqdm(range(steps), desc="nets", disable=None if self.verbose else True, leave=False):
            at = step % (m // batch) * batch
            if at == 0:
                shuffled = torch.stack([p[torch.randperm(m, generator=g)] for p in pool])
            rows = shuffled[:, at : at + batch]
            guess = _net(x_all[rows], {**net, "w1": net["w1"] * mask})
            loss = torch.nn.functional.huber_loss(guess, target[each, rows], delta=2.0, reduction="sum")
            optimiser.zero_grad()
            (loss / rows.numel() * self.folds).backward()
            optimiser.step()
            schedule.step()
        net["w1"] = net["w1"] * mask
        net["w3"], net["b3"] = net["w3"] * spread[:, :, None, None], net["b3"] * spread[:, :, None, None]
        self.net_ = {name: value.detach() for name, value in net.items()}
        correction = np.empty((n, c))
        with torch.no_grad():
            for k in range(self.folds):
                for part in np.array_split(np.flatnonzero(self.fold_ == k), max(1, n // self.folds // CHUNK)):
                    correction[part] = self._net_part(x_all[part], k).numpy()
        # how much of each net to believe: its regression coefficient on rows it has not seen
        gain = -(residual * correction).sum(0) / np.maximum((correction**2).sum(0), 1e-12)
        gain = np.where(self.constant_, 0.0, np.clip(gain, 0.0, 1.0))
        self.gain_ = torch.from_numpy(gain).float()
        return residual + gain * correction

    # -------------------------------------------------------------- predict

    @property
    def outputs(self) -> NDArray[np.int64]:
        """Columns that are predicted: all of them."""
        return np.arange(self.columns_)

    def models_of(self, n: int, fitted_rows: int) -> NDArray[np.int64]:
        """Model of every row: that of its fold for the first `fitted_rows`, -1 (the mean of all) after them."""
        if not hasattr(self, "fold_"):
            raise RuntimeError("this BlindSpot has not been fitted: call fit(X) first")
        if fitted_rows not in (0, len(self.fold_)) or fitted_rows > n:
            raise ValueError(
                f"fitted_rows must be 0 or the {len(self.fold_)} rows that fit saw (and that lead the {n} given), "
                f"got {fitted_rows}"
            )
        models = np.full(n, -1)
        models[:fitted_rows] = self.fold_[:fitted_rows]
        return models

    def segments(self, models: NDArray[np.int64]) -> Iterator[Segment]:
        """Cut rows that are sorted into runs of one model into segments (see `Segment`)."""
        n = len(models)
        edges = np.flatnonzero(np.diff(models)) + 1
        for a, b in zip([0, *edges], [*edges, n], strict=True):
            model = int(models[a])
            for start in range(a, b, CHUNK):
                stop = min(start + CHUNK, b)
                if self.kind == "tabular":
                    first, last = start, stop
                else:
                    first, last = max(start - self.context, 0), min(stop + self.context, n)
                before, after = start - first, last - stop
                predict = partial(self._predict, model=model, before=before, after=after)
                yield Segment(slice(start, stop), slice(first, last), predict)

    def predict(self, X: Array, *, fitted_rows: int = 0) -> Array:
        """Predict every value from all the others.

        Parameters
        ----------
        X : (n, c) array
            In the units of the fitted data.
        fitted_rows : int
            0, or the number of rows that `fit` saw if these very rows lead `X`: each is then predicted by the
            models that were not trained on it.

        Returns
        -------
        (n, c) array
        """
        X = check_frame(X)
        models = self.models_of(len(X), fitted_rows)
        if X.shape[1] != self.columns_:
            raise ValueError(f"X has {X.shape[1]} columns, the fitted data had {self.columns_}")
        order = np.argsort(models, kind="stable") if self.kind == "tabular" else np.arange(len(X))
        z = torch.from_numpy(X[order])
        out = np.empty(X.shape)
        with torch.no_grad():
            for segment in self.segments(models[order]):
                out[order[segment.rows]] = segment.predict(z[segment.reads]).numpy()
        return out

    def _own(self) -> NDArray[np.int64]:
        """Where a column's own value stands among the features."""
        middle = 0 if self.kind == "tabular" else self.context * self.columns_
        return middle + np.arange(self.columns_)

    def _features(self, z: Tensor, before: int = 0, after: int = 0) -> Tensor:
        """Inputs of the rows: the row itself, or the row and `context` steps on both sides.

        `before` and `after` rows outside `z` are known to exist. Beyond the ends of the series stands its
        first or last row; for that row itself its neighbour, since no value may see itself.
        """
        if self.kind == "tabular":
            return z
        K = self.context
        padded = torch.cat([z[:1].expand(K - before, -1), z, z[-1:].expand(K - after, -1)])
        lags = padded.unfold(0, 2 * K + 1, 1).transpose(1, 2)
        if before == 0:
            first = torch.cat([z[1].expand(1, K, -1), lags[:1, K:]], 1)
            lags = torch.cat([first, lags[1:]])
        if after == 0:
            last = torch.cat([lags[-1:, : K + 1], z[-2].expand(1, K, -1)], 1)
            lags = torch.cat([lags[:-1], last])
        return lags.flatten(1)

    def _linear_part(self, x: Tensor, model: int) -> Tensor:
        if not self.wide_:
            return x @ self.linear_[model] + self.bias_[model]
        c, K = self.columns_, self.context
        lags = x.view(len(x), 2 * K + 1, c)
        across, sides = self.linear_[model, :c], self.linear_[model, c:]
        past, ahead = (lags[:, :K] * sides[:K]).sum(1), (lags[:, K + 1 :] * sides[K:]).sum(1)
        return lags[:, K] @ across + past + ahead + self.bias_[model]

    def _net_part(self, x: Tensor, model: int) -> Tensor:
        one = {name: value[model : model + 1] for name, value in self.net_.items()}
        return _net(x[None], one)[0]

    def _predict(self, local: Tensor, model: int, before: int, after: int) -> Tensor:
        """Predictions, in the data's units, of the rows that `local` (rows read) is centred on."""
        center, scale = torch.from_numpy(self.center_), torch.from_numpy(self.scale_)
        z = ((local - center) / scale).float()
        x = self._features(z, before, after)
        models = range(self.folds) if model < 0 else [model]
        total = torch.zeros(len(x), self.columns_)
        for k in models:
            guess = self._linear_part(x, k)
            if self.net_:
                guess = guess + self.gain_ * self._net_part(x, k)
            total = total + guess
        return (total / len(models)).to(local.dtype) * scale + center


def check_frame(X: Array) -> Array:
    """Return `X` as a new two-dimensional float64 array, or say what is wrong with it."""
    X = np.array(X, dtype=np.float64)
    if X.ndim != 2:
        raise ValueError(f"X must be two-dimensional (rows, columns), got shape {X.shape}")
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise ValueError(
            f"X holds NaN or infinite values, the first at row {row}, column {column}: impute or drop them"
        )
    return X


def _net(x: Tensor, net: dict[str, Tensor]) -> Tensor:
    """``(folds, b, d) -> (folds, b, c)``: two hidden layers per fold and column."""
    folds, c, h, _ = net["w2"].shape
    a = torch.relu(torch.baddbmm(net["b1"], x, net["w1"])).view(folds, -1, c, h).transpose(1, 2)
    a = torch.relu(a @ net["w2"] + net["b2"])
    return (a @ net["w3"] + net["b3"])[..., 0].transpose(1, 2)
