"""A regressor that learns from a refined target, as far as cross-validation shows that this pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, Literal, Self, get_args

import numpy as np

from denograd.data.arrays import Array
from denograd.data.checks import check_count, check_nonnegative, check_positive
from denograd.data.progress import tqdm
from denograd.models.folds import fold_of
from denograd.regressor_base import RegressorBase
from denograd.target_choice import (
    Choice,
    Folds,
    Learner,
    choose,
    default_teacher,
    jittered,
    one_column,
    read_versions,
    seed_from,
)

Mix = Literal["auto", "labels", "predictions"]
Job = tuple[Callable[..., Any], tuple[Any, ...]]

SAME = 1e-6
"""Standard deviations of the target within which two predictions are the same."""


class ChosenTarget(RegressorBase):
    """Fit a regressor on a mixture of versions of its target, chosen by its error on held-out observed targets.

    A label that varies less around the expectation of the target given the features is a better label, whether
    it is closer to the truth or not. The candidates are the versions passed to `fit`, such as that of
    `denograd.smooth_target`, and the prediction of a teacher. For every fold of the training data, the regressor
    is fitted on the other folds with each version. Of all mixtures of these predictions that lose on no fold, the
    one with the largest gain over the observed target, less `se` standard errors, is chosen; gains are measured on
    held-out *observed* targets. If no gain is left, nothing is changed. The labels for a fold come from
    teachers that saw neither the fold they label nor the held-out one.

    The error of boosted trees depends on the last digits of the target, and that of a network on its seed as well. All
    versions are compared at the seed of the regressor. What is left of luck is measured: per fold, the observed
    target is learnt twice, the second time moved by a thousandth of its standard deviation. Gains are means over both,
    and their difference is a part of the standard error: a gain must be larger than the regressor's own luck.

    Parameters
    ----------
    regressor : object
        Any regressor that scikit-learn can clone; never fitted itself.
    teacher : "default", regressor or None
        Its cross-fitted prediction is one more version. "default" is a ridge with its penalty by
        cross-validation and, on a table, the mean of that and of light boosted trees; None leaves it out.
    ordered : bool
        Whether rows follow each other in time: folds are then contiguous blocks, and standard errors are computed
        over blocks of 48 rows.
    gap : int
        Rows left out of the training on either side of a held-out fold (ordered rows): those that share
        values with it, ``window + 8`` for windows and a target of `smooth_target`.
    folds : int
    step : float
        Resolution of the grid of weights.
    se : float, optional
        Standard errors by which a mixture has to beat the observed target; by default 1 for ordered rows and 2
        for a table, where there is less to gain.
    mix : {"auto", "labels", "predictions"}
        Whether one regressor is fitted on the mixed labels, or one on each version with a weight, whose
        predictions are mixed. The mixture of predictions is what was judged. "auto" fits one regressor only where
        that is the same: where, on a held-out fold, it predicts what the mixture does. Ridge, k nearest neighbours
        and all others that are linear in their labels do.
    n_jobs : int, optional
        Processes, as in joblib.
    random_state : int, RandomState or None
        Seed of the folds of a table and of the default teacher; None draws a new one for every fit.
    verbose : bool
        Show a progress bar where stderr is a terminal.

    Attributes
    ----------
    weights_ : (m,) array
        Weight of every version, the observed target first; they sum to 1.
    names_ : list of str
        Names of the versions.
    gain_ : float
        Share of the held-out error that the chosen mixture removes; 0 where nothing was changed.
    report_ : list of dict
        Per version and for the chosen mixture: ``target``, ``weight``, ``error`` (held-out mean squared error on
        observed targets), ``gain``, ``standard_error``, ``luck`` (the part of the standard error that comes from
        fits and not from rows, conservative: rather too large) and ``worst_fold`` (the smallest gain of a fold; all
        four as shares of the error with the observed target), and ``verdict``, in words.
    y_ : (n,) array
        The mixed labels.
    regressors_ : list
        The fitted regressor, or one per version with a weight where predictions are mixed.

    Notes
    -----
    In a hyper-parameter search, whose folds must split the versions as well, pass them as further columns of
    `y` (and leave scoring to `score`: other scorers would compare predictions with every column), or as one array or
    DataFrame ``versions`` (as a parameter of the search's ``fit``; where metadata routing is enabled, after
    ``set_fit_request(versions=True)``).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 3))
    >>> y = X @ [1.0, 2.0, -1.0] + rng.normal(size=400)
    >>> model = ChosenTarget(KNeighborsRegressor()).fit(X, y)
    >>> model.names_, bool(model.gain_ > 0.01)
    (['observed', 'teacher'], True)
    >>> model.report_[-1]["verdict"].split("%")[1]
    ' of the held-out error'
    """

    def __init__(
        self,
        regressor: Any,
        teacher: Any = "default",
        ordered: bool = False,
        gap: int = 0,
        folds: int = 4,
        step: float = 0.1,
        se: float | None = None,
        mix: Mix = "auto",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
        verbose: bool = False,
    ):
        self.regressor = regressor
        self.teacher = teacher
        self.ordered = ordered
        self.gap = gap
        self.folds = folds
        self.step = step
        self.se = se
        self.mix = mix
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, versions: Any = None, **fit_params: Any) -> Self:
        """Choose the mixture, then fit the regressor on it.

        Parameters
        ----------
        X : (n, ...) array or DataFrame
            Features as observed, in any form that the regressor takes (windows as well; a teacher sees them
            flattened).
        y : (n,) array, or (n, 1 + m) array or DataFrame
            The target as observed; further columns are versions of it.
        versions : sequence of (n,) arrays, (n,) or (n, m) array, Series or DataFrame, optional
            Versions of the target that were made without the regressor.
        **fit_params
            For every fit of the regressor, such as ``validation=`` for early stopping (keep its targets as
            observed) or ``sample_weight``; arrays and Series of n rows are split like `X`. Where metadata routing
            is enabled, those that the regressor requests.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For parameters out of range, targets that do not fit together, or too few rows.
        """
        from sklearn.utils.validation import check_consistent_length

        seed = self._check()
        if hasattr(X, "tocsr"):
            raise TypeError("X is sparse, and sparse input is not supported: hand over X.toarray()")
        X = X if hasattr(X, "shape") else np.asarray(X)
        known, names = read_versions(y, versions)
        check_consistent_length(X, known[0])
        n = len(known[0])
        if n < 2 * self.folds:
            raise ValueError(
                f"n_samples={n} is too few for {self.folds} folds: give at least {2 * self.folds} rows"
            )
        kind: Literal["series", "tabular"] = "series" if self.ordered else "tabular"
        folds = Folds(fold_of(n, self.folds, kind, np.random.default_rng(seed)), self.gap)
        teacher = default_teacher(self.ordered, seed) if _is_default(self.teacher) else self.teacher
        if teacher is not None:
            names = [*names, "teacher"]
        student = Learner(self.regressor, X, self._routed(fit_params))
        steps = (len(names) + 1 + (folds.count + 1) / 2 * (teacher is not None)) * folds.count + 1
        with tqdm(
            total=int(steps), desc="denograd choice", disable=None if self.verbose else True, leave=False
        ) as bar:
            versions_for = self._versions_for_judges(teacher, X, known, folds, bar)
            held_out = self._held_out(student, versions_for, folds, bar)
            moved = [jittered(known[0], seed)]
            again = self._held_out(student, [moved] * folds.count, folds, bar)[0]
            choice = choose(
                held_out,
                known[0],
                names,
                folds.fold,
                step=self.step,
                se=self._se(),
                ordered=self.ordered,
                again=again,
            )
            self.names_, self.weights_ = names, choice.weights
            self.gain_, self.report_ = choice.gain, choice.report
            one = self._one_regressor(student, versions_for[0], choice, held_out, folds)
            self._fit_chosen(student, teacher, known, folds, one, bar)
        return self

    def predict(self, X: Any) -> Any:
        """Predict for features as observed, shape ``(n,)``."""
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "regressors_")
        found = [one_column(model.predict(X)) for model in self.regressors_]
        if len(found) == 1:
            return found[0]
        return np.tensordot(self.weights_[self.weights_ > 0], np.stack(found), 1)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Coefficient of determination R^2 on the observed target, the first column of `y`."""
        from sklearn.metrics import r2_score

        return float(r2_score(read_versions(y, None)[0][0], self.predict(X), sample_weight=sample_weight))

    @property
    def n_features_in_(self) -> int:
        """Features that the fitted regressor saw."""
        return int(self._of_fitted("n_features_in_"))

    @property
    def feature_names_in_(self) -> Any:
        """Names of the features, where the fitted regressor knows them."""
        return self._of_fitted("feature_names_in_")

    def _of_fitted(self, name: str) -> Any:
        if "regressors_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has {name} only once it is fitted")
        return getattr(self.regressors_[0], name)

    # What is chosen from

    def _versions_for_judges(
        self, teacher: Any, X: Any, known: list[Array], folds: Folds, bar: Any
    ) -> list[list[Array]]:
        """All versions of the target as each judging fold may know them; NaN where a judge must not look.

        The teacher's labels of fold j for judge k are from a teacher that saw neither: one that saw k would pass
        on k's noise through its labels, and a teacher that overfits would always look good.
        """
        if teacher is None:
            return [known] * folds.count
        learn = Learner(teacher, _flat(X))
        source = _taught(known)
        pairs = list(combinations(range(folds.count), 2))
        jobs: list[Job] = [
            (learn.predict_parts, (source, folds.away_from(j, k), (folds.rows(j), folds.rows(k))))
            for j, k in pairs
        ]
        labels = np.full((folds.count, len(source)), np.nan)
        for (j, k), (of_j, of_k) in zip(pairs, self._run(jobs, bar), strict=True):
            labels[k, folds.rows(j)], labels[j, folds.rows(k)] = of_j, of_k
        return [[*known, labels[k]] for k in range(folds.count)]

    def _held_out(self, student: Learner, versions: list[list[Array]], folds: Folds, bar: Any) -> Array:
        """Predict every fold by the regressor fitted on the others, for each version: (m, n)."""
        jobs: list[Job] = [
            (student.predict_parts, (version, folds.away_from(k), (folds.rows(k),)))
            for k in range(folds.count)
            for version in versions[k]
        ]
        found = iter(self._run(jobs, bar))
        held_out = np.empty((len(versions[0]), len(folds.fold)))
        for k in range(folds.count):
            for v in range(len(held_out)):
                held_out[v, folds.rows(k)] = next(found)[0]
        return held_out

    def _one_regressor(
        self, student: Learner, versions: list[Array], choice: Choice, held_out: Array, folds: Folds
    ) -> bool:
        """Whether one regressor on the mixed labels predicts what was judged, the mixture of predictions.

        `versions` are those that judge 0 may know.
        """
        if (choice.weights > 0).sum() == 1 or self.mix != "auto":
            return self.mix != "predictions"
        used = choice.weights > 0
        labels = np.tensordot(choice.weights[used], np.stack(versions)[used], 1)
        rows = folds.rows(0)
        [found] = student.predict_parts(labels, folds.away_from(0), (rows,))
        judged = choice.weights @ held_out[:, rows]
        return bool(np.allclose(found, judged, rtol=0, atol=SAME * versions[0].std()))

    def _fit_chosen(
        self, student: Learner, teacher: Any, known: list[Array], folds: Folds, one: bool, bar: Any
    ) -> None:
        """Fit the regressor on all rows, with the labels or each of the versions that have a weight."""
        versions = list(known)
        if teacher is not None:
            labels = np.zeros(len(known[0]))
            if self.weights_[-1] > 0:
                learn = Learner(teacher, _flat(student.X))
                jobs: list[Job] = [
                    (learn.predict_parts, (_taught(known), folds.away_from(k), (folds.rows(k),)))
                    for k in range(folds.count)
                ]
                for k, found in enumerate(self._run(jobs, bar)):
                    labels[folds.rows(k)] = found[0]
            versions.append(labels)
        self.y_ = np.tensordot(self.weights_, np.stack(versions), 1)
        targets = [self.y_]
        if not one:
            targets = [v for v, weight in zip(versions, self.weights_, strict=True) if weight > 0]
        self.regressors_ = self._run([(student.fitted, (target,)) for target in targets], bar)

    def _run(self, jobs: Sequence[Job], bar: Any) -> list[Any]:
        """Run jobs in `n_jobs` processes; results in their order."""
        from sklearn.utils.parallel import Parallel, delayed

        found = []
        for result in Parallel(n_jobs=self.n_jobs, return_as="generator")(
            delayed(call)(*given) for call, given in jobs
        ):
            found.append(result)
            bar.update()
        return found

    # Parameters

    def _check(self) -> int:
        """Check the parameters; give the seed."""
        for name, model in (("regressor", self.regressor), ("teacher", self.teacher)):
            if name == "teacher" and (model is None or _is_default(model)):
                continue
            if isinstance(model, type) or not all(
                callable(getattr(model, method, None)) for method in ("fit", "predict", "get_params")
            ):
                also = ", 'default' or None" if name == "teacher" else ""
                raise TypeError(
                    f"{name} must be a regressor that scikit-learn can clone, such as Ridge(){also}, got {model!r}"
                )
        check_count(folds=self.folds)
        # a teacher needs a fold that neither it nor the judge labels
        least = 2 if self.teacher is None else 3
        if self.folds < least:
            raise ValueError(f"folds must be at least {least}, got {self.folds}")
        check_nonnegative(gap=self.gap, se=self._se())
        if int(self.gap) != self.gap:
            raise ValueError(f"gap must be a whole number of rows, got {self.gap}")
        if not isinstance(self.ordered, bool | np.bool_):
            raise TypeError(f"ordered must be True or False, got {self.ordered!r}")
        if self.gap and not self.ordered:
            raise ValueError(
                f"gap={self.gap} has no effect where rows have no order: set ordered=True as well"
            )
        check_positive(step=self.step)
        if abs(1 / self.step - round(1 / self.step)) > 1e-6:
            raise ValueError(f"step must be a whole share of 1, such as 0.1 or 0.25, got {self.step}")
        if self.mix not in get_args(Mix):
            raise ValueError(f"mix must be one of {', '.join(get_args(Mix))}, got {self.mix!r}")
        return seed_from(self.random_state)

    def _se(self) -> float:
        if self.se is not None:
            return self.se
        return 1.0 if self.ordered else 2.0

    # Metadata routing of scikit-learn

    def set_fit_request(self, *, versions: bool | str | None) -> Self:
        """Say whether `fit` wants ``versions`` where metadata routing is enabled, or under which name."""
        self._metadata_request = self._request()
        self._metadata_request.fit.add_request(param="versions", alias=versions)
        return self

    def get_metadata_routing(self) -> Any:
        """Say to scikit-learn which metadata `fit` takes itself, and which it hands on to the regressor."""
        from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

        router = MetadataRouter(owner=self).add_self_request(self._request())
        return router.add(
            regressor=self.regressor, method_mapping=MethodMapping().add(caller="fit", callee="fit")
        )

    def _request(self) -> Any:
        from sklearn.utils.metadata_routing import MetadataRequest

        if hasattr(self, "_metadata_request"):
            return self._metadata_request
        request = MetadataRequest(owner=self)
        request.fit.add_request(param="versions", alias=None)
        return request

    def _routed(self, fit_params: dict[str, Any]) -> dict[str, Any]:
        """Parameters of the regressor's own `fit`."""
        import sklearn
        from sklearn.utils.metadata_routing import process_routing

        if not (fit_params and sklearn.get_config()["enable_metadata_routing"]):
            return fit_params
        return dict(process_routing(self, "fit", **fit_params).regressor.fit)


def _taught(known: list[Array]) -> Array:
    """What a teacher learns: the observed target, or its mean with the first version."""
    return known[0] if len(known) == 1 else (known[0] + known[1]) / 2


def _flat(X: Any) -> Any:
    """Windows as rows."""
    return X.reshape(len(X), -1) if getattr(X, "ndim", 2) > 2 else X


def _is_default(teacher: Any) -> bool:
    return isinstance(teacher, str) and teacher == "default"
