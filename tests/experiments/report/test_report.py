"""A report from made-up cells: complete, rebuilt from the archive alone, every number from cells."""

import errno
import html
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import fake
from experiments.base.paths import ROOT
from experiments.report import command as report
from experiments.report import rebuild, results_of
from experiments.report.figures import album as album_module
from experiments.report.figures.album import Album
from experiments.report.forms.document import markdown
from experiments.report.forms.page import page
from experiments.report.sections import compose
from experiments.store import archive
from experiments.store.cell import SCHEMA
from experiments.store.frame import frame

DATASETS = ("ett", "parkinsons", "wth", "house_prices", "microsoft_stock", "nasdaq")
IN_README = ("uncapped", "deployable")


def write(folder, cells):
    fake.write(folder, cells)
    return folder


def small(**options):
    return list(
        fake.cells(
            **(
                {
                    "datasets": ("ett", "parkinsons"),
                    "sigmas": (0.0, 0.05),
                    "repetitions": 1,
                    "regressors": ("ridge", "xgboost"),
                }
                | options
            )
        )
    )


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    """A reported campaign with a failure and a skip in it; not to be changed."""
    folder = tmp_path_factory.mktemp("results") / "made-up"
    there = {"datasets": ("ett", "parkinsons", "wth", "nasdaq")}
    cells = small(protocols=("paper",), sigmas=(0.0,), **there) + small(
        protocols=("deployable",), sigmas=(0.05,), **there
    )
    for i, cell in enumerate(cells):
        if cell.spec["dataset"] != "ett":
            continue
        if cell.stage == "denoise" and cell.spec["denoiser"] == "emd":
            cells[i] = replace(
                cell, status="failed", reason="Traceback\nValueError: <boom> & more", metrics={}
            )
        if cell.spec.get("regressor") == "xgboost" and cell.spec["denoiser"] == "pca":
            cells[i] = replace(cell, status="skipped", reason="no licence", metrics={})
    write(folder, cells)
    report.write_report(folder, formats=("tex", "md"), workers=1)
    return folder


@pytest.mark.parametrize("what", ["cells.parquet", "tables", "figures", "report.html"])
def test_a_report_that_cannot_be_written_names_the_file(tmp_path, capsys, what):
    folder = write(tmp_path / "made-up", small(protocols=("paper",), sigmas=(0.0,)))
    if what in ("tables", "figures"):
        (folder / what).write_text("a file where a folder should be")
    else:
        (folder / what).mkdir()
    assert report.main(["campaign=made-up", f"results_dir={tmp_path}"]) == 1
    error = capsys.readouterr().err
    assert f"StoreError: cannot write {folder / what}" in error
    assert "run the same command again" in error
    assert not list(folder.rglob("*.part"))


def test_a_disk_that_is_full_at_a_table_or_a_figure(tmp_path, monkeypatch, capsys):
    def refuse(self, *_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    write(tmp_path / "made-up", small(protocols=("paper",), sigmas=(0.0,)))
    for method in ("pathlib.Path.write_text", "matplotlib.figure.Figure.savefig"):
        with monkeypatch.context() as patch:
            patch.setattr(method, refuse)
            assert report.main(["campaign=made-up", f"results_dir={tmp_path}", "workers=1"]) == 1
        assert "StoreError: cannot write" in (error := capsys.readouterr().err)
        assert "No space left on device" in error


def test_campaigns_at_hand_are_named_also_those_of_an_archive_alone(tmp_path, capsys):
    write(tmp_path / "fresh", small()[:1])
    write(tmp_path / "begun", [])
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / archive.ARCHIVE).touch()
    (tmp_path / "none").mkdir()
    assert report.main(["campaign=nowhere", f"results_dir={tmp_path}"]) == 2
    assert "There are fresh, published." in capsys.readouterr().err
    for name, hint in (
        ("publishedd", "Did you mean published?"),
        ("demo", "campaign +campaign=demo' computes it"),
    ):
        assert report.main([f"campaign={name}", f"results_dir={tmp_path}"]) == 2
        assert hint in capsys.readouterr().err


