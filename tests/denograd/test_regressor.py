"""The regressor that refines its training data first."""

import pickle

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone, is_regressor
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator
from torch import nn

from denograd import DenoisedRegressor


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True, as_frame=True)


def small(**params):
    return DenoisedRegressor(Ridge(), **({"epochs": 3, "max_epochs": 5, "nrr": 0.01} | params))


def test_it_is_a_regressor_for_scikit_learn(diabetes):
    X, y = diabetes
    model = small(rule="gauss_newton", nrr=0.2)
    assert is_regressor(model)
    copy = clone(model)
    assert copy.get_params()["nrr"] == 0.2
    assert copy.regressor is not model.regressor
    pipeline = make_pipeline(StandardScaler(), copy)
    assert cross_val_score(pipeline, X, y, cv=2).shape == (2,)
    assert "rule='gauss_newton'" in repr(model)


def test_a_grid_search_reaches_both_levels(diabetes):
    X, y = diabetes
    search = GridSearchCV(small(), {"nrr": [0.01, 0.05], "regressor__alpha": [0.1, 1.0]}, cv=2)
    search.fit(X.to_numpy(), y.to_numpy())
    assert set(search.best_params_) == {"nrr", "regressor__alpha"}
    assert search.predict(X.to_numpy()).shape == (442,)


def test_same_seed_same_model_and_the_random_state_is_untouched(diabetes):
    X, y = diabetes
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, two = small().fit(X, y), small().fit(X, y)
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(one.X_, two.X_)
    assert not np.array_equal(one.X_, small(random_state=1).fit(X, y).X_)
    anew = [small(random_state=None).fit(X, y).X_ for _ in range(2)]
    assert not np.array_equal(*anew)
    assert one.X_.columns.equals(X.columns)
    assert one.X_.shape == X.shape
    assert not np.allclose(one.X_, X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(one)).predict(X), one.predict(X))


def test_several_targets_and_an_own_backbone(diabetes):
    X, y = diabetes
    Y = np.stack([y, X["bmi"]], 1)
    model = small(backbone=lambda inputs, targets: nn.Linear(inputs, targets)).fit(X.to_numpy(), Y)
    assert isinstance(model.backbone_, nn.Linear)
    assert model.predict(X.to_numpy()).shape == (442, 2)
    assert model.score(X.to_numpy(), Y) < 1


def test_wrong_parameters_are_refused(diabetes):
    X, y = diabetes
    with pytest.raises(ValueError, match="no parameter 'nnr'"):
        small().set_params(nnr=1)
    with pytest.raises(NotFittedError, match="before predict"):
        small().predict(X)
    with pytest.raises(TypeError, match=r"regressor must have fit.*got None"):
        DenoisedRegressor(None).fit(X, y)
    with pytest.raises(ValueError, match="discrete"):
        small().fit(X, (y > 100).astype(float))

    def never(inputs, targets):
        raise AssertionError("no backbone is to be built")

    for rule, way in {"map": r"denograd\.denoise", "global": "'fixed' or 'gauss_newton'"}.items():
        with pytest.raises(ValueError, match=f"rule='{rule}' does not serve here.*{way}"):
            small(rule=rule, backbone=never).fit(X, y)
    with pytest.raises(ValueError, match="epochs must be"):
        small(epochs=0).fit(X, y)


TWO_VALUES = "its target has two values: labels, which are refused"
EXCLUDED = {
    "check_estimators_dtypes": TWO_VALUES,
    "check_pipeline_consistency": TWO_VALUES,
    "check_estimators_nan_inf": TWO_VALUES,
    "check_estimators_pickle": TWO_VALUES,
    "check_fit2d_1feature": TWO_VALUES,
}
"""Checks of scikit-learn that cannot pass, with the reason."""


@pytest.mark.filterwarnings("ignore")  # what scikit-learn's own checks provoke
def test_scikit_learns_own_checks():
    results = check_estimator(small(max_epochs=3), on_skip=None, on_fail=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert set(failed) == set(EXCLUDED), failed
    assert all("is discrete" in str(e) for e in failed.values())
    assert sum(r["status"] == "passed" for r in results) > 40


@pytest.mark.parametrize("rows", [257, 258, 290])
def test_batch_normalisation_and_a_last_batch_of_one_row(rows):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 3))
    y = X @ [1.0, 2.0, 3.0] + rng.normal(size=rows)

    def backbone(inputs, targets):
        return nn.Sequential(nn.Linear(inputs, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, targets))

    for batch_size in (2, 33, 128, 230, 231):
        small(backbone=backbone, batch_size=batch_size, epochs=1).fit(X, y)


def weighted():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    y = X[:, 0] + np.where(np.arange(80) < 40, 0.0, 5.0) + 0.1 * rng.normal(size=80)
    return X, y, np.where(np.arange(80) < 40, 1.0, 1e-9)


def test_sample_weights_reach_the_regressor():
    X, y, weight = weighted()
    plain, half = small().fit(X, y), small().fit(X, y, sample_weight=weight)
    assert abs(half.regressor_.intercept_) < 0.5 < plain.regressor_.intercept_
    assert half.score(X, y, sample_weight=weight) > 0.9 > half.score(X, y)
    searched = GridSearchCV(small(), {"nrr": [0.01]}, cv=2).fit(X, y, sample_weight=weight)
    assert abs(searched.best_estimator_.regressor_.intercept_) < 0.5
    with pytest.raises(TypeError, match="colour"):
        small().fit(X, y, colour=weight)


def test_metadata_is_routed_where_that_is_enabled():
    X, y, weight = weighted()
    with sklearn.config_context(enable_metadata_routing=True):
        asks = DenoisedRegressor(Ridge().set_fit_request(sample_weight=True), epochs=3, max_epochs=3)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        half = make_pipeline(scaler, asks).fit(X, y, sample_weight=weight)
        assert abs(half[-1].regressor_.intercept_) < 0.5
        with pytest.raises(UnsetMetadataPassedError):
            small().fit(X, y, sample_weight=weight)


def test_ratings_are_refined_with_a_warning(diabetes):
    X, y = diabetes
    ratings = np.digitize(y, np.quantile(y, [0.2, 0.4, 0.6, 0.8])) + 1
    for target in (ratings, ratings.astype(float), ratings.tolist()):
        with pytest.warns(
            UserWarning, match=r"discrete, it has only the values \[1\.0, 2\.0, 3\.0, 4\.0, 5\.0\]"
        ):
            assert small().fit(X, target).predict(X).shape == (442,)


def test_labels_that_contradict_are_refused(diabetes):
    X, y = diabetes
    with pytest.raises(ValueError, match="another order"):
        small().fit(X, y[::-1])
