"""What is injected, fitted and compared."""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from baselines.base import Denoiser, Problem
from baselines.dae import DAE
from baselines.dn_resnet import DnResNet
from baselines.emd import EMD
from baselines.kalman import Kalman
from baselines.moving_average import MovingAverage
from baselines.pca import PCA
from baselines.strong import BayesShrink, SingularSpectrum, SingularValues
from baselines.wavelet import Wavelet
from denograd import BlindSpot, NoiseLevelMissing, refine
from experiments.data.recipes import load_dataset

SIGMAS = (0.05, 0.2, 0.5)
# shares to reach at these levels, found by prototypes of the method
WANTED = {
    "microsoft_stock": (0.328, 0.182, 0.109),
    "daily_climate": (0.772, 0.558, 0.347),
    "lattice_physics_test": (0.993, 0.923, 0.762),
    "ett": (0.847, 0.558, 0.317),
    "wth": (0.380, 0.301, 0.204),
    "parkinsons": (0.712, 0.502, 0.351),
    "house_prices": (0.452, 0.428, 0.407),
    "support2": (0.439, 0.418, 0.341),
    "rt_iot2022": (0.072, 0.068, 0.07),
}
LEVELS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5)
Makers = dict[str, Callable[[], Denoiser]]
STRONG: Makers = {
    "SingularValues": SingularValues,
    "SingularSpectrum": SingularSpectrum,
    "BayesShrink": BayesShrink,
}
OTHERS: Makers = STRONG | {
    cls.__name__: lambda cls=cls: cls("sound")
    for cls in (DnResNet, DAE, PCA, Wavelet, EMD, Kalman, MovingAverage)
}
PEERS: Makers = STRONG | {"DnResNet": OTHERS["DnResNet"]}
FAILING = ("laplace", "student", "impulses", "half", "double", "rounded", "memory")
UNEQUAL = ("per_row", "proportional")
VARIANTS = ("known", "others", "levels", *FAILING, *UNEQUAL, "all_rows", "large")
REPEATS = 0.5
"""A column repeats its values if fewer than this share of the clean ones are distinct."""