def test_everything_is_written_and_linked(campaign):
    text = (campaign / "report.md").read_text()
    links = re.findall(r"\]\(((?:tables|figures)/[^)]+)\)", text)
    assert len(links) > 20
    assert [link for link in links if not (campaign / link).is_file()] == []
    assert (campaign / "tables" / "imp_mean_paper_0.csv").stat().st_size
    for picture in (
        "ranks_paper_0",
        "pareto_deployable_gaussian_0.05",
        "spread_paper_0",
        "convergence_paper",
    ):
        assert (campaign / "figures" / f"{picture}.png").is_file()
    for heading in (
        "Paper versus ours",
        "Recovery against sigma",
        "Provenance",
        "Cells that failed or were skipped",
    ):
        assert f"## {heading}" in text


def test_failures_and_skips_are_listed_with_their_reasons(campaign):
    rows = pd.read_csv(campaign / "tables" / "unfinished.csv")
    assert set(rows["reason"]) == {"ValueError: <boom> & more", "no licence"}
    assert "&lt;boom&gt; &amp; more" in (campaign / "report.html").read_text()


def test_the_page_needs_nothing_else(campaign):
    page = (campaign / "report.html").read_text()
    outside = [
        link for link in re.findall(r'(?:src|href)="([^"]+)"', page) if not link.startswith(("data:", "#"))
    ]
    assert outside == []
    assert page.count("<table") == page.count("</table>") > 10


def test_everything_on_the_page_has_a_place_and_a_number_of_its_own(campaign):
    page = (campaign / "report.html").read_text()
    places = re.findall(r' id="([^"]+)"', page)
    assert len(places) == len(set(places))
    for what in ("Table", "Figure"):
        numbers = [int(n) for n in re.findall(rf"<figcaption><b><a [^>]*>{what} (\d+)</a>", page)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) > 3


SEEN = [
    ("ink", "paper"),
    ("ink", "mark"),
    ("ink", "hover"),
    ("soft", "paper"),
    ("soft", "hover"),
    ("link", "paper"),
]
"""Colours of text and of what it stands on."""


@pytest.mark.parametrize("theme", [":root", ":root[data-theme=dark]"])
@pytest.mark.parametrize(("text", "ground"), SEEN)
def test_contrast_is_that_of_wcag_aa(theme, text, ground):
    style = (ROOT / "experiments" / "report" / "forms" / "page.css").read_text()
    (rule,) = re.findall(re.escape(theme) + r"\{([^}]*)\}", style)
    colours = dict(re.findall(r"--(\w+):(#\w+)", rule))

    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(colours[text]), luminance(colours[ground])))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def figures_drawn(monkeypatch):
    """A list that grows with each figure that is drawn."""
    drawn = []
    real = album_module._drawn
    monkeypatch.setattr(
        album_module, "_drawn", lambda job, suffixes: drawn.append(job.stem.name) or real(job, suffixes)
    )
    return drawn


def test_the_archive_alone_gives_the_same_report(campaign, tmp_path, monkeypatch):
    copy = tmp_path / "made-up"
    copy.mkdir()
    shutil.copy(campaign / "cells.parquet", copy)
    shutil.copytree(campaign / "figures", copy / "figures")
    (copy / "figures" / "ranks_paper_0.png").unlink()
    drawn = figures_drawn(monkeypatch)
    report.write_report(copy)
    assert drawn == ["ranks_paper_0"]  # the others are of the same data
    for name in (
        "report.md",
        "report.html",
        "cells.parquet",
        "tables/imp_mean_paper_0.csv",
        "figures/ranks_paper_0.png",
    ):
        assert (copy / name).read_bytes() == (campaign / name).read_bytes(), name


def test_a_changed_cell_moves_tables_and_prose():
    before = small(sigmas=(0.0,), datasets=("ett", "nasdaq"))
    after = [
        replace(c, metrics={**c.metrics, "mse": 3 * c.metrics["mse"]})
        if c.stage == "score" and c.spec["denoiser"] == "denograd_fixed" and c.spec["dataset"] == "ett"
        else c
        for c in before
    ]
    album = Album(None, enabled=False)
    texts = [
        markdown("made up", compose(results_of(frame(cells)), album)).split("## ")
        for cells in (before, after)
    ]
    moved = {a.splitlines()[0] for a, b in zip(*texts, strict=True) if a != b}
    assert "Summary" in moved  # the sentence on paper against deployable
    assert "Protocol paper: no noise injected" in moved
    assert "Provenance" not in moved


