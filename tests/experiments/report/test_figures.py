"""Figures exist, tell methods apart, and leave no trace in the process."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest

from benchmarks import fake
from experiments.report import Row, results_of
from experiments.report.analysis.methods import BY_NAME, METHODS, methods_of
from experiments.report.figures import Refined, album, draw_overlay, recovery, save
from experiments.report.figures.album import Album
from experiments.report.figures.data import draw_correlation
from experiments.report.figures.style import STYLE
from experiments.report.figures.trade_off import Panel
from experiments.report.figures.trade_off import draw as draw_trade_off
from experiments.report.sections.convergence import convergence
from experiments.report.sections.protocol import protocol
from experiments.report.sections.sensitivity import sensitivity, swept
from experiments.run import outcome
from experiments.store.frame import frame


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    clean = np.sin(np.arange(400) / 9)[:, None] * [1.0, 0.5, -1.0]
    noisy = clean + 0.1 * rng.standard_normal(clean.shape)
    refined = [Refined("DenoGrad", "#D55E00", (clean + noisy) / 2), Refined("C", "#A0A0A0", 0 * clean)]
    return clean, noisy, refined


def test_every_method_has_a_look_of_its_own():
    for look in ("name", "title", "colour", "marker"):
        assert len({getattr(method, look) for method in METHODS}) == len(METHODS), look


def test_a_users_methods_get_the_next_colours_and_a_place_before_the_controls():
    found = methods_of(["zebra", "identity", "aardvark", "pca"])
    assert list(found) == ["pca", "aardvark", "zebra", "identity"]
    own = [found["aardvark"], found["zebra"]]
    assert [method.title for method in own] == ["aardvark", "zebra"]
    assert len({method.colour for method in (*own, *METHODS)}) == len(METHODS) + 2
    assert all(method.ranked and not method.published for method in own)


@pytest.mark.parametrize("kind", ["series", "tabular"])
@pytest.mark.parametrize("with_reference", [True, False])
def test_overlays(data, kind, with_reference):
    clean, noisy, refined = data
    before = dict(mpl.rcParams)
    figure = draw_overlay(refined, noisy, clean if with_reference else None, kind=kind)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["DenoGrad", "C"]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert ("clean" in words) == with_reference
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("named", ["paper", "deployable"])
def test_the_figure_of_a_run_draws_only_rows_that_were_refined(data, tmp_path, named):
    clean, noisy, _ = data
    task = SimpleNamespace(
        kind="tabular",
        X=noisy[:, :2],
        y=noisy[:, 2],
        clean_X=clean[:, :2],
        clean_y=clean[:, 2],
        sigma=0.1,
        names=("a", "b"),
        split=SimpleNamespace(train=np.arange(300)),
    )
    X, y = noisy[:, :2].copy(), noisy[:, 2].copy()
    if named == "deployable":
        X[300:], y[300:] = np.nan, np.nan
    paths = outcome.run_figure(task, {Row(BY_NAME["pca"]): (X, y)}, named, tmp_path / "denoised")
    assert [path.name for path in paths] == ["denoised.png", "denoised.pdf"]
    assert paths[0].read_bytes()[:4] == b"\x89PNG"


def test_the_same_figure_is_the_same_file(data, tmp_path):
    clean, noisy, refined = data
    one, two = (
        save(draw_overlay(refined, noisy, clean, kind="series"), tmp_path / name, (".png", ".pdf", ".svg"))
        for name in "ab"
    )
    assert [a.read_bytes() for a in one] == [b.read_bytes() for b in two]


def test_other_drawing_code_is_another_source(tmp_path):
    drawing = {path.name for path in album.HERE.glob("*.py")}
    assert {"style.py", "ranks.py", "data.py"} <= drawing
    hashes = []
    for number, text in enumerate(("WIDTH = 1", "WIDTH = 2")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "style.py").write_text(text)
        hashes.append(album.code_of(folder))
    assert len({*hashes, album.code_of()}) == 3


def test_correlation_matrices_with_a_constant_frame(data, tmp_path):
    _, noisy, refined = data
    frames = {"before": noisy, **{method.title: method.points for method in refined}}
    save(draw_correlation(frames), tmp_path / "corr")
    assert (tmp_path / "corr.pdf").stat().st_size > 1000


def test_points_are_apart_in_the_scale_that_is_drawn():
    """A recovery of -5,000 beside others of 30 and 60: the axis is logarithmic, and all keep their markers."""
    points = [
        (str(x), "#0072B2", marker, True, x, 0.0) for x, marker in ((-5000.0, "s"), (30.0, "^"), (60.0, "D"))
    ]
    figure = draw_trade_off([Panel("recovery %", low=False, percent=True, points=points)])
    drawn = [
        m for line in figure.axes[0].lines if len(line.get_xdata()) and (m := line.get_marker()) != "None"
    ]
    assert drawn == ["s", "^", "D"]


@pytest.mark.parametrize("least", [0.98, 0.999995])
def test_ticks_of_many_decimals_are_written_out_and_do_not_run_into_each_other(least):
    points = [("PCA", "#112233", "o", True, least, 1.0), ("DAE", "#332211", "s", True, 1.0, 2.0)]
    figure = draw_trade_off([Panel("rho", low=False, percent=False, points=points)])
    with mpl.rc_context(STYLE):
        figure.draw_without_rendering()
    ticks = [tick for tick in figure.axes[0].xaxis.get_major_ticks() if least <= tick.get_loc() <= 1]
    assert figure.axes[0].xaxis.get_offset_text().get_text() == ""
    ends = [(box.x0, box.x1) for box in (tick.label1.get_window_extent() for tick in ticks)]
    assert len(ends) > 2
    assert all(left[1] < right[0] for left, right in pairwise(ends))


def test_the_single_step_of_a_closed_form_is_no_convergence():
    cells = list(fake.cells(datasets=("ett",), sigmas=(0.0,), protocols=("paper",), repetitions=1))
    once = [
        replace(c, info={**c.info, "history": c.info["history"][:1]}) if "history" in c.info else c
        for c in cells
    ]
    drawn = []
    for each in (cells, once):
        planned = Album(Path("nowhere"))
        convergence(results_of(frame(each)), planned)
        drawn.append([job.stem.name for job in planned.jobs])
    assert drawn == [["convergence_paper"], []]


def test_controls_alone_are_no_trade_off():
    made = [*fake.cells(datasets=("ett",), sigmas=(0.0,), methods=("identity", "constant"), repetitions=1)]
    planned = Album(Path("nowhere"))
    everything = results_of(frame(made))
    protocol(everything.under(everything.conditions[0]), planned)
    assert [job.stem.name for job in planned.jobs] == ["spread_paper_0"]


def test_sensitivity_has_a_line_per_dataset_noise_and_level():
    made = [
        *fake.cells(datasets=("ett",), sigmas=(0.05,), methods=("identity", "denograd_fixed"), repetitions=1)
    ]
    made += [fake.respecified(cell, noise="laplace") for cell in made]
    for value in (0.02, 0.05):
        made += [
            fake.respecified(cell, denoiser_params={"nrr": value})
            for cell in made
            if cell.spec["denoiser"] == "denograd_fixed" and cell.spec["denoiser_params"] == {"nrr": 0.01}
        ]
    everything = results_of(frame(made))
    assert swept(everything) == {"denograd_fixed": ["nrr"]}
    planned = Album(Path("nowhere"))
    sensitivity(everything, planned)
    job = next(job for job in planned.jobs if job.stem.name == "sensitivity_denograd_fixed_paper")
    figure = job.draw(*job.args, **job.options)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["ett, gaussian 0.05", "ett, laplace 0.05"]
    lines = [
        line for line in figure.axes[0].get_lines() if len(line.get_xdata()) == 3 and line.get_lw() == 1.2
    ]
    assert len({line.get_color() for line in lines}) == len(lines) == 2


def test_a_legend_stays_inside_however_long_its_labels():
    curves = [
        recovery.Curve(f"A method with a long name, number {k}", "#000000", "o", [0.1], [1.0])
        for k in range(5)
    ]
    figure = recovery.draw({"ett": curves})
    (legend,) = figure.legends
    assert legend.get_window_extent().width <= figure.bbox.width
    assert len(legend.get_texts()) == 5
