"""Predictions that do not see a value through the gaps beside it.

A gap was filled from the values around it, so a blind spot that reads the filling sees a part of the very value that it
is to predict: its residual is too small, and the noise in the value is taken for signal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Array
from denograd.map.blind_spot import BlindSpot
from denograd.map.gaps.fill import Filled, RowFiller
from denograd.map.gaps.guesses import Mask, mixture
from denograd.map.gaps.normal_fill import leave_one_out

MIXED = 2.5
"""See `see_past_gaps`."""

PIECE_VALUES = 2**22
"""Numbers of the largest array per piece of rows."""


@dataclass(frozen=True)
class PastGaps:
    """Predicts the observed values in rows of a table that have gaps.

    Guesses are those of the blind spot, which for every value reads the gaps as they would be filled without it, and
    of the normals, which need no filling; a column takes the mixture that errs least.

    Attributes
    ----------
    filler : RowFiller
    weights : (g, c) array
        Of the guesses.
    """

    filler: RowFiller
    weights: Array

    @classmethod
    def untaught(cls, filler: RowFiller) -> Self:
        """Where no fitted row has a gap: the blind spot alone."""
        weights = np.zeros((1 + len(filler.ways.normals), len(filler.center)))
        weights[0] = 1.0
        return cls(filler, weights)

    @classmethod
    def fit(cls, blind: BlindSpot, filler: RowFiller, values: Array, missing: Mask) -> tuple[Self, Array]:
        """Learn from the rows that `blind` was fitted on; also give their predictions, (n, c)."""
        untaught = cls.untaught(filler)
        weights, prediction = untaught.weights, blind.prediction_.astype(float)
        rows = np.flatnonzero(missing.any(1))
        guesses = untaught._guesses(blind, values[rows], missing[rows], blind.fold_[rows])
        seen = ~(missing | blind.outliers_)[rows]
        for j in np.flatnonzero(seen.any(0)):
            errors = (guesses[:, seen[:, j], j] - values[rows][seen[:, j], j]) / filler.scale[j]
            weights[:, j] = mixture(errors @ errors.T / errors.shape[1])
        prediction[rows] = np.einsum("gnc,gc->nc", guesses, weights)
        return cls(filler, weights), prediction

    def predict(self, blind: BlindSpot, values: Array, missing: Mask) -> Array:
        """Predict new rows (m, c), their gaps filled; what is predicted at gaps has no meaning."""
        prediction = blind.predict(values)
        rows = np.flatnonzero(missing.any(1))
        if len(rows):
            guesses = self._guesses(blind, values[rows], missing[rows], np.full(len(rows), -1))
            prediction[rows] = np.einsum("gnc,gc->nc", guesses, self.weights)
        return prediction

    def _guesses(self, blind: BlindSpot, values: Array, missing: Mask, models: NDArray[np.int64]) -> Array:
        """Guesses (g, n, c) of the blind spot and of every normal."""
        center, scale = self.filler.center, self.filler.scale
        guesses = np.empty((len(self.weights), *values.shape))
        length = max(1, PIECE_VALUES // values.shape[1] ** 2)
        for start in range(0, len(values), length):
            part = slice(start, start + length)
            gap = missing[part]
            unknown = gap | blind.is_far(values[part])
            y = np.where(unknown, 0.0, (values[part] - center) / scale)
            others = [leave_one_out(normal, y, unknown) for normal in self.filler.ways.normals]
            for guess, (mean, _) in zip(guesses[1:, part], others, strict=True):
                guess[:] = mean * scale + center
            # a value that is replaced by its own prediction adds nothing to the gaps beside it
            mean, gain = others[0]
            news = np.where(unknown, 0.0, mean - y)
            shift = np.where(gap[:, :, None], gain * news[:, None, :] * scale[:, None], 0.0)
            guesses[0, part] = blind.predict_shifted(values[part], shift, models[part])
        return guesses


def see_past_gaps(blind: BlindSpot, filled: Filled, missing: Mask) -> PastGaps | None:
    """Mend the predictions of a blind spot that was fitted on filled data.

    In a series, the more gaps there are, the more of a prediction is taken from the model that leaves the value out
    however many lie beside it: 2.5 times their share, all of it from two fifths on. (Chosen on three series, ett,
    daily_climate and nasdaq.) In a table, rows with gaps are predicted by `PastGaps`.

    Parameters
    ----------
    blind : BlindSpot
        Fitted on ``filled.values``; its prediction, residual and mean squared error change, and it knows how much was
        filled.
    filled : Filled
    missing : (n, c) bool array

    Returns
    -------
    PastGaps or None
        For new rows of a table; None for a series, and where nothing is missing.
    """
    if not missing.any():
        return None
    blind.filled_ = float((missing if blind.kind == "series" else missing.any(1)).mean())
    past = None
    if filled.rows is not None:
        past, mixed = PastGaps.fit(blind, filled.rows, filled.values, missing)
    else:
        assert filled.prediction is not None
        weight = min(1.0, MIXED * blind.filled_)
        mixed = (1 - weight) * blind.prediction_ + weight * filled.prediction
    blind.prediction_ = np.where(missing, blind.prediction_, mixed).astype(np.float32)
    blind.residual_ = np.where(missing, blind.residual_, mixed - filled.values).astype(np.float32)
    seen = ~missing & ~blind.outliers_
    squares = (blind.residual_.astype(float) ** 2 * seen).sum(0)
    blind.mse_ = np.where(blind.constant_, 0.0, squares / np.maximum(seen.sum(0), 1))
    return past
