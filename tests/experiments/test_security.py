"""What a configuration, a file or an archive must not be able to do."""

import pickle

import numpy as np
import pytest
import torch

from experiments.campaign import main as campaign
from experiments.models.training import BackboneUnreadable, load_backbone
from experiments.run import main as run
from experiments.store import Store
from experiments.targets import BadTarget, resolve

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
        "experiments.run.main",
        "experiments.store.os.remove",
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
    assert run([*small, f"results_dir={results}", "figure=false", *extra]) == 1
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
    assert code == 1
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
    assert campaign([f"+campaign={name}", f"results_dir={tmp_path}"]) == 1
    assert "there is no campaign" in capsys.readouterr().err
    assert everything(tmp_path) == []


def test_a_campaign_cannot_be_sent_to_another_store(tmp_path, capsys):
    overrides = ["dataset=diabetes", "denoiser=[identity]", "regressor=[ridge]", "dataset.name=../../escaped"]
    assert campaign(["+campaign=demo", f"results_dir={tmp_path / 'results'}", *overrides]) == 1
    assert "escaped" in capsys.readouterr().err
    assert not [p for p in everything(tmp_path) if "escaped" in p]


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
