"""What a configuration, a file or an archive must not be able to do."""

import pickle

import numpy as np
import pytest
import torch

from experiments.campaign.command import main as campaign
from experiments.config.targets import BadTarget, resolve
from experiments.models.training import BackboneUnreadable, load_backbone
from experiments.report.command import main as report
from experiments.run.command import main as run
from experiments.store.files import Store

SMALL = ["dataset=diabetes", "profile=smoke", "denoiser=[identity]", "regressor=[ridge]"]


def everything(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.mark.parametrize(
    "target",
    [
        "torch.os.system",
        "torch.hub.load",
        "torch.load",
        "torch.serialization.load",
        "torch.nn.Module.load_state_dict",
        "torch.nn.functional.torch.os.system",
        "torch.nn.modules.container.importlib.import_module",
        "torch.optim.os.system",
        "sklearn.base.os.system",
        "sklearn.externals.os.popen",
        "experiments.run.command.main",
        "experiments.store.files.os.remove",
        "denograd.__builtins__.eval",
        "builtins.eval",
        "subprocess.Popen",
    ],
)
def test_what_is_no_component_is_not_built(target):
    with pytest.raises(BadTarget):
        resolve(target)


@pytest.mark.parametrize(
    "extra",
    [
        ["+denoiser.evil={_target_:torch.os.system,command:'touch PROOF'}"],
        ["noise._target_=torch.os.system", "+noise.command='touch PROOF'"],
        [
            "regressor.ridge.estimator._target_=torch.os.system",
            "+regressor.ridge.estimator.command='touch PROOF'",
        ],
        [
            "backbone.mlp.network._target_=torch.os.system",
            "+backbone.mlp.network.command='touch PROOF'",
            "denoiser=[identity,denograd_fixed]",
        ],
    ],
)
def test_a_command_line_cannot_run_code(tmp_path, extra, capsys):
    proof, results = tmp_path / "proof", tmp_path / "results"
    extra = [argument.replace("PROOF", str(proof)) for argument in extra]
    small = SMALL[:2] + SMALL[3:] if extra[-1].startswith("denoiser=") else SMALL
    assert run([*small, f"results_dir={results}", "figure=false", *extra]) == 2
    assert not proof.exists()
    assert "BadTarget" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argument",
    [
        "dataset.name=../../escaped",
        "dataset.name=/tmp/escaped",
        "campaign=../escaped",
        "campaign=/tmp/escaped",
        "campaign=..",
        "profile.name=../../../escaped",
        "profile.name=a/../../../../escaped",
        "+denoiser.'../../escaped'={_target_:baselines.controls.Constant}",
        "+regressor.'../escaped'={kinds:[tabular],estimator:{_target_:sklearn.linear_model.Ridge}}",
        "+protocol.'../escaped'={settings:paper}",
        "+protocol.escaped={settings:paper}",
    ],
)
def test_no_name_leads_out_of_the_results_folder(tmp_path, argument, capsys):
    folder = tmp_path / "a" / "b" / "results"
    try:
        code = run([*SMALL, f"results_dir={folder}", argument])
    except SystemExit as stopped:  # Hydra's own way out
        code = stopped.code
    assert code == 2
    capsys.readouterr()
    outside = [
        p
        for p in everything(tmp_path)
        if not p.startswith("a/b/results/") and p not in ("a", "a/b", "a/b/results")
    ]
    assert outside == []
    assert not [p for p in everything(tmp_path) if "escaped" in p]


@pytest.mark.parametrize("name", ["../demo", "/etc/passwd", "..", "demo/../demo", "demo.yaml"])
def test_a_campaign_is_a_name_and_no_path(tmp_path, name, capsys):
    assert campaign([f"+campaign={name}", f"results_dir={tmp_path}"]) == 2
    assert "there is no campaign" in capsys.readouterr().err
    assert everything(tmp_path) == []


def test_a_campaign_cannot_be_sent_to_another_store(tmp_path, capsys):
    overrides = ["dataset=diabetes", "denoiser=[identity]", "regressor=[ridge]", "dataset.name=../../escaped"]
    assert campaign(["+campaign=demo", f"results_dir={tmp_path / 'results'}", *overrides]) == 2
    assert "escaped" in capsys.readouterr().err
    assert not [p for p in everything(tmp_path) if "escaped" in p]


