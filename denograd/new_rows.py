"""Rows of a table that were not fitted, each refined by itself, by what the fitted ones taught."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from denograd.data.arrays import Array
from denograd.data.threads import one_thread
from denograd.fit import Fit, Gaps
from denograd.map.blind_spot import BlindSpot
from denograd.map.error_scale import error_scale
from denograd.map.gaps import Filled, PastGaps, RowFiller
from denograd.map.noise_level import per_column
from denograd.map.refine import posterior_of, refine
from denograd.map.solve import Solver
from denograd.table.readings import take, take_rows
from denograd.table.result import DenoisedData


@dataclass(frozen=True)
class RefinedRows:
    """New rows, in the data's units, (m, c) each.

    Attributes
    ----------
    values : array
        Refined; at gaps, their posterior mean.
    variance : array
        Expected squared error of a filled value; 0 where a value was observed.
    residual : array
        The backbone's prediction minus the observation; NaN at gaps.
    scale : array
        The backbone's own error.
    """

    values: Array
    variance: Array
    residual: Array
    scale: Array


@dataclass(frozen=True)
class NewRows:
    """Refines new rows of a table; the result of a row depends on that row alone.

    Attributes
    ----------
    blind : BlindSpot
        Fitted on the rows of a table, their gaps filled.
    filler : RowFiller
        Learned from the same rows.
    past : PastGaps
        Predicts rows with gaps.
    fitted : (c,) or (n, c) array
        Noise levels that the fitted rows were refined with: per value where these have gaps, which have no noise.
    sigma : (c,) array
        Noise level of the new rows.
    solver : str
        As in `denograd.refine`.
    """

    blind: BlindSpot
    filler: RowFiller
    past: PastGaps
    fitted: Array
    sigma: Array
    solver: Solver = "auto"

    @classmethod
    def of(
        cls,
        blind: BlindSpot,
        filled: Filled,
        fitted: Array,
        past: PastGaps | None,
        solver: Solver = "auto",
    ) -> NewRows:
        """Take what the fit of a table left.

        Parameters
        ----------
        blind : BlindSpot
        filled : Filled
            What `blind` was fitted on.
        fitted : (c,) or (n, c) array
            Levels of the fitted rows as `denograd.refine` used them; one level a column, but 0 at gaps.
        past : PastGaps or None
            Learned from the same rows, where they have gaps.
        solver : str
        """
        filler = filled.rows or RowFiller.of_complete_rows(filled.values)
        past = past or PastGaps.untaught(filler)
        return cls(blind, filler, past, fitted, fitted if fitted.ndim == 1 else fitted.max(0), solver)

    def refine(self, X: Array) -> RefinedRows:
        """Refine rows (m, c); NaN is a gap."""
        filled, missing = self.filler.fill(X), np.isnan(X)
        rows = filled.values
        if self.solver == "auto":
            prediction = self.past.predict(self.blind, rows, missing)
            values: Array = rows + posterior_of(self.blind, self.fitted).step(rows, prediction, self.sigma)
        else:
            prediction, values = self._by_another_solver(rows)
        reference = (self.blind.residual_, self.blind.prediction_)
        residual, level = prediction - rows, per_column(self.fitted)
        scale, _ = error_scale(residual, prediction, level, self.blind.kind, reference)
        return RefinedRows(
            np.where(missing, rows, values), filled.variance, np.where(missing, np.nan, residual), scale
        )

    def _by_another_solver(self, rows: Array) -> tuple[Array, Array]:
        """Predictions and refined values."""
        # fewer rows at once than were fitted: those judge what gains, and no row its neighbours
        most = max(1, len(self.blind.residual_) - 1)
        prediction, values = np.empty(rows.shape), np.empty(rows.shape)
        for start in range(0, len(rows), most):
            part = slice(start, start + most)
            found = refine(self.blind, rows[part], self.sigma, solver=self.solver)
            prediction[part], values[part] = rows[part] + found.residual, found.values
        return prediction, values


@dataclass(frozen=True)
class FittedTable:
    """A table that was denoised, ready for further rows of it.

    Attributes
    ----------
    result : DenoisedData
        Of the fitted rows.
    """

    result: DenoisedData
    _fit: Fit
    _rows: NewRows
    _gaps: Gaps

    @classmethod
    @one_thread()
    def of(
        cls, X: Any, sigma: Any, *, skip: Sequence[Any], gaps: Gaps, seed: int = 0, verbose: bool = False
    ) -> FittedTable:
        """Denoise the rows of a DataFrame of pandas; parameters as of `denoise`, a level or its estimate's name."""
        readings = take(X, sigma=sigma, kind="tabular", skip=skip)
        fit = Fit.of(
            readings,
            readings.level(sigma),
            "given",
            np.zeros(len(readings.moves)),
            seed=seed,
            verbose=verbose,
        )
        return cls(fit.result(gaps), fit, NewRows.of(fit.blind, fit.filled, fit.found.sigma, fit.past), gaps)

    @one_thread()
    def denoise(self, X: Any) -> DenoisedData:
        """Denoise further rows, each by itself; level, bound and expected error are those of the fitted rows."""
        readings = take_rows(X, self.result.columns)
        new, missing = self._rows.refine(readings.matrix), np.isnan(readings.matrix)
        sigma = np.broadcast_to(self._rows.sigma, missing.shape)
        std = np.where(missing, np.sqrt(new.variance), self._fit.standard_error(new.scale, sigma))
        shown = np.where(missing & (self._gaps == "keep"), np.nan, new.values)
        observed = readings.by_column(readings.matrix)
        return replace(
            self.result,
            data=readings.wrap(shown),
            std=readings.wrap_std(np.where(np.isnan(shown), np.nan, std)),
            history=[],
            gaps=readings.gaps(observed),
            outliers=readings.by_column(self._fit.blind.is_far(readings.matrix).astype(float)) == 1,
            observed=observed,
            refined=readings.by_column(new.values),
            residual=readings.by_column(new.residual),
        )
