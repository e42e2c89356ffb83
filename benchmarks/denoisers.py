"""How long the baselines take to refine data of the benchmark's largest shapes: python -m benchmarks.denoisers.

Random walks plus noise stand in for the data: the time depends on the shape, and on the extrema for `emd`.
Only `denoise` is timed, as in the campaigns; `fit` stands beside it.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from baselines.base import Problem
from baselines.dae import DAE
from baselines.dn_resnet import DnResNet
from baselines.emd import EMD
from baselines.kalman import Kalman
from baselines.moving_average import MovingAverage
from baselines.pca import PCA
from baselines.wavelet import Wavelet

# denoiser, rows, columns, seconds it may take; the training of the networks is not what is timed
CASES = [
    (Kalman, {}, 35_064, 12, 1.0),
    (Kalman, {}, 117_915, 82, None),
    (Wavelet, {}, 117_915, 82, 5.0),
    (MovingAverage, {}, 117_915, 82, 5.0),
    (EMD, {}, 17_420, 7, 60.0),
    (EMD, {}, 117_915, 82, None),
    (PCA, {}, 117_915, 82, None),
    (DAE, {"epochs": 1}, 117_915, 82, None),
    (DnResNet, {"epochs": 1}, 117_915, 82, None),
]


def main() -> None:
    """Print one line per denoiser, settings and shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slow", action="store_true", help="also EMD on 117,915 x 82 (minutes)")
    slow = parser.parse_args().slow
    print(
        f"{'denoiser':15} {'settings':8} {'rows x columns':>16} {'fit_s':>8} {'denoise_s':>10} {'limit_s':>8}"
    )
    for denoiser, hyper, rows, columns, limit in CASES:
        if denoiser is EMD and columns > 7 and not slow:
            continue
        rng = np.random.default_rng(0)
        X = 0.05 * rng.standard_normal((rows, columns)).cumsum(axis=0) + 0.2 * rng.standard_normal(
            (rows, columns)
        )
        for settings in ("paper", "sound"):
            start = time.perf_counter()
            fitted = denoiser(settings, **hyper).fit(X, problem=Problem("series", sigma=0.2))
            middle = time.perf_counter()
            fitted.denoise(X)
            end = time.perf_counter()
            verdict = "" if limit is None else f"{limit:8.0f}"
            print(
                f"{denoiser.__name__:15} {settings:8} {rows:>9,} x {columns:<4} {middle - start:8.2f} "
                f"{end - middle:10.2f} {verdict:>8}",
                flush=True,
            )


if __name__ == "__main__":
    main()
