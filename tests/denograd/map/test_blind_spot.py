import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from denograd import BlindSpot, refine

QUICK = {"hidden": 4, "epochs": 1}


def waves(n=120, c=3, noise=0.1, seed=0):
    t = np.linspace(0, 12, n)
    clean = np.column_stack([np.sin(t + j) for j in range(c)])
    return clean + noise * np.random.default_rng(seed).normal(size=clean.shape)


def surface(n=400, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    clean = np.column_stack([a, b, a + b, np.tanh(a * b), a - 2 * b])
    return clean, clean + noise * rng.normal(size=clean.shape)


@pytest.mark.parametrize(("kind", "columns"), [("tabular", 5), ("series", 3), ("series", 1), ("series", 34)])
def test_no_value_sees_itself(kind, columns):
    X = waves(60, columns)
    blind = BlindSpot(kind, hidden=8, epochs=2).fit(X)
    z = torch.from_numpy(X).requires_grad_()
    models = blind.models_of(len(X), len(X))
    order = blind.order(models)
    for segment in blind.segments(models[order]):
        rows = np.arange(len(X))[segment.rows]
        for row in {rows[0], rows[1], rows[len(rows) // 2], rows[-2], rows[-1]}:
            for column in {0, columns // 2, columns - 1}:
                guess = segment.predict(z[segment.reads])[row - segment.rows.start, column]
                gradient = torch.autograd.grad(guess, z)[0]
                assert gradient[row, column] == 0.0
                assert gradient.abs().sum() > 0


@pytest.mark.parametrize("columns", [2, 34])
def test_context_ends_where_it_should(columns):
    X = waves(80, columns)
    blind = BlindSpot("series", context=3, **QUICK).fit(X)
    moved = X.copy()
    moved[40] += 1.0
    differs = np.flatnonzero((blind.predict(X) != blind.predict(moved)).any(1))
    assert_array_equal(differs, np.arange(37, 44))


def test_a_wide_series_sees_its_own_past_and_the_row():
    X = waves(80, 34)
    blind = BlindSpot("series", context=3, hidden=0).fit(X)
    moved = X.copy()
    moved[40, 7] += 1.0
    differs = np.argwhere(blind.predict(X) != blind.predict(moved))
    assert {tuple(d) for d in differs if d[0] != 40} == {(t, 7) for t in (37, 38, 39, 41, 42, 43)}
    assert (40, 7) not in {tuple(d) for d in differs}


def test_residuals_are_cross_fitted():
    _, X = surface()
    blind = BlindSpot(hidden=8, epochs=3).fit(X)
    fitted = blind.predict(X, fitted_rows=len(X))
    assert_allclose(fitted - X, blind.residual_, atol=1e-4)
    assert_allclose(blind.mse_, ((fitted - X) ** 2).mean(0), rtol=1e-3)
    seen = blind.predict(X)  # by the mean of all models, most of which know the row
    assert ((seen - X) ** 2).mean() < blind.mse_.mean()


def test_ridge_equals_the_normal_equations():
    _, X = surface(100)
    blind = BlindSpot(hidden=0).fit(X)
    Z = (X - X.mean(0)) / X.std(0)
    train, j = blind.fold_ != 0, 2
    others = np.delete(Z[train], j, 1)
    centred = others - others.mean(0)
    fits = [
        np.linalg.solve(centred.T @ centred + p * np.eye(4), centred.T @ Z[train, j])
        for p in (1.0, 10.0, 100.0, 1000.0)
    ]
    found = np.delete(blind.linear_[0, :, j].numpy(), j)
    assert min(np.abs(found - fit).max() for fit in fits) < 1e-5


def test_networks_learn_what_a_ridge_cannot():
    _, X = surface(1500)
    ridge = BlindSpot(hidden=0).fit(X)
    nets = BlindSpot(hidden=16, epochs=60).fit(X)
    assert nets.mse_[3] < 0.7 * ridge.mse_[3]  # tanh(a b)


def test_networks_of_pure_noise_are_not_believed():
    X = np.random.default_rng(0).normal(size=(200, 4))
    blind = BlindSpot(hidden=16, epochs=10).fit(X)
    assert (blind.mse_ < 1.1 * X.var(0)).all()


@pytest.mark.parametrize("kind", ["tabular", "series"])
def test_same_seed_same_bytes_and_no_global_state(kind):
    X = waves()
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (BlindSpot(kind, **QUICK).fit(X, seed=3) for _ in range(2))
    other = BlindSpot(kind, **QUICK).fit(X, seed=4)
    assert_array_equal(first.residual_, second.residual_)
    assert (first.net_["w1"] != other.net_["w1"]).any()
    assert_array_equal(before[0], torch.get_rng_state())
    assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("kind", ["tabular", "series"])
def test_units_do_not_matter(kind):
    X = waves()
    factor, shift = np.array([1e3, 1.0, 1e-3]), np.array([5e3, 0.0, -1.0])
    plain = BlindSpot(kind, **QUICK).fit(X).predict(X)
    other = BlindSpot(kind, **QUICK).fit(X * factor + shift).predict(X * factor + shift)
    assert_allclose((other - shift) / factor, plain, atol=2e-4)


def test_constant_columns_are_predicted_and_ignored():
    X = waves()
    X[:, 1] = 7.0
    blind = BlindSpot("series", hidden=8, epochs=2).fit(X)
    assert_array_equal(blind.constant_, [False, True, False])
    changed = X.copy()
    changed[:, 1] = 99.0
    assert_array_equal(blind.predict(changed)[:, 1], 7.0)
    assert_array_equal(blind.predict(changed)[:, [0, 2]], blind.predict(X)[:, [0, 2]])


def test_new_rows_of_a_table_do_not_depend_on_each_other():
    _, X = surface()
    blind = BlindSpot(**QUICK).fit(X[:300])
    assert_allclose(blind.predict(X[300:])[:5], blind.predict(X[300:305]), atol=1e-6)
    both = blind.predict(X, fitted_rows=300)
    assert_allclose(both[300:], blind.predict(X[300:]), atol=1e-6)
    assert_allclose(both[:300], blind.predict(X[:300], fitted_rows=300), atol=1e-6)


def test_inputs_stay_and_it_pickles():
    X = waves()
    kept = X.copy()
    X.setflags(write=False)
    blind = pickle.loads(pickle.dumps(BlindSpot("series", **QUICK).fit(X)))
    blind.predict(X, fitted_rows=len(X))
    assert_array_equal(X, kept)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BlindSpot("table"), "kind must be"),
        (lambda: BlindSpot(folds=1), "folds at least 2"),
        (lambda: BlindSpot().fit(waves()[:, :1]), "is it a series"),
        (lambda: BlindSpot().fit(waves(10)), "10 rows are too few for 5 folds: give at least 20"),
        (lambda: BlindSpot().fit(np.full((50, 2), np.nan)), "row 0, column 0"),
        (lambda: BlindSpot().fit(np.zeros(50)), "two-dimensional"),
        (lambda: BlindSpot(**QUICK).fit(waves()).predict(waves()[:, :2]), "2 columns, the fitted data had 3"),
        (lambda: BlindSpot(**QUICK).fit(waves()).predict(waves(), fitted_rows=7), "fitted_rows must be 0 or"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_not_fitted():
    with pytest.raises(NotFittedError, match="call fit"):
        BlindSpot().predict(waves())


def test_context_has_no_effect_on_a_table():
    with pytest.raises(ValueError, match=r"context=8 has no effect on a table.*kind='series'"):
        BlindSpot(context=8)
    assert BlindSpot("series").context == 8


@pytest.mark.parametrize("hidden", [0, 4])
def test_one_row_of_a_series_is_predicted_from_its_own_columns(hidden):
    X = waves()
    blind = BlindSpot("series", hidden=hidden, epochs=1).fit(X)
    one = blind.predict(X[50:51])
    assert one.shape == (1, X.shape[1])
    assert np.isfinite(one).all()
    changed = X[50:51].copy()
    changed[0, 1] += 1.0
    moved = blind.predict(changed) != one
    assert not moved[0, 1]  # no value sees itself
    assert moved[0, [0, 2]].all()
    refined = refine(blind, X[50:51], 0.1, solver="one_step")
    assert np.isfinite(refined.values).all()


@pytest.mark.parametrize("kind", ["series", "tabular"])
@pytest.mark.parametrize("unit", [1e-50, 1e-30, 1e-25, 1e25, 1e50])
def test_the_result_does_not_depend_on_units(kind, unit):
    X = np.column_stack(
        [waves(), waves()[:, :2] @ [1.0, -1.0] + 0.1 * np.random.default_rng(0).normal(size=len(waves()))]
    )
    units = np.array([unit, 1.0, unit, 1.0])
    settings = {"hidden": 4, "epochs": 1}
    plain = refine(BlindSpot(kind, **settings).fit(X), X, 0.1, fitted_rows=len(X))
    other = refine(BlindSpot(kind, **settings).fit(X * units), X * units, 0.1 * units, fitted_rows=len(X))
    assert (plain.values != X).any()
    assert_allclose(other.values / units, plain.values, atol=1e-3)
    assert_allclose(other.error / units**2, plain.error, atol=1e-4)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_sizes_whose_squares_cannot_be_computed_with_are_refused(unit):
    X = waves()
    X[:, 1] *= unit
    with pytest.raises(ValueError, match=r"column 1 has values of size .*: give it in another unit"):
        BlindSpot("series").fit(X)


@pytest.fixture
def wide(monkeypatch):
    """What a table of more than 100 columns gets, with five of them."""
    monkeypatch.setattr("denograd.map.blind_spot.WIDE_TABLE", 3)


def test_the_networks_of_a_wide_table_learn_from_leading_components(wide):
    _, noisy = surface(1000)
    nets, ridge = (BlindSpot(hidden=hidden).fit(noisy) for hidden in (32, 0))
    assert nets.net_["components"].shape == (5, 5, 5)
    assert nets.net_["w1"].shape == (5, 5, 5 * 32)
    assert nets.mse_[3] < 0.6 * ridge.mse_[3], "no ridge predicts tanh(a b)"
    assert_allclose(nets.predict(noisy)[:7], nets.predict(noisy[:7]), atol=1e-5)


def test_no_value_of_a_wide_table_sees_itself(wide):
    _, noisy = surface(100)
    blind = BlindSpot(hidden=8, epochs=2).fit(noisy)
    z = torch.from_numpy(noisy).requires_grad_()
    models = blind.models_of(100, 100)
    first = next(blind.segments(models[blind.order(models)]))
    for column in range(5):
        gradient = torch.autograd.grad(first.predict(z[first.reads])[3, column], z)[0]
        assert abs(gradient[3, column]) < 1e-5 * gradient.abs().sum()


def test_a_layer_of_a_wide_table_has_no_more_values_than_memory_bears(wide, monkeypatch):
    """Fewer rows go through at once; the prediction is the same."""
    _, noisy = surface(100)
    blind = BlindSpot(**QUICK).fit(noisy)
    whole = blind.predict(noisy)
    monkeypatch.setattr("denograd.map.blind_spot.CHUNK", 10)
    assert all(len(range(100)[s.rows]) <= 6 for s in blind.segments(np.zeros(100, dtype=int)))
    assert_allclose(blind.predict(noisy), whole, atol=1e-6)
