"""What every column is to the denoiser, and the way there and back."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from denograd.table.roles import find_roles, from_matrix, to_matrix


def frame(n=40):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "serial": [f"S{i:03}" for i in range(n)],
            "temp": rng.normal(size=n),
            "small": rng.normal(size=n).astype(np.float32),
            "nullable": pd.array(rng.normal(size=n), dtype="Float64"),
            "count": rng.integers(0, 9, n),
            "gappy count": pd.array([None, *rng.integers(0, 9, n - 1)], dtype="Int64"),
            "flag": rng.random(n) > 0.5,
            "state": np.where(np.arange(n) % 3 == 0, "on", "off"),
            "grade": pd.Categorical(np.where(np.arange(n) % 4 == 0, "a", "b")),
            "remark": [f"text {i}" for i in range(n)],
            "day": pd.date_range("2020", periods=n),
            "empty": np.full(n, np.nan),
            "site": "north",
        },
        index=pd.Index(np.arange(n) * 2, name="key"),
    )


ROLES = {
    **{"serial": "id", "temp": "refined", "small": "refined", "nullable": "refined", "count": "held"},
    **{
        "gappy count": "held",
        "flag": "held",
        "state": "categories",
        "grade": "categories",
        "remark": "passed",
    },
    **{"day": "passed", "empty": "passed", "site": "passed"},
}


def test_roles():
    roles = find_roles(frame())
    assert {role.name: role.role for role in roles} == ROLES
    assert all(role.why for role in roles)


def test_objects_are_what_they_hold():
    rows = 12
    objects = {
        "number": [i + 0.5 for i in range(rows)],
        "flag": [True, False, None] * 4,
        "count": [1, 2, None] * 4,
        "part": [Decimal("0.5"), Decimal("1.25"), None] * 4,
    }
    held = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in objects.items()})
    assert [role.role for role in find_roles(held)] == ["refined", "held", "held", "refined"]
    matrix = to_matrix(held, find_roles(held))
    assert {dtype.kind for dtype in from_matrix(held, matrix.values, matrix).dtypes} == {"O"}


def test_a_level_names_what_is_refined():
    roles = {role.name: role.role for role in find_roles(frame(), named=["count", "temp"])}
    assert [name for name, role in roles.items() if role == "refined"] == ["temp", "count"]
    assert roles["small"] == "held"


def test_skip_and_time():
    roles = {role.name: role.role for role in find_roles(frame(), skip=["count"], time="day")}
    assert (roles["count"], roles["day"]) == ("id", "time")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"skip": ["cuont"]}, "skip names columns that the data does not have.*count"),
        ({"time": "date"}, "time names columns"),
        ({"named": ["tmep"]}, "sigma names columns.*temp"),
        ({"named": ["state"]}, "sigma names column 'state', which holds no numbers"),
    ],
)
def test_wrong_names(options, words):
    with pytest.raises(ValueError, match=words):
        find_roles(frame(), **options)


def test_whole_numbers_as_an_id_and_not():
    data = pd.DataFrame({"n": np.arange(30), "x": np.linspace(0, 1, 30)})
    assert [role.role for role in find_roles(data)] == ["id", "refined"]
    assert [role.role for role in find_roles(data[["x", "n"]])] == ["refined", "held"]
    data["n"] //= 2
    assert [role.role for role in find_roles(data)] == ["held", "refined"]


def test_there_and_back():
    data = frame()
    data.loc[data.index[3], ["temp", "nullable"]] = None
    roles = find_roles(data)
    matrix = to_matrix(data, roles)
    assert matrix.moves.sum() == 3
    assert np.isnan(matrix.values[3, :3]).tolist() == [True, False, True]
    back = from_matrix(data, matrix.values, matrix)
    pd.testing.assert_frame_equal(back, data)
    moved = from_matrix(data, matrix.values + 1.0, matrix)
    assert_array_equal(moved["temp"].to_numpy()[:3], data["temp"].to_numpy()[:3] + 1.0)
    assert list(moved.dtypes) == list(data.dtypes)
    pd.testing.assert_frame_equal(moved[["count", "state", "day"]], data[["count", "state", "day"]])


def test_many_levels_are_pooled():
    words = [f"w{i % 30}" for i in range(600)]
    data = pd.DataFrame({"x": np.linspace(0, 1, 600), "w": words})
    role = find_roles(data)[1]
    assert (role.role, role.inputs) == ("categories", 21)
    assert "10 rarest pooled" in role.why
    one_hot = to_matrix(data, [find_roles(data)[0], role]).values[:, 1:]
    assert_array_equal(one_hot.sum(1), np.ones(600))


def test_a_missing_category_is_none_of_them():
    data = pd.DataFrame({"x": np.linspace(0, 1, 60), "w": ["a", "b", None] * 20})
    assert to_matrix(data, find_roles(data)).values[2, 1:].tolist() == [0.0, 0.0]


def test_nothing_to_refine():
    data = pd.DataFrame({"a": np.arange(5), "b": ["x", "y"] * 2 + ["x"]})
    with pytest.raises(TypeError, match=r"no column of floating-point numbers to refine.*a: held"):
        to_matrix(data, find_roles(data))


def test_infinite_values_are_no_gaps():
    data = pd.DataFrame({"a": [1.0, np.inf, 2.0]})
    with pytest.raises(ValueError, match="row 1, column 'a'"):
        to_matrix(data, find_roles(data))
