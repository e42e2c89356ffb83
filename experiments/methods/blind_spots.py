"""Blind-spot backbones that several denoisers of a run share: those of one task are trained once."""

from __future__ import annotations

import copy
import hashlib
import time
from typing import NamedTuple

from baselines.base import Array, Kind
from denograd import BlindSpot

KEPT = 2
"""How many are kept: a table has one with the target and one of the features alone."""


class Trained(NamedTuple):
    """A blind-spot backbone, and how long its training took, whoever asked for it first."""

    backbone: BlindSpot
    seconds: float
    again: bool


class BlindSpots:
    """The last backbones that were trained, by what they were trained on.

    Each denoiser gets a copy of its own: the arrays are shared, what a rule learns with it is not.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[BlindSpot, float]] = {}

    def trained(self, kind: Kind, rows: Array, seed: int, device: str = "cpu") -> Trained:
        """The backbone of these rows and this seed, trained unless it was before.

        Parameters
        ----------
        kind : {"tabular", "series"}
        rows : (n, c) array
        seed : int
        device : str
            Where it is trained and used.
        """
        content = hashlib.sha256(rows.tobytes()).hexdigest()
        key = f"{kind} {seed} {device} {rows.shape} {rows.dtype} {content}"
        again = key in self._kept
        if not again:
            started = time.perf_counter()
            backbone = BlindSpot(kind, verbose=True, device=device).fit(rows, seed=seed)
            self._kept[key] = backbone, time.perf_counter() - started
            while len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
        backbone, seconds = self._kept[key]
        own = copy.copy(backbone)
        own.kept_ = {}
        return Trained(own, seconds, again)
