"""A denoising transformer by scikit-learn's conventions: the only module whose import needs scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from denograd.data.arrays import Array, Kind, is_column, is_frame
from denograd.data.time_index import check_index
from denograd.map.blind_spot import BlindSpot
from denograd.map.error_scale import noise_bound
from denograd.map.gaps import column_groups, fill_gaps, interpolate, see_past_gaps
from denograd.map.gaps.var_smoother import Follower, fit_vector
from denograd.map.noise_level import noise_level
from denograd.map.refine import check_solver, posterior_of, refine
from denograd.map.solve import Solver
from denograd.new_rows import NewRows
from denograd.table.polars_frame import as_pandas, is_polars
from denograd.table.readings import as_numbers
from denograd.table.roles import number_kind


class DenoisingTransformer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Learn from noisy rows how to denoise them and new ones.

    `fit_transform` denoises the fitted rows by models that did not learn from them (cross-fitting); it is not
    `fit(X).transform(X)`, which would treat them as new rows. A new row of a table is denoised by itself: the result
    depends only on the fitted data and that row. In a series, the rows passed to `transform` follow the fitted
    ones; each is denoised from the rows before it and `lag` more steps, by a Kalman filter (Kalman, 1960) with the
    fitted vector autoregression.

    Parameters
    ----------
    sigma : float, array_like, mapping or str
        Noise level, as in `denograd.denoise`: a number for all columns of floating-point numbers, one per column,
        ``{column: level}``, or the name of an estimate.
    kind : {"tabular", "series"}
        Whether the order of the rows is meaningful.
    gaps : {"keep", "fill"}
        Whether NaN is kept or replaced by its posterior mean.
    lag : int
        For a series: number of later steps that are used. 0 is causal.
    solver : str
        As in `denograd.refine`.
    context, folds, hidden, epochs : optional
        Of the backbone, see `denograd.BlindSpot`.
    random_state : int
        Seed of the backbone's training.

    Attributes
    ----------
    sigma_, bound_ : (n_features,) arrays
        Noise level used, 0 for a held column, and its upper bound by the residual.
    moves_ : (n_features,) bool array
        Columns that are refined; integer columns of a DataFrame are not, unless `sigma` names them.
    blind_ : BlindSpot
    n_features_in_, feature_names_in_

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(2, 600))
    >>> clean = np.column_stack([a, b, a + b, a - b])
    >>> noisy = clean + 0.3 * rng.normal(size=clean.shape)
    >>> denoiser = DenoisingTransformer(sigma=0.3, hidden=0).fit(noisy[:500])
    >>> new = denoiser.transform(noisy[500:])
    >>> bool(((new - clean[500:]) ** 2).mean() < 0.8 * 0.3**2)
    True
    """

    def __init__(
        self,
        sigma: Any = None,
        kind: Kind = "tabular",
        *,
        gaps: Literal["keep", "fill"] = "keep",
        lag: int = 0,
        solver: Solver = "auto",
        context: int | None = None,
        folds: int = 5,
        hidden: int = 32,
        epochs: int | None = None,
        random_state: int = 0,
    ):
        self.sigma = sigma
        self.kind = kind
        self.gaps = gaps
        self.lag = lag
        self.solver = solver
        self.context = context
        self.folds = folds
        self.hidden = hidden
        self.epochs = epochs
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from the rows of `X`.

        Parameters
        ----------
        X : (n, c) array or DataFrame of numbers
            NaN is a gap.
        y : ignored
        """
        self._fit(X)
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Learn from the rows of `X`, and denoise each by models that did not learn from it.

        Returns
        -------
        (n, c) array or DataFrame
        """
        values, filled = self._fit(X)
        if (
            self.solver == "auto"
        ):  # by the very levels that new rows have: checked again, they could sink again
            refined = filled + posterior_of(self.blind_, self._levels).step_
        else:
            refined = refine(
                self.blind_, filled, self._levels, fitted_rows=len(filled), solver=self.solver
            ).values
        return self._with_gaps(values, np.where(np.isnan(values), filled, refined))

    def transform(self, X: Any) -> Any:
        """Denoise new rows: each by itself, or in a series those that follow the fitted ones.

        Returns
        -------
        (n, c) array or DataFrame
        """
        check_is_fitted(self)
        values = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        if self.kind == "series":
            check_index(X, "series", stacklevel=4)
            return self._with_gaps(values, self._follow(values))
        return self._with_gaps(values, self._new_rows.refine(values).values)

    def _fit(self, X: Any) -> tuple[Array, Array]:
        """Fit; the rows as an array with gaps, and with these filled."""
        if self.kind not in ("tabular", "series"):
            raise ValueError(f"kind must be 'tabular' or 'series', got {self.kind!r}")
        if self.gaps not in ("keep", "fill"):
            raise ValueError(f"gaps must be 'keep' or 'fill', got {self.gaps!r}")
        if not isinstance(self.lag, int | np.integer) or self.lag < 0:
            raise ValueError(f"lag must be a whole number of at least 0, got {self.lag!r}")
        if self.lag and self.kind == "tabular":
            raise ValueError(
                f"lag={self.lag} has no effect on a table, whose rows do not wait for later ones: leave it out, or set "
                "kind='series'"
            )
        check_solver(self.solver)
        names = list(X.columns) if is_frame(X) or is_polars(X) else None
        if names is not None:
            _check_columns(X, names)
        check_index(X, "series" if self.kind == "series" else "tabular", stacklevel=4)
        moves = _moves(X, self.sigma)
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2)
        if self.kind == "tabular" and values.shape[1] < 2:
            raise ValueError(
                "X has 1 feature(s): a table needs another column to predict it from; is it a series? kind='series'"
            )
        if len(values) < 4 * self.folds:
            raise ValueError(
                f"{len(values)} samples are too few for {self.folds} folds: give at least {4 * self.folds}"
            )
        self.moves_ = np.ones(values.shape[1], dtype=bool) if moves is None else moves
        empty = np.flatnonzero(np.isnan(values).all(0))
        if len(empty):
            which = int(empty[0]) if names is None else names[empty[0]]
            raise ValueError(f"column {which!r} holds no value at all: leave it out")
        named = self.sigma is None or isinstance(self.sigma, str)
        level = np.full(values.shape[1], np.nan) if named else self._level(names, values.shape[1])
        gapless = fill_gaps(values, level, self.kind, seed=self.random_state)
        filled = gapless.values
        self.blind_ = BlindSpot(
            self.kind,
            context=self.context,
            folds=self.folds,
            hidden=self.hidden,
            epochs=self.epochs,
            verbose=False,
        ).fit(filled, seed=self.random_state)
        past = see_past_gaps(self.blind_, gapless, np.isnan(values))
        self.bound_ = noise_bound(self.blind_.residual_)
        outputs = np.flatnonzero(self.moves_)
        self.sigma_ = noise_level(
            self.sigma if named else level,
            values,
            self.bound_[outputs],
            outputs,
            self.blind_.constant_ | ~self.moves_,
            self.kind,
            names,
            blind=self.blind_,
            least_share=0.0,  # `refine` caps as its solver needs it
        ).sigma
        gappy = self.solver == "auto" and bool(np.isnan(values).any())
        self._levels = np.where(np.isnan(values), 0.0, self.sigma_) if gappy else self.sigma_
        self._center, self._scale = self.blind_.center_, self.blind_.scale_
        if self.kind == "tabular":
            self._new_rows = NewRows.of(self.blind_, gapless, self._levels, past, self.solver)
        else:
            y, missing = (filled - self._center) / self._scale, np.isnan(values)
            noise = np.maximum(self.sigma_ / self._scale, 0.0) ** 2
            self._groups = column_groups(interpolate(y, missing))
            self._followers = [
                Follower(fit_vector(y[:, g], missing[:, g], noise[g]), y[:, g], missing[:, g], self.lag)
                for g in self._groups
            ]
        return values, filled

    def _level(self, names: list[Any] | None, width: int) -> Array:
        """One level per column, 0 for a held one."""
        level = as_numbers(self.sigma, names if names is not None else list(range(width)), "sigma")
        if level.ndim > 1 or (level.ndim == 1 and len(level) != width):
            raise ValueError(
                f"sigma must be a number, one per column ({width}) or {{column: level}}, got shape {level.shape}"
            )
        return np.where(self.moves_, np.broadcast_to(level, (width,)), 0.0)

    def _follow(self, values: Array) -> Array:
        missing = np.isnan(values)
        y = np.where(missing, 0.0, (values - self._center) / self._scale)
        out = np.empty_like(y)
        for group, follower in zip(self._groups, self._followers, strict=True):
            out[:, group] = follower.follow(y[:, group], missing[:, group])
        held = ~missing & (self.sigma_ == 0)
        return np.where(held, values, out * self._scale + self._center)

    def _with_gaps(self, values: Array, refined: Array) -> Array:
        return refined if self.gaps == "fill" else np.where(np.isnan(values), np.nan, refined)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64"]
        return tags