def test_new_cells_beside_an_archive_add_to_it(campaign, tmp_path):
    copy = tmp_path / "made-up"
    copy.mkdir()
    shutil.copy(campaign / "cells.parquet", copy)
    n = len(archive.load(copy))
    write(
        copy,
        list(
            fake.cells(datasets=("wth",), sigmas=(0.0,), repetitions=1, methods=("pca",), regressors=("knn",))
        ),
    )
    both = archive.load(copy)
    assert len(both) > n
    assert both["key"].is_unique
    archive.save(both, copy)
    shutil.rmtree(copy / "cells")
    pd.testing.assert_frame_equal(archive.load(copy), both)


def test_what_an_earlier_report_left_is_removed(tmp_path):
    folder = write(tmp_path / "made-up", small(datasets=("ett",), sigmas=(0.0,), protocols=("paper",)))
    (folder / "tables").mkdir()
    (folder / "tables" / "imp_mean_paper_0.7.csv").write_text("stale")
    (folder / "tables" / "mine.txt").write_text("kept")
    report.write_report(folder, figures=False)
    assert not (folder / "tables" / "imp_mean_paper_0.7.csv").exists()
    assert (folder / "tables" / "mine.txt").exists()


def test_the_share_of_the_plan_that_stands_is_told(tmp_path):
    folder = write(tmp_path / "made-up", small(datasets=("ett",), sigmas=(0.0,), protocols=("paper",)))
    count = len(list((folder / "cells").glob("*/*.json")))
    archive.note_plan(folder, 4 * count)
    report.write_report(folder, figures=False)
    told = f"Of at most {4 * count} cells of the whole campaign {count} stand (25%)."
    assert told in (folder / "report.md").read_text()
    archive.note_plan(folder, count)
    report.write_report(folder, figures=False)
    assert f"All {count} cells of the campaign stand." in (folder / "report.md").read_text()


def test_damaged_cells_are_counted_in_plain_sight(tmp_path):
    folder = write(tmp_path / "made-up", small(datasets=("ett",), sigmas=(0.0,), protocols=("paper",)))
    torn, *_ = (folder / "cells").glob("*/*.json")
    torn.write_text(torn.read_text()[:100])
    report.write_report(folder, figures=False)
    assert "1 damaged files in cells/ were left out" in (folder / "report.md").read_text()


@pytest.mark.parametrize(
    "kept",
    [
        lambda c: c.stage == "denoise" and c.spec["denoiser"] == "pca",
        lambda c: c.stage == "score" and c.spec["denoiser"] == "pca",
        lambda c: c.spec["denoiser"] in ("identity", "constant"),
        lambda c: c.spec["denoiser"] != "identity",
        lambda c: c.key[0] == "0",
    ],
)
def test_any_part_of_a_campaign_can_be_reported(tmp_path, kept):
    cells = [cell for cell in small(sigmas=(0.05,)) if kept(cell)]
    failed = [
        replace(cell, status="failed", reason="no", metrics={}, timings={}, memory={}) for cell in cells
    ]
    for name, some in (("fine", cells), ("failed", failed)):
        folder = write(tmp_path / name, some)
        report.write_report(folder)
        assert (folder / "report.html").stat().st_size > 1000


def test_controls_alone_are_reported_and_said_to_be_alone(tmp_path):
    folder = write(tmp_path / "controls", small(methods=("identity", "constant")))
    report.write_report(folder, figures=False)
    text = (folder / "report.md").read_text()
    assert "There are only controls here, and no method to compare with them." in text
    assert "*Constant*" in text


