"""The parts of `denograd.ChosenTarget`: folds that share nothing, fits on some rows, and which mixture to take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array, is_column, is_frame
from denograd.map.blind_spot import MOST

Rows = NDArray[np.int64]

BLOCK, LEAST_BLOCKS = 48, 8
"""Steps of a series that count as one observation of an error (neighbours err together), and the least number."""

ROUNDING = 1e-9
"""A gain up to this share of the error is none."""

JITTER = 1e-3
"""Standard deviations by which a target is moved to see the luck of a regressor that learns it."""

AT_ONCE = 4_000_000
"""Errors of mixtures that are computed at once."""


@dataclass(frozen=True)
class Folds:
    """Which rows are held out, and which may be trained on for them.

    Attributes
    ----------
    fold : (n,) int array
    gap : int
        Rows on either side of a run of held-out rows that share values with it.
    """

    fold: Rows
    gap: int = 0

    @property
    def count(self) -> int:
        return int(self.fold.max()) + 1

    def rows(self, k: int) -> Rows:
        """Rows of fold k."""
        return np.flatnonzero(self.fold == k)

    def away_from(self, *held: int) -> Rows:
        """Rows that share nothing with the held-out folds.

        Raises
        ------
        ValueError
            If fewer than two are left.
        """
        inside = np.isin(self.fold, held)
        # a row is too near if a held-out one lies within the gap: a running count of those in reach
        total = np.concatenate([[0], np.cumsum(inside)])
        at = np.arange(len(inside))
        reach = total[np.minimum(at + self.gap + 1, len(inside))] - total[np.maximum(at - self.gap, 0)]
        left = np.flatnonzero(reach == 0)
        if len(left) < 2:
            raise ValueError(
                f"gap={self.gap} around {len(held)} of {self.count} folds leaves {len(left)} of {len(inside)} rows "
                "to learn from: use fewer folds, a smaller gap or more rows"
            )
        return left


class Learner:
    """A regressor, the features, and what else its `fit` takes: fitted on some rows and some target."""

    def __init__(self, model: Any, X: Any, params: dict[str, Any] | None = None):
        self.model, self.X, self.params = model, X, params or {}

    def predict_parts(self, target: Array, rows: Rows, parts: Sequence[Rows]) -> list[Array]:
        """Fit on `rows`, predict each of the parts."""
        from sklearn.utils import _safe_indexing

        model = self.fitted(target, rows)
        found = [one_column(model.predict(_safe_indexing(self.X, part))).astype(float) for part in parts]
        for part, values in zip(parts, found, strict=True):
            if values.shape != part.shape or not np.isfinite(values).all():
                what = "NaN or infinite values" if values.shape == part.shape else f"shape {values.shape}"
                raise ValueError(
                    f"{self.model!r} predicted {what} for {len(part)} held-out rows, where ({len(part)},) finite "
                    f"numbers are needed; it had learnt from {len(rows)} rows"
                )
        return found

    def fitted(self, target: Array, rows: Rows | None = None) -> Any:
        """Fit a clone on `rows`; None means all."""
        from sklearn.base import clone
        from sklearn.utils import _safe_indexing

        X, params = self.X, self.params
        if rows is not None:
            params = {
                name: _safe_indexing(value, rows) if _per_row(value, len(target)) else value
                for name, value in params.items()
            }
            X, target = _safe_indexing(X, rows), target[rows]
        model = clone(self.model)
        try:
            model.fit(X, target, **params)
        except Exception as error:
            error.add_note(f"This was {self.model!r}, learning from {len(target)} rows in ChosenTarget.")
            raise
        return model


def one_column(predicted: Any) -> Array:
    """Predictions as an array; a single column is taken for its values."""
    values: Array = np.asarray(predicted)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _per_row(value: Any, n: int) -> bool:
    """Whether a parameter of a fit has one entry per row."""
    return getattr(value, "shape", ())[:1] == (n,) or (isinstance(value, list) and len(value) == n)


def seed_from(random_state: Any) -> int:
    """Give the seed of a fit: a number as it is, or one drawn anew.

    Raises
    ------
    ValueError
        For what is no seed of NumPy's and scikit-learn's generators.
    """
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if not isinstance(random_state, int | np.integer) or not 0 <= random_state < 2**32:
        raise ValueError(
            f"random_state must be an integer from 0 to 2**32 - 1, a RandomState or None, got {random_state!r}"
        )
    return int(random_state)


def jittered(target: Array, seed: int) -> Array:
    """Move a target by next to nothing: what a fit makes of that is luck."""
    noise: Array = np.random.default_rng([seed, 1]).standard_normal(len(target))
    return target + JITTER * float(target.std()) * noise


@dataclass(frozen=True)
class Choice:
    """What `choose` found.

    Attributes
    ----------
    weights : (m,) array
    gain : float
        Share of the first version's error that the mixture removes.
    report : list of dict
        See `denograd.ChosenTarget.report_`.
    """

    weights: Array
    gain: float
    report: list[dict[str, Any]]


def choose(
    held_out: Array,
    y: Array,
    names: list[str],
    fold: Rows,
    *,
    step: float,
    se: float,
    ordered: bool,
    again: Array | None = None,
) -> Choice:
    """Take the mixture with the largest gain over the first version, less `se` standard errors.

    With P_v the held-out predictions of the regressor that learnt version v, the gain of the weights w is the
    mean over rows of ``(P_0 - y)^2 - (sum_v w_v P_v - y)^2``. `y` is observed and no prediction has seen it, so
    this is, in expectation, the gain on the clean target as well. A mixture must not lose on any fold: one that gains
    in one part and loses in another is not reliable.

    With `again`, a gain is the mean of two, one with either P_0. Their difference on fold k, d_k, is that of two
    fits which differ by luck alone, so the squared standard error of the gain is that of the rows plus
    ``mean(d_k^2) / folds``. This is conservative. If one fit has the luck variance s^2, d_k^2 is 2 s^2 in expectation,
    while a gain, the mean over two fits on the observed target less one on another, varies by 1.5 s^2; and a part
    of the luck already shows in the spread of the rows.

    Parameters
    ----------
    held_out : (m, n) array
        P.
    y : (n,) array
        The target as observed.
    names : list of str
        Of the versions.
    fold : (n,) int array
        Fold in which a row was held out.
    step : float
        Resolution of the grid of weights.
    se : float
    ordered : bool
        Whether the standard error of the rows is that of the means of blocks of them.
    again : (n,) array, optional
        P_0 once more: of the same regressor on the same target, with other luck.
    """
    m, n = held_out.shape
    errors = held_out - y
    lucks = [errors] if again is None else [errors, np.vstack([again - y, errors[1:]])]
    blocks = min(max(n // BLOCK, LEAST_BLOCKS), n) if ordered else n
    by_fold = np.equal.outer(fold, np.arange(fold.max() + 1)) / np.bincount(fold)
    starts = np.arange(blocks) * n // blocks
    sizes = np.diff(np.append(starts, n))
    scale = float(np.mean([each[0] ** 2 for each in lucks]))

    def gains(W: Array) -> tuple[Array, Array, Array, Array]:
        """Mean gain, its standard error, the part of it that is luck, and the gain on the fold where it is least."""
        by_luck = [each[0] ** 2 - (W @ each) ** 2 for each in lucks]
        saved = sum(by_luck) / len(lucks)
        means = np.add.reduceat(saved, starts, axis=1) / sizes
        apart = (by_luck[0] - by_luck[-1]) @ by_fold
        luck = ((apart**2).mean(1) / apart.shape[1]) ** 0.5
        spread = np.hypot(means.std(1, ddof=1) / blocks**0.5, luck)
        return saved.mean(1), spread, luck, (saved @ by_fold).min(1)

    best, least = np.eye(m)[0], ROUNDING * scale
    for W in mixtures(m, round(1 / step), max(1, AT_ONCE // n)):
        gain, spread, _, worst = gains(W)
        sure = np.where(worst >= 0, gain - se * spread, -np.inf)
        if sure.max() > least:
            best, least = W[sure.argmax()], float(sure.max())
    tried = gains(np.vstack([np.eye(m), best]))
    gain = tried[0]
    unit = scale if scale > 0 else 1.0
    report = [
        {
            "target": name,
            "weight": float(weight),
            "error": scale - float(g),
            "gain": float(g) / unit,
            "standard_error": float(s) / unit,
            "luck": float(luck) / unit,
            "worst_fold": float(low) / unit,
        }
        for name, weight, g, s, luck, low in zip([*names, "chosen"], [*best, 1.0], *tried, strict=True)
    ]
    for row in report:
        row["verdict"] = _verdict(row, se, bool(best[0] == 1))
    return Choice(best, float(gain[-1]) / unit, report)


def _verdict(row: dict[str, Any], se: float, unchanged: bool) -> str:
    if row["target"] == "observed":
        return "nothing else is surely better: taken as it is" if unchanged else "what the others must beat"
    if row["target"] == "chosen":
        return "the observed target" if unchanged else f"saves {row['gain']:.1%} of the held-out error"
    if row["gain"] <= 0:
        alone = f"alone it would add {-row['gain']:.1%} to the held-out error"
    elif row["gain"] <= se * row["standard_error"]:
        alone = f"alone it would save {row['gain']:.1%}, within {se:g} standard errors of nothing"
    elif row["worst_fold"] < 0:
        alone = f"alone it would save {row['gain']:.1%}, but lose in one of the folds"
    else:
        alone = f"alone it would save {row['gain']:.1%}"
    if row["weight"] > 0:
        return f"{alone}; it takes part with {row['weight']:.0%}"
    return f"{alone}; mixed with the others it added nothing sure"


def mixtures(m: int, parts: int, at_once: int) -> Iterator[Array]:
    """Give all weights of `m` versions that are multiples of ``1 / parts`` and sum to 1, `at_once` rows at a time.

    Every way to put ``m - 1`` bars among ``parts`` stars is one of them.
    """
    bars = combinations(range(parts + m - 1), m - 1)
    while chunk := list(islice(bars, at_once)):
        edges = np.array(chunk, dtype=int).reshape(len(chunk), m - 1)
        walls = np.pad(edges, ((0, 0), (1, 1)), constant_values=((0, 0), (-1, parts + m - 1)))
        yield (np.diff(walls, axis=1) - 1) / parts


def read_versions(y: Any, versions: Any) -> tuple[list[Array], list[str]]:
    """Give the observed target and its versions, each (n,), and their names.

    Raises
    ------
    TypeError, ValueError
        For values that are no finite numbers, or lengths or indices that differ.
    """
    columns, names = _columns(y, "y")
    names = ["observed", *names[1:]]
    if versions is not None:
        many = isinstance(versions, tuple | list)
        for k, part in enumerate(versions if many else [versions]):
            where = f"versions[{k}]" if many else "versions"
            more, called = _columns(part, where)
            if len(more[0]) != len(columns[0]):
                hint = "; a search's folds split versions that are one (n, m) array" if many else ""
                raise ValueError(f"y has {len(columns[0])} rows, a version of it {len(more[0])}{hint}")
            if not _same_rows(y, part):
                raise ValueError(
                    f"y and {where} have the same index labels in different rows: align them, or pass "
                    f"{where} as an array to go by position"
                )
            columns, names = [*columns, *more], [*names, *called]
    return columns, [name or f"version {k}" for k, name in enumerate(names)]


def _columns(values: Any, where: str) -> tuple[list[Array], list[str]]:
    """Columns of a target as float arrays, and the names they have ("" for none)."""
    from sklearn.utils import check_array, column_or_1d

    if values is None:
        raise ValueError(f"{where} is None: ChosenTarget requires y to be passed, but the target y is None")
    if isinstance(values, Mapping):
        raise TypeError(f"{where} is a {type(values).__name__}: a pandas.DataFrame of it keeps the names")
    names = [str(c) for c in values.columns] if is_frame(values) else []
    if is_column(values) and values.name is not None:
        names = [str(values.name)]
    shape = values.shape if hasattr(values, "shape") else np.asarray(values).shape
    if len(shape) not in (1, 2):
        also = "; of what smooth_target returns, pass values" if shape == () else ""
        raise ValueError(f"{where} must have shape (n,) or (n, columns), got {shape}{also}")
    array = check_array(values, ensure_2d=False, dtype=float, input_name=where)
    if array.ndim == 2 and array.shape[1] == 1:
        array = column_or_1d(array, warn=where == "y")
    largest = float(np.abs(array).max())
    if largest > MOST or 0 < largest < 1 / MOST:
        raise ValueError(
            f"{where} has values of size {largest:.3g}, which cannot be computed with: give it in another unit"
        )
    found = [array] if array.ndim == 1 else list(np.ascontiguousarray(array.T))
    return found, names or [""] * len(found)


def _same_rows(y: Any, version: Any) -> bool:
    """Whether the labels that two pandas indices share stand in the same rows of both."""
    one: Any = getattr(y, "index", None)
    two: Any = getattr(version, "index", None)
    if not (hasattr(one, "isin") and hasattr(two, "isin")):  # a list's index is a method
        return True
    return bool(one.equals(two) or not one.isin(two).any())


def default_teacher(ordered: bool, seed: int) -> Any:
    """Ridge, its penalty by leave-one-out; on a table the mean of that and of light boosted trees.

    For a regressor that takes NaN in its features, they are the column's mean for the ridge.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor, VotingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    gaps = SimpleImputer(keep_empty_features=True)
    ridge = make_pipeline(gaps, StandardScaler(), RidgeCV(alphas=np.logspace(-1, 4, 11)))
    if ordered:
        return ridge
    trees = HistGradientBoostingRegressor(
        max_iter=150,
        learning_rate=0.06,
        max_depth=4,
        max_features=0.4,
        early_stopping=False,
        random_state=seed,
    )
    return VotingRegressor([("ridge", ridge), ("trees", trees)])
