"""Measure the rule `map`: what share of an injected error is left, column by column, on real data.

    python benchmarks/map_shares.py run --seeds 0 1 2 3 4      # resumable; DENOGRAD_DATA names the raw files
    python benchmarks/map_shares.py table --write docs/map.md  # rebuild the tables of the document

Gaussian noise of sigma standard deviations on every column of the standardised data that is not constant; a share
is ||refined - clean||^2 / ||noisy - clean||^2, mean over those columns. One line of JSON per measurement.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from denograd import BlindSpot, refine
from experiments.data.recipes import load_dataset

RESULTS = Path(__file__).with_name("map_shares.jsonl")
SIGMAS = (0.05, 0.2, 0.5)
PROTOTYPE = {
    "ett": (0.84, 0.47, 0.24),
    "daily_climate": (0.96, 0.80, 0.56),
    "microsoft_stock": (0.43, 0.25, 0.16),
    "parkinsons": (0.91, 0.62, 0.41),
    "support2": (0.99, 0.86, 0.63),
    "house_prices": (0.96, 0.84, 0.60),
}
FURTHER = ("lattice_physics_test", "ecl_excerpt", "wth", "rt_iot2022")
LARGE = {"rt_iot2022"}  # the closed form alone
VARIANTS = ("laplace", "impulses", "half", "double", "blind_spot", "wavelet", "first_four_fifths")


def measurements(seeds: list[int]) -> Iterator[dict[str, Any]]:
    """What there is to measure, the quick and important first."""
    for seed in seeds:
        for name in (*PROTOTYPE, *FURTHER):
            for sigma in SIGMAS:
                yield {"data": name, "sigma": sigma, "seed": seed, "variant": "gauss"}
        if seed == seeds[0]:
            for name in PROTOTYPE:
                for sigma in (0.05, 0.2):
                    for variant in VARIANTS:
                        yield {"data": name, "sigma": sigma, "seed": seed, "variant": variant}


def inject(clean: np.ndarray, sigma: float, seed: int, variant: str) -> np.ndarray:
    """Add noise of variance sigma^2 to every column that is not constant."""
    rng = np.random.default_rng([seed, 11])
    if variant == "laplace":
        noise = rng.laplace(scale=sigma / 2**0.5, size=clean.shape)
    elif variant == "impulses":  # 5 % of the values, hit by a noise 20 ** 0.5 times as wide
        hit = rng.random(clean.shape) < 0.05
        noise = np.where(hit, rng.normal(scale=sigma * 20**0.5, size=clean.shape), 0.0)
    else:
        noise = sigma * rng.standard_normal(clean.shape)
    return clean + np.where(clean.std(0) > 0, noise, 0.0)


def pca(noisy: np.ndarray) -> np.ndarray:
    """The fewest components with 95 % of the variance."""
    mean = noisy.mean(0)
    _, spread, axes = np.linalg.svd(noisy - mean, full_matrices=False)
    keep = int(np.searchsorted(np.cumsum(spread**2) / (spread**2).sum(), 0.95)) + 1
    return (noisy - mean) @ axes[:keep].T @ axes[:keep] + mean


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Inject, fit, refine, compare with the truth."""
    dataset = load_dataset(task["data"])
    clean = dataset.frame.to_numpy(float)
    spread = clean.std(0)
    clean = (clean - clean.mean(0)) / np.where(spread > 0, spread, 1.0)
    columns, sigma, variant = spread > 0, task["sigma"], task["variant"]
    noisy = inject(clean, sigma, task["seed"], variant)
    level: Any = {
        "half": sigma / 2,
        "double": sigma * 2,
        "blind_spot": "blind_spot",
        "wavelet": "wavelet",
    }.get(variant, sigma)
    fitted = len(clean) * 4 // 5 if variant == "first_four_fifths" else len(clean)
    start = time.perf_counter(), time.process_time()
    blind = BlindSpot(dataset.kind).fit(noisy[:fitted], seed=task["seed"])
    result = {**task, "fit_s": time.perf_counter() - start[0], "fit_cpu_s": time.process_time() - start[1]}
    if fitted < len(clean):  # what follows the fitted rows is what counts here
        columns_error = slice(fitted, None)
    else:
        columns_error = slice(None)
    before = ((noisy - clean) ** 2)[:, columns]

    def share(refined: np.ndarray, rows: slice = columns_error) -> np.ndarray:
        return ((refined - clean)[rows, columns] ** 2).sum(0) / before[rows].sum(0)

    for solver in ("one_step",) if task["data"] in LARGE else ("one_step", "lbfgs"):
        start = time.perf_counter(), time.process_time()
        found = refine(blind, noisy, level, fitted_rows=fitted, solver=solver)
        each = share(found.values)
        result[solver] = {
            "share": each.mean(),
            "worst": each.max(),
            "last_fifth": share(found.values, slice(-(len(clean) // 5), None)).mean(),
            "expected": (found.error[columns] / sigma**2).mean(),
            "level": np.median(found.sigma[columns]),
            "seconds": time.perf_counter() - start[0],
            "cpu_s": time.process_time() - start[1],
        }
    if variant == "gauss":
        result["pca"] = share(pca(noisy)).mean()
    return result


def rounded(value: Any) -> Any:
    """Four significant digits, all the way down."""
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float | np.floating) else value


def run(path: Path, seeds: list[int], only: list[str] | None, variants: list[str] | None) -> None:
    """Do what is missing in `path`, one thread."""
    torch.set_num_threads(1)
    keys = ("data", "sigma", "seed", "variant")
    done = {tuple(r[k] for k in keys) for r in read(path)}
    for task in measurements(seeds):
        wanted = (not only or task["data"] in only) and (not variants or task["variant"] in variants)
        series = task["data"] in ("ett", "daily_climate", "microsoft_stock")
        if not wanted or tuple(task.values()) in done:
            continue
        if task["variant"] in ("wavelet", "first_four_fifths") and not series:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            result = rounded(measure(task))
        with path.open("a") as file:
            file.write(json.dumps(result) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def tables(results: list[dict[str, Any]]) -> dict[str, str]:
    """Markdown tables by name."""
    cells: dict[tuple[str, float, str], list[dict[str, Any]]] = defaultdict(list)
    for r in results:
        cells[r["data"], r["sigma"], r["variant"]].append(r)

    def mean(rows: list[dict[str, Any]], *path: str) -> float:
        values = []
        for row in rows:
            value: Any = row
            for key in path:
                value = value.get(key, {}) if isinstance(value, dict) else value
            if isinstance(value, float | int):
                values.append(value)
        return float(np.mean(values)) if values else float("nan")

    def best(name: str) -> str:
        return "one_step" if name in LARGE else "lbfgs"

    def row(*cells: str) -> str:
        return "| " + " | ".join(cells) + " |"

    def three(name: str, *path: str, variant: str = "gauss", digits: int = 2) -> str:
        values = [mean(cells[name, s, variant], *path) for s in SIGMAS]
        return " / ".join("-" if np.isnan(v) else f"{v:.{digits}f}" for v in values)

    names = [n for n in (*PROTOTYPE, *FURTHER) if cells[n, 0.2, "gauss"]]
    head = [
        "data",
        "L-BFGS",
        "closed form",
        "expected (Stein)",
        "worst column",
        "last fifth",
        "prototype",
        "PCA 95 %",
    ]
    shares = [row(*head, "seeds", "fit + refine, s"), row(*["---"] * (len(head) + 2))]
    for name in names:
        rows = cells[name, 0.2, "gauss"]
        seconds = mean(rows, "fit_cpu_s"), mean(rows, best(name), "cpu_s")
        worst = " / ".join(
            f"{max((r[best(name)]['worst'] for r in cells[name, s, 'gauss']), default=np.nan):.2f}"
            for s in SIGMAS
        )
        shares.append(
            row(
                f"`{name}`",
                three(name, "lbfgs", "share", digits=3),
                three(name, "one_step", "share", digits=3),
                three(name, best(name), "expected"),
                worst,
                three(name, best(name), "last_fifth"),
                " / ".join(f"{p:.2f}" for p in PROTOTYPE.get(name, ())) or "-",
                three(name, "pca"),
                str(len(rows)),
                f"{seconds[0]:.0f} + {seconds[1]:.0f}",
            )
        )
    head = ["data", "sigma", "known", *VARIANTS[:-1], "level found by blind_spot"]
    robust = [row(*head), row(*["---"] * len(head))]
    for name in PROTOTYPE:
        for sigma in SIGMAS[:2]:
            first = [r for r in cells[name, sigma, "gauss"] if r["seed"] == 0]
            values = [mean(first, "lbfgs", "share")]
            values += [mean(cells[name, sigma, v], "lbfgs", "share") for v in VARIANTS[:-1]]
            level = mean(cells[name, sigma, "blind_spot"], "lbfgs", "level")
            if not np.isnan(values[1]):
                shown = ["-" if np.isnan(v) else f"{v:.2f}" for v in values]
                robust.append(row(f"`{name}`", f"{sigma}", *shown, f"{level:.3f}"))
    head = ["data", "sigma", "L-BFGS, share", "worst column", "closed form, share", "worst column"]
    ahead = [row(*head), row(*["---"] * len(head))]
    for name in PROTOTYPE:
        for sigma in SIGMAS[:2]:
            rows = cells[name, sigma, "first_four_fifths"]
            if rows:
                values = [mean(rows, s, k) for s in ("lbfgs", "one_step") for k in ("share", "worst")]
                ahead.append(row(f"`{name}`", f"{sigma}", *(f"{v:.2f}" for v in values)))
    return {name: "\n".join(t) for name, t in (("shares", shares), ("robust", robust), ("ahead", ahead))}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--data", nargs="+", help="only these datasets")
    parser.add_argument("--variants", nargs="+", choices=["gauss", *VARIANTS], help="only these variants")
    parser.add_argument("--write", type=Path, help="put the tables between this document's markers")
    options = parser.parse_args()
    if options.action == "run":
        if "DENOGRAD_DATA" not in os.environ:
            print("DENOGRAD_DATA is not set: looking for raw files in the default folder")
        run(options.results, options.seeds, options.data, options.variants)
        return
    made = tables(read(options.results))
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
