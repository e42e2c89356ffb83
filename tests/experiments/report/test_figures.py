"""Figures exist, tell methods apart, and leave no trace in the process."""

from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest

from benchmarks import fake
from experiments.report import campaign_figures, figures
from experiments.report.results import CONTROLS, NAMES, results
from experiments.run import outcome
from experiments.store.frame import frame


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    clean = np.sin(np.arange(400) / 9)[:, None] * [1.0, 0.5, -1.0]
    noisy = clean + 0.1 * rng.standard_normal(clean.shape)
    return clean, noisy, {"denograd_fixed": (clean + noisy) / 2, "constant": np.zeros_like(clean)}


def test_every_denoiser_has_a_look_of_its_own():
    assert set(NAMES) | set(CONTROLS) == set(figures.COLOURS)
    assert len({colour for colour, _ in figures.COLOURS.values()}) == len(figures.COLOURS)
    assert len({marker for _, marker in figures.COLOURS.values()}) == len(figures.COLOURS)
    assert figures.look("somebody's own") == figures.look("somebody's own")


@pytest.mark.parametrize("kind", ["series", "tabular"])
@pytest.mark.parametrize("with_reference", [True, False])
def test_overlays(data, kind, with_reference):
    clean, noisy, refined = data
    before = dict(mpl.rcParams)
    figure = figures.overlay_figure(refined, noisy, clean if with_reference else None, kind=kind)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["DenoGrad", "Constant"]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert ("clean" in words) == with_reference
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("protocol", ["paper", "deployable"])
def test_the_figure_of_a_run_draws_only_rows_that_were_refined(data, tmp_path, protocol):
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
    if protocol == "deployable":
        X[300:], y[300:] = np.nan, np.nan
    paths = outcome.run_figure(task, {"pca": (X, y)}, protocol, tmp_path / "denoised")
    assert [path.name for path in paths] == ["denoised.png", "denoised.pdf"]
    assert paths[0].read_bytes()[:4] == b"\x89PNG"


def test_the_same_figure_is_the_same_file(data, tmp_path):
    clean, noisy, refined = data
    one, two = (
        figures.save(figures.overlay_figure(refined, noisy, clean, kind="series"), tmp_path / name)
        for name in "ab"
    )
    assert [a.read_bytes() for a in one] == [b.read_bytes() for b in two]


def test_correlation_matrices_with_a_constant_frame(data, tmp_path):
    _, noisy, refined = data
    figures.save(figures.correlation_figure({"before": noisy, **refined}), tmp_path / "corr")
    assert (tmp_path / "corr.pdf").stat().st_size > 1000


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
    assert campaign_figures.swept(frame(made)) == {"denograd_fixed": ["nrr"]}
    figure = campaign_figures.sensitivity_figure(results(frame(made)), "denograd_fixed", ["nrr"], "paper")
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["ett, gaussian 0.05", "ett, laplace 0.05"]
    lines = [
        line for line in figure.axes[0].get_lines() if len(line.get_xdata()) == 3 and line.get_lw() == 1.2
    ]
    assert len({line.get_color() for line in lines}) == len(lines) == 2
