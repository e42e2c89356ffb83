"""A table of one's own, from the command line: what would be made of it, a run, and the answer to a malformed one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import experiments.list
from experiments.run.command import main as run
from experiments.store.files import Store

sys.path.insert(0, str(Path(__file__).parent))
from own_files import GOOD, READ_ALL_THE_SAME, TEXTS, bomb, written

ROOT = Path(__file__).resolve().parents[2]
CHEAP = ["profile=smoke", "figure=false", "denoiser=[identity,pca]", "regressor=[ridge]"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of the user's own to work in."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def table(n=60):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": range(n), "city": np.resize(["A", "B"], n), "a": rng.normal(size=n)})
    return frame.assign(y=2 * frame["a"] + rng.normal(size=n))


def cells_of(folder):
    return {cell.key: cell for cell in Store(folder / "runs", read_only=True).cells()}


def test_a_table_of_ones_own_from_file_to_result(here, capsys):
    table().to_csv("my.csv", index=False)
    words = ["dataset.path=my.csv", "dataset.target=y", "dataset.drop=[id]", *CHEAP]
    assert run(words) == 0
    first = cells_of(here / "work" / "results")
    assert {cell.status for cell in first.values()} == {"ok"}
    assert {cell.spec["dataset"] for cell in first.values()} == {"my"}
    out = capsys.readouterr().out
    assert "my: 60 rows x 3 columns, tabular, target 'y'" in out
    assert "'city' of text one-hot encoded" in out
    assert run(words) == 0
    assert "(0 computed now" in capsys.readouterr().out
    changed = table()
    changed.loc[0, "a"] += 1
    changed.to_csv("my.csv", index=False)
    assert run(words) == 0
    second = cells_of(here / "work" / "results")
    assert set(first) < set(second)
    assert len(second) == 2 * len(first), "another content is another dataset; its old cells stay"


def test_a_series_in_a_yaml_of_ones_own(here):
    frame = table().assign(when=pd.date_range("2024-01-01", periods=60, freq="h"))
    frame.drop(columns=["id", "city"]).to_parquet("load.parquet")
    (here / "conf" / "dataset").mkdir(parents=True)
    (here / "conf" / "dataset" / "load.yaml").write_text(
        "path: load.parquet\nname: load\ntarget: y\ntime: when\nkind: series\nwindow: 4\n"
    )
    assert run([f"--config-dir={here / 'conf'}", "dataset=load", *CHEAP]) == 0
    [sums] = {cell.spec["dataset_sha256"] for cell in cells_of(here / "work" / "results").values()}
    assert len(sums) == 64


def test_a_path_in_a_yaml_is_beside_it_or_where_one_is(here, capsys):
    group = here / "conf" / "dataset"
    group.mkdir(parents=True)
    (group / "flats.yaml").write_text("path: houses.csv\ntarget: y\n")
    table(60).to_csv(group / "houses.csv", index=False)
    table(50).to_csv("houses.csv", index=False)
    words = [f"--config-dir={here / 'conf'}", "dataset=flats"]

    def rows(*more):
        assert experiments.list.main([*words, *more]) == 0
        return capsys.readouterr().out.partition(" rows")[0].splitlines()[-1]

    assert rows() == "flats: 60", "named by its YAML, and beside it"
    assert rows("dataset.path=houses.csv") == "flats: 50", "what the command line names is where one is"
    (group / "houses.csv").unlink()
    assert rows() == "flats: 50"
    Path("houses.csv").unlink()
    assert experiments.list.main(words) == 1
    assert "beside" in capsys.readouterr().err


def test_a_function_of_ones_own(here, monkeypatch, capsys):
    (here / "shop.py").write_text(
        "import numpy as np, pandas as pd\n"
        "def sales(n=50):\n"
        "    a = np.random.default_rng(0).normal(size=n)\n"
        "    return pd.DataFrame({'a': a, 'y': a**2})\n"
    )
    monkeypatch.syspath_prepend(here)
    words = ["dataset._target_=shop.sales", "+dataset.arguments.n=40", "dataset.target=y", *CHEAP]
    assert run(words) != 0
    assert "allow_targets=[shop]" in capsys.readouterr().err
    assert run([*words, "allow_targets=[shop]"]) == 0
    assert {cell.spec["rows"] for cell in cells_of(here / "work" / "results").values()} == {40}


def test_the_list_shows_what_would_be_made_of_it(here, capsys):
    table().to_csv("my.csv", index=False)
    before = sorted(here.rglob("*"))
    assert experiments.list.main(["dataset.path=my.csv"]) == 0
    out = capsys.readouterr().out
    assert "text, 2 values" in out
    assert "dataset.target=COLUMN" in out
    assert experiments.list.main(["dataset.path=my.csv", "dataset.target=y", "dataset.drop=[id]"]) == 0
    out = capsys.readouterr().out
    assert "left out: dataset.drop" in out
    assert "python -m experiments.run dataset.path=my.csv dataset.target=y" in out
    assert sorted(here.rglob("*")) == before


def test_the_list_shows_members_of_ones_own(here, monkeypatch, capsys):
    (here / "halved.py").write_text(
        'class Halved:\n    """Halve everything."""\n    fit = denoise = skip = None\n'.replace(
            "None", "print"
        )
    )
    monkeypatch.syspath_prepend(here)
    folder = here / "ü (x)=y"
    for name, text in {
        "denoiser/halved": "halved:\n  _target_: halved.Halved\n",
        "noise/loud": "# Loud noise.\n_target_: halved.Loud\n",
        "dataset/empty": "",
        "dataset/sales": "# What we sold.\npath: sales.csv\ntarget: y\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(text)
    for flag in (["--config-dir", str(folder)], [f"--config-dir={folder}"], ["-cd", str(folder)]):
        assert experiments.list.main([*flag, "denoiser", "noise", "dataset", "allow_targets=[halved]"]) == 0
        out = capsys.readouterr().out
        assert out.count(f"of {folder}:") == 3
        for line in ("halved  Halve everything.", "loud  Loud noise.", "sales  What we sold."):
            assert re.sub(" +", " ", line) in re.sub(" +", " ", out)
    assert experiments.list.main(["--config-dir", str(folder), "denoiser"]) == 0
    assert "allow_targets=[halved]" in " ".join(capsys.readouterr().out.split())
    assert experiments.list.main(["--config-dir", str(here / "nowhere")]) == 2


@pytest.mark.parametrize("command", [run, experiments.list.main], ids=["run", "list"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_malformed_file_gets_its_own_answer(here, name, command, capsys):
    content, words = TEXTS[name]
    path = written(here / "work", name, content)
    before = sorted(here.rglob("*"))
    code = command([f"dataset.path={path}", "dataset.target=y", *(CHEAP if command is run else [])])
    err = capsys.readouterr().err
    assert code in (1, 2)
    assert "Traceback" not in err
    assert len(err.splitlines()) == 1
    assert words in err
    assert name in err
    assert sorted(here.rglob("*")) == before, "nothing is written"


def test_the_answers_are_different_ones(here, capsys):
    told = []
    for name, (content, _) in TEXTS.items():
        path = written(here / "work", "same", content)
        experiments.list.main([f"dataset.path={path}", "dataset.target=y"])
        told.append((name, capsys.readouterr().err))
    assert len({text for _, text in told}) >= 16, told


@pytest.mark.parametrize("name", READ_ALL_THE_SAME)
def test_an_odd_file_is_read_all_the_same(here, name, capsys):
    path = written(here / "work", name, READ_ALL_THE_SAME[name])
    target = "out y" if name == "two_header_rows" else "y"
    assert experiments.list.main([f"dataset.path={path}", f"dataset.target='{target}'"]) == 0, (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("what", ["directory", "missing", "permission", "bomb"])
def test_what_cannot_be_opened_gets_its_own_answer(here, what, capsys):
    if what == "permission" and os.geteuid() == 0:
        pytest.skip("nothing is forbidden to root")
    path = here / "work" / "closed.csv"
    if what == "directory":
        path.mkdir()
    elif what == "permission":
        path.write_text(GOOD)
        path.chmod(0)
    elif what == "bomb":
        path = bomb(here / "work")
    before = sorted(here.rglob("*"))
    assert run([f"dataset.path={path}", "dataset.target=y", *CHEAP]) in (1, 2)
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1, err
    assert sorted(here.rglob("*")) == before


def test_a_million_columns_are_refused_soon_and_from_a_foreign_folder(here):
    path = written(here / "work", "wide", TEXTS["a_million_columns"][0])
    done = subprocess.run(
        [sys.executable, "-m", "experiments.list", f"dataset.path={path}", "dataset.target=y"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
