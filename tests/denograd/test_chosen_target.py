"""The regressor whose target is chosen by cross-validation."""

import itertools
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, RegressorMixin, clone, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import estimator_checks_generator

from denograd import ChosenTarget, smooth_target
from denograd.target_choice import Folds, choose, mixtures

NOT_CHECKED = {
    "check_array_api_input": "teachers and regressors are NumPy's; scikit-learn runs it with SCIPY_ARRAY_API=1 only"
}
"""Checks of scikit-learn that are left out, each with its reason."""


def noisy_line(n=240, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    truth = X @ [1.0, 2.0, -1.0, 0.5]
    return X, truth + noise * rng.normal(size=n), truth


class Spy(RegressorMixin, BaseEstimator):
    """Keeps what every fit saw, in the list that all clones share."""

    seen: list = []  # noqa: RUF012 - shared on purpose

    def fit(self, X, y, **params):
        self.seen.append((np.asarray(X).copy(), np.asarray(y).copy(), params))
        return self

    def predict(self, X):
        return np.zeros(len(X))


class FoldsSeen(RegressorMixin, BaseEstimator):
    """Predicts which folds it learnt from, as bits; column 0 of X holds a row's fold."""

    def fit(self, X, y):
        self.bits_ = sum(2 ** int(f) for f in np.unique(X[:, 0]))
        return self

    def predict(self, X):
        return np.full(len(X), float(self.bits_))


@pytest.fixture
def spy():
    Spy.seen = []
    return Spy()


def checks():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not inherit from.*BaseEstimator")
        found = list(estimator_checks_generator(ChosenTarget(Ridge())))
    return [
        pytest.param(
            *check,
            id=check[1].func.__name__,
            marks=pytest.mark.skip(NOT_CHECKED[check[1].func.__name__])
            if check[1].func.__name__ in NOT_CHECKED
            else (),
        )
        for check in found
    ]


@pytest.mark.filterwarnings("ignore:.*does not inherit from.*BaseEstimator")
@pytest.mark.parametrize(("estimator", "check"), checks())
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("m", "parts"), [(1, 4), (2, 10), (3, 10), (4, 5)])
def test_mixtures_are_all_weights_of_that_grain(m, parts):
    found = np.concatenate(list(mixtures(m, parts, 7)))
    expected = [w for w in itertools.product(range(parts + 1), repeat=m) if sum(w) == parts]
    assert sorted(map(tuple, (found * parts).round().astype(int))) == sorted(expected)
    np.testing.assert_allclose(found.sum(1), 1)


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("se", [0.0, 1.0, 2.0])
def test_the_choice_is_that_of_a_plain_loop(ordered, se):
    rng = np.random.default_rng(4)
    n = 500
    y = rng.normal(size=n)
    held_out = y + rng.normal(size=(3, n)) * np.array([1.0, 1.1, 0.9])[:, None]
    fold = np.arange(n) * 4 // n
    best, low = (1.0, 0.0, 0.0), 0.0
    for w in itertools.product(range(11), repeat=3):
        if sum(w) == 10:
            d = (held_out[0] - y) ** 2 - (np.array(w) / 10 @ held_out - y) ** 2
            blocks = [b.mean() for b in np.array_split(d, n // 48 if ordered else n)]
            sure = d.mean() - se * np.std(blocks, ddof=1) / len(blocks) ** 0.5
            loses = min(d[fold == k].mean() for k in range(4)) < 0
            if sure > low + 1e-9 and not loses:
                best, low = tuple(np.array(w) / 10), sure
    found = choose(held_out, y, ["observed", "a", "b"], fold, step=0.1, se=se, ordered=ordered)
    if ordered:  # blocks of unequal length lie elsewhere than array_split's
        np.testing.assert_allclose(found.weights, best, atol=0.101)
    else:
        np.testing.assert_allclose(found.weights, best, atol=1e-12)
    mixed = found.weights @ held_out
    assert found.gain == pytest.approx(1 - ((mixed - y) ** 2).mean() / ((held_out[0] - y) ** 2).mean())
    assert [row["target"] for row in found.report] == ["observed", "a", "b", "chosen"]
    assert found.report[-1]["gain"] == found.gain


def test_a_mixture_that_loses_on_a_fold_is_not_taken():
    rng = np.random.default_rng(0)
    y, fold = np.zeros(400), np.arange(400) % 4
    held_out = rng.normal(size=(2, 400)) * [[1.0], [0.5]]
    taken = choose(held_out, y, ["observed", "a"], fold, step=0.1, se=1, ordered=False)
    assert taken.weights[1] > 0
    held_out[1, fold == 2] = 3 * held_out[0, fold == 2]
    left = choose(held_out, y, ["observed", "a"], fold, step=0.5, se=0, ordered=False)
    np.testing.assert_array_equal(left.weights, [1, 0])
    held_out[1, fold == 2] = 1.01 * held_out[0, fold == 2]
    left = choose(held_out, y, ["observed", "a"], fold, step=0.5, se=0, ordered=False)
    np.testing.assert_array_equal(left.weights, [1, 0])
    assert "lose in one of the folds" in left.report[1]["verdict"]


def test_rows_within_the_gap_of_a_held_out_fold_are_left_out():
    folds = Folds(np.arange(40) * 4 // 40, gap=3)
    np.testing.assert_array_equal(folds.away_from(1), [*range(7), *range(23, 40)])
    np.testing.assert_array_equal(folds.away_from(0, 2), [*range(13, 17), *range(33, 40)])
    np.testing.assert_array_equal(Folds(np.array([0, 1, 0, 1, 2])).away_from(1), [0, 2, 4])
    with pytest.raises(ValueError, match="gap=30 around 1 of 4 folds leaves 0 of 40 rows"):
        Folds(folds.fold, gap=30).away_from(1)


def test_no_label_of_a_teacher_knows_the_judge_or_its_own_fold(spy):
    n, K = 80, 4
    fold = np.arange(n) * K // n
    X = np.column_stack([fold, np.arange(n)]).astype(float)
    ChosenTarget(spy, FoldsSeen(), ordered=True, gap=2, folds=K).fit(
        X, np.random.default_rng(0).normal(size=n)
    )
    fits = [(rows, y) for rows, y, _ in spy.seen if len(rows) < n]
    taught = fits[
        1 : 2 * K : 2
    ]  # per judge: on the observed target, on the teacher's; then all on the observed
    assert (len(taught), len(fits)) == (K, 3 * K)
    for judge, (rows, labels) in enumerate(taught):
        assert judge not in rows[:, 0]
        gone = np.setdiff1d(np.arange(n), rows[:, 1])
        np.testing.assert_array_equal(
            gone, np.flatnonzero([(fold[max(i - 2, 0) : i + 3] == judge).any() for i in range(n)])
        )
        for own, bits in zip(rows[:, 0].astype(int), labels.astype(int), strict=True):
            assert bits == 2**K - 1 - 2**judge - 2**own


def test_a_teacher_that_memorises_gains_nothing():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 3)), rng.normal(size=300)  # nothing to learn
    model = ChosenTarget(Ridge(), DecisionTreeRegressor(random_state=0)).fit(X, y)
    np.testing.assert_array_equal(model.weights_, [1, 0])
    assert model.gain_ == 0
    np.testing.assert_array_equal(model.y_, y)
    np.testing.assert_array_equal(model.predict(X), Ridge().fit(X, y).predict(X))
    assert model.report_[1]["gain"] < 0
    assert "would add" in model.report_[1]["verdict"]
    assert model.report_[-1]["verdict"] == "the observed target"


def test_a_better_target_is_found_and_pays():
    X, y, truth = noisy_line()
    model = ChosenTarget(KNeighborsRegressor(), teacher=None).fit(X, y, versions=(truth,))
    assert model.weights_[1] >= 0.4
    new, _, goal = noisy_line(seed=1)
    plain = KNeighborsRegressor().fit(X, y).predict(new)
    assert ((model.predict(new) - goal) ** 2).mean() < ((plain - goal) ** 2).mean()
    assert model.gain_ == pytest.approx(1 - model.report_[-1]["error"] / model.report_[0]["error"])
    assert model.names_ == ["observed", "version 1"]


def test_one_regressor_is_kept_where_mixed_labels_give_what_was_judged():
    X, y, truth = noisy_line(noise=2.0)
    bent = truth + X[:, 0] ** 2
    auto, labels, predictions = (
        ChosenTarget(KNeighborsRegressor(2), None, se=0.0, mix=mix).fit(X, y, versions=(bent,))
        for mix in ("auto", "labels", "predictions")
    )
    used = auto.weights_ > 0
    assert used.sum() > 1
    assert (len(auto.regressors_), len(labels.regressors_)) == (1, 1)
    assert len(predictions.regressors_) == used.sum()
    np.testing.assert_array_equal(auto.predict(X), labels.predict(X))
    np.testing.assert_allclose(auto.predict(X), predictions.predict(X), rtol=1e-9)
    assert auto.score(X, y) == pytest.approx(predictions.score(X, y))


def test_a_tree_is_fitted_on_every_version_and_its_predictions_are_mixed():
    X, y, truth = noisy_line(noise=2.0)
    tree = DecisionTreeRegressor(max_depth=4, random_state=0)
    model = ChosenTarget(tree, None, se=0.0).fit(X, y, versions=(truth,))
    assert 0 < model.weights_[0] < 1
    members = [clone(tree).fit(X, target).predict(X) for target in (y, truth)]
    np.testing.assert_array_equal(model.predict(X), np.tensordot(model.weights_, members, 1))
    assert len(ChosenTarget(tree, None, se=0.0, mix="labels").fit(X, y, versions=(truth,)).regressors_) == 1


def test_the_spread_of_a_second_fit_is_a_part_of_the_standard_error():
    rng = np.random.default_rng(2)
    n, K = 400, 4
    y, fold = rng.normal(size=n), np.arange(n) % K
    held_out = y + rng.normal(size=(2, n)) * [[1.0], [0.9]]
    again = y + rng.normal(size=n)
    found = choose(held_out, y, ["observed", "a"], fold, step=0.1, se=1, ordered=False, again=again)
    a = found.report[1]
    saved = [(first - y) ** 2 - (held_out[1] - y) ** 2 for first in (held_out[0], again)]
    error = ((held_out[0] - y) ** 2 + (again - y) ** 2).mean() / 2
    apart = [(saved[0] - saved[1])[fold == k].mean() for k in range(K)]
    luck = np.sqrt(np.mean(np.square(apart)) / K)
    rows = np.std((saved[0] + saved[1]) / 2, ddof=1) / n**0.5
    assert a["gain"] == pytest.approx((saved[0] + saved[1]).mean() / 2 / error)
    assert a["luck"] == pytest.approx(luck / error)
    assert a["standard_error"] == pytest.approx(np.hypot(rows, luck) / error)
    assert found.report[0]["gain"] == found.report[0]["luck"] == 0


class Lucky(RegressorMixin, BaseEstimator):
    """A mean, and an error that depends on the last digits of the target."""

    def __init__(self, luck=3.0):
        self.luck = luck

    def fit(self, X, y):
        rng = np.random.default_rng(int(1e9 * abs(y).sum()))
        self.mean_ = y.mean() + self.luck * rng.standard_normal()
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


def test_a_gain_within_the_regressor_s_own_luck_is_none():
    gains, alone = [], []
    for seed in range(20):
        X, y, _ = noisy_line(seed=seed)
        model = ChosenTarget(Lucky(), None, se=2.0).fit(X, y, versions=(y + 1e-6,))
        gains.append(model.gain_)
        alone.append(model.report_[1]["gain"] > 2 * model.report_[1]["luck"])
        assert model.report_[1]["luck"] > 0
    assert np.mean(np.array(gains) > 0) <= 0.2
    assert np.mean(alone) <= 0.2
    steady = ChosenTarget(Lucky(0.0), None).fit(X, y, versions=(y + 1e-6,))
    assert steady.report_[1]["luck"] < 1e-3


def test_versions_reach_the_folds_of_a_search_in_three_ways():
    X, y, truth = noisy_line()
    frame = pd.DataFrame({"half": (y + truth) / 2, "truth": truth})
    grid = {"regressor__n_neighbors": [3, 9], "step": [0.5, 0.25]}
    chosen = ChosenTarget(KNeighborsRegressor(), teacher=None)
    by_column = GridSearchCV(chosen, grid, cv=3).fit(X, np.column_stack([y, frame]))
    by_name = GridSearchCV(chosen, grid, cv=3).fit(X, y, versions=frame)
    with sklearn.config_context(enable_metadata_routing=True):
        wants = clone(chosen).set_fit_request(versions=True)
        routed = GridSearchCV(wants, grid, cv=3).fit(X, y, versions=frame)
        with pytest.raises(ValueError, match="versions"):
            GridSearchCV(chosen, grid, cv=3, error_score="raise").fit(X, y, versions=frame)
    for search in (by_name, routed):
        assert search.best_params_ == by_column.best_params_
        np.testing.assert_array_equal(
            search.cv_results_["mean_test_score"], by_column.cv_results_["mean_test_score"]
        )
        assert search.best_estimator_.names_ == ["observed", "half", "truth"]
    assert (by_column.best_estimator_.weights_[1:] > 0).any()


def test_the_forms_that_versions_may_have():
    X, y, truth = noisy_line()
    other = (y + truth) / 2
    forms = [
        (other, truth),
        [pd.Series(other), pd.Series(truth)],
        np.column_stack([other, truth]),
        pd.DataFrame({"a": other, "b": truth}),
    ]
    models = [ChosenTarget(Ridge(), teacher=None).fit(X, y, versions=form) for form in forms]
    for model in models[1:]:
        np.testing.assert_array_equal(model.weights_, models[0].weights_)
    assert models[-1].names_ == ["observed", "a", "b"]
    one = ChosenTarget(Ridge(), teacher=None).fit(
        X, pd.Series(y, name="y"), versions=pd.Series(truth, name="t")
    )
    assert one.names_ == ["observed", "t"]


def test_parameters_of_fit_reach_every_fit(spy):
    X, y, _ = noisy_line(60)
    held = (X[:5], y[:5])
    weight = np.arange(60.0)
    ChosenTarget(spy, None, folds=3).fit(X, y, versions=(y,), validation=held, sample_weight=weight)
    assert len(spy.seen) == 3 * (2 + 1) + 1
    for rows, _, params in spy.seen:
        assert params["validation"] is held
        at = [int(np.flatnonzero((row == X).all(1))[0]) for row in rows]
        np.testing.assert_array_equal(params["sample_weight"], weight[at])
    assert (
        ChosenTarget(Ridge(), None).fit(X, y, sample_weight=list(weight)).report_
        == ChosenTarget(Ridge(), None).fit(X, y, sample_weight=weight).report_
    )
    with sklearn.config_context(enable_metadata_routing=True):
        ridge = Ridge().set_fit_request(sample_weight=True)
        routed = ChosenTarget(ridge, None).fit(X, y, sample_weight=weight + 1)
    np.testing.assert_array_equal(routed.predict(X), Ridge().fit(X, y, sample_weight=weight + 1).predict(X))


def test_windows_frames_and_pipelines():
    rng = np.random.default_rng(0)
    series = np.sin(np.arange(200) / 7)[:, None] + 0.2 * rng.normal(size=(200, 2))
    windows = np.lib.stride_tricks.sliding_window_view(series[:-1], 10, axis=0).transpose(0, 2, 1)

    class LastStep(RegressorMixin, BaseEstimator):
        def fit(self, X, y):
            self.slope_ = np.linalg.lstsq(X[:, -1], y, rcond=None)[0]
            return self

        def predict(self, X):
            return X[:, -1] @ self.slope_

    model = ChosenTarget(LastStep(), ordered=True, gap=18).fit(windows, series[10:, 0])
    assert model.predict(windows).shape == (190,)
    assert model.names_ == ["observed", "teacher"]
    assert model.report_[1]["error"] < series[:, 0].var()

    X, y, _ = noisy_line()
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = make_pipeline(StandardScaler(), ChosenTarget(Ridge(), LinearRegression())).fit(frame, y)
    model = ChosenTarget(make_pipeline(StandardScaler(), Ridge()), LinearRegression()).fit(frame, y)
    assert list(model.feature_names_in_) == list("abcd")
    assert model.n_features_in_ == 4
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"a": "z"}))


