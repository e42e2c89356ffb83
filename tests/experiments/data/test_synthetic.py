import numpy as np
import pytest

from experiments.data import synthetic
from experiments.data.recipes import load_dataset


def test_surfaces_are_the_polynomials_they_claim_to_be():
    two, three = synthetic.poly2(), synthetic.poly3()
    np.testing.assert_allclose(two.y, two.x1**3 - 2 * two.x1 * two.x2 + two.x2**2 - two.x1)
    np.testing.assert_allclose(
        three.y, three.x1 * three.x2 * three.x3 + three.x1**2 - three.x2**2 + three.x3**3 - three.x2
    )


def test_seasons_repeat():
    frame = synthetic.seasonal()
    np.testing.assert_allclose(frame["sun"].to_numpy()[24:], frame["sun"].to_numpy()[:-24], atol=1e-9)
    np.testing.assert_allclose(
        frame["activity"].to_numpy()[168:], frame["activity"].to_numpy()[:-168], atol=1e-9
    )


@pytest.mark.parametrize("name", ["poly2", "poly3", "seasonal"])
def test_the_target_is_a_function_of_the_rest_that_a_model_can_find(name):
    from sklearn.neighbors import KNeighborsRegressor

    X, y, _ = load_dataset(name).X_y()
    if name == "seasonal":
        X, y = X[:-1], y[1:]
    y = (y - y.mean()) / y.std()
    X = (X - X.mean(0)) / X.std(0)
    rows = np.random.default_rng(0).permutation(len(X))
    train, test = rows[:1500], rows[1500:]
    score = KNeighborsRegressor(5, weights="distance").fit(X[train], y[train]).score(X[test], y[test])
    assert score > 0.95
