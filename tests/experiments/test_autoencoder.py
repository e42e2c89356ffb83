"""python -m experiments.autoencoder."""

import dataclasses

import pandas as pd
import pytest
import torch

import baselines.autoencoder
from experiments.autoencoder import recipe as words
from experiments.autoencoder import tutorial
from experiments.autoencoder.command import main
from experiments.autoencoder.recipe import Recipe
from experiments.autoencoder.tutorial import load, run


def test_the_tutorial_as_it_is_told(tmp_path, capsys):
    main(["--out", str(tmp_path), "--latent"])
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "autoencoder on diabetes: loading torch"
    assert [line.split()[:2] for line in lines[:5]] == [["epoch", str(e)] for e in (10, 20, 30, 40, 50)]
    losses = [float(line.split()[-1]) for line in lines[:5]]
    assert losses == sorted(losses, reverse=True)
    assert lines[5].startswith("test MSE 0.0")
    for name in ("diabetes_reconstruction.png", "diabetes_latent.png"):
        assert (tmp_path / name).stat().st_size > 10_000


def test_data_of_the_tutorial():
    data = load(Recipe())
    assert data.train.shape == (353, 10)
    assert data.test.shape == (89, 10)
    assert data.train.min() == 0
    assert data.train.max() == 1
    result = run(Recipe(), data)
    assert [tuple(p.shape) for p in result.net.parameters()] == [(8, 10), (8,), (10, 8), (10,)]
    noise = result.corrupted - data.test
    inside = (result.corrupted > 0) & (result.corrupted < 1) & (data.test > 0.4) & (data.test < 0.6)
    assert noise[inside].std().item() == pytest.approx(0.2, rel=0.25)
    assert run(Recipe(), data).test_mse == result.test_mse
    assert run(Recipe(seed=1), data).test_mse != result.test_mse


def test_windows_of_a_series(tmp_path, capsys):
    data = load(Recipe(data="nasdaq"))
    assert data.train.shape[1:] == (24, 5)
    assert len(data.train) + len(data.test) + 23 == 5_031 - 23
    assert torch.equal(data.test.amax(dim=1), torch.ones(len(data.test), 5))
    main(["data=nasdaq", "epochs=10", "window=10", f"out={tmp_path}"])
    assert "epoch   10" in capsys.readouterr().out
    assert (tmp_path / "nasdaq_reconstruction.png").exists()


def test_the_words_of_the_command_are_what_there_is():
    assert tuple(baselines.autoencoder.CORRUPTIONS) == words.CORRUPTIONS
    assert tuple(baselines.autoencoder.LOSSES) == words.LOSSES


@pytest.mark.parametrize("corruption", ["masking", "salt_and_pepper"])
@pytest.mark.parametrize("loss", ["l1", "huber"])
def test_other_corruptions_and_losses(corruption, loss):
    recipe = Recipe(corruption=corruption, loss=loss, epochs=300, lr=1e-2)
    data = load(recipe)
    result = run(recipe, data)
    assert result.test_mse < torch.nn.functional.mse_loss(result.corrupted, data.test)


def test_sweep_is_sorted_and_written(tmp_path, capsys, monkeypatch):
    small = {**tutorial.SWEEP, "hidden": (2, 8), "level": (0.2,), "loss": ("mse",)}
    monkeypatch.setattr(tutorial, "SWEEP", small)
    main(["--sweep", "--out", str(tmp_path)])
    table = pd.read_csv(tmp_path / "diabetes_sweep.csv")
    assert len(table) == 12
    assert table.share_left.is_monotonic_increasing
    assert {field.name for field in dataclasses.fields(Recipe)} >= set(small)
    assert "12 points" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data=diabets"], "diabetes"),
        (["--level", "-1"], "level must be"),
        (["--level", "nan"], "level must be"),
        (["--hidden", "0"], "hidden must be"),
        (["--epochs", "0"], "epochs must be"),
        (["--lr", "0"], "lr must be"),
        (["--data", "nasdaq", "--window", "9000"], "window=9000"),
    ],
)
def test_bad_input_gets_an_answer(tmp_path, capsys, arguments, message):
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
