"""The denoising autoencoder as tutorials tell it: data, training, figures."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from tqdm import tqdm

from baselines.autoencoder import CORRUPTIONS, LOSSES, Autoencoder, ConvAutoencoder, train_full_batch
from baselines.training import seeded
from experiments.autoencoder.recipe import Options, Recipe
from experiments.base import screen
from experiments.base.errors import SettingInvalid
from experiments.data.recipes import load_dataset

SWEEP = {
    "hidden": (2, 4, 8, 16),
    "lr": (1e-3, 1e-2),
    "corruption": tuple(CORRUPTIONS),
    "level": (0.1, 0.2, 0.4),
    "loss": tuple(LOSSES),
}


@dataclass(frozen=True)
class Data:
    """Training and test part in [0, 1], (n, d) rows or (n, W, C) windows.

    With a number to colour each sample by, and the column that a plot of windows shows.
    """

    train: Tensor
    test: Tensor
    train_colour: np.ndarray
    test_colour: np.ndarray
    columns: list[str]
    colour_name: str
    shown: int


@dataclass(frozen=True)
class Result:
    """A trained network, its loss per epoch, and the test part, corrupted and reconstructed."""

    net: nn.Module
    losses: list[float]
    corrupted: Tensor
    reconstructed: Tensor
    test_mse: float


def load(recipe: Recipe) -> Data:
    """Read, split 80/20 (rows shuffled; windows by time, none reaching into both parts) and scale."""
    dataset = load_dataset(recipe.data)
    target = dataset.frame[dataset.target].to_numpy()
    if dataset.kind == "tabular":
        features = dataset.frame.drop(columns=dataset.target)
        order = np.random.default_rng(recipe.seed).permutation(len(features))
        train, test = np.split(order, [int(0.8 * len(order))])
        values = features.to_numpy()
        low, high = values[train].min(axis=0), values[train].max(axis=0)
        scaled = torch.tensor((values - low) / np.where(high > low, high - low, 1), dtype=torch.float32)
        return Data(
            scaled[train], scaled[test], target[train], target[test], list(features), dataset.target, 0
        )
    if len(dataset.frame) < 10 * recipe.window:
        raise SettingInvalid(
            f"window={recipe.window} is too long for the {len(dataset.frame)} steps of {recipe.data}"
        )
    windows = np.lib.stride_tricks.sliding_window_view(dataset.frame.to_numpy(), recipe.window, axis=0)
    windows = windows.swapaxes(1, 2)
    low, high = windows.min(axis=1, keepdims=True), windows.max(axis=1, keepdims=True)
    scaled = torch.tensor((windows - low) / np.where(high > low, high - low, 1), dtype=torch.float32)
    gain = 100 * (target[recipe.window - 1 :] / target[: -recipe.window + 1] - 1)
    cut = int(0.8 * len(scaled))
    gap = cut + recipe.window - 1
    colour = f"gain of {dataset.target} in a window (%)"
    columns = list(dataset.frame)
    shown = columns.index(dataset.target)
    return Data(scaled[:cut], scaled[gap:], gain[:cut], gain[gap:], columns, colour, shown)


def run(recipe: Recipe, data: Data) -> Result:
    """Corrupt, train, reconstruct the corrupted test part."""
    draw = torch.Generator().manual_seed(recipe.seed)
    corrupt = CORRUPTIONS[recipe.corruption]
    noisy_train, noisy_test = (corrupt(part, recipe.level, draw) for part in (data.train, data.test))
    make = Autoencoder if data.train.ndim == 2 else ConvAutoencoder
    with seeded(recipe.seed):
        net = make(len(data.columns), recipe.hidden)
    losses = train_full_batch(
        net, noisy_train, data.train, epochs=recipe.epochs, lr=recipe.lr, loss=LOSSES[recipe.loss]
    )
    with torch.inference_mode():
        reconstructed = net(noisy_test)
    return Result(net, losses, noisy_test, reconstructed, mse(reconstructed, data.test))


def mse(one: Tensor, other: Tensor) -> float:
    """Mean squared difference."""
    return nn.functional.mse_loss(one, other).item()


def sweep(recipe: Recipe, data: Data) -> pd.DataFrame:
    """Every point of `SWEEP`, best first by the error on a fifth of the training part.

    The corruptions differ in how hard they are to undo: compare points of the same corruption and level by
    ``valid_mse``, and different ones by ``share_left``, that error over the corruption's own.
    """
    cut = int(0.8 * len(data.train))
    inner = replace(data, train=data.train[:cut], test=data.train[cut:])
    rows = []
    for values in tqdm(list(itertools.product(*SWEEP.values())), desc="sweep", disable=None):
        point = dict(zip(SWEEP, values, strict=True))
        result = run(replace(recipe, **point), inner)
        corrupted = mse(result.corrupted, inner.test)
        rows.append({**point, "valid_mse": result.test_mse, "share_left": result.test_mse / corrupted})
    return pd.DataFrame(rows).sort_values("share_left", ignore_index=True)


def plot_reconstruction(data: Data, result: Result) -> Figure:
    """Four test samples, original, corrupted and reconstructed; and every value against its original."""
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    halves: Any = figure.subfigures(1, 2, width_ratios=(1.5, 1))
    left, right = halves
    axes: np.ndarray = left.subplots(2, 2, sharex=True, sharey=True)
    tabular = data.test.ndim == 2
    parts = (data.test, result.corrupted, result.reconstructed)
    lines = parts if tabular else [part[..., data.shown] for part in parts]
    samples = np.linspace(0, len(data.test) - 1, 4).astype(int)
    for ax, sample in zip(axes.flat, samples, strict=True):
        for part, label, style in zip(
            lines, ("original", "corrupted", "reconstruction"), STYLES, strict=True
        ):
            ax.plot(part[sample], label=label, **style)
        ax.set_title(f"test {'row' if tabular else 'window'} {sample}", fontsize="medium")
        if tabular:
            ax.set_xticks(range(len(data.columns)), data.columns, fontsize="small")
    left.supxlabel(
        "feature" if tabular else f"step of the window ({data.columns[data.shown]})", fontsize="medium"
    )
    left.supylabel("value in [0, 1]", fontsize="medium")
    left.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    ax = right.subplots()
    ax.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    every = slice(None, None, max(1, data.test.numel() // 3000))
    original, reconstructed = data.test.flatten()[every], result.reconstructed.flatten()[every]
    ax.scatter(original, reconstructed, s=6, alpha=0.4, color="C3", linewidths=0)
    ax.set(xlabel="original", ylabel="reconstruction", aspect="equal", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.set_title(
        f"{'all' if every.step == 1 else 'some'} test values; MSE of all {result.test_mse:.4f}",
        fontsize="medium",
    )
    return figure


STYLES = (
    {"color": "C0", "linewidth": 1.8},
    {"color": "0.6", "linewidth": 1, "linestyle": "--"},
    {"color": "C3", "linewidth": 1.8},
)


def plot_latent(data: Data, net: nn.Module, seed: int) -> Figure:
    """Codes of the uncorrupted test part in two dimensions, by PCA and by t-SNE."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    with torch.inference_mode():
        codes = net.encode(data.test).numpy()  # type: ignore[operator]  # both networks have it
    principal = PCA(2, random_state=seed).fit(codes)
    share = principal.explained_variance_ratio_
    near = TSNE(2, perplexity=min(30, len(codes) // 4), init="pca", random_state=seed).fit_transform(codes)
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    panels = (
        (principal.transform(codes), f"PCA ({share[0]:.0%} and {share[1]:.0%} of the variance)"),
        (near, "t-SNE"),
    )
    axes = figure.subplots(1, 2)
    low, high = np.percentile(data.test_colour, (2, 98))
    for ax, (points, title) in zip(axes, panels, strict=True):
        dots = ax.scatter(*points.T, c=data.test_colour, s=10, cmap="viridis", vmin=low, vmax=high)
        ax.set_title(title, fontsize="medium")
        ax.set(xticks=[], yticks=[])
    figure.colorbar(dots, ax=axes, label=data.colour_name, extend="both")
    return figure


def carry_out(options: Options) -> None:
    """Train, print every tenth loss and the test error, draw; or sweep."""
    out, recipe = options.out, Recipe(**{f.name: getattr(options, f.name) for f in fields(Recipe)})
    data = load(recipe)
    out.mkdir(parents=True, exist_ok=True)
    if options.sweep:
        table = sweep(recipe, data)
        path = out / f"{recipe.data}_sweep.csv"
        table.to_csv(path, index=False)
        print(table.head(10).to_string(float_format="{:.4f}".format))
        print(screen.fitted(f"{len(table)} points: {path}"))
        _say_next()
        return
    result = run(recipe, data)
    for epoch in range(10, len(result.losses) + 1, 10):
        print(f"epoch {epoch:4d}  loss {result.losses[epoch - 1]:.4f}")
    print(f"test MSE {result.test_mse:.4f} (corrupted input {mse(result.corrupted, data.test):.4f})")
    figures = {"reconstruction": plot_reconstruction(data, result)}
    if options.latent:
        figures["latent"] = plot_latent(data, result.net, recipe.seed)
    for name, figure in figures.items():
        path = out / f"{recipe.data}_{name}.png"
        figure.savefig(path, dpi=120)
        print(path)
    _say_next()


def _say_next() -> None:
    words = ("dataset=diabetes", "denoiser=[identity,autoencoder,pca]", "profile=quick")
    print(screen.next_command("python", "-m", "experiments.run", *words))
