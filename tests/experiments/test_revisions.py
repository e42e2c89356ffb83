"""Golden figures: a component whose results change must raise its revision, so that no stored result is taken for new.

For each component `golden.json` holds its revision and some figures of what it made of small made-up data. Where a
component is meant to give other figures, raise its ``revision`` (or the constant ``REVISION`` of its module) and write
them anew: ``PYTHONPATH=. python tests/experiments/test_revisions.py``.
"""

import contextlib
import json
import sys
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir

from baselines.base import NotApplicable
from experiments.base import metrics
from experiments.base.code import is_ours, revision_of
from experiments.base.errors import BadConfig, DatasetMissing
from experiments.base.paths import CONF
from experiments.config.components import backbones_of, denoisers_of, noise_of, regressors_of
from experiments.config.schema import as_config, register
from experiments.data import task as tasks
from experiments.data.dataset import Dataset
from experiments.data.noise import Gaussian
from experiments.data.recipes import DATASETS, load_dataset
from experiments.models import training
from experiments.run.backbones import BackboneProvider
from experiments.run.protocols import Refinement

GOLDEN = Path(__file__).with_name("golden.json")
KINDS = ("tabular", "series")
LOOSE = 0.02
"""Share of a figure that processors may differ by, where a network is trained or an optimiser ends somewhere."""

CAPS = ["profile=smoke", "profile.rows=null"]
DATA_OF = {"tabular": "poly2", "series": "seasonal"}


def members(group):
    """Members of a group that are one component."""
    names = [path.stem for path in sorted((CONF / group).glob("*.yaml"))]
    return [name for name in names if "defaults" not in (CONF / group / f"{name}.yaml").read_text()]


def config_of(kind, *overrides):
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        node = compose("config", overrides=[f"dataset={DATA_OF[kind]}", *CAPS, *overrides])
        return as_config(node)


def dataset(kind):
    """A made-up frame: what a recipe gives, 240 rows of it."""
    rng, t = np.random.default_rng(5), np.arange(240) / 9
    waves = np.column_stack(
        [np.sin(t), np.sin(t + 1) + 0.3 * np.cos(3 * t), np.cos(2 * t), t / 9 + np.sin(2 * t)]
    )
    frame = waves + 0.1 * rng.standard_normal(waves.shape)
    if kind == "tabular":
        frame = rng.standard_normal((240, 4)) @ rng.standard_normal((4, 4))
        frame[:, 0] = frame[:, 1] * frame[:, 2] + 0.3 * frame[:, 3] + 0.1 * frame[:, 0]
    return Dataset("made_up", kind, pd.DataFrame(frame, columns=list("abcd")), "a", "0" * 64)


def task_of(kind, protocol="paper"):
    return tasks.prepare(dataset(kind), Gaussian(sigma=0.2), protocol, repetition=0, window=6, rows=None)


def provider_of(task, component):
    spec = {"dataset": "made_up", "noise": "gaussian", "repetition": 0}
    store = SimpleNamespace(backbone_path=lambda key: Path(tempfile.mkdtemp()) / key)
    return BackboneProvider(task, component, spec, store, device="cpu", threads=1)