def test_processes_and_seeds_do_not_change_the_result():
    X, y, truth = noisy_line()
    one, two = (ChosenTarget(KNeighborsRegressor(), n_jobs=n).fit(X, y, versions=(truth,)) for n in (None, 2))
    assert one.predict(X).tobytes() == two.predict(X).tobytes()
    assert one.report_ == two.report_
    again = ChosenTarget(KNeighborsRegressor(), random_state=1).fit(X, y, versions=(truth,))
    assert again.report_ != one.report_
    anew = [
        ChosenTarget(Ridge(), None, random_state=None).fit(X, y, versions=(truth,)).report_ for _ in range(2)
    ]
    assert anew[0] != anew[1]
    back = pickle.loads(pickle.dumps(one))
    assert back.predict(X).tobytes() == one.predict(X).tobytes()
    assert is_regressor(one)
    assert not hasattr(clone(one), "weights_")
    assert repr(one) == "ChosenTarget(regressor=KNeighborsRegressor())"


class Says(RegressorMixin, BaseEstimator):
    """A mean, given in the form of the function `form`; its `fit` returns nothing."""

    def __init__(self, form=np.asarray):
        self.form = form

    def fit(self, X, y):
        self.mean_ = y.mean()

    def predict(self, X):
        return self.form(np.full(len(X), self.mean_))


