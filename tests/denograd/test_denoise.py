import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from tqdm import tqdm

from denograd import DenoisedData, denoise, refine
from denograd.table.readings import take

QUICK = {"hidden": 0}
CLOSED = {**QUICK, "solver": "one_step"}


def noisy_waves(n=400, noise=0.2):
    t = np.linspace(0, 40, n)
    clean = np.column_stack([np.sin(t), np.cos(t), np.sin(2 * t)])
    return clean, clean + noise * np.random.default_rng(0).normal(size=clean.shape)


def test_arrays():
    clean, X = noisy_waves(1200)
    found = denoise(X, 0.2, "series", **QUICK)
    assert isinstance(found, DenoisedData)
    assert ((found.data - clean) ** 2).mean() < 0.3 * ((X - clean) ** 2).mean()
    assert_allclose(found.error_before, 0.04, rtol=0.2)
    # Stein's estimate errs with the noise's own variance, of which 3,600 values tell 0.001
    assert_allclose(found.error_after.mean(), ((found.data - clean) ** 2).mean(), atol=0.004)
    assert 0.05 < found.share < 0.35
    assert found.solver == "auto"
    assert len(found.history) == 1
    found = denoise(X, 0.2, "series", solver="lbfgs", **QUICK)
    assert [h["epoch"] for h in found.history] == list(range(1, len(found.history) + 1))
    assert {"moved", "residual", "displacement", "objective", "seconds"} <= set(found.history[0])
    assert len(denoise(X, 0.2, "series", **CLOSED).history) == 1


def test_progress_covers_the_solver_and_its_probe_runs(monkeypatch):
    bars = []

    class Bar(tqdm):
        def __init__(self, *args, disable=None, **kwargs):
            self.asked = disable
            super().__init__(*args, disable=False, file=io.StringIO(), **kwargs)
            bars.append(self)

    monkeypatch.setattr("denograd.data.progress.tqdm", Bar)
    _, X = noisy_waves(100)
    found = denoise(X, 0.2, "series", solver="lbfgs", verbose=True, **QUICK)
    denoise(X, 0.2, "series", solver="lbfgs", verbose=False, **QUICK)
    assert [bar.asked for bar in bars] == [None, True]
    assert bars[0].desc == "denograd map"
    assert len(found.history) < bars[0].n <= bars[0].total == 5 * 40


def test_units():
    _, X = noisy_waves()
    factor = np.array([1e3, 1.0, 1e-3])
    plain = denoise(X, 0.2, "series", **CLOSED)
    scaled = denoise(X * factor, 0.2 * factor, "series", **CLOSED)
    assert_allclose(scaled.data / factor, plain.data, atol=1e-4)
    assert_allclose(scaled.error_after / factor**2, plain.error_after, rtol=1e-2)
    spread = denoise(X, 0.2 / X.std(0), "series", sigma_unit="std", **CLOSED)
    assert_allclose(spread.data, plain.data)


def test_frames():
    _, X = noisy_waves()
    index = pd.date_range("2020-01-01", periods=len(X))
    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=index).astype({"b": np.float32})
    found = denoise(frame, {"a": 0.2, "b": 0.2}, "series", **CLOSED)
    assert list(found.data.columns) == ["a", "b", "c"]
    assert found.data.index.equals(index)
    assert list(found.data.dtypes) == list(frame.dtypes)
    pd.testing.assert_series_equal(found.data["c"], frame["c"])
    assert (found.data["a"] != frame["a"]).any()
    with pytest.raises(ValueError, match=r"columns that the data does not have: \['z'\]"):
        denoise(frame, {"z": 0.1}, "series")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_and_one_series(dtype):
    _, X = noisy_waves()
    x = torch.tensor(X[:, 0], dtype=dtype)
    found = denoise(x, 0.2, "series", **CLOSED).data
    assert isinstance(found, torch.Tensor)
    assert (found.dtype, found.shape) == (dtype, x.shape)


