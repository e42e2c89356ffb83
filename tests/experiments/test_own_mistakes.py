"""Typical mistakes with a method of one's own: each gets an answer that says what to do, and spoils nothing else."""

import pytest

from experiments.run.command import main as run
from experiments.store.files import Store

DENOISER = """
from baselines.base import Denoised

class Mine:
    features_only = causal = True
    sequential = False
    def skip(self, problem): return None
    def fit(self, X, y=None, *, seed=0, problem=None): return self
    def denoise(self, X, y=None, *, causal=False): return {returned}
"""
REGRESSOR = """
class Mine:
    def fit(self, X, y): return self
    def predict(self, X): return X[:, 0]
"""
NOISE = """
from dataclasses import dataclass
from experiments.data.noise import Noise

@dataclass(frozen=True)
class Mine(Noise):
    {body}
"""
FLAT = "_target_: ownmine.Mine\nsigma: 0.1\n"
NAMED = "mine:\n  _target_: ownmine.Mine\n"
IN_GROUP = "mine:\n  {kinds}estimator: {{_target_: ownmine.Mine}}\n"

MISTAKES = {
    "a denoiser returns an array": (DENOISER.format(returned="0.5 * X"), "denoiser", NAMED, "Denoised"),
    "a denoiser forgets the target": (DENOISER.format(returned="Denoised(X)"), "denoiser", NAMED, "target"),
    "a denoiser returns fewer rows": (
        DENOISER.format(returned="Denoised(X[:-1], y)"),
        "denoiser",
        NAMED,
        "shape",
    ),
    "a denoiser has neither skip nor a base class": (
        "class Mine:\n    def fit(self, X): ...\n    def denoise(self, X): ...\n",
        "denoiser",
        NAMED,
        "to be a denoiser it lacks skip",
    ),
    "a denoiser's YAML is flat": (
        DENOISER.format(returned="X"),
        "denoiser",
        "_target_: ownmine.Mine\n",
        "mine:",
    ),
    "a regressor's YAML lacks kinds": (REGRESSOR, "regressor", IN_GROUP.format(kinds=""), "kinds"),
    "a regressor's YAML has other kinds": (
        REGRESSOR,
        "regressor",
        IN_GROUP.format(kinds="kinds: [table]\n  "),
        "tabular",
    ),
    "a regressor's YAML is flat": (REGRESSOR, "regressor", FLAT, "mine:"),
    "a regressor's estimator is not named": (
        REGRESSOR,
        "regressor",
        "mine:\n  kinds: [tabular]\n  _target_: ownmine.Mine\n",
        "estimator",
    ),
    "a regressor has no get_params": (
        REGRESSOR,
        "regressor",
        IN_GROUP.format(kinds="kinds: [tabular]\n  "),
        "BaseEstimator",
    ),
    "a noise model has no method": (
        NOISE.format(body="pass"),
        "noise",
        "_target_: ownmine.Mine\nsigma: 0.1\n",
        "error(",
    ),
    "a noise model returns another shape": (
        NOISE.format(body="def error(self, clean, rng, kind): return clean[:5]"),
        "noise",
        FLAT,
        "(5, ",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_typical_mistake_gets_its_answer(mistake, tmp_path, monkeypatch, capsys):
    source, group, yaml, words = MISTAKES[mistake]
    (tmp_path / "ownmine.py").write_text(source)
    (tmp_path / "conf" / group).mkdir(parents=True)
    (tmp_path / "conf" / group / "mine.yaml").write_text(yaml)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    chosen = {
        "denoiser": "denoiser=[identity,mine]",
        "regressor": "regressor=[ridge,mine]",
        "noise": "noise=mine",
    }
    given = {"denoiser": "denoiser=[identity,pca]", "regressor": "regressor=[ridge]", group: chosen[group]}
    words_given = [given["denoiser"], given["regressor"], *([chosen["noise"]] if group == "noise" else [])]
    code = run(
        ["--config-dir=conf", "allow_targets=[ownmine]", "profile=smoke", "figure=false", *words_given]
    )
    told = capsys.readouterr().err
    assert code in (1, 2)
    assert "Traceback" not in told
    assert words in told, told
    if (tmp_path / "results").exists():
        cells = list(Store(tmp_path / "results" / "runs", read_only=True).cells())
        others = [c for c in cells if "mine" not in (c.spec["denoiser"], c.spec.get("regressor"))]
        if cells:
            assert {cell.status for cell in others} == {"ok"}, "the others are untouched"
            assert {cell.status for cell in cells} == {"ok", "failed"}
