"""Synthetic data with a known truth: noise-free, so that all noise is injected.

The functions take no seed: a dataset is one fixed frame, like a file.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

_SEED = 20_240


def poly2(n: int = 2_000) -> pd.DataFrame:
    """Sample a cubic surface in two variables.

    ``y = x1^3 - 2 x1 x2 + x2^2 - x1`` on points uniform in [-1.5, 1.5]^2.

    Returns
    -------
    frame : (n, 3) DataFrame
        ``x1, x2, y``.
    """
    x1, x2 = np.random.default_rng(_SEED).uniform(-1.5, 1.5, (2, n))
    return pd.DataFrame({"x1": x1, "x2": x2, "y": x1**3 - 2 * x1 * x2 + x2**2 - x1})


def poly3(n: int = 2_000) -> pd.DataFrame:
    """Sample a cubic surface in three variables.

    ``y = x1 x2 x3 + x1^2 - x2^2 + x3^3 - x2`` on points uniform in [-1.5, 1.5]^3.

    Returns
    -------
    frame : (n, 4) DataFrame
        ``x1, x2, x3, y``.
    """
    x1, x2, x3 = np.random.default_rng(_SEED).uniform(-1.5, 1.5, (3, n))
    y = x1 * x2 * x3 + x1**2 - x2**2 + x3**3 - x2
    return pd.DataFrame({"x1": x1, "x2": x2, "x3": x3, "y": y})


def seasonal(n: int = 3_000) -> pd.DataFrame:
    """Compute an hourly series of four channels with daily and weekly seasons and a slow trend.

    ``temperature`` has a day and a slow wave, ``sun`` is the positive half of the day, ``activity`` beats day
    against week; ``load``, the target, follows activity and, three hours late, the square of the temperature, on
    a linear trend.

    Returns
    -------
    frame : (n, 4) DataFrame
        ``load, temperature, sun, activity``.
    """
    t = np.arange(-3, n)
    day, week = 2 * np.pi * t / 24, 2 * np.pi * t / 168
    temperature = np.sin(day - 2.0) + 1.5 * np.sin(2 * np.pi * t / 1_500)
    sun = np.maximum(np.sin(day - 1.5), 0.0)
    activity = (1 + 0.5 * np.cos(week)) * np.sin(day) + 0.3 * np.sin(2 * day)
    load = 1.2 * activity[3:] + 0.4 * temperature[:-3] ** 2 + 0.0004 * t[3:]
    columns = {"load": load, "temperature": temperature[3:], "sun": sun[3:], "activity": activity[3:]}
    return pd.DataFrame(columns)