def test_tables_and_zero_level():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 500))
    clean = np.column_stack([a, b, a + b, a - b])
    X = clean + 0.3 * rng.normal(size=clean.shape)
    found = denoise(X, 0.3, hidden=4, epochs=1, solver="one_step")
    assert ((found.data - clean) ** 2).mean() < 0.7 * 0.09
    assert_array_equal(denoise(X, 0.0, **QUICK).data, X)
    assert denoise(X, 0.0, **QUICK).share == 1.0


def test_same_seed_same_bytes():
    _, X = noisy_waves()
    first, second = (
        denoise(X, 0.2, "series", seed=1, solver="one_step", hidden=4, epochs=1).data for _ in range(2)
    )
    assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"X": np.ones((50, 3), dtype=int)}, TypeError, "floating-point"),
        ({"X": np.full((50, 3), np.nan)}, ValueError, "column 0 holds no value at all"),
        ({"X": np.full((50, 3), np.inf)}, ValueError, "infinite"),
        ({"gaps": "drop"}, ValueError, "gaps must be 'keep' or 'fill'"),
        ({"skip": ["a"]}, ValueError, "skip names columns of a DataFrame"),
        ({"time": np.arange(7), "kind": "series"}, ValueError, "time has 7 values, X has 100 rows"),
        ({"X": np.zeros(50)}, ValueError, "kind='series'"),
        ({"X": np.zeros((50, 3, 2))}, ValueError, "rows, columns"),
        ({"kind": "serie"}, ValueError, "kind must be"),
        ({"sigma_unit": "dB"}, ValueError, "sigma_unit"),
        ({"sigma": None}, ValueError, "needs the noise level"),
        ({"sigma": [0.1]}, ValueError, "one per column"),
        ({"sigma": "wavelet", "sigma_unit": "std"}, ValueError, "estimate in the data's units"),
        ({"solver": "adam"}, ValueError, "solver"),
        ({"X": "readings.csv"}, TypeError, "X must hold the values, got 'readings.csv': read a file before"),
        ({"X": Path("readings.csv")}, TypeError, "X must hold the values, got 'readings.csv'"),
        ({"sigma": True}, TypeError, "sigma must be a number.*not true or false, got True"),
        ({"sigma": [True, False, True]}, TypeError, r"sigma must be a number.*name them"),
        ({"sigma": {0: 0.1, 1: True}}, TypeError, "sigma must be a number"),
        ({"sigma_relative": np.True_}, TypeError, "sigma_relative must be a number"),
    ],
)
def test_bad_input(arguments, error, message):
    _, X = noisy_waves(100)
    with pytest.raises(error, match=message):
        denoise(**{"X": X, "sigma": 0.1, **QUICK, **arguments})


