"""What `denoise` returns, and how it is shown: a line, a table, a figure."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from denograd.data.arrays import Array, Kind
from denograd.table.assumptions import Evidence, Finding, check_assumptions
from denograd.table.roles import ColumnRole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SHOWN = 6
"""Columns that a result's short form lists."""

STRETCH = 400
"""Rows of a figure."""


@dataclass(frozen=True, repr=False)
class DenoisedData:
    """What `denoise` returns.

    Figures per column are in the order of the data's columns; a column that is not numeric has NaN.

    Attributes
    ----------
    data : array, tensor or DataFrame
        The denoised data, with the type, shape, order, names, index and dtypes of the input.
    std : (n, c) array or DataFrame
        Standard error of every value; 0 where it was held, NaN where there is none.
    sigma : (c,) array
        Noise level used per column, in the data's units; 0 for a column that was held. The root mean square if levels
        differ from row to row.
    bound : (c,) array
        Upper bound of the noise level per column.
    error_before, error_after : (c,) arrays
        Mean squared error per column, in squared units of the data: ``sigma**2``, and Stein's unbiased estimate
        of the remaining error, or that estimate's standard error where it cannot be told from 0 (see `evidence`). They
        are as reliable as `sigma`.
    solver : str
        The solver used.
    history : list of dict
        Per iteration of L-BFGS, or for the single closed-form step, as in `denograd.DenoGrad.history_`.
    columns : list of ColumnRole
        What was done with every column, and why.
    gaps : (c,) int array
        Missing values per column.
    notes : list of str
        What else was done: rows put in order, steps without a reading.
    evidence : tuple of str
        Where the level of every column comes from: given, or the grounds of the estimate.
    outliers : (n, c) bool array
        Values too extreme to be measurements, such as sentinels: left as they are, and nothing is learnt from them.
    asked : (c,) array
        The level as given, before it was capped by the bound.
    kind : {"tabular", "series"}
    observed, refined, residual : (n, c) arrays
        For numeric columns, NaN elsewhere: the input, the output (gaps filled with their posterior mean),
        and the backbone's prediction minus the observation.

    Examples
    --------
    >>> import numpy as np
    >>> from denograd import denoise
    >>> clean = np.sin(np.linspace(0, 30, 600))
    >>> noisy = clean + 0.2 * np.random.default_rng(0).normal(size=600)
    >>> result = denoise(noisy, 0.2, kind="series")
    >>> result.data.shape, round(float(result.sigma[0]), 3)
    ((600,), 0.2)
    >>> bool(result.error_after[0] < result.error_before[0])
    True
    """

    data: Any
    std: Any
    sigma: Array
    bound: Array
    error_before: Array
    error_after: Array
    solver: str
    history: list[dict[str, Any]] = field(default_factory=list)
    columns: list[ColumnRole] = field(default_factory=list)
    gaps: Array = field(default_factory=lambda: np.zeros(0, dtype=int))
    notes: list[str] = field(default_factory=list)
    evidence: tuple[str, ...] = ()
    asked: Array = field(default_factory=lambda: np.zeros(0))
    outliers: Array = field(default_factory=lambda: np.zeros((0, 0), dtype=bool))
    kind: Kind = "tabular"
    observed: Array = field(default_factory=lambda: np.zeros((0, 0)))
    refined: Array = field(default_factory=lambda: np.zeros((0, 0)))
    residual: Array = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def share(self) -> float:
        """Estimated share of the noise's squared error that is left, mean over the columns that have any."""
        noisy = self.error_before > 0
        return float((self.error_after[noisy] / self.error_before[noisy]).mean()) if noisy.any() else 1.0

    @property
    def names(self) -> list[Any]:
        """Names of the columns."""
        return [column.name for column in self.columns]

    def moved(self) -> Array:
        """Root mean square displacement per column, in the data's units; NaN where nothing is refined."""
        change = self.refined - self.observed
        known = np.isfinite(change)
        with np.errstate(invalid="ignore"):
            moved: Array = np.sqrt((np.where(known, change, 0.0) ** 2).sum(0) / known.sum(0))
        return moved

    def surprises(self) -> Array:
        """Values per column farther than five bounds from their prediction, (c,): sensor errors or real events."""
        far = np.abs(self.residual) > 5 * self.bound
        count: Array = np.where(np.isfinite(self.bound), far.sum(0), 0)
        return count

    def summary(self) -> pd.DataFrame:
        """One row per column: role, level, bound, expected error before and after, displacement, outliers, gaps."""
        import pandas as pd

        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(self.error_before > 0, self.error_after / self.error_before, np.nan)
        return pd.DataFrame(
            {
                "role": [column.role for column in self.columns],
                "sigma": self.sigma,
                "bound": self.bound,
                "rmse_before": np.sqrt(self.error_before),
                "rmse_after": np.sqrt(self.error_after),
                "share": share,
                "moved": self.moved(),
                "outliers": self.surprises(),
                "gaps": self.gaps,
                "why": [column.why for column in self.columns],
            },
            index=pd.Index(self.names, name="column", tupleize_cols=False),
        )

    def check(self) -> list[Finding]:
        """Check the assumptions: white, normal, homoscedastic noise and a plausible level.

        Returns
        -------
        list of Finding
            Each says in words what was found and what to do instead; empty where nothing contradicts them.
        """
        refined = [j for j, column in enumerate(self.columns) if column.role == "refined"]
        return check_assumptions(
            Evidence(
                [self.columns[j].name for j in refined],
                self.observed[:, refined],
                self.residual[:, refined],
                self.sigma[refined],
                self.asked[refined],
                self.bound[refined],
                self.kind,
            )
        )

    def plot(self, column: Any, rows: slice | None = None) -> Figure:
        """Draw a stretch of a column before and after, with two standard errors.

        Parameters
        ----------
        column : object
            Its name; of an array, its number.
        rows : slice, optional
            By default the 400 rows around the one that moved most; of a table, rows in the order of their size.

        Returns
        -------
        matplotlib Figure
            Of no window: save it with `savefig`, or let a notebook show it.
        """
        from matplotlib.figure import Figure

        if column not in self.names:
            raise ValueError(f"no column {column!r}; there are {', '.join(map(str, self.names[:10]))}")
        j = self.names.index(column)
        before, after, error = self.observed[:, j], self.refined[:, j], self._std_of(j)
        if not np.isfinite(after).any():
            raise ValueError(f"column {column!r} holds no numbers, there is nothing to draw")
        if self.kind == "tabular" and rows is None:
            order = np.argsort(after, kind="stable")
            order = order[np.unique(np.linspace(0, len(order) - 1, STRETCH).astype(int))]
        else:
            order = np.arange(len(after))[rows if rows is not None else self._stretch(before, after)]
        place = np.arange(len(order)) if self.kind == "tabular" else order
        figure = Figure(figsize=(9, 3), layout="constrained")
        axes = figure.subplots()
        axes.fill_between(
            place, (after - 2 * error)[order], (after + 2 * error)[order], color="#0072b2", alpha=0.2, lw=0
        )
        axes.plot(place, before[order], ".", color="0.6", ms=3, label="observed")
        axes.plot(place, after[order], color="#0072b2", lw=1.2, label="refined, two standard errors")
        axes.set(xlabel="row" if self.kind == "series" else "rows in order of size", ylabel=str(column))
        axes.legend(
            frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2
        )  # above, on no value
        return figure

    def _std_of(self, j: int) -> Array:
        """Standard errors of a column, (n,)."""
        if hasattr(self.std, "columns"):
            stated = list(self.std.columns)
            if self.names[j] not in stated:
                return np.zeros(len(self.observed))
            return np.asarray(self.std.to_numpy(), dtype=float)[:, stated.index(self.names[j])]
        return np.asarray(self.std, dtype=float).reshape(len(self.observed), -1)[:, j]

    def _stretch(self, before: Array, after: Array) -> slice:
        moved = np.nan_to_num(np.abs(after - before))
        start = max(0, min(int(moved.argmax()) - STRETCH // 2, len(after) - STRETCH))
        return slice(start, start + STRETCH)

    def __repr__(self) -> str:
        rows, width = self.observed.shape
        refined = [j for j, c in enumerate(self.columns) if c.role == "refined"]
        head = f"DenoisedData: {rows:,} rows, {len(refined)} of {width} columns refined"
        if refined:
            head += f", {self.share:.0%} of the noise's squared error expected to be left"
        lines = [head]
        for j in refined[:SHOWN]:
            after = np.sqrt(self.error_after[j])
            gap = f", {int(self.gaps[j])} gaps" if self.gaps[j] else ""
            lines.append(
                f"  {self.columns[j].name}: sigma {self.sigma[j]:.4g}, expected error {after:.4g}{gap}"
            )
        if len(refined) > SHOWN:
            lines.append(f"  and {len(refined) - SHOWN} more")
        lines.append("See .data, .std, .summary(), .check(), .plot(column)")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = html.escape(repr(self).partition("\n")[0])
        table: str = self.summary().to_html(float_format=lambda v: f"{v:.4g}", na_rep="", max_rows=30)
        return f"<p>{head}</p>{table}"
