"""Measure the rule `map`: what share of an injected error is left, column by column, on real data.

    python benchmarks/map_shares.py run --seeds 0 1              # resumable; DENOGRAD_DATA names the raw files
    python benchmarks/map_shares.py table --write docs/map.md    # rebuild the tables of the document

Noise of sigma standard deviations on every column of a draw (random rows of a table, a random stretch of a series) that
is standardised; a share is ||refined - clean||^2 / ||noisy - clean||^2, mean over the columns. One line of JSON per
measurement, one thread; seconds are of the CPU.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from baselines.base import Problem
from baselines.strong import BayesShrink, SingularSpectrum, SingularValues
from denograd import BlindSpot, NoiseLevelMissing, refine
from experiments.data.recipes import load_dataset

RESULTS = Path(__file__).with_name("map_shares.jsonl")
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
PEERS = (SingularValues, SingularSpectrum, BayesShrink)
VARIANTS = ("known", "levels", "laplace", "student", "impulses", "half", "double", "rounded", "memory")
REPEATS = 0.5
"""A column repeats its values if fewer than this share of the clean ones are distinct."""


def measurements(seeds: list[int], names: list[str], variants: list[str]) -> Iterator[dict[str, Any]]:
    """What there is to measure."""
    for seed in seeds:
        for variant in variants:
            for name in names:
                for sigma in LEVELS if variant == "levels" else SIGMAS if variant == "known" else (0.05, 0.2):
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


def inject(clean: np.ndarray, sigma: float, seed: int, variant: str) -> np.ndarray:
    """Add noise of variance sigma^2."""
    rng = np.random.default_rng([seed, 11])
    noise = sigma * rng.standard_normal(clean.shape)
    if variant == "laplace":
        noise = rng.laplace(scale=sigma / 2**0.5, size=clean.shape)
    elif variant == "student":
        noise = sigma / 2**0.5 * rng.standard_t(4, clean.shape)
    elif variant == "impulses":  # 5 % of the values, hit by a noise 20 ** 0.5 times as wide
        noise = np.where(rng.random(clean.shape) < 0.05, 20**0.5 * noise, 0.0)
    elif variant == "memory":  # autoregressive, with a correlation of 0.5 between neighbours
        for t in range(1, len(noise)):
            noise[t] = 0.5 * noise[t - 1] + 0.75**0.5 * noise[t]
    noisy = clean + noise
    return np.round(noisy, 1) if variant == "rounded" else noisy


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """What `run` returns, and its seconds."""
    start = time.process_time()
    return run(), time.process_time() - start


def measure(task: dict[str, Any], rows: int) -> dict[str, Any]:
    """Inject, fit, refine, compare with the truth."""
    sigma, seed, variant = task["sigma"], task["seed"], task["variant"]
    clean, kind = draw(task["data"], rows, seed)
    noisy = inject(clean, sigma, seed, variant) if sigma else clean
    repeats = np.array([len(np.unique(column)) < REPEATS * len(column) for column in clean.T])

    def figures(refined: np.ndarray) -> dict[str, Any]:
        before = ((noisy - clean) ** 2).sum(0)
        each = ((refined - clean) ** 2).sum(0) / before if sigma else np.ones(clean.shape[1])
        return {
            "share": each.mean(),
            "worst": each.max(),
            "repeating": each[repeats].mean() if repeats.any() else None,
            "continuous": each[~repeats].mean() if not repeats.all() else None,
        }

    blind, seconds = timed(lambda: BlindSpot(kind).fit(noisy, seed=seed))
    result: dict[str, Any] = {**task, "rows": len(clean), "columns": clean.shape[1], "fit_s": seconds}
    level: Any = {"half": sigma / 2, "double": sigma * 2}.get(variant, sigma)
    n = len(noisy)
    if variant == "levels":
        known = refine(blind, noisy, sigma, fitted_rows=n)
        for name in ("auto", "common"):
            try:
                found, seconds = timed(lambda how=name: refine(blind, noisy, how, fitted_rows=n))  # type: ignore[misc]
            except NoiseLevelMissing:
                result[name] = None
                continue
            touched = found.sigma > 0
            ratio = found.sigma[touched] / (sigma or 1.0)
            result[name] = {**figures(found.values), "seconds": seconds, "touched": int(touched.sum())}
            result[name]["moved"] = float(np.abs(found.values - noisy).max())
            if touched.any() and sigma:
                gain = [1 - figures_of(r.values, clean, noisy)[touched].mean() for r in (found, known)]
                result[name] |= {"least": ratio.min(), "most": ratio.max(), "of_gain": gain[0] / gain[1]}
        return result
    for solver in ("one_step", "auto"):
        found, seconds = timed(lambda how=solver: refine(blind, noisy, level, fitted_rows=n, solver=how))  # type: ignore[misc]
        expected = (found.error / sigma**2).mean()
        result[solver] = {**figures(found.values), "expected": expected, "seconds": seconds}
    if variant == "known":
        problem = Problem(kind, sigma=sigma)
        for peer in PEERS:
            denoiser = peer()
            if denoiser.skip(problem) is None:
                refined = denoiser.fit(noisy, seed=seed, problem=problem).denoise(noisy).X
                result[peer.__name__] = figures(refined)
    return result


def figures_of(refined: np.ndarray, clean: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    """Share of the error that is left, per column."""
    share: np.ndarray = ((refined - clean) ** 2).sum(0) / ((noisy - clean) ** 2).sum(0)
    return share


def rounded(value: Any) -> Any:
    """Four significant digits, all the way down."""
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float | np.floating) else value


def run(options: argparse.Namespace) -> None:
    """Do what is missing, one thread."""
    torch.set_num_threads(1)
    keys = ("data", "sigma", "seed", "variant")
    done = {tuple(r[k] for k in keys) for r in read(options.results)}
    for task in measurements(options.seeds, options.data, options.variants):
        if tuple(task[k] for k in keys) in done:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            result = rounded(measure(task, options.rows))
        with options.results.open("a") as file:
            file.write(json.dumps(result) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


Cells = dict[tuple[str, float, str], list[dict[str, Any]]]


def mean(rows: list[dict[str, Any]], *path: str, how: Callable[[list[float]], Any] = np.mean) -> float:
    """Mean of one figure over seeds; NaN where nobody has it."""
    values = []
    for value in rows:
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, float | int):
            values.append(float(value))
    return float(how(values)) if values else float("nan")


def shown(values: list[float], digits: int = 3) -> str:
    """Figures at the levels, a dash where one is missing."""
    return " / ".join("-" if np.isnan(v) else f"{v:.{digits}f}" for v in values)


def lines(head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return "(not run)"
    return "\n".join("| " + " | ".join(r) + " |" for r in (head, ["---"] * len(head), *rows))


def shares_table(cells: Cells) -> str:
    """The level known."""
    rows = []
    for name, wanted in WANTED.items():
        at = [cells[name, sigma, "known"] for sigma in SIGMAS]
        if any(at):
            peers = [
                shown([min(filter(np.isfinite, peer), default=np.nan) for peer in zip(*each, strict=True)])
                for each in [[[mean(c, p.__name__, "share") for c in at] for p in PEERS]]
            ]
            rows.append(
                [
                    f"`{name}`",
                    *(shown([mean(c, "auto", k) for c in at]) for k in ("share", "repeating", "continuous")),
                    shown([mean(c, "auto", "expected") for c in at]),
                    shown([mean(c, "auto", "worst", how=max) for c in at], 2),
                    shown(list(wanted)),
                    shown([mean(c, "one_step", "share") for c in at]),
                    *peers,
                    str(max(len(c) for c in at)),
                    f"{mean(at[1], 'fit_s'):.0f} + {mean(at[1], 'auto', 'seconds'):.0f}",
                ]
            )
    head = ["data", "share left", "values repeat", "continuous", "expected (Stein)", "worst column", "wanted"]
    return lines([*head, "closed form", "best peer", "seeds", "fit + refine, s"], rows)


def robust_table(cells: Cells) -> str:
    """When the assumptions fail: `auto` / the plain closed form."""
    kinds = [v for v in VARIANTS if v != "levels"]
    rows = []
    for name in WANTED:
        for sigma in SIGMAS[:2]:
            found = [[mean(cells[name, sigma, v], s, "share") for s in ("auto", "one_step")] for v in kinds]
            if np.isfinite(found[1:]).any():
                rows.append([f"`{name}`", f"{sigma}", *(shown(pair, 2) for pair in found)])
    return lines(["data", "sigma", *kinds], rows)


def levels_table(cells: Cells) -> str:
    """The level unknown."""
    rows = []
    for name in (*WANTED, "ecl_excerpt"):
        for sigma in LEVELS:
            found = cells[name, sigma, "levels"]
            if not found:
                continue
            row = [f"`{name}`", f"{sigma}", f"{found[0]['columns']}"]
            for how in ("auto", "common"):
                if found[0][how] is None:
                    row += ["refused", "-", "-"][: 3 if how == "common" else 2]
                    continue
                least, most = (mean(found, how, k) for k in ("least", "most"))
                row += [f"{mean(found, how, 'touched'):.0f}"] if how == "auto" else []
                row += ["-" if np.isnan(least) else f"{least:.2f} to {most:.2f}"]
                row += [shown([mean(found, how, k) for k in ("share", "worst")])]
                row += [shown([mean(found, how, "of_gain")], 2)]
            rows.append(row)
    each = ["level / true", "share / worst column", "of the known level's gain"]
    return lines(["data", "sigma", "columns", "auto: touched", *each, *(f"common: {e}" for e in each)], rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rows", type=int, default=3000, help="of a draw; 0 for all")
    parser.add_argument("--data", nargs="+", default=list(WANTED), help="only these datasets")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["known", "levels"])
    parser.add_argument("--write", type=Path, help="put the tables between this document's markers")
    options = parser.parse_args()
    if options.action == "run":
        run(options)
        return
    cells: Cells = defaultdict(list)
    for result in read(options.results):
        cells[result["data"], result["sigma"], result["variant"]].append(result)
    made = {"shares": shares_table(cells), "robust": robust_table(cells), "levels": levels_table(cells)}
    if options.write is None:
        print("\n\n".join(made.values()))
        return
    text = options.write.read_text()
    for name, table in made.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if begin not in text or end not in text:
            raise SystemExit(f"{options.write} lacks the markers {begin} and {end}")
        text = text[: text.index(begin) + len(begin)] + f"\n\n{table}\n\n" + text[text.index(end) :]
    options.write.write_text(text)


if __name__ == "__main__":
    main()
