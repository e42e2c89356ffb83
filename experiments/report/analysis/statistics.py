"""Comparing several methods over several datasets: Friedman, Nemenyi, Wilcoxon-Holm, Bayesian signed-rank.

A *block* is a DataFrame of datasets x methods, one number each, averaged over repetitions. A missing number is an
error, never filled: `without_holes` leaves datasets out explicitly.

Demsar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006); Iman and Davenport (1980);
Holm (1979); Benavoli et al., Time for a change, JMLR 18 (2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from experiments.base.errors import HarnessError
from experiments.report.analysis.measures import Better

ALPHA = 0.05
ROPE = 0.01
"""Region of practical equivalence of the Bayesian test, in the unit of the block."""

SAMPLES = 20_000
"""Draws of the Bayesian test: its probabilities are good to some 0.005."""


class Holes(HarnessError, ValueError):
    """A block lacks numbers; the message names where."""


class TooFew(HarnessError, ValueError):
    """Not enough datasets or methods for a test."""


@dataclass(frozen=True)
class Friedman:
    """Do the methods differ at all?

    Attributes
    ----------
    ranks : Series
        Average rank by method, 1 the best.
    n : int
        Datasets.
    chi2, p : float
        Friedman's statistic and its p-value (k - 1 degrees of freedom).
    F, p_F : float
        Iman and Davenport's less conservative form, with (k - 1) and (k - 1)(n - 1) degrees of freedom.
    """

    ranks: pd.Series
    n: int
    chi2: float
    p: float
    F: float
    p_F: float


def without_holes(block: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """The datasets that have a number of every method, and, for each other one, the methods that lack."""
    bad = ~np.isfinite(block.astype(float))
    left_out = {str(name): list(block.columns[row]) for name, row in bad.iterrows() if row.any()}
    return block[~bad.any(axis=1)], left_out


def ranks(block: pd.DataFrame, better: Better) -> pd.DataFrame:
    """Rank of each method on each dataset, 1 the best, ties sharing their mean rank."""
    _check(block)
    return block.rank(axis=1, ascending=better == "low")


def friedman(block: pd.DataFrame, better: Better, *, correct_ties: bool = True) -> Friedman:
    """Friedman's test and Iman and Davenport's form of it.

    Parameters
    ----------
    block : DataFrame
        Datasets x methods.
    better : {"high", "low"}
    correct_ties : bool
        Divide by the share of the variance that ties leave (Demsar's text does not).

    Raises
    ------
    Holes
        If a number is missing, NaN or infinite.
    TooFew
        With fewer than 2 datasets or 3 methods.
    """
    ranked = ranks(block, better)
    n, k = ranked.shape
    if n < 2 or k < 3:
        raise TooFew(f"Friedman's test needs at least 2 datasets and 3 methods, got {n} and {k}")
    mean = ranked.mean()
    chi2 = 12 * n / (k * (k + 1)) * float(((mean - (k + 1) / 2) ** 2).sum())
    if correct_ties:
        tied = sum(
            float((c**3 - c).sum())
            for c in (np.unique(row, return_counts=True)[1] for row in ranked.to_numpy())
        )
        untied = 1 - tied / (n * k * (k**2 - 1))
        chi2 = chi2 / untied if untied > 0 else 0.0
    rest = n * (k - 1) - chi2
    F = (n - 1) * chi2 / rest if rest > 1e-12 else float("inf")
    return Friedman(
        mean,
        n,
        chi2,
        float(stats.chi2.sf(chi2, k - 1)),
        F,
        float(stats.f.sf(F, k - 1, (k - 1) * (n - 1))),
    )


def critical_difference(k: int, n: int, alpha: float = ALPHA) -> float:
    """Nemenyi's critical difference of average ranks of k methods over n datasets."""
    return _studentized_range(alpha, k) / 2**0.5 * (k * (k + 1) / (6 * n)) ** 0.5


def nemenyi(result: Friedman) -> pd.DataFrame:
    """p-values of all pairs of methods (k x k, 1 on the diagonal)."""
    mean = result.ranks.to_numpy()
    k = len(mean)
    q = np.abs(mean[:, None] - mean) / (k * (k + 1) / (6 * result.n)) ** 0.5 * 2**0.5
    p = np.clip(stats.studentized_range.sf(q, k, np.inf), 0, 1)
    np.fill_diagonal(p, 1.0)
    return pd.DataFrame(p, index=result.ranks.index, columns=result.ranks.index)


def against_control(result: Friedman, control: str) -> pd.DataFrame:
    """One method against each other one on average ranks, adjusted by Holm (Demsar 2006, 3.2.2).

    z = (R_other - R_control) / sqrt(k (k + 1) / (6 n)), two-sided by the normal distribution: fewer comparisons than
    all pairs, and so a test that can decide with fewer datasets.

    Returns
    -------
    table : DataFrame
        By other method, the lowest average rank first: ``rank``, ``difference`` (positive: the control is ahead),
        ``z``, ``p``, ``p_holm``.
    """
    k = len(result.ranks)
    others = result.ranks.drop(control).sort_values(kind="stable")
    difference = others - result.ranks[control]
    z = difference / (k * (k + 1) / (6 * result.n)) ** 0.5
    p = 2 * stats.norm.sf(np.abs(z.to_numpy()))
    return pd.DataFrame({"rank": others, "difference": difference, "z": z, "p": p, "p_holm": holm(p)})


def least_difference(k: int, n: int, alpha: float = ALPHA) -> float:
    """Difference of average ranks that the first step of `against_control` needs to reject."""
    return float(stats.norm.isf(alpha / (k - 1) / 2)) * (k * (k + 1) / (6 * n)) ** 0.5


def groups(result: Friedman, cd: float) -> list[tuple[str, ...]]:
    """Maximal sets of methods (best first) whose average ranks lie within the critical difference."""
    mean = result.ranks.sort_values(kind="stable")
    names, values = list(mean.index), mean.to_numpy()
    found: list[tuple[int, int]] = []
    for i in range(len(names)):
        j = int(np.searchsorted(values, values[i] + cd, side="right")) - 1
        if j > i and (not found or j > found[-1][1]):
            found.append((i, j))
    return [tuple(names[i : j + 1]) for i, j in found]


def wilcoxon_holm(block: pd.DataFrame) -> pd.DataFrame:
    """Two-sided Wilcoxon signed-rank tests of all pairs, adjusted by Holm.

    Differences of zero are split evenly between the signs, as Demsar does.

    Returns
    -------
    pairs : DataFrame
        Columns ``a``, ``b``, ``p``, ``p_holm``, smallest p first; an adjusted p below 0.05 rejects equality at a
        family-wise error of 0.05.
    """
    _check(block)
    if len(block) < 2:
        raise TooFew(f"Wilcoxon's test needs at least 2 datasets, got {len(block)}")
    rows = []
    for a, b in combinations(block.columns, 2):
        difference = (block[a] - block[b]).to_numpy(float)
        p = float(stats.wilcoxon(difference, zero_method="zsplit").pvalue) if difference.any() else 1.0
        rows.append((a, b, p))
    pairs = pd.DataFrame(rows, columns=["a", "b", "p"]).sort_values("p", kind="stable", ignore_index=True)
    pairs["p_holm"] = holm(pairs["p"].to_numpy())
    return pairs


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's adjusted p-values (m,): step down, never smaller than the one before, at most 1."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted


def bayesian_signed_rank(
    a: np.ndarray, b: np.ndarray, *, rope: float = ROPE, seed: int = 0, samples: int = SAMPLES
) -> tuple[float, float, float]:
    """Posterior probabilities that a is higher, that both are practically the same, that b is higher.

    The differences, and one pseudo-observation of 0 with weight 0.5 as prior, get Dirichlet weights; a sample
    counts for the region (of the Walsh averages) that carries most weight.

    Parameters
    ----------
    a, b : (n,) array
        One number per dataset.
    rope : float
        Half-width of what counts as the same.

    Returns
    -------
    p_a, p_rope, p_b : float
        Sum to 1.
    """
    z = np.append(0.0, np.asarray(a, dtype=float) - np.asarray(b, dtype=float))
    if not np.isfinite(z).all():
        raise Holes("the Bayesian signed-rank test got NaN or infinite values")
    walsh = (z[:, None] + z) / 2
    weights = _weights(len(z), seed, samples)
    sides = (walsh > rope).astype(float), (walsh < -rope).astype(float)
    left, right = (np.einsum("ij,ij->i", weights @ side, weights) for side in sides)
    mass = np.stack([left, 1 - left - right, right])
    wins = mass >= np.maximum(np.maximum(*mass[:2]), mass[2]) - 1e-12
    p_a, p_rope, p_b = (wins / (wins[0] * 1 + wins[1] + wins[2])).mean(axis=1)
    return float(p_a), float(p_rope), float(p_b)


def bayesian_pairs(block: pd.DataFrame, better: Better, *, rope: float = ROPE, seed: int = 0) -> pd.DataFrame:
    """`bayesian_signed_rank` of all pairs: columns ``a``, ``b``, ``a better``, ``same``, ``b better``."""
    _check(block)
    sign = 1 if better == "high" else -1
    rows = [
        (
            a,
            b,
            *bayesian_signed_rank(
                sign * block[a].to_numpy(), sign * block[b].to_numpy(), rope=rope, seed=seed
            ),
        )
        for a, b in combinations(block.columns, 2)
    ]
    return pd.DataFrame(rows, columns=["a", "b", "a better", "same", "b better"])


@lru_cache(maxsize=4)
def _weights(n: int, seed: int, samples: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet([0.5, *[1.0] * (n - 1)], size=samples)


@cache
def _studentized_range(alpha: float, k: int) -> float:
    return float(stats.studentized_range.ppf(1 - alpha, k, np.inf))


def _check(block: pd.DataFrame) -> None:
    _, holes = without_holes(block)
    if holes:
        cells = "; ".join(f"{dataset}: {', '.join(methods)}" for dataset, methods in holes.items())
        raise Holes(
            f"{sum(map(len, holes.values()))} of {block.size} numbers are missing or not finite ({cells}). "
            "Compute them, or leave these datasets out in plain sight (without_holes)"
        )
