"""What a configuration may build."""

import pytest
import torch

from experiments.config.targets import BadTarget, build, resolve, resolve_function


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
    layer = build({"_target_": "torch.nn.Linear", "in_features": 2}, where="x", out_features=3)
    assert isinstance(layer, torch.nn.Linear)
    assert layer.out_features == 3


def test_a_function_comes_from_an_opened_package_alone(tmp_path, monkeypatch):
    (tmp_path / "shop.py").write_text("from os import system\ndef load(): return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve_function("shop.load", ["shop"])() == 1
    with pytest.raises(BadTarget, match=r"allow_targets=\[shop\]"):
        resolve_function("shop.load", [])
    with pytest.raises(BadTarget, match="Did you mean load"):
        resolve_function("shop.loads", ["shop"])
    with pytest.raises(BadTarget, match="no function that shop defines"):
        resolve_function("shop.system", ["shop"])
    with pytest.raises(BadTarget, match="cannot be imported"):
        resolve_function("shop.inner.load", ["shop"])
    with pytest.raises(BadTarget, match="allow_targets"):
        resolve_function("os.system", ["shop"])
