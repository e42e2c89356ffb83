"""Tables: the right comparison, marks and gaps; every form of them."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks import fake
from experiments.report import plain, results_of, run_tables, terminal
from experiments.report.analysis import tables
from experiments.report.analysis.methods import BY_NAME
from experiments.report.figures.album import Album
from experiments.report.forms import page
from experiments.report.forms.table import Column, Table, number_text
from experiments.report.sections import compose
from experiments.report.sections.run_times import model_seconds
from experiments.report.sections.summary import lacking
from experiments.store.frame import frame


def campaign(**options):
    """Made-up cells, all of them of tables, whose published regressors are those that are made up."""
    cells = fake.cells(**({"repetitions": 1, "sigmas": (0.05,)} | options))
    return [fake.respecified(cell, kind="tabular") for cell in cells]


def altered(cells, change, **where):
    """The cells with `change` applied to those whose spec (and stage) has the given values."""
    return [
        change(cell) if all(cell.spec.get(key) == value for key, value in where.items()) else cell
        for cell in cells
    ]


def sections(cells):
    return compose(results_of(frame(cells)), Album(None, enabled=False))


def all_tables(cells):
    return [t for section in sections(cells) for t in section.tables()]


def table(cells, name):
    (found,) = [t for t in all_tables(cells) if t.name == name]
    return found


def row(shown, text):
    (found,) = [row for row in shown.rows if str(row) == text]
    return found


def entry(shown, text, column):
    return shown.entry(row(shown, text), column)


def names(shown):
    return [str(row) for row in shown.rows]


def small(**options):
    value = pd.DataFrame(
        {"a": [1.0, 2.0, 2.0, 9.0], "b": [3.0, 1.0, 2.0, 0.0]}, index=["x", "y", "z", "control"]
    )
    columns = [Column("A", "high", 1), Column("B", "low", 1)]
    return Table("t", "Caption & more", columns, value, controls=frozenset({"control"}), **options)


# ------------------------------------------------------------------------------------- what is compared


def test_conditions_that_hold_fewer_datasets_are_said_to_do_so():
    cells = campaign(datasets=("ett", "nasdaq"), protocols=("paper",), sigmas=(0.0, 0.05))
    assert lacking(results_of(frame(cells))) == []
    begun = [
        c
        for c in cells
        if (c.spec["dataset"], c.spec["denoiser"]) == ("ett", "identity")
        or c.spec["dataset"] != "ett"
        or c.spec["sigma"] == 0
    ]
    (said,) = lacking(results_of(frame(begun)))
    assert "fewer than 2 datasets" in said
    assert said.endswith("paper, 0.05: 1.")


def test_under_paper_the_improvement_compares_with_identity_denoised():
    cells = campaign(datasets=("ett",), protocols=("paper",))
    rows = results_of(frame(cells)).score.set_index(["denoiser", "regressor"])
    before, after = rows.loc[("identity", "knn"), "mse"], rows.loc[("pca", "knn"), "mse"]
    assert rows.loc[("pca", "knn"), "imp"] == pytest.approx(100 * (before - after) / before)
    assert (rows.loc["identity", "imp"] == 0).all()
    assert (rows.loc["constant", "imp"] == 100).all()


def test_agra_is_a_method_beside_the_denoisers_and_no_regressor_of_its_own():
    cells = campaign(datasets=("ett",), protocols=("paper",), regressors=("knn", "dnn"))
    more = [
        replace(
            cell,
            key=cell.key[::-1],
            spec=cell.spec | {"regressor": "agra_dnn"},
            metrics=cell.metrics | {"mse": 0.5 * cell.metrics["mse"]},
        )
        for cell in cells
        if cell.spec["denoiser"] in ("identity", "pca") and cell.spec.get("regressor") == "dnn"
    ]
    found = results_of(frame([*cells, *more]))
    score = found.score.assign(title=[str(found.rows[row]) for row in found.score["row"]])
    rows = score.set_index(["title", "regressor"])
    assert rows.loc[("AGRA", "dnn"), "imp"] == pytest.approx(50)
    after, before = rows.loc[("PCA", "dnn"), "mse"], rows.loc[("Identity", "dnn"), "mse"]
    assert rows.loc[("PCA + AGRA", "dnn"), "imp"] == pytest.approx(100 * (1 - after / 2 / before))
    (shown,) = run_tables([*cells, *more])
    (without,) = run_tables(cells)
    assert [c.title for c in shown.columns] == [c.title for c in without.columns]
    assert entry(shown, "PCA", 0) == entry(without, "PCA", 0)
    assert "AGRA" in names(shown)
    assert row(shown, "AGRA") not in shown.controls
    assert BY_NAME["agra"].note in shown.notes


def test_chosen_targets_show_their_weights_beside_what_came_of_them():
    cells = campaign(datasets=("ett",), protocols=("deployable",), regressors=("knn", "dnn"), repetitions=2)
    weights = iter([{"observed": 1.0, "teacher": 0.0}, {"observed": 0.4, "teacher": 0.6}])
    more = [
        replace(
            cell,
            key=cell.key[::-1],
            spec=cell.spec | {"regressor": "chosen_dnn"},
            metrics=cell.metrics | {"mse": 0.5 * cell.metrics["mse"]},
            info={"target_weights": (mine := next(weights)), "target_gain": mine["teacher"] / 10},
        )
        for cell in cells
        if (cell.spec["denoiser"], cell.spec.get("regressor"), cell.spec.get("variant"))
        == ("identity", "dnn", "noisy")
    ]
    grids = [part for section in sections(cells) for part in section.parts]
    assert not [part for part in grids if getattr(part, "name", "") == "chosen_targets"]
    (shown,) = (
        part
        for section in sections([*cells, *more])
        for part in section.parts
        if getattr(part, "name", "") == "chosen_targets"
    )
    (found,) = [dict(zip(shown.header, row, strict=True)) for row in shown.rows]
    assert (found["dataset"], found["method"], found["regressor"]) == ("ett", "Chosen target", "dnn")
    assert (found["changed"], found["observed"], found["teacher"]) == ("1 of 2", "70", "30")
    assert (found["promised %"], found["Imp %"]) == ("3.0", "50.0")
    # it has scores alone, and is shown wherever scores are; without published methods nothing is ranked
    few = [cell for cell in [*cells, *more] if cell.spec["denoiser"] in ("identity", "constant")]
    tables = all_tables(few)
    assert not [table for table in tables if table.name.startswith("ranks_deployable")]
    (forms,) = [table for table in tables if "form of the test features" in table.caption]
    assert "Chosen target" in [str(row) for row in forms.value.index]


def test_seconds_of_a_model_are_the_mean_over_what_it_was_fitted_on():
    cells = campaign(datasets=("ett",))
    shown = model_seconds(results_of(frame(cells)))
    fits = [c.timings["fit_s"] for c in cells if c.spec.get("regressor") == "knn"]
    trained = [
        c.timings["backbone_s"] for c in cells if c.stage == "denoise" and c.spec["backbone"] == "lstm"
    ]
    assert shown.value.loc["knn", "ett"] == pytest.approx(np.mean(fits))
    assert shown.value.loc["backbone lstm", "ett"] == pytest.approx(np.mean(trained))
    assert shown.rows[-1] == "backbone lstm"


def test_under_deployable_it_compares_every_variant_with_identity_noisy():
    cells = campaign(datasets=("ett",), protocols=("deployable",))
    rows = results_of(frame(cells)).score.set_index(["denoiser", "regressor", "variant"])
    before = rows.loc[("identity", "knn", "noisy"), "mse"]
    for variant in ("clean", "noisy", "denoised"):
        after = rows.loc[("pca", "knn", variant), "mse"]
        assert rows.loc[("pca", "knn", variant), "imp"] == pytest.approx(100 * (before - after) / before)


def test_the_headline_is_the_denoised_variant_or_the_noisy_one_marked():
    cells = campaign(datasets=("ett",), protocols=("deployable",))
    score = results_of(frame(cells)).score
    headline = score[score["headline"]].groupby("denoiser")["variant"].unique().map(list)
    assert headline["pca"] == ["denoised"]
    assert headline["denograd_fixed"] == ["noisy"]
    (shown,) = run_tables(cells)
    assert entry(shown, "DenoGrad", 0).endswith(" [N]")
    assert f"[N] {tables.NOISY_TEST.meaning}" in shown.below()
    assert "[N]" not in entry(shown, "PCA", 0)


def test_a_failed_denoised_score_is_a_gap_and_not_replaced_by_the_noisy_one():
    cells = campaign(datasets=("ett",), protocols=("deployable",))
    fail = lambda cell: replace(cell, status="failed", reason="ValueError: no", metrics={})  # noqa: E731
    cells = altered(cells, fail, denoiser="pca", regressor="knn", variant="denoised")
    (shown,) = run_tables(cells)
    column = [c.title for c in shown.columns].index("knn")
    assert entry(shown, "PCA", column) == "– (a)"
    assert shown.below()[0] == "(a) no number: knn failed: ValueError: no"
    assert entry(shown, "PCA", 0).endswith("(2/3) (a)") or entry(shown, "PCA", 0).endswith("(2/3)")


def test_mean_and_median_over_regressors_and_repetitions():
    cells = campaign(datasets=("ett",), protocols=("paper",), repetitions=3)
    score = results_of(frame(cells)).score
    mine = score[score["denoiser"] == "pca"]
    shown = table(cells, "imp_median_paper_gaussian_0.05")
    per_repetition = mine.groupby("repetition")["imp"].median()
    assert shown.value.loc[row(shown, "PCA"), "ett"] == pytest.approx(per_repetition.mean())
    assert shown.spread.loc[row(shown, "PCA"), "ett"] == pytest.approx(per_repetition.std())
    assert shown.count.loc[row(shown, "PCA"), "ett"] == 9


def test_settings_are_never_mixed():
    names = {t.name for t in all_tables(campaign(sigmas=(0.0, 0.05), methods=("pca", "identity")))}
    for protocol in ("paper", "deployable"):
        assert {f"imp_mean_{protocol}_0", f"imp_mean_{protocol}_gaussian_0.05"} <= names
        assert {f"run_{protocol}_0_ett", f"run_{protocol}_gaussian_0.05_parkinsons"} <= names


def test_a_changed_cell_moves_the_tables():
    cells = campaign(protocols=("paper",), regressors=("ridge",))
    louder = lambda cell: replace(cell, metrics={**cell.metrics, "mse": 2 * cell.metrics["mse"]})  # noqa: E731
    where = {"denoiser": "kalman", "dataset": "ett", "regressor": "ridge", "protocol": "paper"}
    before, after = (
        table(c, "imp_mean_paper_gaussian_0.05").value for c in (cells, altered(cells, louder, **where))
    )
    (kalman,) = [row for row in before.index if row.method.name == "kalman"]
    assert after.loc[kalman, "ett"] < before.loc[kalman, "ett"]
    assert after.loc[kalman, "parkinsons"] == before.loc[kalman, "parkinsons"]
    assert after.drop(kalman).equals(before.drop(kalman))


# ------------------------------------------------------------------------------------------------- gaps


def test_a_skipped_denoiser_is_a_dash_with_its_reason_and_never_ranked():
    cells = campaign(datasets=("ett", "parkinsons"), protocols=("paper",))
    skip = lambda cell: replace(cell, status="skipped", reason="no noise level", metrics={})  # noqa: E731
    where = {"denoiser": "denograd_map", "dataset": "ett"}
    cells = altered(cells, skip, stage="denoise", **where)
    cells = [c for c in cells if not (c.stage == "score" and all(c.spec[k] == v for k, v in where.items()))]
    shown = table(cells, "imp_mean_paper_gaussian_0.05")
    entries = [entry(shown, "DenoGrad MAP", i) for i in range(len(shown.columns))]
    assert entries[0] == "– (a)"
    assert entries[2:] == ["– (1/2)", "– (1/2)"]  # no mean over fewer datasets than the others have
    assert "(a) no number: skipped: no noise level" in shown.below()
    assert all(row(shown, "DenoGrad MAP") not in shown.marks[i] for i in (0, 2, 3))


def test_a_value_of_fewer_regressors_says_so_and_is_not_ranked():
    cells = campaign(datasets=("ett",), protocols=("paper",))
    cells = [c for c in cells if not (c.spec["denoiser"] == "pca" and c.spec.get("regressor") == "knn")]
    (shown,) = run_tables(cells)
    assert entry(shown, "PCA", 0).endswith(" (2/3)")
    assert row(shown, "PCA") not in shown.marks[0]


def test_a_regressor_that_nobody_could_run_is_named_below():
    cells = campaign(datasets=("ett",), protocols=("paper",))
    skip = lambda cell: replace(cell, status="skipped", reason="no weight file", metrics={})  # noqa: E731
    (shown,) = run_tables(altered(cells, skip, regressor="knn"))
    assert "knn" not in [c.title for c in shown.columns]
    assert "Without knn: skipped: no weight file" in shown.notes
    assert not any("weight file" in reason for reason in shown.footnotes)


def test_an_undefined_number_is_not_a_missing_one():
    (shown,) = run_tables(campaign(datasets=("ett",), protocols=("paper",)))
    rho = [c.title for c in shown.columns].index("rho")
    assert entry(shown, "Constant", rho) == "– (a)"
    assert shown.below()[0] == "(a) no number: it is not defined, as the correlation of a constant"


def test_without_identity_there_is_nothing_to_compare_with():
    cells = campaign(datasets=("ett",), protocols=("paper",), methods=("pca", "kalman"))
    (shown,) = run_tables(cells)
    assert shown.columns[0].title == "SWD"


def test_filters_along_arbitrary_rows_are_marked():
    shown = table(campaign(protocols=("deployable",)), "run_deployable_gaussian_0.05_parkinsons")
    assert "[R]" in entry(shown, "Kalman", 0)
    assert "[R]" not in entry(shown, "PCA", 0)
    assert f"[R] {tables.MEANINGLESS.meaning}" in shown.below()


# ----------------------------------------------------------------------------------------------- labels


def test_a_dataset_with_fewer_rows_stands_apart():
    cells = campaign(datasets=("ett",), rows=1000) + campaign(datasets=("ett", "wth"), rows=2000)
    full = results_of(frame(cells))
    assert {s[0] for s in full.settings} == {"ett", "wth"}
    assert {s[0] for s in full.fewer.settings} == {"ett (1,000 rows)"}


def test_a_swept_method_is_several_methods_named_by_what_differs():
    cells = campaign(datasets=("ett",), protocols=("paper",))
    swept = [
        fake.respecified(c, denoiser_params={"nrr": 0.05})
        for c in cells
        if c.spec["denoiser"] == "denograd_fixed"
    ]
    found = set(map(str, results_of(frame(cells + swept)).rows))
    assert {"DenoGrad (nrr 0.01)", "DenoGrad (nrr 0.05)", "PCA"} <= found


def test_two_settings_of_a_regressor_are_rows_of_their_own_and_never_averaged():
    """As two profiles in one campaign give them: what differs is named, what is shared stands in both."""
    cells = campaign(datasets=("ett",), protocols=("paper",), regressors=("ridge", "dnn"))
    few = [
        fake.respecified(c, regressor_params={"epochs": 5}) if c.spec.get("regressor") == "dnn" else c
        for c in cells
    ]
    worse = lambda cell: replace(cell, metrics={**cell.metrics, "mse": 3 * cell.metrics["mse"]})  # noqa: E731
    more = [
        worse(fake.respecified(c, regressor_params={"epochs": 100}))
        for c in cells
        if c.spec.get("regressor") == "dnn"
    ]
    (shown,) = run_tables([*few, *more])
    (alone,) = run_tables(few)
    assert [c.title for c in shown.columns][:4] == ["Imp %", "median", "dnn", "ridge"]
    assert "PCA" not in names(shown)
    for text in ("PCA (regressors: epochs 5)", "PCA (regressors: epochs 100)"):
        pca = shown.value.loc[row(shown, text)]
        assert pca["mean"] == pytest.approx(
            alone.value.loc[row(alone, "PCA"), "mean"]
        )  # each against its own before
        assert pca["ridge"] == pytest.approx(alone.value.loc[row(alone, "PCA"), "ridge"])
        assert not shown.incomplete(row(shown, text), 0)


def test_two_settings_of_a_nested_parameter_are_named_by_what_differs_alone():
    cells = [
        c for c in campaign(datasets=("ett",), protocols=("paper",)) if c.spec["denoiser"] == "denograd_fixed"
    ]
    nets = [{"hidden": 64, "training": {"epochs": epochs, "lr": 0.001}} for epochs in (5, 100)]
    found = results_of(frame([fake.respecified(c, backbone_params=net) for c in cells for net in nets]))
    assert [str(row) for row in found.rows] == [
        "DenoGrad (backbone training epochs 100)",
        "DenoGrad (backbone training epochs 5)",
    ]


def test_other_regressors_enter_no_mean():
    cells = campaign(datasets=("ett",), protocols=("paper",), regressors=("ridge", "knn", "svr"))
    spoilt = altered(
        cells, lambda c: replace(c, metrics={**c.metrics, "mse": 99.0}), regressor="svr", denoiser="pca"
    )
    for made in (cells, spoilt):
        (shown,) = run_tables(made)
        pca = shown.value.loc[row(shown, "PCA")]
        assert pca["mean"] == pytest.approx((pca["ridge"] + pca["knn"]) / 2)
        assert [c.title for c in shown.columns if "not in the mean" in c.under] == ["svr"]
    only = [c for c in cells if c.stage == "denoise" or c.spec["regressor"] == "svr"]
    (shown,) = run_tables(only)
    assert shown.columns[0].title == "Imp % svr"  # all that ran, where none of the published ones did


def test_under_deployable_all_regressors_enter_the_mean_and_the_words_tell_protocols_apart():
    cells = campaign(datasets=("ett",), regressors=("ridge", "knn", "svr"))
    paper, deployable = sorted(run_tables(cells), key=lambda shown: "deployable" in shown.name)
    for shown, members in ((paper, ["ridge", "knn"]), (deployable, ["ridge", "knn", "svr"])):
        pca = shown.value.loc[row(shown, "PCA")]
        assert pca["mean"] == pytest.approx(np.mean([pca[name] for name in members]))
    everything = results_of(frame(cells))
    ran = "all regressors that ran of tables"
    assert everything.where(protocol="deployable").group() == f"{ran}: knn, ridge, svr"
    paper = "published regressors of tables under paper: knn, ridge, without xgboost, dnn, tabpfn"
    assert everything.group() == f"{paper}; {ran} under deployable: knn, ridge, svr"
    same = results_of(frame(campaign(datasets=("ett",), regressors=("ridge", "knn"))))
    assert "under" not in same.group()


def test_the_baseline_stands_under_each_improvement_and_a_negative_one_is_marked():
    cells = campaign(datasets=("ett",), protocols=("paper",))
    bad = altered(
        cells, lambda c: replace(c, metrics={**c.metrics, "r2": -0.25}), regressor="knn", denoiser="identity"
    )
    (shown,) = run_tables(bad)
    under = {column.title: column.under for column in shown.columns}
    assert under["knn"] == "R2 -0.25 [B]"
    assert under["ridge"] == "R2 0.70"
    assert tables.BASELINE in shown.notes


def test_no_mark_within_the_spread_of_repetitions():
    value = pd.DataFrame({"a": [3.0, 2.0, 1.0]}, index=["x", "y", "z"])
    columns = [Column("A", "high", 1)]
    for spread, marks in ((0.5, {"x": "best", "y": "second"}), (1.0, {})):
        spreads = pd.DataFrame({"a": [spread, 0.1, 0.1]}, index=value.index)
        assert Table("t", "", columns, value, spread=spreads).marks == [marks]
    spreads = pd.DataFrame({"a": [0.1, 0.1, 2.0]}, index=value.index)
    assert Table("t", "", columns, value, spread=spreads).marks == [{"x": "best"}]


def test_rows_with_fewer_regressors_say_so_and_are_compared_on_what_they_have():
    cells = campaign(datasets=("ett", "wth"), protocols=("paper",), repetitions=1)
    few = [
        c for c in cells if not (c.spec["denoiser"] == "pca" and c.spec.get("regressor") in ("knn", "ridge"))
    ]
    by_name = {t.name: t for t in all_tables(few)}
    assert entry(by_name["overview"], "PCA", 0).endswith("(2/6)")
    beside = by_name["on_what_they_have_paper_gaussian_0.05"]
    (pca,) = beside.rows
    assert beside.value.loc[pca, "numbers"] == 2
    assert beside.value.loc[pca, "of"] == 8
    same = [c for c in cells if c.stage == "denoise" or c.spec["regressor"] == "xgboost"]
    alone = table(same, "imp_mean_paper_gaussian_0.05")
    published = [r for r in alone.rows if r.method.published and r.method.name != "pca"]
    assert beside.value.loc[pca, "published: best"] == pytest.approx(
        alone.value.loc[published, ["ett", "wth"]].median(axis=1).max()
    )


def test_references_stand_below_the_rule_and_take_no_part_in_the_ranking():
    cells = campaign(datasets=("ett",), protocols=("deployable",))
    pca = [c for c in cells if c.spec["denoiser"] == "pca"]
    more = [fake.respecified(c, denoiser="reference_clean_target") for c in pca]
    shown = table([*cells, *more], "imp_mean_deployable_gaussian_0.05")
    reference = row(shown, "Noisy features, clean target")
    assert reference in shown.controls
    assert reference not in shown.marks[0]
    assert BY_NAME["reference_clean_target"].note in shown.notes


def test_what_was_computed_again_counts_once_and_the_latest_counts():
    cells = campaign(datasets=("ett",), protocols=("paper",))
    newer = [
        replace(
            fake.respecified(c, versions={"numpy": "9"}),
            metrics={"swd": 123.0},
            provenance={**c.provenance, "started": "2030-01-01T00:00:00+00:00"},
        )
        for c in cells
        if c.stage == "denoise" and c.spec["denoiser"] == "pca"
    ]
    found = results_of(frame(newer + cells))
    assert found.denoise.set_index("denoiser").loc["pca", "swd"] == 123.0
    assert "1 cells were computed again" in found.notes[0]


# ----------------------------------------------------------------------------------- marks and their forms


def test_best_and_second_are_marked_ties_share_and_controls_do_not_count():
    shown = small()
    assert shown.marks == [{"y": "best", "z": "best"}, {"y": "best", "z": "second"}]
    assert shown.rows[-1] == "control"


def test_what_prints_the_same_is_a_tie():
    value = pd.DataFrame({"a": [1.04, 1.01, 0.5]}, index=["x", "y", "z"])
    assert Table("t", "", [Column("A", "high", 1)], value).marks == [{"x": "best", "y": "best"}]


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(-0.04, 1, "0.0"), (-2350.123, 1, "-2350.1"), (1.5e7, 1, "1.5e7"), (0.12345, 3, "0.123"), (7.0, 0, "7")],
)
def test_numbers_read_well(value, decimals, text):
    assert number_text(value, decimals) == text


def test_the_text_form_is_aligned_and_plain():
    lines = terminal.text(small()).splitlines()
    assert "\x1b" not in "".join(lines)
    assert "2.0*" in lines[5]
    assert [line[:7].strip("- ") for line in lines[3:9]] == ["", "x", "y", "z", "", "control"]
    body = [line for line in lines if line.startswith(("x", "y", "z", "control"))]
    assert len({line.rstrip("*' ").rindex(".") for line in body}) == 1
    assert "\x1b[1m2.0*\x1b[0m" in terminal.text(small(), ansi=True)


def test_markdown_and_latex_escape_and_mark():
    shown = small(notes=("100 % of | and _",))
    markdown, latex = plain.markdown(shown), plain.latex(shown)
    assert "| y | **2.0** | **1.0** |" in markdown
    assert "<ins>2.0</ins>" in markdown
    assert "*control*" in markdown
    assert r"100 % of \| and \_" in markdown
    assert r"\textbf{2.0}" in latex
    assert r"\caption{Caption \& more}" in latex
    assert latex.count(r"\midrule") == 2
    assert r"100 \% of | and \_" in latex


def test_csv_holds_unrounded_values():
    made = campaign(repetitions=2, protocols=("paper",), regressors=("ridge",))
    shown = table(made, "imp_mean_paper_gaussian_0.05")
    read = pd.read_csv(io.StringIO(plain.csv(shown)), index_col="method")
    assert read.loc["PCA", "ett"] == shown.value.loc[row(shown, "PCA"), "ett"]
    assert read.loc["PCA", "ett std"] == shown.spread.loc[row(shown, "PCA"), "ett"]
    assert read["control"].sum() == 2


def test_html_escapes_and_sorts_by_the_unrounded_value():
    value = pd.DataFrame({"a": [1 / 3, np.nan]}, index=["<x>", "y"])
    text = page.table_html(Table("t", "a < b", [Column("A")], value))
    assert "&lt;x&gt;" in text
    assert 'data-v="0.3333333"' in text
    assert "a &lt; b" in text


def test_writing_gives_three_files_per_table(tmp_path):
    paths = plain.write([small()], tmp_path / "tables")
    assert [p.name for p in paths] == ["t.csv", "t.md", "t.tex"]
    assert all(p.stat().st_size for p in paths)


def test_no_cells_are_no_tables():
    assert run_tables([]) == []


def test_a_table_prepared_in_two_ways_is_two_datasets():
    cells = campaign(datasets=("my",))
    dropped = [fake.respecified(cell, dataset_settings={"drop": ["id", "city"]}) for cell in cells]
    filled = [fake.respecified(cell, dataset_settings={"gaps": "fill"}) for cell in cells]
    everything = results_of(frame([*cells, *dropped, *filled]))
    assert set(everything.score["dataset"]) == {"my", "my (drop id and city)", "my (gaps fill)"}
    assert not everything.notes, "none is taken for the same computed again"
    assert len(everything.score) == 3 * len(results_of(frame(cells)).score)