def sensor_log(n=1500, seed=0):
    """A log as people have it, the clean values, and the noise of its columns of numbers."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / 12
    clean = pd.DataFrame({"temp": np.sin(t), "flow": 10 * np.cos(t) + 5 * np.sin(2 * t)})
    noise = {"temp": 0.1, "flow": 1.0}
    log = clean + rng.normal(size=clean.shape) * np.array(list(noise.values()))
    log.insert(0, "when", pd.date_range("2024-01-01", periods=n, freq="10min"))
    log.insert(2, "alarms", (clean["temp"] > 0.5).astype(int))
    log["state"] = np.where(clean["flow"] > 0, "open", "shut")
    log["serial"] = [f"R{i}" for i in range(n)]
    return log, clean, noise


def test_a_sensor_log_as_it_is():
    log, clean, noise = sensor_log()
    log.loc[100:119, "flow"] = np.nan
    found = denoise(log, noise, time="when", **CLOSED)
    kept = found.data
    assert list(kept.dtypes) == list(log.dtypes)
    untouched = ["when", "alarms", "state", "serial"]
    pd.testing.assert_frame_equal(kept[untouched], log[untouched])
    assert kept["flow"].isna().sum() == 20
    for name, level in noise.items():
        seen = log[name].notna()
        left = ((kept[name] - clean[name])[seen] ** 2).mean()
        assert left < 0.5 * level**2
        inside = (np.abs(kept[name] - clean[name]) < 1.645 * found.std[name])[seen]
        assert 0.75 < inside.mean() <= 1.0
    filled = denoise(log, noise, time="when", gaps="fill", **CLOSED)
    gap = slice(100, 119)
    assert np.abs(filled.data.loc[gap, "flow"] - clean.loc[gap, "flow"]).max() < 5.0
    assert (filled.std.loc[gap, "flow"] > filled.std["flow"].median()).all()
    assert [column.role for column in found.columns] == [
        *("time", "refined", "held", "refined", "categories", "passed")
    ]


@pytest.mark.parametrize("sigma", [0.1, {"temp": 0.1}, {"temp": 0.1, "alarms": 0.1}])
def test_what_a_level_names(sigma):
    log, _, _ = sensor_log(200)
    found = denoise(log, sigma, kind="series", **CLOSED)
    refined = [column.name for column in found.columns if column.role == "refined"]
    assert refined == (["temp", "flow"] if sigma == 0.1 else list(sigma))
    assert np.isnan(found.sigma[list(log.columns).index("state")])


def test_one_level_per_refined_column_or_per_column():
    log, _, _ = sensor_log(200)
    numbers = log[["temp", "alarms", "flow"]]
    first = denoise(numbers, [0.1, 1.0], "series", **CLOSED)
    second = denoise(numbers, [0.1, 0.0, 1.0], "series", **CLOSED)
    pd.testing.assert_frame_equal(first.data, second.data)
    with pytest.raises(
        ValueError, match=r"one per column \(3, or 2 for those that are refined\), got shape \(4,\)"
    ):
        denoise(numbers, [0.1] * 4, "series", **CLOSED)


def test_a_polars_frame_goes_in_and_comes_out():
    polars = pytest.importorskip("polars")
    log, _, noise = sensor_log(120)
    log.loc[30:34, "flow"] = np.nan
    log["shift"] = pd.array([None, *range(119)], dtype="Int64")
    frame = polars.DataFrame({name: [None if v is pd.NA else v for v in log[name]] for name in log})
    frame = frame.with_columns(
        polars.col("temp").cast(polars.Float32), flow=polars.col("flow").fill_nan(None)
    )
    found = denoise(frame, noise, "tabular", time="when", **CLOSED)
    assert (found.data.schema, found.data.null_count().rows()) == (frame.schema, frame.null_count().rows())
    untouched = [name for name in frame.columns if name not in noise]
    assert found.data[untouched].equals(frame[untouched])
    same = log.astype({"temp": "float32"})
    like = denoise(same, noise, "tabular", time="when", **CLOSED)
    assert [c.role for c in found.columns] == [c.role for c in like.columns]
    for name in noise:
        assert_allclose(found.data[name].to_numpy(), like.data[name], rtol=1e-6)
    assert_allclose(found.std.to_numpy(), like.std, rtol=1e-6)
    found.plot("flow")
    with pytest.raises(TypeError, match=r"X\.collect\(\) gives them"):
        denoise(frame.lazy(), noise)


def test_missing_rows_leave_gaps_on_the_grid():
    log, clean, noise = sensor_log(800)
    rows = np.sort(np.random.default_rng(0).permutation(800)[:720])
    part = log.iloc[rows].sample(frac=1, random_state=0)
    found = denoise(part, noise, time="when", **CLOSED)
    assert "80 steps without a reading" in found.notes[0] or "79 steps" in found.notes[0]
    assert found.data.index.equals(part.index)
    left = ((found.data["temp"] - clean.loc[part.index, "temp"]) ** 2).mean()
    assert left < 0.5 * noise["temp"] ** 2


@pytest.mark.parametrize("sigma", [0.2, 0.5])
def test_half_of_the_steps_are_enough_to_know_what_is_left(sigma):
    """What fills a missing step is made of its neighbours; a value must not be taken to agree with its own noise."""
    clean, X = noisy_waves(800, sigma)
    kept = np.sort(np.random.default_rng(0).permutation(800)[:400])
    whole = denoise(X, sigma, "series", **QUICK).data[kept]
    found = denoise(X[kept], sigma, time=kept, **QUICK)
    share, best = (((values - clean[kept]) ** 2).mean() / sigma**2 for values in (found.data, whole))
    assert share < best + 0.05
    assert found.share > share - 0.06


def test_a_tenth_of_gaps_costs_little():
    clean, X = noisy_waves(800)
    missing = np.random.default_rng(3).random(X.shape) < 0.1
    whole = denoise(X, 0.2, "series", **QUICK)
    found = denoise(np.where(missing, np.nan, X), 0.2, "series", **QUICK)
    assert np.isnan(found.data).sum() == missing.sum()
    share, best = (((values.data - clean)[~missing] ** 2).mean() / 0.04 for values in (found, whole))
    assert share < best + 0.02
    assert_allclose(
        found.sigma, whole.sigma, rtol=0.06
    )  # of the observed values, not thinned out by the gaps


def test_intervals_cover_what_they_say():
    clean, X = noisy_waves(2000)
    found = denoise(X, 0.2, "series", **CLOSED)
    inside = np.abs(found.data - clean) < 1.645 * found.std
    assert 0.85 < inside.mean() < 0.95


def test_names_of_columns_in_two_levels():
    _, X = noisy_waves(200)
    columns = pd.MultiIndex.from_product([["north", "south"], ["a", "b"]])[: X.shape[1]]
    found = denoise(pd.DataFrame(X[:, : len(columns)], columns=columns), 0.2, "series", **CLOSED)
    assert found.data.columns.equals(columns)
    assert found.summary().loc[[("north", "a")], "sigma"].item() == pytest.approx(0.2)
    assert "north" in found._repr_html_()


def test_a_cap_names_the_column():
    _, X = noisy_waves(300)
    frame = pd.DataFrame(X[:, :2], columns=["here", "there"]).assign(day="x")[["day", "here", "there"]]
    with pytest.warns(UserWarning, match="in column there: 9"):
        denoise(frame, {"there": 9.0}, "series", **CLOSED)


@pytest.mark.filterwarnings("ignore:sigma is larger")  # columns that repeat each other
def test_a_result_that_speaks():
    log, _, noise = sensor_log()
    log.loc[3, "temp"] = np.nan
    found = denoise(log, noise, time="when", **CLOSED)
    assert len(repr(found).splitlines()) <= 10
    assert "2 of 6 columns refined" in repr(found)
    table = found.summary()
    assert list(table.index) == list(log.columns)
    assert table.loc["temp", "gaps"] == 1
    assert 0 < table.loc["temp", "share"] < 1
    assert "<table" in found._repr_html_()
    axes = found.plot("temp").axes[0]
    assert axes.get_ylabel() == "temp"
    with pytest.raises(ValueError, match="no column 'tmep'"):
        found.plot("tmep")
    with pytest.raises(ValueError, match="holds no numbers"):
        found.plot("state")
    wide = denoise(np.tile(noisy_waves(100)[1], 5) + np.arange(15), 0.2, "series", **CLOSED)
    assert len(repr(wide).splitlines()) <= 10
    wide.plot(3)


def test_what_speaks_against_the_assumption():
    clean, X = noisy_waves(1500)
    rng = np.random.default_rng(1)
    assert denoise(X, 0.2, "series", **CLOSED).check() == []
    spikes = X.copy()
    spikes[rng.permutation(1500)[:15], 0] += 8.0
    lonely = np.column_stack([X, rng.normal(size=1500)])
    uneven = clean + 0.05 * rng.normal(size=X.shape) * np.where(np.arange(1500) < 700, 1.0, 8.0)[:, None]
    cases = [
        ("shape", 0, denoise(spikes, 0.2, "series", **CLOSED)),
        ("unpredicted", 3, denoise(lonely, 0.2, "series", **CLOSED)),
        ("level", 0, denoise(X, 0.6, "series", **CLOSED)),
        ("size in time", 1, denoise(uneven, 0.2, "series", **CLOSED)),
    ]
    for what, column, result in cases:
        found = [finding for finding in result.check() if (finding.what, finding.column) == (what, column)]
        assert len(found) == 1, (what, result.check())
        assert str(column) in str(found[0])


def counts(n=1000, share=0.05, seed=0):
    """A flag, a count and two smooth columns, and noise of a share of their spread."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    clean = np.column_stack([a > 0, np.round(2 * b), a, a + b]).astype(float)
    level = share * clean.std(0)
    return clean, clean + level * rng.normal(size=clean.shape), level