def _check_columns(X: Any, names: list[Any]) -> None:
    """Refuse a frame whose columns are not all numbers, or do not all have a name of their own."""
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"X has several columns named {twice[0]!r}: rename them")
    frame = as_pandas(X) if is_polars(X) else X
    other = [name for place, name in enumerate(names) if not _holds_numbers(frame.iloc[:, place])]
    if other:
        raise ValueError(
            f"X has columns that hold no numbers: {', '.join(map(repr, other[:5]))}. Encode them before, or let others "
            "pass: ColumnTransformer([('denoise', DenoisingTransformer(...), make_column_selector("
            "dtype_include='number'))], remainder='passthrough'); denograd.denoise takes them as they are"
        )


def _holds_numbers(column: Any) -> bool:
    return number_kind(column) is not None or not column.notna().any()


def _moves(X: Any, sigma: Any) -> Any:
    """Columns of a DataFrame that are refined; None for an array, all of whose columns are.

    Raises
    ------
    ValueError
        For levels of columns that are not there.
    """
    if is_column(sigma):
        sigma = sigma.to_dict()
    if is_frame(X) or is_polars(X):
        names = list(X.columns)
        if isinstance(sigma, Mapping):
            unknown = [name for name in sigma if name not in names]
            if unknown:
                raise ValueError(
                    f"sigma names columns that the data does not have: {unknown}; it has {names[:10]}"
                )
            return np.array([name in sigma for name in names])
        return np.array([dtype.is_float() if is_polars(X) else dtype.kind == "f" for dtype in X.dtypes])
    if isinstance(sigma, Mapping):
        width = np.shape(X)[1]
        unknown = [name for name in sigma if name not in range(width)]
        if unknown:
            raise ValueError(
                f"sigma names columns that the data does not have: {unknown}; it has 0 to {width - 1}"
            )
        return np.array([j in sigma for j in range(width)])
    return None
