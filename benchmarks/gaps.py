"""Measure how gaps are filled, and what they cost the values beside them, on real data.

    python benchmarks/gaps.py run [--only ett wth] [--seeds 0]   # resumable; DENOGRAD_DATA names the raw files
    python benchmarks/gaps.py table --write docs/guide.md        # rebuild the table of the guide

Standardised draws of 1,000 rows, random ones of a table and a stretch of a series; noise of 0 or 0.2 standard
deviations on every column; 10 or 30 % of the values missing, at random or in blocks of 20 rows. A figure is the mean
squared error of the filled values, in squared standard deviations. Beside it, on the same gaps: IterativeImputer of
scikit-learn (tables), or of a series straight lines, a Kalman smoother of a local level and season (statsmodels), and
IterativeImputer on the columns and two steps before and after. With noise also the share of its squared error that
`denoise` leaves on observed values, with the gaps and without. "In 90 %" is the share of the true values at gaps that
lie within 1.645 standard errors, "observed in 90 %" the same of values that were observed with noise. One line of JSON
per measurement.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from denograd import denoise
from experiments.base import command
from experiments.data.recipes import load_dataset

RESULTS = Path(__file__).with_name("gaps.jsonl")
ROWS, MOST_COLUMNS = 1000, 24
PERIODS = {"ett": 24, "wth": 24, "daily_climate": 365, "nasdaq": 5, "ecl_excerpt": 24}
TABLES = ("house_prices", "parkinsons", "support2", "lattice_physics_test", "rt_iot2022")
PATTERNS = ((0.1, 1), (0.1, 20), (0.3, 1), (0.3, 20))
FIGURES = ("inside", "inside_observed", "share", "share_without_gaps")
START, END = "<!-- gaps: begin -->", "<!-- gaps: end -->"


def measurements(seeds: list[int]) -> Iterator[dict[str, Any]]:
    """What there is to measure, the gaps of a tenth first."""
    for seed in seeds:
        for share, block in PATTERNS:
            for sigma in (0.0, 0.2):
                for name in (*PERIODS, *TABLES):
                    yield {"data": name, "sigma": sigma, "gaps": share, "block": block, "seed": seed}


def draw(name: str, seed: int) -> tuple[np.ndarray, str]:
    """Standardised rows, without constant columns; of a wide set the first columns."""
    dataset = load_dataset(name)
    values, rng = dataset.frame.to_numpy(float), np.random.default_rng([seed, 5])
    if dataset.kind == "tabular":
        values = values[rng.permutation(len(values))[:ROWS]]
    elif len(values) > ROWS:
        start = rng.integers(len(values) - ROWS)
        values = values[start : start + ROWS]
    values = values[:, values.std(0) > 0][:, :MOST_COLUMNS]
    return (values - values.mean(0)) / values.std(0), dataset.kind


def punch(shape: tuple[int, int], share: float, block: int, rng: np.random.Generator) -> np.ndarray:
    """Gaps at random, or in blocks, in every column by itself."""
    missing = np.zeros(shape, dtype=bool)
    if block == 1:
        return rng.random(shape) < share
    for column in missing.T:
        while column.mean() < share:
            start = rng.integers(shape[0] - block)
            column[start : start + block] = True
    return missing


def lines(gappy: np.ndarray) -> np.ndarray:
    """Straight lines between a gap's neighbours."""
    out, steps = gappy.copy(), np.arange(len(gappy))
    for column in out.T:
        gap = np.isnan(column)
        column[gap] = np.interp(steps[gap], steps[~gap], column[~gap])
    return out


def imputed(gappy: np.ndarray) -> np.ndarray:
    """scikit-learn's IterativeImputer as it is."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    filled: np.ndarray = IterativeImputer(random_state=0).fit_transform(gappy)
    return filled


def imputed_with_lags(gappy: np.ndarray, lags: int = 2) -> np.ndarray:
    """IterativeImputer on the columns and their neighbours in time."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    shifted = [gappy]
    for k in (*range(-lags, 0), *range(1, lags + 1)):
        part = np.full_like(gappy, np.nan)
        if k > 0:
            part[k:] = gappy[:-k]
        else:
            part[:k] = gappy[-k:]
        shifted.append(part)
    imputer = IterativeImputer(random_state=0, max_iter=5, n_nearest_features=20)
    filled: np.ndarray = imputer.fit_transform(np.concatenate(shifted, 1))
    return filled[:, : gappy.shape[1]]