def test_a_level_that_the_values_themselves_speak_against_is_told():
    _, X, level = counts()
    result = denoise(X, level * [2.5, 1, 1, 1], "tabular", hidden=0, verbose=False)
    assert result.asked[0] < result.bound[0]  # the residual alone would allow it
    assert 0 in [finding.column for finding in result.check() if finding.what == "level"]


def left(data, clean, noisy):
    return ((data - clean) ** 2).mean(0) / ((noisy - clean) ** 2).mean(0)


def test_an_automatic_level_touches_only_what_shows_its_noise():
    clean, X, level = counts()
    found = denoise(pd.DataFrame(X, columns=list("abcd")), "auto", **QUICK)
    assert_allclose(found.sigma[:2], level[:2], rtol=0.1)
    assert_array_equal(found.sigma[2:], 0.0)
    assert_array_equal(found.data[["c", "d"]], X[:, 2:])
    assert (left(found.data.to_numpy(), clean, X)[:2] < 0.2).all()
    assert "lumps" in found.evidence[0]
    assert "held" in found.evidence[3]
    assert_array_equal(denoise(clean, "auto", **QUICK).data, clean)


def test_a_common_level_speaks_for_all_columns():
    _, X, level = counts()
    found = denoise(X, "common", **QUICK)
    assert_allclose(found.sigma, level, rtol=0.15)
    assert "of the spread" in found.evidence[3]