@pytest.mark.parametrize("quarter", range(4))
def test_a_hundred_random_prefixes_of_a_campaign_are_reported_and_say_what_is_missing(quarter):
    """In the order in which any number of processes may finish its 200 cells."""
    everything = frame(small(datasets=("ett", "parkinsons"), sigmas=(0.05,), regressors=("ridge", "dlinear")))
    rng = np.random.default_rng(quarter)
    album = Album(None, enabled=False)
    for n in rng.integers(1, 200, size=25):
        part = everything.iloc[rng.permutation(len(everything))[:200][:n]].reset_index(drop=True)
        sections = compose(results_of(part), album)
        text = markdown("prefix", sections)
        html_text = page("prefix", sections, None)
        assert f"{n:,} cells" in text
        assert html_text.count("<table") == html_text.count("</table>")
        scores = part[(part["stage"] == "score") & (part["status"] == "ok")]
        if scores.empty:
            assert "No regressor has a finished cell" in text
        if not (part["stage"] == "denoise").any():
            assert "There are no cells of the refined data here" in text


def test_the_first_line_needs_none_of_the_heavy_packages():
    """So it is on screen before they are imported."""
    code = (
        "import sys\n"
        "from experiments.report import command\n"
        "assert not {'pandas', 'scipy', 'matplotlib', 'pyarrow'} & set(sys.modules), sorted(sys.modules)\n"
        "command.write_report = lambda *a, **k: []\n"
        "sys.exit(command.main(['campaign=uncapped']))\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert shown.stderr == f"report of {Path('results') / 'uncapped'}: reading its cells\n"
    assert shown.returncode == 0


def test_a_report_says_what_it_is_doing(tmp_path, capsys):
    write(tmp_path / "made-up", small(datasets=("ett",), protocols=("paper",), sigmas=(0.0,)))
    assert report.main([f"results_dir={tmp_path}", "campaign=made-up", "workers=1", "formats=pdf"]) == 0
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert lines[0].endswith("reading its cells")
    assert "cells read; making the tables" in lines[1]
    drawn = len(list((tmp_path / "made-up" / "figures").glob("*.png")))
    assert drawn == len(list((tmp_path / "made-up" / "figures").glob("*.pdf"))) > 1
    assert lines[-1] == f"{drawn} of {drawn} figures"
    assert str(tmp_path / "made-up" / "report.html") in out


def test_only_figures_whose_data_changed_are_drawn(tmp_path, monkeypatch):
    cells = small(datasets=("ett", "nasdaq"), protocols=("paper",), sigmas=(0.0,))
    folder = write(tmp_path / "made-up", cells)
    drawn = figures_drawn(monkeypatch)
    report.write_report(folder)
    first, drawn[:] = list(drawn), []
    assert {"ranks_paper_0", "spread_paper_0"} <= set(first)
    report.write_report(folder)
    assert drawn == []
    changed = [
        replace(c, metrics={**c.metrics, "mse": 1.0}) for c in cells if c.spec.get("regressor") == "xgboost"
    ]
    write(folder, changed)
    report.write_report(folder)
    assert "convergence_paper" not in drawn
    assert "spread_paper_0" in drawn
    (folder / "figures" / "convergence_paper.png").write_bytes(b"torn")
    drawn.clear()
    report.write_report(folder)
    assert drawn == ["convergence_paper"]


def test_processes_draw_the_same(tmp_path):
    folders = [
        write(tmp_path / name, small(datasets=("ett", "nasdaq"), protocols=("paper",)))
        for name in ("one", "two")
    ]
    for workers, folder in enumerate(folders, start=1):
        report.write_report(folder, workers=workers)
    one, two = ({p.name: p.read_bytes() for p in folder.glob("figures/*")} for folder in folders)
    assert len(one) > 6
    assert one == two


@pytest.mark.parametrize("campaign", IN_README)
def test_the_readme_says_what_the_cells_say(campaign):
    text = rebuild.README.read_text()
    assert text == rebuild.rewritten(text, campaign, results_of(archive.load(ROOT / "results" / campaign))), (
        f"README.md is not what the cells say: run 'make report CAMPAIGN={campaign}'"
    )


def test_a_readme_without_markers_is_refused(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("# Mine\n")
    with pytest.raises(rebuild.NoMarkers, match="overview of mine"):
        rebuild.rewrite("mine", results_of(frame(small())), path)
    assert path.read_text() == "# Mine\n"
    path.write_text("<!-- end of findings of mine -->\n<!-- findings of mine -->\n")
    with pytest.raises(rebuild.NoMarkers, match="and then"):
        rebuild.rewrite("mine", results_of(frame(small())), path)


def test_a_readme_without_a_place_for_a_campaign_is_named_before_anything_is_written(tmp_path, capsys):
    folder = write(tmp_path / "made-up", small(datasets=("ett",), protocols=("paper",)))
    assert report.main([f"results_dir={tmp_path}", "campaign=made-up", "readme=true"]) == 2
    assert "or leave readme=true out" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["cells"]


# --------------------------------------------------------------------------------------- what is refused


def test_a_cell_of_another_schema_is_refused(tmp_path, capsys):
    folder = write(tmp_path / "old", small(datasets=("ett",), protocols=("paper",), sigmas=(0.0,))[:3])
    path = next((folder / "cells").glob("*/*.json"))
    path.write_text(path.read_text().replace(f'"schema": {SCHEMA}', '"schema": 99'))
    assert report.main([f"results_dir={tmp_path}", "campaign=old"]) == 1
    assert "schema 99, this version reads 1" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["schema", "torn"])
def test_an_archive_that_cannot_be_read_is_refused(tmp_path, capsys, damage):
    folder = tmp_path / "old"
    folder.mkdir()
    path = archive.save(frame(small(datasets=("ett",), protocols=("paper",), sigmas=(0.0,))), folder)
    if damage == "schema":
        pd.read_parquet(path).assign(schema=99.0).to_parquet(path)
    else:
        path.write_bytes(path.read_bytes()[:-100])
    assert report.main([f"results_dir={tmp_path}", "campaign=old"]) == 1
    assert ("schema 99" if damage == "schema" else "cannot be read") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["campain=first"], "Did you mean campaign?"),
        (["first"], "'first' is no KEY=VALUE"),
        (["campaign=x", "figures=perhaps"], "figures is true or false, got 'perhaps'"),
        (["campaign=nowhere"], "there is no campaign in"),
    ],
)
def test_bad_words_on_the_command_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert report.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_help_and_a_campaign_without_cells(capsys, tmp_path):
    assert report.main(["--help"]) == 0
    assert "python -m experiments.report campaign=NAME" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert report.main([f"results_dir={tmp_path}", "campaign=empty"]) == 1
    assert "empty holds no cells. Run" in capsys.readouterr().err