@pytest.mark.parametrize("mix", ["labels", "predictions"])
@pytest.mark.parametrize("form", [list, pd.Series, lambda values: values[:, None]])
def test_predictions_have_one_form_whatever_the_regressor_s(form, mix):
    X, y, truth = noisy_line(60)
    model = ChosenTarget(Says(form), Says(form), mix=mix).fit(X, y, versions=(truth,))
    found = model.predict(X)
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, np.full(60, y.mean()))
    assert model.score(X, y, sample_weight=np.ones(60)) == pytest.approx(0)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (
            lambda values: values[1:],
            r"Says.* predicted shape \(14,\) for 15 held-out rows.* learnt from 45 rows",
        ),
        (lambda values: np.stack([values, values], 1), r"predicted shape \(15, 2\)"),
        (lambda values: values * np.nan, "predicted NaN or infinite values for 15"),
    ],
)
def test_predictions_that_cannot_be_judged_are_named(form, message):
    X, y, _ = noisy_line(60)
    with pytest.raises(ValueError, match=message):
        ChosenTarget(Says(form), None).fit(X, y, versions=(y,))


def test_a_fit_that_fails_is_named():
    class Fails(Says):
        def fit(self, X, y):
            if len(y) < 60:
                raise ArithmeticError("singular")

    X, y, _ = noisy_line(60)
    with pytest.raises(ArithmeticError, match="singular") as caught:
        ChosenTarget(Fails(), None).fit(X, y)
    assert caught.value.__notes__ == ["This was Fails(), learning from 45 rows in ChosenTarget."]