def test_replicates_name_the_level():
    clean, X = noisy_waves()
    again = clean + 0.2 * np.random.default_rng(5).normal(size=clean.shape)
    found = denoise(X, kind="series", replicates=again, **QUICK)
    assert_allclose(found.sigma, 0.2, rtol=0.15)
    assert found.evidence[0].startswith("2 measurements of 400 rows")
    again[:, 1] += 1.0
    with pytest.raises(ValueError, match="column 1 is shifted by"):
        denoise(X, kind="series", replicates=again, **QUICK)
    with pytest.raises(ValueError, match="same rows and columns"):
        denoise(X, kind="series", replicates=again[:10], **QUICK)


def test_a_quiet_stretch_names_the_level():
    _, X = noisy_waves(800)
    X[300:400] = [0.0, 1.0, 2.0] + 0.2 * np.random.default_rng(5).normal(size=(100, 3))
    found = denoise(X, kind="series", quiet=slice(300, 400), **QUICK)
    assert_allclose(found.sigma, 0.2, rtol=0.25)
    with pytest.raises(ValueError, match="column 0 moves there"):
        denoise(X, kind="series", quiet=slice(0, 300), **QUICK)
    with pytest.raises(ValueError, match="set kind='series'"):
        denoise(X, quiet=slice(300, 400), **QUICK)
    with pytest.raises(ValueError, match="quiet names rows that the data, 800 rows, does not have"):
        denoise(X, kind="series", quiet=[800], **QUICK)


def test_a_resolution_names_the_level():
    _, X = noisy_waves()
    rounded = np.round(X / 0.5) * 0.5
    found = denoise(rounded, kind="series", resolution=0.5, **QUICK)
    assert_allclose(found.sigma, 0.5 / 12**0.5, rtol=0.2)
    with pytest.raises(ValueError, match=r"do not lie 0\.5 apart"):
        denoise(X, kind="series", resolution=0.5, **QUICK)