def measurements(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What there is to measure."""
    for seed in options.seeds:
        for variant in options.variants:
            for name in options.data:
                sigmas: tuple[float, ...] = (0.05, 0.2)
                if variant in ("known", "others"):
                    sigmas = SIGMAS
                elif variant == "levels":
                    sigmas = LEVELS
                elif variant in (*UNEQUAL, "all_rows", "large"):
                    sigmas = (0.2,)
                for sigma in sigmas:
                    if options.sigmas is None or sigma in options.sigmas:
                        yield {"data": name, "sigma": sigma, "seed": seed, "variant": variant}


def draw(name: str, rows: int, seed: int) -> tuple[np.ndarray, Any]:
    """Clean standardised rows without constant columns, and their kind."""
    dataset = load_dataset(name)
    X = dataset.frame.to_numpy(float)
    rng = np.random.default_rng([seed, 7])
    if rows and len(X) > rows:
        if dataset.kind == "series":
            start = rng.integers(len(X) - rows + 1)
            X = X[start : start + rows]
        else:
            X = X[rng.choice(len(X), rows, replace=False)]
    X = X[:, X.std(0) > 1e-12 * np.abs(X.mean(0)) + 1e-300]
    return (X - X.mean(0)) / X.std(0), dataset.kind


def inject(clean: np.ndarray, sigma: float, seed: int, variant: str) -> tuple[np.ndarray, np.ndarray | float]:
    """Add noise of variance sigma^2, on the mean over the rows; give the level of every value, too."""
    rng = np.random.default_rng([seed, 11])
    noise, level = sigma * rng.standard_normal(clean.shape), sigma
    if variant == "laplace":
        noise = rng.laplace(scale=sigma / 2**0.5, size=clean.shape)
    elif variant == "student":
        noise = sigma / 2**0.5 * rng.standard_t(4, clean.shape)
    elif variant == "impulses":  # 5 % of the values, hit by a noise 20 ** 0.5 times as wide
        noise = np.where(rng.random(clean.shape) < 0.05, 20**0.5 * noise, 0.0)
    elif variant == "memory":  # autoregressive, with a correlation of 0.5 between neighbours
        for t in range(1, len(noise)):
            noise[t] = 0.5 * noise[t - 1] + 0.75**0.5 * noise[t]
    elif variant == "per_row":  # half of the rows are measured three times as badly as the others
        factor = np.where(rng.random((len(clean), 1)) < 0.5, 0.2**0.5, 1.8**0.5)
        noise, level = factor * noise, sigma * factor * np.ones(clean.shape)
    elif variant == "proportional":  # of standardised values: what grows is the distance from the mean
        noise, level = np.abs(clean) * noise, sigma * np.abs(clean)
    noisy = clean + noise
    return (np.round(noisy, 1) if variant == "rounded" else noisy), level


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """What `run` returns, and its seconds."""
    start = time.process_time()
    return run(), time.process_time() - start


class Judge:
    """Compares refined data with the truth."""

    def __init__(self, clean: np.ndarray, noisy: np.ndarray) -> None:
        self.clean = clean
        self.before = ((noisy - clean) ** 2).sum(0)
        self.repeats = np.array([len(np.unique(column)) < REPEATS * len(column) for column in clean.T])

    def shares(self, refined: np.ndarray) -> np.ndarray:
        """Share of the error that is left, per column; 1 where nothing was injected."""
        left = ((refined - self.clean) ** 2).sum(0)
        return np.where(self.before > 0, left / np.where(self.before > 0, self.before, 1.0), 1.0)

    def figures(self, refined: np.ndarray) -> dict[str, Any]:
        each = self.shares(refined)
        return {
            "share": each.mean(),
            "worst": each.max(),
            "repeating": each[self.repeats].mean() if self.repeats.any() else None,
            "continuous": each[~self.repeats].mean() if not self.repeats.all() else None,
        }


def measure(task: dict[str, Any], rows: int) -> dict[str, Any]:
    """Inject, fit, refine, compare with the truth."""
    name, sigma, seed, variant = (task[k] for k in ("data", "sigma", "seed", "variant"))
    large = variant == "large"
    if large:
        rows = 100_000 if name == "rt_iot2022" else 10_000
    clean, kind = draw(name, 0 if variant == "all_rows" else rows, seed)
    clean = clean[:, :20] if large else clean
    noisy, level = inject(clean, sigma, seed, variant) if sigma else (clean, 0.0)
    judge, n = Judge(clean, noisy), len(noisy)
    result: dict[str, Any] = {**task, "rows": n, "columns": clean.shape[1]}
    if variant == "others":
        return result | compared(OTHERS, noisy, kind, sigma, seed, judge)
    if variant == "all_rows":
        result |= compared(PEERS, noisy, kind, sigma, seed, judge)
    blind, result["fit_s"] = timed(lambda: BlindSpot(kind).fit(noisy, seed=seed))
    if variant == "levels":
        return result | unknown_level(blind, noisy, sigma, judge)
    told: Any = {"half": sigma / 2, "double": sigma * 2}.get(variant, level)
    ways: dict[str, tuple[Any, Any]] = {"auto": (told, "auto")}
    if variant in UNEQUAL:
        ways["one_level"] = (sigma, "auto")
    if variant not in (*UNEQUAL, "large"):
        ways["one_step"] = (told, "one_step")
    if variant in ("all_rows", "large"):
        ways["lbfgs"] = (told, "lbfgs")
    for way, (given, solver) in ways.items():
        found, seconds = timed(lambda g=given, s=solver: refine(blind, noisy, g, fitted_rows=n, solver=s))  # type: ignore[misc]
        expected = (found.error / ((noisy - clean) ** 2).mean(0)).mean()
        result[way] = {**judge.figures(found.values), "expected": expected, "seconds": seconds}
        if large:
            result[way]["memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return result


def compared(
    makers: Makers, noisy: np.ndarray, kind: Any, sigma: float, seed: int, judge: Judge
) -> dict[str, Any]:
    """What other denoisers leave, as far as they hold this kind of data by themselves."""
    result: dict[str, Any] = {}
    for name, make in makers.items():
        denoiser, problem = make(), Problem(kind, sigma=sigma)
        if denoiser.skip(problem) is None and not (denoiser.sequential and kind == "tabular"):
            refined, seconds = timed(
                lambda d=denoiser, p=problem: d.fit(noisy, seed=seed, problem=p).denoise(noisy)
            )  # type: ignore[misc]
            result[name] = {**judge.figures(refined.X), "seconds": seconds}
    return result


def unknown_level(blind: BlindSpot, noisy: np.ndarray, sigma: float, judge: Judge) -> dict[str, Any]:
    """`auto` and `common`, beside the level that nobody told them; None where one refuses."""
    result: dict[str, Any] = {}
    n = len(noisy)
    known = refine(blind, noisy, sigma, fitted_rows=n) if sigma else None
    for name in ("auto", "common"):
        try:
            found, seconds = timed(lambda how=name: refine(blind, noisy, how, fitted_rows=n))  # type: ignore[misc]
        except NoiseLevelMissing:
            result[name] = None
            continue
        touched = found.sigma > 0
        result[name] = {**judge.figures(found.values), "seconds": seconds, "touched": int(touched.sum())}
        result[name]["moved"] = float(np.abs(found.values - noisy).max())
        if touched.any() and known is not None:
            ratio = found.sigma[touched] / sigma
            gain = [1 - judge.shares(r.values)[touched].mean() for r in (found, known)]
            result[name] |= {"least": ratio.min(), "most": ratio.max(), "of_gain": gain[0] / gain[1]}
    return result
