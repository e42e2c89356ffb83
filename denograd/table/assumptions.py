"""Do the assumptions hold? What the residual says about the noise: white, normal, homoscedastic, of the stated level.

The rule assumes noise that is independent from value to value and normal, of a known level. The residual of the
backbone is that noise plus the backbone's own error; if it shows a pattern, the noise or the backbone has it.
Noise shared with neighbours is predicted from them, so no residual shows it: the given level then exceeds
the bound by the residual, and columns that share noise correlate beyond what all others explain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array, Kind

AUTOCORRELATED, CORRELATED = 0.2, 0.6
"""Correlation of residuals from one row to the next, and partial correlation of columns, that are worth a word.

White noise makes a residual's neighbours differ, never resemble each other: they were predicted from one another."""

HEAVY = 3.0
"""Excess kurtosis of normal noise is 0; from here on there are outliers."""

SHOWS = 0.6
"""With a level of at least so many bounds the residual is mostly noise, and its shape and size are the noise's."""

UNEVEN = 2.5
"""The residual is so many times as large in one part of the data as in another."""

EXCESS = 1.15
"""A level so many times its bound, or what was used of it, is not to be believed."""

UNPREDICTED = 0.9
"""Share of a column's variance that the residual keeps where nobody predicts it."""

PARTS, FEW = 8, 80


@dataclass(frozen=True)
class Finding:
    """One finding that contradicts the assumptions.

    Attributes
    ----------
    what : {"autocorrelation", "correlation", "shape", "size in time", "size by value", "level", "unpredicted", "few"}
    column : object
    figure : float
        The statistic.
    text : str
        What was found, and what to do instead.
    """

    what: str
    column: Any
    figure: float
    text: str

    def __str__(self) -> str:
        return f"{self.column}: {self.text}"


@dataclass(frozen=True)
class Evidence:
    """What the assumption is judged by.

    Attributes
    ----------
    names : list
        Of the refined columns.
    observed, residual : (n, c) arrays
        Data, and prediction minus data; NaN where there is none.
    sigma, asked, bound : (c,) arrays
        Level that was used, level that was given, and its upper bound by the residual.
    kind : {"tabular", "series"}
    """

    names: list[Any]
    observed: Array
    residual: Array
    sigma: Array
    asked: Array
    bound: Array
    kind: Kind


def check_assumptions(evidence: Evidence) -> list[Finding]:
    """Look for patterns in the residuals."""
    found = [finding for j in range(len(evidence.names)) for finding in _of_column(evidence, j)]
    return found + _between(evidence)