def test_every_value_may_have_a_level_of_its_own():
    rng = np.random.default_rng(0)
    clean, _ = noisy_waves(1000)
    sigma = rng.choice([0.05, 0.5], clean.shape)
    X = clean + sigma * rng.normal(size=clean.shape)
    own, alike = (denoise(X, s, "series", **QUICK) for s in (sigma, (sigma**2).mean() ** 0.5))
    assert_allclose(own.sigma, np.sqrt((sigma**2).mean(0)), rtol=0.1)
    assert ((own.data - clean) ** 2).mean() < 0.8 * ((alike.data - clean) ** 2).mean()
    assert_allclose(own.error_before, (sigma**2).mean(0), rtol=0.2)
    assert_allclose(own.error_after, ((own.data - clean) ** 2).mean(0), atol=0.1 * own.error_before.mean())
    one = denoise(X[:, 0], sigma[:, 0], "series", **QUICK)
    assert one.data.shape == (1000,)
    with pytest.raises(ValueError, match="one level per column"):
        denoise(X, sigma, "series", **CLOSED)


def test_noise_may_grow_with_the_value():
    rng = np.random.default_rng(0)
    t = np.linspace(0, 40, 1000)
    clean = np.column_stack([np.exp(np.sin(t)), np.exp(np.cos(t)), np.exp(np.sin(2 * t))])
    X = clean * (1 + 0.2 * rng.normal(size=clean.shape))
    found = denoise(X, kind="series", sigma_relative=0.2, **QUICK)
    assert_allclose(np.sqrt((found.sigma**2).mean(0)), 0.2 * np.sqrt((clean**2).mean(0)), rtol=0.1)
    plain = denoise(X, 0.2 * np.sqrt((clean**2).mean(0)), "series", **QUICK)
    assert left(found.data, clean, X).mean() < left(plain.data, clean, X).mean()
    with pytest.raises(ValueError, match="sigma_relative"):
        denoise(X, kind="series", sigma_relative=-0.2, **QUICK)