# --------------------------------------------------------------------------------------- in a browser


@pytest.fixture
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium on this machine ('apt-get install chromium')")
    return path


PROBE = """
<script>
addEventListener('load', () => {
  const table = document.querySelector('[id^=imp_mean_paper_0] table');
  const column = () => [...table.tBodies[0].rows].map(row => row.cells[1].dataset.v);
  const before = column();
  table.querySelectorAll('thead th')[1].click();
  const down = column();
  table.querySelectorAll('thead th')[1].click();
  const result = {before, down, up: column(), images: [...document.images].every(i => i.naturalWidth > 100),
                  last: table.tBodies[0].rows[table.tBodies[0].rows.length - 1].className};
  const out = document.createElement('pre');
  out.id = 'probe';
  out.textContent = JSON.stringify(result);
  document.body.append(out);
});
</script></body>"""


def test_the_page_works_in_a_browser(campaign, chromium, tmp_path):
    page = tmp_path / "report.html"
    page.write_text((campaign / "report.html").read_text().replace("</body>", PROBE))
    done = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--v=0",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=5000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "CONSOLE" not in done.stderr, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    found = json.loads(html.unescape(re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.S).group(1)))
    ranked = [float(v) for v in found["down"][:-2] if v]
    assert ranked == sorted(ranked, reverse=True)
    assert found["up"][: len(ranked)] == [repr(v) for v in sorted(ranked)]
    assert found["down"] != found["before"]
    assert found["last"] == "control"
    assert found["images"]