def _of_column(evidence: Evidence, j: int) -> list[Finding]:
    name, r, y = evidence.names[j], evidence.residual[:, j], evidence.observed[:, j]
    here = np.isfinite(r) & np.isfinite(y)
    if here.sum() < FEW:
        return [Finding("few", name, float(here.sum()), f"{int(here.sum())} values are too few to judge")]
    found = []
    spread, size = float(y[here].std()), float(np.sqrt((r[here] ** 2).mean()))
    if size == 0 or spread == 0:
        return []
    if evidence.kind == "series":
        pairs = here[1:] & here[:-1]
        figure = float((r[1:] * r[:-1])[pairs].mean() / size**2)
        if figure > AUTOCORRELATED:
            found.append(
                Finding(
                    "autocorrelation",
                    name,
                    figure,
                    f"the residual of one row resembles the next one's (correlation {figure:.2f}): something slow "
                    "is not predicted, noise that is not independent in time perhaps. Take every k-th reading, or a "
                    "longer context",
                )
            )
    kurtosis = float((r[here] ** 4).mean() / size**4 - 3)
    middle = float(np.median(np.abs(r[here])) / 0.6745)
    sigma, asked, bound = (float(v[j]) for v in (evidence.sigma, evidence.asked, evidence.bound))
    noise_shows = sigma > SHOWS * bound
    if noise_shows and kurtosis > HEAVY:
        found.append(
            Finding(
                "shape",
                name,
                kurtosis,
                f"the residual has far outliers (excess kurtosis {kurtosis:.1f}; most of it has a size of "
                f"{middle:.3g}, all of it {size:.3g}): a median filter before takes single wrong values out better",
            )
        )
    if noise_shows:
        found += _sizes(evidence, j, r, y, here)
    if size > UNPREDICTED**0.5 * spread:
        found.append(
            Finding(
                "unpredicted",
                name,
                size / spread,
                "nothing else in the data predicts it: little can be gained here. Hold it (leave it out of sigma), "
                "or add columns that know of it",
            )
        )
    elif sigma > 0 and asked > EXCESS * min(bound, sigma):
        found.append(
            Finding(
                "level",
                name,
                asked / min(bound, sigma),
                f"the level {asked:.4g} is more than the data allow: {sigma:.4g} was used, {_ground(sigma, bound)}. "
                "It may be too large, or the noise of one reading resembles the next one's, and that part cannot be "
                "told from signal. Measure the level again, or thin the readings out",
            )
        )
    elif 0 < sigma < 0.1 * bound:
        found.append(
            Finding(
                "level",
                name,
                sigma / bound,
                f"the level {sigma:.4g} is far below what the residual would allow (bound {bound:.4g}): little moves. "
                "If the column is noisier than that, give a higher level",
            )
        )
    return found


def _ground(sigma: float, bound: float) -> str:
    """Say why a level was lowered to `sigma`."""
    if sigma > 0.99 * bound:
        return f"since the residual bounds it by {bound:.4g}"
    return f"below the bound {bound:.4g}: the column's own values, or its inputs' noise in the residual, leave no more"


def _sizes(evidence: Evidence, j: int, r: Array, y: Array, here: NDArray[np.bool_]) -> list[Finding]:
    """Compare the residual's size in parts of the data: along time, and along the value."""
    found = []
    name, prediction = evidence.names[j], (y + r)[here]
    orders = [("size by value", np.argsort(prediction, kind="stable"), "where the value is large or small")]
    if evidence.kind == "series":
        orders.append(("size in time", np.arange(int(here.sum())), "at some times"))
    for what, order, where in orders:
        parts = np.array_split(np.abs(r[here])[order], PARTS)
        sizes = np.array([np.median(part) for part in parts])
        least = max(float(sizes.min()), 1e-12)
        figure = float(sizes.max() / least)
        if figure > UNEVEN and len(parts[0]) >= 10:
            found.append(
                Finding(
                    what,
                    name,
                    figure,
                    f"the residual is {figure:.1f} times as large {where} as elsewhere: give levels of their own per "
                    "row (sigma of shape (rows, columns)) or per segment",
                )
            )
    return found


def _between(evidence: Evidence) -> list[Finding]:
    """Residuals of two columns that go together."""
    r = evidence.residual[np.isfinite(evidence.residual).all(1)]
    if len(evidence.names) < 2 or len(r) < FEW:
        return []
    size = np.sqrt((r**2).mean(0))
    size[size == 0] = np.inf
    # the residuals of mutual predictions correlate as the columns do given all others, with the opposite sign
    alike = -(r / size).T @ (r / size) / len(r)
    np.fill_diagonal(alike, 0.0)
    found = []
    for a in range(len(evidence.names)):
        b = int(np.abs(alike[a]).argmax())
        if abs(alike[a, b]) > CORRELATED and (a < b or int(np.abs(alike[b]).argmax()) != a):
            one, other = evidence.names[a], evidence.names[b]
            found.append(
                Finding(
                    "correlation",
                    one,
                    float(alike[a, b]),
                    f"it goes with {other} beyond what all else explains (partial correlation {alike[a, b]:.2f}): if "
                    "the two share a source of noise, one sensor or supply, that part is taken for signal. Hold one of "
                    "them then, or take their difference as a column",
                )
            )
    return found
