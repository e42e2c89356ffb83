"""Made-up cells: none of these numbers was measured on anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from experiments.store.cell import Cell, key_of

METHODS = (
    *("denograd_fixed", "dae", "dn_resnet", "pca", "wavelet", "emd", "kalman", "moving_average"),
    *("denograd_map", "identity", "constant"),
)
TABLES = ("house_prices", "parkinsons")


def cells(
    *,
    datasets: Sequence[str] = ("ett", "parkinsons"),
    sigmas: Sequence[float] = (0.0, 0.05),
    methods: Sequence[str] = METHODS,
    regressors: Sequence[str] = ("ridge", "knn", "xgboost"),
    protocols: Sequence[str] = ("paper", "deployable"),
    repetitions: int = 2,
    rows: int = 2000,
    epochs: int = 5,
) -> Iterator[Cell]:
    """A campaign of made-up cells in the pipeline's form; the same arguments give the same cells."""
    for i, dataset in enumerate(datasets):
        for sigma in sigmas:
            for repetition in range(repetitions):
                for protocol in protocols:
                    for j, method in enumerate(methods):
                        rng = np.random.default_rng([i, int(1000 * sigma), repetition, j])
                        shared = _spec(dataset, sigma, repetition, protocol, method, rows)
                        yield _denoise(shared, rng, epochs)
                        yield from _scores(shared, rng, regressors)


def write(folder: Path, cells: Iterable[Cell]) -> int:
    """Store cells as a campaign does, without waiting for the disk at each; how many they were."""
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    n = 0
    for cell in cells:
        path = folder / "cells" / cell.key[:2] / f"{cell.key}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(cell.to_json(), encoding="utf-8")
        n += 1
    return n


def _spec(dataset: str, sigma: float, repetition: int, protocol: str, method: str, rows: int) -> dict:
    kind = "tabular" if dataset in TABLES else "series"
    backbone = {"tabular": "mlp", "series": "lstm"}[kind] if method.startswith("denograd") else None
    return {
        "dataset": dataset,
        "dataset_sha256": "0" * 64,
        "kind": kind,
        "target": "y",
        "rows": rows,
        "window": 24 if kind == "series" else None,
        "noise": "gaussian" if sigma else "none",
        "sigma": sigma,
        "noise_params": {"sigma": sigma} if sigma else {},
        "repetition": repetition,
        "protocol": protocol,
        "denoiser": method,
        "settings": None if backbone else {"paper": "paper", "deployable": "sound"}[protocol],
        "denoiser_params": {"nrr": 0.01} if method == "denograd_fixed" else {},
        "backbone": backbone,
        "backbone_params": {"hidden": 64} if backbone else {},
        "versions": {"numpy": "0"},
    }


def _cell(spec: dict, **fields: object) -> Cell:
    provenance = {
        "profile": "fake",
        "caps": {"rows": spec["rows"]},
        "commit": "0000000",
        "device": "cpu",
        "started": "2000-01-01T00:00:00+00:00",
        "python": "3.11",
    }
    status = fields.pop("status", "ok")
    reason = fields.pop("reason", None)
    return Cell(key_of(spec), spec["stage"], status, reason, spec, provenance=provenance, **fields)


def _denoise(shared: dict, rng: np.random.Generator, epochs: int) -> Cell:
    spec = {"stage": "denoise", **shared}
    method, sigma = spec["denoiser"], spec["sigma"]
    strength = {"identity": 0.0, "constant": 1.0}.get(method, rng.uniform(0.05, 0.6))
    metrics = {
        "swd": strength * 0.9,
        "rho_bar": float("nan") if method == "constant" else 1 - 0.8 * strength,
        "n_constant": 7.0 if method == "constant" else 0.0,
        "rho_pooled": float("nan") if method == "constant" else 1 - 0.7 * strength,
        "rho_matrix": float("nan") if method == "constant" else 1 - 0.5 * strength,
        "kl": strength**2,
    }
    if sigma:
        recovery = 0.0 if method == "identity" else 40 - 200 * strength + rng.normal(0, 5)
        metrics |= {
            "recovery": recovery,
            "recovery_X": recovery,
            "recovery_y": recovery,
            "swd_clean": strength,
        }
    info: dict = {"test_form": method != "denograd_fixed"}
    if (
        spec["kind"] == "tabular"
        and method in ("wavelet", "emd", "kalman")
        and spec["protocol"] == "deployable"
    ):
        info["meaningless"] = "filters along the arbitrary order of a table's rows"
    if method.startswith("denograd"):
        decay = np.exp(-np.arange(epochs) / max(1, epochs / 3))
        info["history"] = [
            {
                "moved": float(d),
                "residual": float(0.1 + 0.9 * d),
                "displacement": float(0.5 - 0.5 * d),
                "seconds": 0.1,
            }
            for d in decay
        ]
    timings = {
        "backbone_s": 1.0,
        "fit_s": float(rng.uniform(0.1, 9)),
        "denoise_s": float(rng.uniform(0.01, 1)),
    }
    return _cell(
        spec, metrics=metrics, timings=timings, memory={"peak_mb": float(rng.uniform(1, 300))}, info=info
    )


def _scores(shared: dict, rng: np.random.Generator, regressors: Sequence[str]) -> Iterator[Cell]:
    method, protocol = shared["denoiser"], shared["protocol"]
    variants = ["denoised"] if protocol == "paper" else ["clean", "noisy", "denoised"][not shared["sigma"] :]
    if protocol == "deployable" and method == "denograd_fixed":
        variants.remove("denoised")
    gain = {"identity": 1.0, "constant": 0.0}.get(method)
    for k, regressor in enumerate(regressors):
        for variant in variants:
            before = 0.3 + 0.1 * k
            if protocol == "paper":
                mse = before * (rng.uniform(0.05, 0.9) if gain is None else gain)
            else:
                mse = before * ((1.0 if variant == "noisy" else 0.98) if gain == 1 else rng.uniform(0.9, 1.2))
            spec = {
                **shared,
                "stage": "score",
                "regressor": regressor,
                "regressor_params": {},
                "variant": variant,
                "versions": {"numpy": "0", "scikit-learn": "0"},
            }
            errors = {"mse": mse, "rmse": mse**0.5, "mae": 0.8 * mse**0.5, "smape": 50.0, "r2": 1 - mse}
            errors |= {"mse_original": 9 * mse, "rmse_original": 3 * mse**0.5, "mae_original": 2.4 * mse**0.5}
            yield _cell(
                spec, metrics=errors, timings={"fit_s": 0.1, "score_s": 0.01}, memory={"peak_mb": 1.0}
            )


def respecified(cell: Cell, **changes: object) -> Cell:
    """The cell with another spec, and the key that fits it."""
    spec = {**cell.spec, **changes}
    return replace(cell, spec=spec, key=key_of(spec))
