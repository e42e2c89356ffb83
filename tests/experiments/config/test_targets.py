"""What a configuration may build."""

import pytest
import torch

from experiments.config.components import Component
from experiments.config.targets import MOVED, BadTarget, build, check_packages, resolve, resolve_function
from experiments.config.words import composed


@pytest.mark.parametrize(
    "target",
    [
        "baselines.pca.PCA",
        "sklearn.linear_model.Ridge",
        "xgboost.XGBRegressor",
        "torch.nn.Linear",
        "torch.optim.Adam",
        "experiments.models.mlp.MLP",
    ],
)
def test_components_of_the_allowed_packages_resolve(target):
    assert resolve(target).__name__ == target.rpartition(".")[2]


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "torch.os.system",
        "torch.hub.load",
        "torch.load",
        "torch.nn.modules.module.torch.load",
        "sklearn.os.system",
        "sklearn.utils.Bunch",
        "sklearn.datasets.load_diabetes",
        "experiments.store.files.Store",
        "experiments.run.trial.tqdm",
        "experiments.store.files.Path",
        "baselines.base.Problem",
        "baselinesx.Foo",
        "baselines",
        "torch.nn",
        "",
    ],
)
def test_anything_else_is_refused(target):
    with pytest.raises(BadTarget):
        resolve(target)


@pytest.mark.parametrize(
    "words",
    [
        ["+denoiser.mine._target_=notthere.Mine"],
        ["regressor.ridge.estimator._target_=notthere.Mine"],
        ["noise._target_=notthere.Mine"],
    ],
)
def test_a_package_that_is_not_open_is_named_without_being_imported(words):
    with pytest.raises(BadTarget, match=r"allow_targets=\[notthere\]"):
        check_packages(composed(words))
    check_packages(composed([*words, "allow_targets=[notthere]"]))


def test_a_misspelt_parameter_is_answered_with_the_near_one():
    with pytest.raises(BadTarget, match="Did you mean alpha"):
        build({"_target_": "sklearn.linear_model.Ridge", "alhpa": 1.0}, where="regressor.ridge")
    with pytest.raises(BadTarget, match=r"denoiser\.kalman\.settigns.*Did you mean settings"):
        build({"_target_": "baselines.kalman.Kalman", "settigns": "paper"}, where="denoiser.kalman")
    with pytest.raises(BadTarget, match="Did you mean n_estimators"):
        build({"_target_": "xgboost.XGBRegressor", "n_estimator": 3}, where="regressor.xgboost")


def test_a_misspelt_class_is_answered_with_the_near_one():
    with pytest.raises(BadTarget, match="Did you mean Kalman"):
        resolve("baselines.kalman.Kalmann")


def test_a_package_is_opened_by_name(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "class Mine:\n    def skip(self, problem): ...\n    def fit(self, X): ...\n    def denoise(self, X): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BadTarget, match=r"allow_targets=\[mine\]"):
        resolve("mine.Mine")
    assert resolve("mine.Mine", allow=["mine"]).__name__ == "Mine"


def test_building_gives_the_parameters_on():
    layer = build({"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 3}, where="x")
    assert isinstance(layer, torch.nn.Linear)
    assert layer.out_features == 3


def test_a_function_comes_from_an_opened_package_alone(tmp_path, monkeypatch):
    (tmp_path / "loader_of_mine.py").write_text("from os import system\ndef load(): return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve_function("loader_of_mine.load", ["loader_of_mine"])() == 1
    with pytest.raises(BadTarget, match=r"allow_targets=\[loader_of_mine\]"):
        resolve_function("loader_of_mine.load", [])
    with pytest.raises(BadTarget, match="Did you mean load"):
        resolve_function("loader_of_mine.loads", ["loader_of_mine"])
    with pytest.raises(BadTarget, match="no function that loader_of_mine defines"):
        resolve_function("loader_of_mine.system", ["loader_of_mine"])
    with pytest.raises(BadTarget, match="cannot be imported"):
        resolve_function("loader_of_mine.inner.load", ["loader_of_mine"])
    with pytest.raises(BadTarget, match="allow_targets"):
        resolve_function("os.system", ["loader_of_mine"])


def test_a_class_that_has_moved_is_found_and_its_new_place_named_once(capsys):
    for old, new in MOVED.items():
        assert resolve(old) is resolve(new)
        assert resolve(old) is resolve(new)
        assert capsys.readouterr().err == f"_target_ {old} has moved: write {new}\n"


class Curious:
    """Has every parameter that a run knows something for."""

    def __init__(self, alpha=1.0, *, seed=None, random_state=None, device=None, threads=None, n_jobs=None):
        self.got = {
            "seed": seed,
            "random_state": random_state,
            "device": device,
            "threads": threads,
            "n_jobs": n_jobs,
        }

    def skip(self, problem): ...
    def fit(self, X): ...
    def denoise(self, X): ...


class Shy(Curious):
    """Has none."""

    def __init__(self, alpha=1.0):
        super().__init__()


def component(cls, **params):
    module, allow = cls.__module__, (cls.__module__.partition(".")[0],)
    return Component("x", f"{module}.{cls.__name__}", params, "denoiser.x", allow)


def test_any_class_gets_seed_device_and_threads_if_its_constructor_names_them():
    made = component(Curious, seed=7, n_jobs=None).make(seed=3, device="cpu", threads=2)
    assert made.got == {"seed": 7, "random_state": 3, "device": "cpu", "threads": 2, "n_jobs": 2}
    assert set(component(Shy).make(seed=3, device="cpu", threads=2).got.values()) == {None}
