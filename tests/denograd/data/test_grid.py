"""Readings on regular steps, with gaps where one is missing."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from denograd.data.grid import find_grid


def test_regular_readings_stand_as_they_are():
    grid = find_grid(np.arange(10) * 0.5)
    assert_array_equal(grid.place, np.arange(10))
    assert (grid.length, grid.said) == (10, "")


@pytest.mark.parametrize("unit", ["s", "m", "h", "D", "ns"])
def test_missing_steps_of_dates(unit):
    steps = np.array([0, 1, 2, 5, 6, 9, 10])
    grid = find_grid(np.datetime64("2020-01-01", unit) + steps.astype(f"timedelta64[{unit}]"))
    if unit != "D":
        assert_array_equal(grid.place, steps)
        assert "4 steps without a reading" in grid.said


def test_half_of_the_steps_missing():
    steps = np.sort(np.random.default_rng(0).permutation(400)[:200])
    grid = find_grid(0.25 * steps)
    assert_array_equal(grid.place, steps - steps[0])


def test_jitter_is_no_gap():
    times = np.arange(200) + 0.2 * np.random.default_rng(0).uniform(-1, 1, 200)
    assert_array_equal(find_grid(times).place, np.arange(200))


def test_weekends_are_no_gaps():
    days = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    weekdays = days[np.is_busday(days)]
    assert find_grid(weekdays.astype("datetime64[us]")).length == len(weekdays)
    holiday = np.delete(weekdays, 10)
    assert find_grid(holiday).length == len(weekdays)


def test_a_long_pause_is_cut_short():
    times = np.concatenate([np.arange(50), 10_000 + np.arange(50)]).astype(float)
    assert find_grid(times).length == 199


def test_no_grid_where_it_would_be_too_long():
    times = np.cumsum(np.repeat([1.0, 1000.0], 30))
    found = find_grid(times)
    assert found.length <= 10 * len(times) or "only the order counts" in found.said


def test_order_and_the_way_back():
    values = np.arange(8.0)[:, None]
    times = np.array([3, 1, 2, 9, 5, 6, 7, 8.0])
    grid = find_grid(times)
    assert "rows put in order of time" in grid.said
    spread = grid.spread(values)
    assert len(spread) == 9
    assert np.isnan(spread[3, 0])
    assert_array_equal(grid.gather(spread), values)


def test_readings_that_share_their_time():
    grid = find_grid(np.array([0, 1, 1, 2, 4.0]))
    assert grid.length == 5
    assert "share their time" in grid.said


@pytest.mark.parametrize(
    "missing", [np.array([0, np.nan, 2.0]), np.array(["2020-01-01", "NaT"], dtype="datetime64[D]")]
)
def test_a_missing_time(missing):
    with pytest.raises(ValueError, match="the time of row 1 is missing"):
        find_grid(missing)
