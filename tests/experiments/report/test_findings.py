"""Sentences follow the cells: change one, and the sentence changes, or is no longer there."""

from dataclasses import replace

import pytest

from benchmarks import fake
from experiments.report import results_of
from experiments.report.analysis.findings import findings
from experiments.store.frame import frame

DATASETS = ("ett", "wth", "microsoft_stock", "parkinsons", "house_prices")
METHODS = (*fake.METHODS,)


def made(**options):
    defaults = {
        "datasets": DATASETS,
        "sigmas": (0.0, 0.05),
        "repetitions": 1,
        "regressors": ("xgboost", "dnn", "lstm"),
    }
    return list(fake.cells(**defaults | options))


def said(cells, *words):
    return [text for text in findings(results_of(frame(cells))) if all(word in text for word in words)]


def changed(cells, stage, metric, value, **where):
    """The cells with another metric where stage and spec fit."""
    return [
        replace(c, metrics={**c.metrics, metric: value(c) if callable(value) else value})
        if c.stage == stage and all(c.spec[k] == v for k, v in where.items())
        else c
        for c in cells
    ]


@pytest.fixture(scope="module")
def cells():
    return made()


def test_the_place_of_denograd(cells):
    (before,) = said(cells, "Under the paper's own protocol")
    best = changed(cells, "denoise", "swd", 0.0, denoiser="denograd_fixed", protocol="paper", sigma=0.0)
    (after,) = said(best, "Under the paper's own protocol")
    assert "first by SWD (average rank 1.00, published 1.70)" in after
    assert "first by SWD" not in before
    assert said([c for c in cells if c.spec["denoiser"] != "emd"], "Under the paper's own protocol") == []


def test_far_test_rows_are_counted_and_named_while_there_are_some(cells):
    far = {"far_test_rows": {"rows": 7, "of": 316, "furthest": {"pressure": 132.4, "wind": 11.0}}}
    outlying = [
        replace(c, info={**c.info, **far}) if c.stage == "denoise" and c.spec["dataset"] == "wth" else c
        for c in cells
    ]
    (sentence,) = said(outlying, "standard deviations of the train part")
    assert "wth 7 of 316 (pressure, 132)." in sentence
    assert said(cells, "standard deviations of the train part") == []


def test_what_the_test_tells_apart(cells):
    def by_place(cell):
        return METHODS.index(cell.spec["denoiser"]) / 10

    ordered = changed(cells, "denoise", "swd", by_place, protocol="paper", sigma=0.0)
    (clear,) = said(ordered, "Tests on average ranks")
    assert "by SWD ahead of " in clear
    assert "Moving average" in clear.split("by SWD")[1].split(";")[0]
    same = changed(cells, "denoise", "swd", 0.5, protocol="paper", sigma=0.0)
    (equal,) = said(same, "Tests on average ranks")
    assert "by SWD apart from nobody (that takes" in equal


def test_a_mean_that_hangs_on_one_regressor(cells):
    assert said(cells, "hangs on") == []
    where = {"denoiser": "denograd_fixed", "dataset": "ett", "protocol": "paper", "sigma": 0.0}
    spoilt = changed(cells, "score", "mse", 99.0, regressor="lstm", **where)
    more = [fake.respecified(c, regressor="dlinear") for c in spoilt if c.spec.get("regressor") == "xgboost"]
    (text,) = said([*spoilt, *more], "hangs on")
    assert text.startswith("On ett the mean Imp% of DenoGrad")
    assert "hangs on lstm" in text


def test_the_constant_map_makes_its_point_only_while_it_is_true(cells):
    assert len(said(cells, "A map that erases everything scores 100.0")) == 1
    worse = changed(cells, "score", "mse", 0.2, denoiser="constant", protocol="paper")
    assert said(worse, "A map that erases everything") == []
    assert len(said(worse, "Median Imp% on the same 5 datasets")) == 2


