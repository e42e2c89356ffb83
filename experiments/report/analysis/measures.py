"""The measures of methods, one record each. A new one is a function in `base/metrics.py` and a line here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["high", "low", ""]


@dataclass(frozen=True)
class Measure:
    """One metric, as cells and readers know it.

    Attributes
    ----------
    name : str
        Its column in the frame of cells.
    title, short : str
        In tables of many datasets, and in the table of a run (empty: not there).
    better : {"high", "low", ""}
    decimals : int
    meaning : str
        For captions, hints and the glossary; with its title and direction one line of 80 characters.
    of : {"data", "score", "error", "cost"}
        What it is a property of: the refined data, the improvement of a regressor, its error, the computing.
    ranked : bool
        Methods are ranked by it, and figures show it.
    inline : bool
        Its table stands in report.md itself, and is not folded away.
    rope : float
        What counts as practically the same, in the measure's unit.
    """

    name: str
    title: str
    short: str
    better: Better
    decimals: int
    meaning: str
    of: Literal["data", "score", "error", "cost"] = "data"
    ranked: bool = False
    inline: bool = False
    rope: float = 0.01

    @property
    def sign(self) -> int:
        """-1 where small is better, else 1."""
        return -1 if self.better == "low" else 1


MEASURES = (
    Measure(
        "imp",
        "Imp %",
        "Imp %",
        "high",
        1,
        "fall in the regressors' squared error, in percent",
        "score",
        ranked=True,
        inline=True,
        rope=1.0,
    ),
    Measure(
        "swd",
        "SWD",
        "SWD",
        "low",
        3,
        "sliced Wasserstein distance of features before/after",
        ranked=True,
        inline=True,
    ),
    Measure(
        "rho_bar",
        "rho",
        "rho",
        "high",
        3,
        "Pearson's r of features before/after, their mean",
        ranked=True,
        inline=True,
    ),
    Measure("rho_pooled", "rho pooled", "pooled", "high", 3, "Pearson's r of all entries before/after"),
    Measure(
        "rho_matrix",
        "rho matrix",
        "matrix",
        "high",
        3,
        "Pearson's r of correlation matrices before/after",
    ),
    Measure(
        "kl", "KL", "", "low", 3, "mean over features of KL between histograms before and after, in nats"
    ),
    Measure(
        "recovery",
        "recovery %",
        "recovery",
        "high",
        1,
        "injected squared error removed, X and y, in percent",
        ranked=True,
        inline=True,
        rope=1.0,
    ),
    Measure(
        "recovery_X",
        "recovery X %",
        "",
        "high",
        1,
        "injected squared error removed, features, in percent",
    ),
    Measure(
        "recovery_y",
        "recovery y %",
        "",
        "high",
        1,
        "injected squared error removed, target, in percent",
    ),
    Measure(
        "swd_clean",
        "SWD to clean",
        "",
        "low",
        3,
        "sliced Wasserstein distance between the clean and the denoised features",
    ),
    Measure(
        "auroc",
        "AUROC",
        "AUROC",
        "high",
        3,
        "rows hit by noise found, area under the ROC curve",
        inline=True,
    ),
    Measure(
        "average_precision",
        "average precision",
        "AP",
        "high",
        3,
        "rows hit by noise found, average precision",
        inline=True,
    ),
    Measure(
        "mse",
        "MSE",
        "",
        "low",
        4,
        "mean squared error of a regressor, in units of the target's variance",
        "error",
    ),
    Measure(
        "mae",
        "MAE",
        "",
        "low",
        4,
        "mean absolute error of a regressor, in standard deviations of the target",
        "error",
    ),
    Measure(
        "r2",
        "R2",
        "",
        "high",
        3,
        "share of the target's variance that a regressor explains; below 0 it is worse than the mean",
        "error",
    ),
    Measure(
        "seconds",
        "seconds",
        "seconds",
        "",
        2,
        "seconds to fit and denoise, the backbone's training not counted",
        "cost",
    ),
    Measure(
        "peak_mb", "MB", "MB", "", 0, "peak memory of fit and denoise above what was in use, in MB", "cost"
    ),
)
"""Every metric, in the order of tables."""

BY_NAME = {measure.name: measure for measure in MEASURES}
IMP = BY_NAME["imp"]
RECOVERY = BY_NAME["recovery"]
RANKED = tuple(m for m in MEASURES if m.ranked)
ERRORS = tuple(m for m in MEASURES if m.of == "error")
OF_DATA = tuple(m for m in MEASURES if m.of in ("data", "cost"))
"""Those of the denoise cells."""
