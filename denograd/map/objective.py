"""The objective of the rule `map`: how unlikely a data matrix is, given the observations and a backbone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from denograd.data.arrays import Array, Kind
from denograd.map.segments import Segment

HUBER = 1.345
"""Where Huber's rho turns linear: 95 % efficient on Gaussian errors (Huber, 1964)."""


@dataclass(frozen=True)
class Question:
    """What is to be refined, and with what.

    Attributes
    ----------
    segments : list of Segment
        How rows are predicted; a row may have no prediction.
    outputs : (k,) int array
        Columns that are predicted.
    sigma : (c,) array
        Noise level; 0 holds a column: still an input, no term in either sum.
    moves : (c,) bool array
        Columns that may move; those with a noise level of 0 do not in any case.
    kind : {"tabular", "series"}
    reference : (residual, prediction) or None
        See `error_scale`.
    device : torch.device
    """

    segments: list[Segment]
    outputs: NDArray[np.int64]
    sigma: Array
    moves: NDArray[np.bool_]
    kind: Kind
    reference: tuple[Array, Array] | None = None
    device: torch.device | str = "cpu"


class Objective:
    """The objective of the rule `map`, of the whitened displacement ``d = (z - z_obs) / sigma``.

    ``J(d) = sum rho((f_k(z) - z_k) / s_k) + 1/2 sum d^2`` (docs/map.md), rho being Huber's.

    Parameters
    ----------
    z_obs : (n, c) float64 array
    scale : (n, k) array
        s, the backbone's own error.
    question : Question

    Attributes
    ----------
    residual : float
        Mean size of ``f_k(z) - z_k`` where the objective was last evaluated.
    """

    def __init__(self, z_obs: Array, scale: Array, question: Question) -> None:
        device = question.device
        sigma = torch.from_numpy(question.sigma).to(device)
        outputs = torch.from_numpy(question.outputs).to(device)
        self.residual = float("nan")
        self._observed = torch.from_numpy(z_obs).to(device)
        self._unit = torch.where(sigma > 0, sigma, 1.0)
        self._moves = (sigma > 0) & torch.from_numpy(question.moves).to(device)
        # held outputs have no residual term
        self._kept = sigma[outputs] > 0
        self._columns = outputs[self._kept]
        self._inverse = 1.0 / torch.from_numpy(scale).to(device)[:, self._kept]
        self._segments = question.segments
        rows = sum(len(range(len(z_obs))[s.rows]) for s in question.segments)
        self._terms = max(1, rows * len(self._columns))

    def whiten(self, step: Array) -> Tensor:
        """Turn a displacement in the data's units into d."""
        return torch.from_numpy(step).to(self._unit.device) / self._unit * self._moves

    def displacement(self, d: Tensor) -> Array:
        """Turn d into a displacement in the data's units."""
        step: Array = (d * self._unit).cpu().numpy()
        return step

    def figures(self, d: Tensor) -> dict[str, float]:
        """What a record of progress says of d, the objective's value apart."""
        return {
            "moved": float((d != 0).any(1).double().mean()),
            "residual": self.residual,
            "displacement": float((d * self._unit).norm(dim=1).mean()),
        }

    def value_and_gradient(self, d: Tensor) -> tuple[float, Tensor]:
        """Value at d, and gradient with respect to it, by one pass over all segments."""
        value, gradient = 0.5 * d.square().sum(), d.clone()
        gaps = torch.zeros((), dtype=d.dtype, device=d.device)
        z = torch.addcmul(self._observed, d, self._unit)
        for segment in self._segments:
            rows, reads = segment.rows, segment.reads
            local = z[reads].clone().requires_grad_()
            at = slice(rows.start - reads.start, rows.stop - reads.start, rows.step)
            with torch.enable_grad():
                gap = segment.predict(local)[:, self._kept] - local[at][:, self._columns]
                u = gap * self._inverse[rows]
                part = torch.nn.functional.huber_loss(u, torch.zeros_like(u), delta=HUBER, reduction="sum")
            gradient[reads] += torch.autograd.grad(part, local)[0] * self._unit
            value += part.detach()
            gaps += gap.detach().abs().sum()
        self.residual = float(gaps) / self._terms
        return float(value), gradient * self._moves