def test_who_gains_on_an_untouched_target(cells):
    where = {"protocol": "deployable", "sigma": 0.05, "kind": "series"}
    bad = changed(cells, "score", "mse", 9.0, **where)
    for variant in ("noisy", "denoised", "clean"):
        bad = changed(bad, "score", "mse", 0.3, denoiser="identity", variant=variant, **where)
    beginning = (
        "Median Imp% under deployable and, in brackets, that of the worst dataset",
        "noise, sigma 0.05",
    )
    (none,) = said(bad, *beginning)
    assert "on 3 series none of 9 methods" in none
    good = changed(bad, "score", "mse", 0.15, denoiser="pca", **where)
    (one,) = said(good, *beginning)
    assert "on 3 series PCA 50.0 (50.0) (of 9 methods)" in one
    mixed = changed(good, "score", "mse", 0.6, denoiser="pca", dataset="wth", **where)
    (one,) = said(mixed, *beginning)
    assert "on 3 series PCA 50.0 (-100.0) (of 9 methods)" in one


def test_who_brings_the_data_closer_to_the_truth(cells):
    where = {"protocol": "paper", "sigma": 0.05}
    worse = changed(cells, "denoise", "recovery", -5.0, **where)
    (nobody,) = said(worse, "sigma 0.05, protocol paper", "closer to the truth")
    assert nobody.startswith(
        "No method brings the data closer to the truth on each of 5 datasets; the median recovery of"
    )
    better = changed(worse, "denoise", "recovery", 30.0, denoiser="denograd_map", **where)
    (one,) = said(better, "sigma 0.05, protocol paper", "closer to the truth")
    assert one.startswith(
        "DenoGrad MAP (median 30.0) brings the data closer to the truth on each of 5 datasets"
    )
    single = changed(better, "denoise", "recovery", -1.0, denoiser="denograd_map", dataset="ett", **where)
    (again,) = said(single, "sigma 0.05, protocol paper", "closer to the truth")
    assert again.startswith("No method")


def test_seeds_and_caps_are_named_while_they_limit(cells):
    (few,) = said(cells, "Fewer than 3 repetitions")
    assert "5 of 5 datasets" in few
    assert "Capped: rows 2000." in few
    enough = [replace(c, provenance={**c.provenance, "caps": {}}) for c in made(repetitions=3)]
    assert said(enough, "Fewer than 3 repetitions") == []
    assert said(enough, "Capped") == []
    once_at = [c for c in enough if c.spec["sigma"] == 0 or c.spec["repetition"] == 0]
    (where,) = said(once_at, "Fewer than 3 repetitions")
    both = "gaussian noise, sigma 0.05, protocol paper; gaussian noise, sigma 0.05, protocol deployable"
    assert f"Fewer than 3 repetitions: 5 of 5 datasets ({both})." in where


def test_caps_that_differ_say_of_which_data(cells):
    caps = {"series": {"rows": 3000, "epochs": 8}, "tabular": {"rows": 3000, "epochs": 15}}
    capped = [replace(c, provenance={**c.provenance, "caps": caps[c.spec["kind"]]}) for c in cells]
    (sentence,) = said(capped, "Capped")
    assert "Capped: epochs 8 (series) and 15 (tables), rows 3000." in sentence


def test_one_method_alone_is_no_choice_of_methods():
    cells = made(methods=("identity", "pca"), protocols=("deployable",), sigmas=(0.05,))
    where = {"protocol": "deployable", "sigma": 0.05}
    for before, after in ((0.3, 0.15), (0.3, 0.6)):
        plain = changed(cells, "score", "mse", before, denoiser="identity", **where)
        (said_of_series,) = said(
            changed(plain, "score", "mse", after, denoiser="pca", **where), "on 3 series"
        )
        assert f"on 3 series PCA, the only method, {100 * (1 - after / before):.1f}" in said_of_series


def test_nothing_is_said_of_what_is_not_there():
    controls = made(methods=("identity", "constant"), protocols=("paper",), sigmas=(0.0,))
    assert findings(results_of(frame(controls))) == []
