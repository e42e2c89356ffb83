"""The blind-spot backbone: every column predicted from everything but the value itself.

Noise2Void (Krull et al., 2019) and Noise2Self (Batson and Royer, 2019): an estimate of a value that does not
see that value has an error independent of that value's noise, so its residual is unbiased. Here every column is
an output. On a table, output ``j`` sees the other columns of its row; in a series also ``context`` steps on
both sides, of all columns or, in a wide series, of its own column only.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from denograd.data.arrays import Array, Kind
from denograd.data.checks import not_fitted
from denograd.data.outliers import far_limits
from denograd.data.threads import one_thread
from denograd.data.time_index import check_index
from denograd.map.blind_spot_fit import fit_nets, fit_ridge, fit_wide_ridge, net_forward
from denograd.map.segments import Segment, check_matrix, predict_rows
from denograd.models.folds import fold_of, interleaved
from denograd.models.frozen import choose_device

WIDE = 32
"""A series with more columns than this sees its neighbours in time in its own column only."""

MOST = 1e60
"""Larger values, and columns of smaller ones than its inverse, are refused: fourth powers are computed with."""

WIDE_TABLE = 100
"""The networks of a table with more columns see the leading components of the others: their first layers, one per
column and fold, each over all columns, would take gigabytes."""

CHUNK = 4096
"""Rows that pass through the networks at once, fewer of a wide table."""


class BlindSpot:
    """A self-supervised backbone that trains in seconds.

    A ridge regression per column, in closed form, plus one small network per column that learns the ridge's
    residual, weighted by how much of it the network explains on held-out rows. Both are cross-fitted: a fitted row
    is always predicted by the model that did not learn from it, a new row by the mean of all models.

    Parameters
    ----------
    kind : {"tabular", "series"}
        Whether the order of the rows is meaningful.
    context : int, optional
        Steps on either side that a series' prediction sees, by default 8; a table has none.
    folds : int, default 5
        Folds of the cross-fitting: alternating stretches of 50 steps of a series, random rows of a table.
    hidden : int, default 32
        Units of both hidden layers of a column's network; 0 uses the ridge alone. Wide series (more than
        32 columns) have no network; the networks of wide tables (more than 100) see leading components.
    epochs : int, optional
        Passes of the network over the data; by default 20 over a table and 10 over a series, but limited to
        about half a minute on one core.
    verbose : bool, default False
        Show a progress bar.
    device : torch.device or str, default "cpu"
        Where the networks are trained and used, and the rule `map` is run with them; the ridge is computed on
        the CPU.

    Attributes
    ----------
    observed_ : (n, c) array
        The fitted rows.
    seed_ : int
        The seed passed to `fit`.
    kept_ : dict
        What a rule last learnt with this backbone; new rows need it again.
    prediction_, residual_ : (n, c) arrays
        Cross-fitted prediction of the fitted rows, and prediction minus observation.
    outliers_ : (n, c) bool array
        Values too extreme to be measurements, such as -9999 (`denograd.data.outliers`). Nothing is learnt from
        them, their neighbours see the column's centre in their place, and no rule moves them.
    mse_ : (c,) array
        V of every column: its mean squared residual. Its root bounds the noise level from above.
    constant_ : (c,) bool array
        Columns constant in the fitted rows: predicted by that constant, never moved by the rule `map`.
    fold_ : (n,) int array
        Fold of every fitted row.
    filled_ : float
        Of a series the share of values that are fillings of gaps, of a table that of rows that hold some; whoever
        filled them sets it.

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
        context: int | None = None,
        folds: int = 5,
        hidden: int = 32,
        epochs: int | None = None,
        verbose: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        if kind not in ("tabular", "series"):
            raise ValueError(f"kind must be 'tabular' or 'series', got {kind!r}")
        if context is not None and kind == "tabular":
            raise ValueError(
                f"context={context} has no effect on a table, whose rows have no neighbours: leave it out, or set "
                "kind='series'"
            )
        context = 8 if context is None else context
        if epochs is None:
            epochs = 20 if kind == "tabular" else 10
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
        self.device = choose_device(device)

    @one_thread()
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
            If `X` is not two-dimensional, holds NaN, has too few rows or columns, or a column of a size that
            cannot be computed with.
        """
        check_index(X, self.kind)
        X = check_matrix(X)
        n, c = X.shape
        needed = 4 * self.folds if self.kind == "tabular" else 4 * self.folds + 2 * self.context
        if n < needed:
            raise ValueError(f"{n} rows are too few for {self.folds} folds: give at least {needed}")
        if self.kind == "tabular" and c < 2:
            raise ValueError("a table of one column has no other column to predict it from; is it a series?")
        self.observed_, self.seed_, self.filled_ = X, seed, 0.0
        self.kept_: dict[bytes, Any] = {}
        rng = np.random.default_rng(seed)
        self.columns_ = c
        self.wide_ = self.kind == "series" and c > WIDE
        if self.kind == "series":
            self.fold_ = interleaved(n, self.folds)
        else:
            self.fold_ = fold_of(n, self.folds, self.kind, rng)
        Z = self._standardise(X)
        features = self._features(torch.from_numpy(Z)).numpy()
        residual = self._fit_linear(features, Z)
        self.gain_ = torch.zeros(c, device=self.device)
        self.net_: dict[str, Tensor] = {}
        if self.hidden and not self.wide_ and not self.constant_.all():
            residual += self._fit_nets(features, Z, residual, seed=int(rng.integers(2**63)))
        self.prediction_ = (Z + residual) * self.scale_ + self.center_
        self.residual_ = self.prediction_ - X
        counted = np.where(self.outliers_, 0.0, self.residual_) ** 2
        self.mse_ = counted.sum(0) / (~self.outliers_).sum(0)
        return self

    def _standardise(self, X: Array) -> Array:
        """Learn centre and scale of the columns, and give them standardised; constants and outliers become 0."""
        self.low_, self.high_ = far_limits(X)
        self.outliers_ = self.is_far(X)
        seen = np.where(self.outliers_, np.nan, X) if self.outliers_.any() else X
        largest = np.nanmax(np.abs(seen), 0)
        if (largest > MOST).any() or ((largest > 0) & (largest < 1 / MOST)).any():
            column = int(np.flatnonzero((largest > MOST) | ((largest > 0) & (largest < 1 / MOST)))[0])
            raise ValueError(
                f"column {column} has values of size {largest[column]:.3g}, which cannot be computed with: "
                "give it in another unit"
            )
        center, spread = np.nanmean(seen, 0), np.nanstd(seen, 0)
        self.constant_ = (np.nanmin(seen, 0) == np.nanmax(seen, 0)) | (spread <= 1e-12 * np.abs(center))
        self.center_ = np.where(self.constant_, np.nanmax(seen, 0), center)
        self.scale_ = np.where(self.constant_, 1.0, spread)
        return self.standardised(X)

    def is_far(self, X: Array) -> NDArray[np.bool_]:
        """Which values are outliers by the limits that `fit` found, (n, c)."""
        far: NDArray[np.bool_] = (self.low_ > X) | (self.high_ < X)
        return far

    def standardised(self, X: Array) -> Array:
        """Columns as the regressions see them: standardised, 0 for constants and for what is far out."""
        Z: Array = np.where(self.is_far(X) | self.constant_, 0.0, (X - self.center_) / self.scale_)
        return Z

    def _fit_linear(self, features: Array, Z: Array) -> Array:
        """Fit the ridge regressions of all folds; give their cross-fitted residual, (n, c)."""
        if self.wide_:
            windows = features.reshape(len(Z), 2 * self.context + 1, self.columns_)
            weights, bias, guess = fit_wide_ridge(windows, Z, self.fold_, verbose=self.verbose)
        else:
            weights, bias, guess, self._components = fit_ridge(features, Z, self.fold_, self._own())
        weights[:, :, self.constant_] = bias[:, self.constant_] = 0.0
        self.linear_ = torch.tensor(weights, dtype=torch.float32, device=self.device)
        self.bias_ = torch.tensor(bias, dtype=torch.float32, device=self.device)
        return guess - Z

    def _fit_nets(self, features: Array, Z: Array, residual: Array, seed: int) -> Array:
        """Train the networks on what the ridge leaves over; give what they add to its residual, (n, c)."""
        x = torch.from_numpy(features).float().to(self.device)
        z = torch.from_numpy(Z).float().to(self.device)
        components = None
        if self.kind == "tabular" and self.columns_ > WIDE_TABLE:
            components = torch.from_numpy(self._components).float().to(self.device)
        self.net_ = fit_nets(
            x,
            torch.stack([z - self._linear_part(x, k) for k in range(self.folds)]),
            self.fold_,
            blind=self._own(),
            unseen=np.tile(self.constant_, x.shape[1] // self.columns_),
            hidden=self.hidden,
            epochs=self.epochs,
            seed=seed,
            components=components,
            verbose=self.verbose,
        )
        correction = np.empty(Z.shape)
        with torch.no_grad():
            for k in range(self.folds):
                mine = np.flatnonzero(self.fold_ == k)
                for part in np.array_split(mine, len(mine) // self._chunk() + 1):
                    correction[part] = self._net_part(x[part], k).cpu().numpy()
        # how much of a net to believe: its regression coefficient on rows it was not trained on
        gain = -(residual * correction).sum(0) / np.maximum((correction**2).sum(0), 1e-12)
        gain = np.where(self.constant_, 0.0, gain.clip(0.0, 1.0))
        self.gain_ = torch.from_numpy(gain).float().to(self.device)
        return gain * correction

    @property
    def outputs(self) -> NDArray[np.int64]:
        """Columns that are predicted: all of them."""
        return np.arange(self.columns_)

    def models_of(self, n: int, fitted_rows: int) -> NDArray[np.int64]:
        """Model of every row: that of its fold for the first `fitted_rows`, -1 (the mean of all) after them."""
        if not hasattr(self, "fold_"):
            raise not_fitted("this BlindSpot", "call fit(X) first")
        if fitted_rows not in (0, len(self.fold_)) or fitted_rows > n:
            raise ValueError(
                f"fitted_rows must be 0 or the {len(self.fold_)} rows that fit saw (and that lead the {n} given), "
                f"got {fitted_rows}"
            )
        models = np.full(n, -1)
        models[:fitted_rows] = self.fold_[:fitted_rows]
        return models

    def order(self, models: NDArray[np.int64]) -> NDArray[np.int64]:
        """Order in which rows of a table form runs of one model; a series keeps its own."""
        return np.argsort(models, kind="stable") if self.kind == "tabular" else np.arange(len(models))

    def segments(self, models: NDArray[np.int64]) -> Iterator[Segment]:
        """Cut the rows into segments (see `Segment`); those of a table are sorted into runs of one model."""
        n, size = len(models), self._chunk()
        if self.kind == "tabular":
            edges = np.flatnonzero(np.diff(models)) + 1
            runs = zip([0, *edges], [*edges, n], strict=True)
        else:
            runs = zip([0], [n], strict=True)
        for a, b in runs:
            for start in range(a, b, size):
                stop = min(start + size, b)
                if self.kind == "tabular":
                    first, last = start, stop
                else:
                    first, last = max(start - self.context, 0), min(stop + self.context, n)
                predict = partial(
                    self._predict,
                    models=_split(models[start:stop]),
                    before=start - first,
                    after=last - stop,
                )
                yield Segment(slice(start, stop), slice(first, last), predict)

    @one_thread()
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
        X = check_matrix(X)
        models = self.models_of(len(X), fitted_rows)
        if X.shape[1] != self.columns_:
            raise ValueError(f"X has {X.shape[1]} columns, the fitted data had {self.columns_}")
        order = self.order(models)
        back = np.argsort(order)
        z = torch.from_numpy(X[order]).to(self.device)
        return predict_rows(z, self.segments(models[order]), self.columns_)[back]

    @one_thread()
    def predict_shifted(self, X: Array, shift: Array, models: NDArray[np.int64]) -> Array:
        """Predict rows of a table whose inputs are not the same for every output.

        Parameters
        ----------
        X : (n, c) array
        shift : (n, c, c) array
            What is added to input k, ``shift[:, k, j]``, where output j is predicted; in the units of X.
        models : (n,) int array
            Of every row, as `models_of` gives them.

        Returns
        -------
        (n, c) array
        """
        x = torch.from_numpy(self.standardised(X)).float().to(self.device)
        moved = torch.from_numpy(shift / self.scale_[:, None]).float().to(self.device)
        out = np.empty(X.shape)
        for model, rows in _split(models).items():
            out[rows] = self._by_model(x[rows], model, moved[rows]).cpu().numpy()
        predicted: Array = out * self.scale_ + self.center_
        return predicted

    def _chunk(self) -> int:
        return CHUNK if self.columns_ <= WIDE_TABLE else max(CHUNK * WIDE_TABLE // self.columns_, 1)

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
        if len(z) == 1 and before == after == 0:  # no neighbour at all: their mean
            alone = torch.zeros(2 * K + 1, z.shape[1], dtype=z.dtype, device=z.device)
            alone[K] = z[0]
            return alone.reshape(1, -1)
        padded = torch.cat([z[:1].expand(K - before, -1), z, z[-1:].expand(K - after, -1)])
        lags = padded.unfold(0, 2 * K + 1, 1).transpose(1, 2)
        if before == 0:
            first = torch.cat([z[1].expand(1, K, -1), lags[:1, K:]], 1)
            lags = torch.cat([first, lags[1:]])
        if after == 0:
            last = torch.cat([lags[-1:, : K + 1], z[-2].expand(1, K, -1)], 1)
            lags = torch.cat([lags[:-1], last])
        return lags.flatten(1)

    def _linear_part(self, x: Tensor, model: int, shift: Tensor | None = None) -> Tensor:
        if not self.wide_:
            guess = x @ self.linear_[model] + self.bias_[model]
            return guess if shift is None else guess + (shift * self.linear_[model]).sum(1)
        c, K = self.columns_, self.context
        lags = x.view(len(x), 2 * K + 1, c)
        across, sides = self.linear_[model, :c], self.linear_[model, c:]
        past, ahead = (lags[:, :K] * sides[:K]).sum(1), (lags[:, K + 1 :] * sides[K:]).sum(1)
        return lags[:, K] @ across + past + ahead + self.bias_[model]

    def _net_part(self, x: Tensor, model: int, shift: Tensor | None = None) -> Tensor:
        one = {name: value[model : model + 1] for name, value in self.net_.items()}
        return net_forward(x[None], one, shift)[0]

    def _predict(self, local: Tensor, models: dict[int, Tensor], before: int, after: int) -> Tensor:
        """Predictions, in the data's units, of the rows that `local` (rows read) is centred on.

        `models` says which of these rows every model predicts.
        """
        center, scale, low, high = (
            torch.from_numpy(v).to(self.device) for v in (self.center_, self.scale_, self.low_, self.high_)
        )
        z = ((local - center) / scale).float()
        z = torch.where((local < low) | (local > high), 0.0, z)
        x = self._features(z, before, after)
        if len(models) == 1:
            guess = self._by_model(x, next(iter(models)))
        else:
            parts = [self._by_model(x[rows], model) for model, rows in models.items()]
            guess = torch.cat(parts)[torch.argsort(torch.cat([*models.values()]))]
        return guess.to(local.dtype) * scale + center

    def _by_model(self, x: Tensor, model: int, shift: Tensor | None = None) -> Tensor:
        """Standardised predictions of one fold's model, or the mean of all (-1)."""
        models = range(self.folds) if model < 0 else [model]
        total = torch.zeros(len(x), self.columns_, device=self.device)
        for k in models:
            guess = self._linear_part(x, k, shift)
            if self.net_:
                guess = guess + self.gain_ * self._net_part(x, k, shift)
            total = total + guess
        return total / len(models)


def _split(models: NDArray[np.int64]) -> dict[int, Tensor]:
    """Rows of every model."""
    return {int(model): torch.from_numpy(np.flatnonzero(models == model)) for model in np.unique(models)}
