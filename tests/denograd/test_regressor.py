"""The regressor that refines its training data first."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone, is_regressor
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
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
    with pytest.raises(RuntimeError, match="before predict"):
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
