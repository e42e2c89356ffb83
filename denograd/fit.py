"""The work behind `denograd.denoise`: gaps filled, a blind spot trained, every value refined, all figures gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array
from denograd.map.blind_spot import BlindSpot
from denograd.map.error_scale import noise_bound
from denograd.map.gaps import Filled, PastGaps, fill_gaps, see_past_gaps
from denograd.map.noise_level import NoiseLevel, noise_level
from denograd.map.refine import Refined, refine
from denograd.map.solve import Solver
from denograd.table.readings import Readings
from denograd.table.result import DenoisedData

Gaps = Literal["keep", "fill"]

GROWS = "grows with the value"
"""Evidence of a level that is a share of the value, and nothing else."""


@dataclass(frozen=True)
class Fit:
    """What `denoise` has computed, on the grid and for every input.

    Attributes
    ----------
    readings : Readings
    filled : Filled
    blind : BlindSpot
    found : Refined
    asked : (m,) or (n, m) array
        Levels before they were capped.
    evidence : sequence of str
        Where the level of every input comes from.
    solver : str
    past : PastGaps or None
        Of a table with gaps: what predicts further rows that have some.
    """

    readings: Readings
    filled: Filled
    blind: BlindSpot
    found: Refined
    asked: Array
    evidence: Sequence[str]
    solver: Solver
    past: PastGaps | None = None

    @classmethod
    def of(
        cls,
        readings: Readings,
        level: Any,
        evidence: str,
        relative: Array,
        *,
        solver: Solver = "auto",
        seed: int,
        verbose: bool,
        backbone: Mapping[str, Any] = MappingProxyType({}),
    ) -> Self:
        """Fill the gaps, train the blind spot, and refine; parameters as of `denoise`, levels per input."""
        missing = np.isnan(readings.matrix)
        filled = fill_gaps(readings.matrix, _known(level, relative, readings), readings.kind, seed=seed)
        blind = BlindSpot(readings.kind, verbose=verbose, **backbone).fit(filled.values, seed=seed)
        past = see_past_gaps(blind, filled, missing)
        if level is None or isinstance(level, str):
            asked = _estimated(level, readings, blind)
        else:
            asked = NoiseLevel(np.where(readings.moves, level, 0.0), (evidence,) * len(readings.moves))
        level = asked.sigma
        if missing.any() and solver == "auto":  # what was filled has no noise, and teaches nothing
            level, relative = np.where(missing, 0.0, level), np.where(missing, 0.0, relative)
        found = refine(
            blind,
            filled.values,
            level,
            fitted_rows=len(missing),
            solver=solver,
            sigma_relative=np.where(readings.moves, relative, 0.0),
            names=[readings.names[place] for place in readings.owner],
            verbose=verbose,
        )
        # what the refinement adds to a level's origin, or says in its place
        on_top = (np.atleast_2d(relative) > 0).any(0) & readings.moves & (evidence != GROWS)
        said = [
            e + "; sigma_relative on top" * t + f.removeprefix("given") if f.startswith("given") else f
            for e, t, f in zip(asked.evidence, on_top.tolist(), found.evidence, strict=True)
        ]
        return cls(readings, filled, blind, found, asked.sigma, said, solver, past)

    def result(self, gaps: Gaps) -> DenoisedData:
        """Hand the figures back in the data's own rows, columns and type."""
        readings, found, missing = self.readings, self.found, self.missing
        sigma = np.broadcast_to(found.sigma, missing.shape)
        values = np.where(missing, self.filled.values, found.values)
        seen = np.where(missing, np.nan, readings.matrix)
        shown = np.where(missing & (gaps == "keep"), np.nan, values)
        # of the observed values: what was filled has no level, and no error of the noise
        level = np.sqrt((sigma**2 * ~missing).sum(0) / self._seen_rows)
        std = np.where(missing, np.sqrt(self.filled.variance), self.standard_error(found.scale, sigma))
        rows = readings.rows
        observed = readings.by_column(rows(seen))
        grounds = [""] * len(readings.names)
        for place, moves, why in zip(readings.owner.tolist(), readings.moves, self.evidence, strict=True):
            grounds[place] = why if moves else "held"
        levels = readings.by_column(level)
        # what has no level, given or found, does not move
        columns = [
            replace(role, role="held", why=_without_level(why))
            if role.role == "refined" and not mine > 0
            else role
            for role, mine, why in zip(readings.roles, levels.tolist(), grounds, strict=True)
        ]
        said = [readings.grid.said] if readings.grid is not None and readings.grid.said else []
        return DenoisedData(
            data=readings.wrap(rows(shown)),
            std=readings.wrap_std(np.where(np.isnan(rows(shown)), np.nan, rows(std))),
            sigma=levels,
            bound=readings.by_column(found.bound),
            error_before=readings.by_column(level**2),
            error_after=readings.by_column(np.minimum(self._error, level**2)),
            solver=self.solver,
            history=found.history,
            columns=columns,
            gaps=readings.gaps(observed),
            notes=said,
            evidence=tuple(grounds),
            asked=readings.by_column(
                np.sqrt((np.where(missing, 0.0, self.asked) ** 2).sum(0) / self._seen_rows)
            ),
            kind=readings.kind,
            outliers=readings.by_column(rows(np.where(missing, 0.0, found.outliers))) == 1,
            observed=observed,
            refined=readings.by_column(rows(values)),
            residual=readings.by_column(rows(np.where(missing, np.nan, found.residual))),
        )

    def standard_error(self, scale: Array, sigma: Array) -> Array:
        """Standard error of values: the posterior's, scaled so that its mean square, here, is Stein's estimate.

        Parameters
        ----------
        scale, sigma : (n, m) arrays
            The backbone's own error and the noise level, of these rows or of new ones.
        """
        here = _posterior_variance(self.found.scale, np.broadcast_to(self.found.sigma, self.missing.shape))
        mean = (here * ~self.missing).sum(0) / self._seen_rows
        factor = np.where(mean > 0, self._error / np.where(mean > 0, mean, 1.0), 0.0)
        std: Array = np.minimum(np.sqrt(_posterior_variance(scale, sigma) * factor), sigma)
        return std

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where the readings have gaps, (n, m)."""
        return np.isnan(self.readings.matrix)

    @property
    def _seen_rows(self) -> NDArray[np.int64]:
        seen: NDArray[np.int64] = np.maximum((~self.missing).sum(0), 1)
        return seen

    @property
    def _error(self) -> Array:
        """Expected squared error of an observed value, (m,)."""
        error = self.found.error
        # where levels are per value, that of gaps is 0
        return error * (len(self.missing) / self._seen_rows) if self.found.sigma.ndim == 2 else error


def _posterior_variance(scale: Array, sigma: Array) -> Array:
    variance: Array = sigma**2 * scale**2 / np.maximum(scale**2 + sigma**2, np.finfo(float).tiny)
    return variance


def _known(level: Any, relative: Array, readings: Readings) -> Array:
    """Levels as far as they are known before the fit, (m,): root mean squares over the observed values."""
    if level is None or isinstance(level, str):
        return np.where(readings.moves, np.nan, 0.0)
    seen = ~np.isnan(readings.matrix)
    squares = level**2 + (relative * np.where(seen, readings.matrix, 0.0)) ** 2
    known: Array = np.sqrt((squares * seen).sum(0) / np.maximum(seen.sum(0), 1))
    return known


def _estimated(name: str | None, readings: Readings, blind: BlindSpot) -> NoiseLevel:
    """The level that an estimate gives to the refined columns.

    Raises
    ------
    NoiseLevelMissing
        Without a name, with the bounds.
    """
    outputs = np.flatnonzero(readings.moves)
    bound = noise_bound(blind.residual_)[outputs]
    names = [readings.names[place] for place in readings.owner]
    return noise_level(
        name,
        readings.matrix,
        bound,
        outputs,
        blind.constant_ | ~readings.moves,
        readings.kind,
        names,
        blind=blind,
        least_share=0.0,  # `refine` caps as its solver needs it
    )


def _without_level(evidence: str) -> str:
    """Why a column of numbers was held, from what is known of its level."""
    if evidence == "constant":
        return evidence
    reason = evidence.removeprefix("held: ")
    return "its level is 0" if reason == evidence else f"its values show no noise: {reason}"