def test_features_may_lack_values_where_the_regressor_takes_it():
    X, y, truth = noisy_line()
    gaps = X.copy()
    gaps[::7, 1] = np.nan
    for ordered in (False, True):
        model = ChosenTarget(DecisionTreeRegressor(max_depth=3), folds=3, ordered=ordered).fit(gaps, y)
        assert np.isfinite([row["gain"] for row in model.report_]).all()
    with pytest.raises(ValueError, match="NaN") as caught:
        ChosenTarget(Ridge()).fit(gaps, y, versions=(truth,))
    assert "Ridge()" in caught.value.__notes__[0]


def test_a_test_part_of_noise_changes_nothing():
    rng = np.random.default_rng(0)
    series = np.sin(np.arange(260) / 7)[:, None] + 0.3 * rng.normal(size=(260, 2))
    train, valid, window = 200, 220, 8
    windows = np.lib.stride_tricks.sliding_window_view(series[:-1], window, axis=0).reshape(-1, 2 * window)
    found = []
    for noise in (False, True):
        mine = series.copy()
        if noise:
            mine[valid:] = 9 * rng.normal(size=mine[valid:].shape)
        labels = smooth_target(mine[:valid], 0, valid_from=train, hidden=0).values[window:train]
        X = np.lib.stride_tricks.sliding_window_view(mine[:-1], window, axis=0).reshape(-1, 2 * window)
        model = ChosenTarget(KNeighborsRegressor(), ordered=True, gap=window + 8)
        found.append(model.fit(X[: train - window], mine[window:train, 0], versions=(labels,)))
        model.predict(X[valid:])
    one, two = found
    assert one.weights_[0] < 1
    assert pickle.dumps((one.report_, one.gain_)) == pickle.dumps((two.report_, two.gain_))
    for name in ("weights_", "y_"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
    assert one.predict(windows).tobytes() == two.predict(windows).tobytes()


def test_versions_of_other_rows_are_refused():
    X, y, truth = noisy_line(60)
    target = pd.Series(y, index=pd.date_range("2026", periods=60))
    late = pd.Series(truth, index=target.index + pd.Timedelta(days=1))
    with pytest.raises(ValueError, match=r"y and versions\[0\] have the same index labels in different rows"):
        ChosenTarget(Ridge()).fit(X, target, versions=(late,))
    by_position = ChosenTarget(Ridge(), None).fit(X, target, versions=(late.to_numpy(),))
    other_labels = ChosenTarget(Ridge(), None).fit(X, target, versions=late.reset_index(drop=True))
    np.testing.assert_array_equal(by_position.weights_, other_labels.weights_)


def test_a_seed_may_be_a_generator_of_scikit_learn_s():
    X, y, _ = noisy_line(60)
    one, two = (ChosenTarget(Ridge(), random_state=np.random.RandomState(seed)).fit(X, y) for seed in (3, 3))
    assert one.report_ == two.report_
    for wrong in (-1, 2**32, "a", 1.5):
        with pytest.raises(ValueError, match=r"random_state must be an integer from 0 to 2\*\*32 - 1"):
            ChosenTarget(Ridge(), random_state=wrong).fit(X, y)


def test_wrong_calls_say_what_to_do():
    X, y, _ = noisy_line(60)
    with pytest.raises(NotFittedError):
        ChosenTarget(Ridge()).predict(X)
    for wrong, message in (
        ({"regressor": None}, r"regressor must be a regressor.*such as Ridge\(\), got None"),
        ({"regressor": Ridge}, "regressor must be a regressor"),
        ({"ordered": "no"}, "ordered must be True or False, got 'no'"),
        ({"teacher": "ridge"}, r"teacher must be a regressor.*'default' or None, got 'ridge'"),
    ):
        with pytest.raises(TypeError, match=message):
            ChosenTarget(**({"regressor": Ridge()} | wrong)).fit(X, y)
    for wrong, message in (
        ({"folds": 2}, "folds must be at least 3, got 2"),
        ({"folds": 1, "teacher": None}, "folds must be at least 2, got 1"),
        ({"gap": 3}, "gap=3 has no effect.*ordered=True"),
        ({"gap": 1.5, "ordered": True}, "gap must be a whole number of rows, got 1.5"),
        ({"gap": 99, "ordered": True}, "gap=99 around 2 of 4 folds leaves 0 of 60 rows"),
        ({"step": 0.3}, "step must be a whole share of 1"),
        ({"se": -1}, "se must be a number of at least 0"),
        ({"mix": "both"}, "mix must be one of auto, labels, predictions, got 'both'"),
    ):
        with pytest.raises(ValueError, match=message):
            ChosenTarget(Ridge(), **wrong).fit(X, y)
    with pytest.raises(ValueError, match="y has 60 rows, a version of it 59"):
        ChosenTarget(Ridge()).fit(X, y, versions=(y[1:],))
    with pytest.raises(ValueError, match=r"versions\[0\] contains NaN"):
        ChosenTarget(Ridge()).fit(X, y, versions=(np.full(60, np.nan),))
    with pytest.raises(ValueError, match=r"versions\[1\] must have shape .* got \(\); .* pass values"):
        ChosenTarget(Ridge()).fit(X, y, versions=(y, 0.9))
    with pytest.raises(ValueError, match=r"versions must have shape .* got \(60, 1, 1\)"):
        ChosenTarget(Ridge()).fit(X, y, versions=y[:, None, None])
    with pytest.raises(TypeError, match="versions is a dict"):
        ChosenTarget(Ridge()).fit(X, y, versions={"smoothed": y})
    with pytest.raises(ValueError, match=r"y has values of size .*give it in another unit"):
        ChosenTarget(Ridge()).fit(X, y * 1e200)
    with pytest.raises(ValueError, match="inconsistent"):
        ChosenTarget(Ridge()).fit(X[1:], y)
    with pytest.raises(ValueError, match="n_samples=7 is too few for 4 folds"):
        ChosenTarget(Ridge()).fit(X[:7], y[:7])
    with pytest.raises(ValueError, match="no parameter 'fold'"):
        ChosenTarget(Ridge()).set_params(fold=3)
    with pytest.raises(ValueError, match="no parameter 'folds__n'"):
        ChosenTarget(Ridge()).set_params(folds__n=3)
    assert ChosenTarget(Ridge()).set_params(regressor=Ridge(2), regressor__alpha=3).regressor.alpha == 3