def figures(values):
    """What is kept of an array: its mean, spread, and some values."""
    values = np.asarray(values, float)
    some = values.ravel()[:: max(1, values.size // 5)][:5]
    return [float(values.mean()), float(values.std()), *map(float, some)]


def denoised(name, kind):
    made = {}
    config = config_of(kind, f"denoiser=[identity,{name}]", "protocol=[paper,deployable]")
    component = next(c for c in denoisers_of(config) if c.name == name)
    for protocol in ("paper", "deployable"):
        task = task_of(kind, protocol)
        here = component.under(protocol, config)
        provider = provider_of(task, backbones_of(config)[0]) if component.needs_backbone else None
        problem = task.problem(provider)
        if here.make().skip(problem):
            continue
        try:
            refined = Refinement(task, problem, here.make, seed=3).under(protocol)
        except NotApplicable:
            continue
        rows = task.fit_rows
        moved = np.column_stack([refined.X, refined.y])[rows] - np.column_stack([task.X, task.y])[rows]
        made[f"denoiser/{name}/{kind}/{protocol}"] = here.revision, figures(moved)
    return made


def scored(name, kind):
    config = config_of(kind, f"regressor=[{name}]")
    [component] = regressors_of(config)
    estimator = component.make(seed=3, device="cpu", threads=1)
    if not is_ours(component.target) or (hasattr(estimator, "skip") and estimator.skip()):
        return {}
    task = task_of(kind)
    shaped = lambda X: X.reshape(len(X), -1) if getattr(estimator, "input", "flat") == "flat" else X  # noqa: E731
    (X, y), (X_valid, y_valid), (X_test, _) = (
        task.samples(task.X, task.y, rows) for rows in (task.split.train, task.split.valid, task.split.test)
    )
    extra = {"validation": (shaped(X_valid), y_valid)} if getattr(estimator, "uses_validation", False) else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prediction = estimator.fit(shaped(X), y, **extra).predict(shaped(X_test))
    return {f"regressor/{name}/{kind}": (component.revision, figures(prediction))}


def trained(name, kind):
    config = config_of(kind, f"backbone=[{name}]")
    [component] = backbones_of(config)
    task = task_of(kind)
    backbone = provider_of(task, component)("target")
    inputs, _ = task.samples(task.X, task.y, task.split.test)
    revision = revision_of(component.cls, training)
    return {f"backbone/{name}/{kind}": (revision, figures(backbone.predict(inputs)))}


def noisy(name, kind):
    model = noise_of(config_of(kind, f"noise={name}", *([] if name == "none" else ["noise.sigma=0.2"])))
    if model.series_only and kind == "tabular":
        return {}
    task = tasks.prepare(dataset(kind), model, "paper", repetition=0, window=6, rows=None)
    return {f"noise/{name}/{kind}": (revision_of(type(model)), figures(task.X - task.clean_X))}


def prepared(kind):
    made = {}
    for protocol in ("paper", "deployable"):
        task = tasks.prepare(dataset(kind), Gaussian(sigma=0.2), protocol, repetition=0, window=6, rows=150)
        parts = [*figures(task.clean_X), *figures(task.clean_y), *map(float, task.split.train[:5])]
        made[f"task/{kind}/{protocol}"] = tasks.REVISION, parts
    return made


def measured():
    rng = np.random.default_rng(1)
    clean, y = rng.standard_normal((200, 3)), rng.standard_normal(200)
    before, after = clean + 0.3 * rng.standard_normal(clean.shape), 0.9 * clean
    found = metrics.data_metrics(before, after, y_before=y, y_after=0.9 * y, clean=clean, y_clean=0.8 * y)
    found |= metrics.score_metrics(y, 0.7 * y + 0.1, mean=2.0, scale=3.0)
    found |= metrics.detection(np.abs(y), y > 1)
    return {f"metric/{name}": (metrics.REVISION, [value]) for name, value in found.items()}


def read(name):
    frame = load_dataset(name).frame
    return {
        f"dataset/{name}": (DATASETS[name].revision, [*map(float, frame.shape), *figures(frame.to_numpy())])
    }


MAKERS = {
    **{f"denoiser/{n}/{k}": (denoised, n, k) for n in members("denoiser") for k in KINDS},
    **{f"regressor/{n}/{k}": (scored, n, k) for n in members("regressor") for k in KINDS},
    **{f"backbone/{n}/{k}": (trained, n, k) for n in members("backbone") for k in KINDS},
    **{f"noise/{n}/{k}": (noisy, n, k) for n in members("noise") for k in KINDS},
    **{f"task/{k}": (prepared, k) for k in KINDS},
    "metric": (measured,),
    **{f"dataset/{n}": (read, n) for n in DATASETS},
}
"""How the figures of each component are made; several figures may come of one call."""


def make(case):
    maker, *arguments = MAKERS[case]
    try:
        with torch.random.fork_rng():
            return maker(*arguments)
    except BadConfig as error:
        if "is made for" in str(error):  # a regressor or backbone of the other kind
            return {}
        raise


@pytest.mark.parametrize("case", MAKERS)
def test_results_change_with_the_revision_alone(case):
    try:
        made = make(case)
    except DatasetMissing as error:
        pytest.skip(str(error))
    golden = json.loads(GOLDEN.read_text())
    tolerance = LOOSE if case.startswith(("denoiser", "regressor", "backbone")) else 1e-9
    for name, (revision, found) in made.items():
        assert name in golden, f"{name} is new: write its golden figures"
        stated = golden[name]
        assert revision == stated["revision"], f"{name} has another revision: write its golden figures"
        scale = max(map(abs, stated["figures"]))
        np.testing.assert_allclose(
            found,
            stated["figures"],
            rtol=tolerance,
            atol=tolerance * scale,
            err_msg=f"{name} gives other results than revision {revision} did: raise its revision",
        )


def test_no_golden_figures_of_what_is_gone():
    gone = [
        n for n in json.loads(GOLDEN.read_text()) if not any(n == c or n.startswith(f"{c}/") for c in MAKERS)
    ]
    assert gone == []


if __name__ == "__main__":
    written = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    for each in [case for case in MAKERS if not sys.argv[1:] or case.startswith(tuple(sys.argv[1:]))]:
        print(each, flush=True)
        with contextlib.suppress(DatasetMissing):
            written |= {n: {"revision": r, "figures": f} for n, (r, f) in make(each).items()}
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(written.items())]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")