def test_what_is_missing_has_no_level_that_grows_with_it(monkeypatch):
    """A filled value told nothing, whatever stands in it: only the observed ones have noise, and are refined."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 120)) + 10.0
    X = np.column_stack([a, b, a + b]) * (1 + 0.02 * rng.normal(size=(120, 3)))
    missing = rng.random(X.shape) < 0.2
    seen = []
    monkeypatch.setattr(
        "denograd.fit.refine", lambda *args, **rest: seen.append(refine(*args, **rest)) or seen[-1]
    )
    share = np.full(X.shape, 0.02)
    share[:, 1] = 0.0
    denoise(np.where(missing, np.nan, X), kind="tabular", sigma_relative=share, **QUICK)
    (found,) = seen
    assert ((found.sigma > 0) == (~missing & (share > 0))).all()
    with pytest.raises(ValueError, match=r"as many rows as the data, 120, got shape \(5, 3\)"):
        denoise(X, kind="tabular", sigma_relative=np.full((5, 3), 0.1), **QUICK)


def test_a_level_is_named_once():
    _, X = noisy_waves()
    with pytest.raises(TypeError, match="sigma and quiet both name"):
        denoise(X, 0.2, "series", quiet=slice(0, 50))


def spoilt():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 400))
    X = np.column_stack([a, b, a + b]) + 0.2 * rng.normal(size=(400, 3))
    X[[7, 90], [2, 0]] = -9999.0
    return X


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "one_step"])
def test_outliers_are_reported_and_stay(solver):
    X = spoilt()
    result = denoise(X, 0.2, solver=solver, hidden=4, epochs=1, verbose=False)
    assert np.argwhere(result.outliers).tolist() == [[7, 2], [90, 0]]
    assert_array_equal(result.data[result.outliers], -9999.0)
    assert (result.data != X).any(0).all()
    assert result.share < 0.95
    frame = pd.DataFrame(X, columns=list("abc"))
    assert denoise(frame, 0.2, hidden=4, epochs=1, verbose=False).outliers.shape == (400, 3)


def test_a_level_in_the_wrong_unit_is_said():
    X = spoilt()[100:]
    with pytest.warns(
        UserWarning, match=r"capped, in column 0: 20 \(bound 0\.\d+\), 1: 20 .*is it in the data's units"
    ):
        denoise(X, 20.0, hidden=0, verbose=False)
    with pytest.warns(UserWarning, match=r"capped, in column 1: 5 \(bound"):
        denoise(X, [0.2, 5.0, 0.2], hidden=0, verbose=False)


def test_what_was_asked_counts_where_something_was_observed():
    """A column that never changes is said to be constant, and nothing else; gaps have no level, told or not."""
    X = spoilt()[100:]
    X[:40, 1] = np.nan
    X = np.column_stack([X, np.full(len(X), 5.0)])
    level = np.where(np.isnan(X), np.nan, 0.6)
    level[:, [0, 2]] = 0.1
    result = denoise(X, level, "tabular", hidden=0, verbose=False)
    assert_allclose(result.asked, [0.1, 0.6, 0.1, 0.6], rtol=1e-9)
    assert result.evidence[1].startswith("given, 0.6 capped to ")
    assert result.evidence[3] == "constant"
    assert denoise(X, "auto", "tabular", hidden=0, verbose=False).evidence[3] == "constant"


def frame_of(X):
    return pd.DataFrame(X, columns=list("abc"))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sigma_relative": {"d": 0.1}}, ValueError, "sigma_relative names columns.*'d'"),
        ({"sigma_relative": [0.1, 0.2]}, ValueError, "sigma_relative must be a number or one per column"),
        ({"sigma_relative": "auto"}, TypeError, "sigma_relative must be a number.*'auto'"),
        ({"resolution": {"d": 0.1}}, ValueError, "resolution names columns.*'d'"),
        ({"sigma": {"a": "auto"}}, TypeError, "sigma of column 'a' must be a number, got 'auto'"),
        ({"sigma": frame_of(np.ones((60, 3))).rename(columns={"a": "d"})}, ValueError, "sigma names columns"),
        ({"replicates": frame_of(np.ones((60, 3)))[["a", "b"]]}, ValueError, r"replicates lacks.*\['c'\]"),
        (
            {"replicates": frame_of(np.ones((60, 3))).rename(columns={"a": "d"})},
            ValueError,
            "replicates names columns.*'d'",
        ),
    ],
)
def test_levels_that_name_no_column_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        denoise(frame_of(noisy_waves(60)[1]), kind="series", **QUICK, **arguments)


def test_what_names_its_columns_may_have_them_in_any_order():
    clean, X = noisy_waves(60)
    readings, levels = take(frame_of(X), kind="series"), np.tile([0.1, 0.2, 0.3], (60, 1))
    assert_array_equal(readings.level(frame_of(levels)[["c", "a", "b"]]), levels)
    for given in ({"c": 0.3, "a": 0.1}, pd.Series({"c": 0.3, "a": 0.1}), frame_of(levels)[["c", "a"]]):
        assert_array_equal(np.ravel(readings.level(given))[:3], [0.1, 0.0, 0.3])
    again = frame_of(clean + [0.1, 0.2, 0.3] * np.random.default_rng(5).normal(size=clean.shape))
    called = {"X": frame_of(X), "kind": "series", **CLOSED}
    found = [denoise(replicates=repeat, **called).sigma for repeat in (again, again[["b", "c", "a"]])]
    assert_array_equal(*found)


def test_evidence_tells_of_noise_that_grows_with_the_value():
    found = denoise(frame_of(noisy_waves(60)[1]), 0.1, "series", sigma_relative={"b": 0.2}, **QUICK)
    assert ["sigma_relative" in why for why in found.evidence] == [False, True, False]