@pytest.mark.parametrize(
    "word",
    [
        "+hydra.callbacks.x={_target_:os.system,command:'touch PROOF'}",
        "+hydra={callbacks:{x:{_target_:os.system,command:'touch PROOF'}}}",
        "hydra.launcher._target_=os.system",
        "+hydra.launcher.x={_target_:os.system,command:'touch PROOF'}",
        "+hydra.launcher.x=${denoiser}",
        "hydra.job_logging.handlers={x:{class:logging.FileHandler,filename:PROOF}}",
        "hydra/job_logging=default",
        "hydra/launcher=../../denoiser/pca",
        "hydra.run.dir=PROOF",
        "hydra.sweep.dir=PROOF",
        "hydra.output_subdir=PROOF",
        "+denoiser@hydra.callbacks.x=pca",
        "hydra.searchpath=[pkg://antigravity]",
        "denoiser=../../PROOF",
        "campaign=../proof",
        "--config-path=PROOF",
        "--experimental-rerun=PROOF",
        "--config-d=PROOF",
    ],
)
@pytest.mark.parametrize("sweep", [[], ["-m"]])
def test_hydra_itself_is_out_of_reach(tmp_path, monkeypatch, word, sweep, capsys):
    monkeypatch.chdir(tmp_path)
    proof = tmp_path / "proof"
    assert (
        run([*sweep, *SMALL, f"results_dir={tmp_path / 'results'}", word.replace("PROOF", str(proof))]) == 2
    )
    assert "Traceback" not in capsys.readouterr().err
    assert everything(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("denoiser/x.yaml", "# @package hydra.callbacks\nx: {_target_: os.system}"),
        ("denoiser/x.yaml", "# @package _global_\nhydra: {callbacks: {x: {_target_: os.system}}}"),
        ("denoiser/x.yaml", "defaults: [{override /hydra/launcher: y}]"),
        ("denoiser/x.yaml", "defaults: [/noise/gaussian@hydra.run]"),
        ("hydra/launcher/y.yaml", "{}"),
        ("hydra/launcher/y.yml", "{}"),
    ],
)
def test_a_file_of_ones_own_may_not_configure_hydra(tmp_path, name, text, capsys):
    path = tmp_path / "conf" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    for word in ("--config-dir={}", "-cd={}", "hydra.searchpath=[{}]", "hydra.searchpath=['file://{}']"):
        assert run([word.format(tmp_path / "conf"), f"results_dir={tmp_path / 'results'}", *SMALL]) == 2
        assert "configures Hydra itself" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("name", ["../out", "/tmp/out", ".."])
def test_a_report_stays_in_the_results_folder(tmp_path, name, capsys):
    assert report([f"campaign={name}", f"results_dir={tmp_path / 'results'}"]) == 2
    assert "plain name" in capsys.readouterr().err
    assert everything(tmp_path) == []


class Bomb:
    """Runs code when it is unpickled."""

    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return open, (str(self.proof), "w")


def test_a_backbone_file_cannot_run_code(tmp_path):
    proof = tmp_path / "proof"
    torch.save({"format": 1, "state": Bomb(proof)}, tmp_path / "bomb.pt")
    with pytest.raises(BackboneUnreadable):
        load_backbone(tmp_path / "bomb.pt", torch.nn.Linear(1, 1))
    assert not proof.exists()


def test_cached_arrays_cannot_run_code(tmp_path):
    proof = tmp_path / "proof"
    store = Store(tmp_path / "store")
    bomb = np.empty(1, dtype=object)
    bomb[0] = Bomb(proof)
    np.savez(store.root / "arrays" / "k.npz", X=bomb)
    assert store.load_arrays("k") is None
    assert not proof.exists()
    with pytest.raises(ValueError, match="allow_pickle"):
        store.save_arrays("k", {"X": bomb})


def test_the_bomb_is_one(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "proof"))).close()
    assert (tmp_path / "proof").exists()
