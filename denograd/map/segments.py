"""Rows that are predicted together: the unit that the objective, the solvers and the backbones share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from denograd.data.arrays import Array, check_no_file, with_gaps


@dataclass(frozen=True)
class Segment:
    """Rows that are predicted together, and the rows that their prediction reads.

    Attributes
    ----------
    rows : slice
        Predicted rows.
    reads : slice
        Contiguous rows that `predict` has to be given.
    predict : callable
        ``(len(reads), c) tensor -> (len(rows), k) tensor``, differentiable.
    """

    rows: slice
    reads: slice
    predict: Callable[[Tensor], Tensor]


def predict_rows(z: Tensor, segments: Iterable[Segment], outputs: int) -> Array:
    """Predict all rows, ``(n, c) -> (n, outputs)``; NaN where no segment predicts a row."""
    out = torch.full((len(z), outputs), torch.nan, dtype=z.dtype, device=z.device)
    with torch.no_grad():
        for segment in segments:
            out[segment.rows] = segment.predict(z[segment.reads])
    return out.cpu().numpy()


def check_matrix(X: Array) -> Array:
    """Return `X` as a new two-dimensional float64 array, or say what is wrong with it."""
    check_no_file(X, "X")
    X = np.array(with_gaps(X), dtype=np.float64)
    if X.ndim != 2:
        raise ValueError(f"X must be two-dimensional (rows, columns), got shape {X.shape}")
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise ValueError(
            f"X holds NaN, infinite or masked values, the first at row {row}, column {column}: impute or drop them"
        )
    return X
