"""A study from Python: names and objects, the table, the store, what a notebook shows, wrong calls."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tqdm.auto
from sklearn.decomposition import PCA
from sklearn.linear_model import HuberRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from experiments import Study
from experiments.base.errors import BadConfig, HarnessError
from experiments.config.objects import name_of, node_of
from experiments.data.noise import Laplace
from experiments.run import loop
from experiments.run.command import main as run
from experiments.store.files import Store

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 80))
    return pd.DataFrame({"a": a, "b": b, "city": np.resize(["A", "B"], 80), "y": 2 * a - b})


@pytest.fixture
def study(frame, tmp_path):
    def make(**more):
        given = {"target": "y", "denoisers": ["pca"], "regressors": ["ridge"], "profile": "smoke"}
        return Study(**({"data": frame, "results_dir": tmp_path} | given | more))

    return make


def test_a_table_with_a_row_for_every_protocol_and_method(study):
    table = study().run()
    assert table.index.names == ["protocol", "method"]
    assert set(table.index) == {(p, m) for p in ("paper", "deployable") for m in ("PCA", "Identity")}
    assert (table.xs("Identity", level="method")["Imp % ridge"] == 0).all()


def test_what_is_stored_is_not_computed_again(study):
    first, second = study(), study()
    table = first.run()
    pd.testing.assert_frame_equal(second.run(), table)
    assert first.bench.computed == len(first.cells)
    assert second.bench.computed == 0


def test_the_same_cells_as_from_the_command_line(study, frame, tmp_path):
    made = study(data="diabetes", target=None, protocols="paper", campaign="same")
    made.run()
    words = [
        "dataset=diabetes",
        "denoiser=[identity,pca]",
        "regressor=[ridge]",
        "protocol=[paper]",
        "profile=smoke",
    ]
    assert run([*words, f"results_dir={tmp_path}", "campaign=command", "figure=false"]) == 0
    by_command = {cell.key for cell in Store(tmp_path / "command", read_only=True).cells()}
    assert {cell.key for cell in made.cells} == by_command


def test_objects_stand_beside_names(study):
    made = study(
        denoisers={"two": PCA(2), "scaled": make_pipeline(StandardScaler(), PCA(2))},
        regressors=["ridge", HuberRegressor(alpha=0.1)],
        noise=Laplace(sigma=0.2),
        protocols=["deployable"],
    )
    table = made.run()
    assert {method for _, method in table.index} == {"two", "scaled", "Identity"}
    assert {"ridge", "huber_regressor"} <= set(table.columns)
    assert {(cell.spec["noise"], cell.spec["sigma"]) for cell in made.cells} == {("laplace", 0.2)}
    [params] = {str(c.spec["denoiser_params"]) for c in made.cells if c.spec["denoiser"] == "two"}
    assert "'n_components': 2" in params


def test_an_object_never_takes_the_name_of_ours(study):
    assert list(study(denoisers=["pca", PCA(2)]).config.denoiser) == [
        "identity",
        "pca",
        "own_pca",
    ]


def test_a_class_of_ones_own(study, tmp_path, monkeypatch):
    (tmp_path / "ownhalf.py").write_text(
        "from baselines.base import Denoised\n"
        "class OwnHalf:\n"
        "    features_only = causal = True\n"
        "    sequential = False\n"
        "    def __init__(self, factor=0.5): self.factor = factor\n"
        "    def skip(self, problem): return None\n"
        "    def fit(self, X, y=None, *, seed=0, problem=None): return self\n"
        "    def denoise(self, X, y=None, *, causal=False): return Denoised(self.factor * X, y)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import ownhalf

    made = study(denoisers=[ownhalf.OwnHalf(0.9)], protocols="paper")
    assert ("paper", "own_half") in made.run().index
    assert {str(c.spec["denoiser_params"]) for c in made.cells if c.spec["denoiser"] == "own_half"} == {
        "{'factor': 0.9}"
    }


def test_a_series_and_what_was_changed(study, frame):
    table = frame.assign(t=pd.date_range("2024-01-01", periods=80, freq="h")).sample(frac=1, random_state=0)
    made = study(data=table, time="t", name="mine", window=4, denoisers=["moving_average"])
    assert made.dataset.kind == "series"
    assert made.changes[0] == "mine: 80 rows x 4 columns, series, target 'y'"
    assert "rows put in the order of 't'" in made.changes
    assert len(made.run()) == 4


def test_a_notebook_shows_what_was_changed_and_the_tables(study):
    made = study()
    assert "Nothing is computed yet" in made._repr_html_()
    made.run()
    html = made._repr_html_()
    assert "'city' of text one-hot encoded" in html.replace("&#x27;", "'")
    assert html.count("<table") == 2


def test_a_notebook_gets_a_bar_of_its_own_kind(study, monkeypatch, capsys):
    assert loop.tqdm is tqdm.auto.tqdm
    monkeypatch.setattr(loop, "in_notebook", lambda: True)
    study().run()
    assert "cell/s" in capsys.readouterr().err


def test_a_failing_cell_is_told_and_the_others_stand(study):
    made = study(denoisers={"bad": FunctionTransformer(validate=False), "polynomial": _Polynomial()})
    with pytest.warns(RuntimeWarning, match="cells failed, the first one of 'polynomial'"):
        table = made.run()
    assert ("paper", "bad") in table.index


def _Polynomial():
    from sklearn.preprocessing import PolynomialFeatures

    return PolynomialFeatures()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"target": "yy"}, "Did you mean y"),
        ({"target": None}, "dataset.target=COLUMN is missing"),
        ({"denoisers": ["pcaa"]}, "Did you mean pca"),
        ({"denoisers": [PCA]}, r"PCA is a class: hand over an object, PCA\(\)"),
        ({"denoisers": [3]}, "denoisers are names and objects, got 3"),
        ({"data": [1, 2]}, "data must be a DataFrame, a file or the name of a dataset, got list"),
        ({"denoisers": [FunctionTransformer(np.log1p)]}, "FunctionTransformer.func is"),
        ({"protocols": "papr"}, "paper"),
        ({"profile": "smok"}, "smoke"),
        ({"gaps": "keep"}, "dataset.gaps is drop or fill"),
        ({"repetition": 2}, "repetitions"),
        ({"noise": "laplac"}, "laplace"),
        ({"noise": True}, "noise must be a name, a level, a noise model or None, got True"),
        ({"regressors": []}, "no regressor is selected: name one or several"),
    ],
)
def test_a_wrong_call_gets_its_answer_before_any_work(study, tmp_path, more, message):
    with pytest.raises(HarnessError, match=message):
        study(**more)
    assert not list(tmp_path.iterdir())


def test_nodes_of_objects():
    assert name_of(HuberRegressor()) == "huber_regressor"
    node = node_of(make_pipeline(PCA(np.int64(2))))
    assert node["_target_"] == "sklearn.pipeline.Pipeline"
    assert node["steps"][0][1]["n_components"] == 2

    class Local:
        pass

    with pytest.raises(BadConfig, match="inside a function"):
        node_of(Local())


def test_the_package_itself_is_light():
    code = "import sys, experiments; assert 'torch' not in sys.modules and 'hydra' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_bar_only_where_somebody_watches(study, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study().run()
    assert capsys.readouterr().err == ""
    study(progress=True).run()
    assert "data" in capsys.readouterr().err