def smoothed(gappy: np.ndarray, period: int) -> np.ndarray:
    """A local level and a season of up to three harmonics, column by column."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    out = gappy.copy()
    season = [{"period": period, "harmonics": min(3, period // 2)}]
    for column in out.T:
        gap = np.isnan(column)
        if gap.any():
            fitted = UnobservedComponents(column.copy(), "local level", freq_seasonal=season).fit(
                disp=0, maxiter=50
            )
            column[gap] = fitted.smoother_results.smoothed_forecasts[0][gap]
    return out


@dataclass(frozen=True)
class Punched:
    """Real data with gaps and noise, and the truth."""

    clean: np.ndarray
    noisy: np.ndarray
    missing: np.ndarray
    kind: str

    @classmethod
    def of(cls, task: dict[str, Any]) -> Punched:
        clean, kind = draw(task["data"], task["seed"])
        rng = np.random.default_rng([task["seed"], 7])
        noisy = clean + task["sigma"] * rng.standard_normal(clean.shape)
        return cls(clean, noisy, punch(clean.shape, task["gaps"], task["block"], rng), kind)

    @property
    def gappy(self) -> np.ndarray:
        return np.where(self.missing, np.nan, self.noisy)

    def error(self, filled: np.ndarray) -> float:
        return float(((filled - self.clean)[self.missing] ** 2).mean())

    def share(self, refined: np.ndarray, sigma: float) -> float:
        """What is left of the noise's squared error on observed values."""
        return float(((refined - self.clean)[~self.missing] ** 2).mean() / sigma**2)


def ours(task: dict[str, Any], data: Punched) -> dict[str, float]:
    """Errors of `denoise`, and how many true values lie in the intervals that should hold 90 %."""
    sigma, start = task["sigma"], time.perf_counter()
    found = denoise(data.gappy, sigma, data.kind, gaps="fill", verbose=False)
    seconds = time.perf_counter() - start
    inside = np.abs(found.data - data.clean) < 1.645 * found.std
    result = {
        "ours": data.error(found.data),
        "seconds": seconds,
        "inside": float(inside[data.missing].mean()),
    }
    if sigma:
        whole = denoise(data.noisy, sigma, data.kind, verbose=False).data
        result |= {"share": data.share(found.data, sigma), "share_without_gaps": data.share(whole, sigma)}
        result["inside_observed"] = float(inside[~data.missing].mean())
    return result


def others(task: dict[str, Any], data: Punched) -> dict[str, float]:
    """Errors of the other ways."""
    if data.kind == "tabular":
        return {"imputer": data.error(imputed(data.gappy))}
    return {
        "lines": data.error(lines(data.gappy)),
        "kalman": data.error(smoothed(data.gappy, PERIODS[task["data"]])),
        "lagged_imputer": data.error(imputed_with_lags(data.gappy)),
    }


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Punch gaps, fill them in every way, compare with the truth."""
    data = Punched.of(task)
    return {**task, **ours(task, data), **others(task, data)}


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(path: Path, seeds: list[int], only: list[str] | None) -> None:
    """Do what is missing in `path`, one thread."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # convergence of the others
    keys = ("data", "sigma", "gaps", "block", "seed")
    done = {tuple(r[k] for k in keys) for r in read(path)}
    for task in measurements(seeds):
        if tuple(task.values()) in done or (only and task["data"] not in only):
            continue
        result = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in measure(task).items()}
        with path.open("a") as file:
            file.write(json.dumps(result) + "\n")
        print(result, flush=True)


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: a row a data set, noise and pattern."""
    others = ("lines", "kalman", "lagged_imputer", "imputer")
    head = (
        "data",
        "noise",
        "gaps",
        "ours",
        "lines",
        "Kalman",
        "imputer, lags",
        "imputer",
        "in 90 %",
        "observed in 90 %",
        "share",
        "without gaps",
    )
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for r in sorted(results, key=lambda r: (r["data"], r["sigma"], r["gaps"], r["block"])):
        pattern = f"{r['gaps']:.0%}" + (f", blocks of {r['block']}" if r["block"] > 1 else "")
        best = min(r[name] for name in ("ours", *others) if name in r)
        cells = [
            "" if name not in r else f"**{r[name]:.3f}**" if r[name] == best else f"{r[name]:.3f}"
            for name in ("ours", *others)
        ]
        cells += [f"{r[n]:.2f}" if n in r else "" for n in FIGURES]
        rows.append("| " + " | ".join((r["data"], f"{r['sigma']:g}", pattern, *cells)) + " |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    if options.what == "run":
        run(options.results, options.seeds, options.only)
        return
    text = table(read(options.results))
    if options.write is None:
        print(text)
        return
    page = options.write.read_text()
    before, _, rest = page.partition(START)
    options.write.write_text(f"{before}{START}\n{text}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    sys.exit(
        command.run(main, interrupted="Interrupted. What is measured is stored; the same command goes on.")
    )
