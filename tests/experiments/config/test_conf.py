"""Every YAML composes, and every class it names takes the parameters it gives."""

import shlex

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from experiments.base.errors import BadConfig
from experiments.base.paths import CONF
from experiments.config import components
from experiments.config.schema import as_config, register
from experiments.config.words import parsed, with_own_dataset
from experiments.data.recipes import DATASETS


def names(group):
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def composed(*overrides):
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return as_config(compose("config", overrides=list(overrides)))


def test_every_dataset_has_a_yaml_and_the_other_way_round():
    assert names("dataset") == sorted([*DATASETS, "own"])


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_datasets_agree_with_their_recipes(name):
    dataset = composed(f"dataset={name}").dataset
    assert (dataset.name, dataset.kind) == (name, DATASETS[name].kind)


def own(*overrides):
    return composed(
        *with_own_dataset(["dataset.path=some/Sales 2024.csv", "dataset.target=y", *overrides])
    ).dataset


def test_a_table_of_ones_own_gets_its_name_and_its_kind():
    assert (own().name, own().kind) == ("Sales_2024", "tabular")
    assert own("dataset.time=t").kind == "series"
    assert own("dataset.kind=series").kind == "series"
    assert own("dataset.path=ett.csv.gz").name == "my_ett", "no name of the project's own datasets"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset=own"], r"dataset\.path=FILE is missing"),
        (["dataset=own", "dataset.path=a.csv"], r"dataset\.target=COLUMN is missing"),
        (
            ["dataset=own", "dataset.path=a.csv", "dataset.target=y", "dataset.name=ett"],
            "choose another name",
        ),
        (["dataset=ett", "dataset.target=y"], r"dataset\.target belongs to a table of your own"),
        (["dataset=own", "dataset.path=a.csv", "dataset.target=y", "dataset._target_=a.b"], "both say"),
    ],
)
def test_what_is_said_of_a_dataset_must_fit(overrides, message):
    with pytest.raises(BadConfig, match=message):
        composed(*overrides)


@pytest.mark.parametrize("name", names("noise"))
def test_noise_models_build(name):
    noise = components.noise_of(composed(f"noise={name}"))
    assert noise.sigma >= 0


@pytest.mark.parametrize("name", names("denoiser"))
@pytest.mark.parametrize("protocol", names("protocol"))
def test_denoisers_build_with_the_settings_of_the_protocol(name, protocol):
    config = composed(f"denoiser=[identity,{name}]" if name != "identity" else "denoiser=[identity]")
    chosen = components.denoisers_of(config)
    assert chosen[0].name == "identity"
    for component in chosen:
        made = component.under(protocol, config).make()
        if "settings" in component.params:
            assert made.settings == {"paper": "paper", "deployable": "sound"}[protocol]


@pytest.mark.parametrize("name", names("backbone"))
def test_backbones_build(name):
    config = composed(f"backbone={name}")
    [kinds] = [conf.kinds for conf in config.backbone.values()]
    for kind in kinds:
        config.dataset.kind = kind
        [component] = components.backbones_of(config)
        network = {k: v for k, v in component.params.items() if k != "training"}
        module = component.cls(n_features=7, outputs=1, window=24, **network)
        assert sum(p.numel() for p in module.parameters()) > 0


@pytest.mark.parametrize("name", names("regressor"))
def test_regressors_build(name):
    config = composed(f"regressor={name}")
    built = 0
    for kind in ("tabular", "series"):
        config.dataset.kind = kind
        try:
            chosen = components.regressors_of(config)
        except components.BadConfig:
            continue
        for component in chosen:
            assert hasattr(component.make(seed=1, device="cpu"), "predict")
            built += 1
    assert built


@pytest.mark.parametrize("name", names("profile"))
def test_profiles_only_lower(name):
    full, capped = composed("profile=full"), composed(f"profile={name}")
    assert capped.profile.name == name
    for before, after in zip(components.denoisers_of(full), components.denoisers_of(capped), strict=True):
        for key, value in before.params.items():
            if isinstance(value, int) and not isinstance(value, bool):
                assert after.params[key] <= value


@pytest.mark.parametrize(
    "override",
    ["dataset.nmae=x", "profile.row=3", "backbone.mlp.netwrk={}", "regressor.ridge.kind=[tabular]", "seed=1"],
)
def test_a_misspelt_key_is_an_error_and_not_a_silent_addition(override):
    with pytest.raises((HydraException, OmegaConfBaseException)):
        composed(override)


def test_several_backbones_each_drive_denograd():
    config = composed("backbone=[mlp,lstm]", "dataset=nasdaq")
    assert [component.name for component in components.backbones_of(config)] == ["lstm"]
    with pytest.raises(components.BadConfig, match="tabular"):
        components.backbones_of(composed("backbone=lstm"))


@pytest.mark.parametrize("path", ["/x/ü (a)=b, c", "a'b (c", 'a"b (c', "c:\\d ü"])
def test_the_hint_on_quotes_gives_a_word_that_is_taken(path):
    with pytest.raises(BadConfig, match="needs quotes: ") as caught:
        parsed(f"results_dir={path}")
    [word] = shlex.split(str(caught.value).partition("needs quotes: ")[2])
    assert parsed(word).value() == path
