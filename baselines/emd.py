"""Empirical mode decomposition without its fastest modes."""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from baselines.base import Array, Settings
from baselines.frame import FrameDenoiser
from denograd.data import near_power_of_two

THRESHOLDS = {"svar_thr": 0.001, "total_power_thr": 0.005, "range_thr": 0.001}
"""Those of PyEMD that have the unit of the data, with its defaults."""

BETA, RHO = 0.719, 2.01  # of white noise, Flandrin, Rilling and Goncalves (2004)


class EMD(FrameDenoiser):
    """Subtract the leading intrinsic modes of each column.

    Assumes that noise lives in the fastest oscillations. `paper` drops the first two modes whatever they
    hold; `sound` drops the first, which is taken for noise, and then every following mode up to the first
    one with more energy than white noise would put there: W_k = W_1 / 0.719 * 2.01^-k. A column of fewer
    than three modes (constant or monotone ones, say) is left as it is and counted in ``info``.

    Only the modes that are dropped are computed. Time grows with rows times columns: 17,420 x 7 takes a few
    seconds. `workers` spreads the columns over processes.

    Parameters
    ----------
    settings : {"paper", "sound"}
    drop : int
        Leading modes that `paper` drops.
    workers : int
        Processes.

    References
    ----------
    N. E. Huang et al., The empirical mode decomposition and the Hilbert spectrum, Proc. R. Soc. A 454 (1998).
    P. Flandrin, G. Rilling and P. Goncalves, EMD equivalent filter banks, from interpretation to
    applications, in: Hilbert-Huang Transform and Its Applications, World Scientific, 2005.
    """

    uses = ("PyEMD",)
    causal = False
    sequential = True

    def __init__(self, settings: Settings = "paper", drop: int = 2, workers: int = 1) -> None:
        super().__init__(settings)
        if drop < 1:
            raise ValueError(f"EMD: drop must be at least 1 mode, got {drop}")
        self.drop = drop
        self.workers = workers

    def _refine(self, frame: Array, causal: bool) -> tuple[Array, dict]:
        from joblib import Parallel, delayed

        refine = without_noise_modes if self.sound else without_leading_modes
        bar = tqdm(frame.T, desc="EMD", unit="column", disable=None, leave=False)
        columns = (np.ascontiguousarray(column) for column in bar)
        results = Parallel(n_jobs=self.workers)(delayed(refine)(column, self.drop) for column in columns)
        dropped = [modes for _, modes in results]
        info = {"modes_dropped": dropped, "columns_unchanged": dropped.count(0)}
        return np.column_stack([column for column, _ in results]), info


def decompose(column: Array, modes: int) -> Array:
    """First `modes` modes and, last, what they leave, unless that is nothing: shape (<= modes + 1, n).

    When sifting ends must not depend on the column's unit: PyEMD's thresholds are those of a column of deviation 1.
    """
    from PyEMD import EMD as Decomposition

    if len(column) < 3 or np.ptp(column) == 0:
        return column[None]
    unit = near_power_of_two(np.ptp(column))
    scaled = column / unit
    spread = float(scaled.std())
    limits = {name: spread * value for name, value in THRESHOLDS.items()}
    return unit * Decomposition(**limits).emd(scaled, max_imf=modes)


def without_leading_modes(column: Array, drop: int) -> tuple[Array, int]:
    """The column without its first `drop` modes, and how many were dropped: 0 if there are no more."""
    modes = decompose(column, drop)
    if len(modes) <= drop:
        return column, 0
    return column - modes[:drop].sum(axis=0), drop


def without_noise_modes(column: Array, drop: int = 2) -> tuple[Array, int]:
    """The column without the leading modes that hold no more energy than white noise would."""
    modes = decompose(column, 2)
    if len(modes) < 3:
        return column, 0
    noise = np.square(modes[0]).mean() / BETA
    rest, mode, k = column - modes[0], modes[1], 2
    while np.square(mode).mean() <= noise * RHO**-k:
        rest = rest - mode
        further = decompose(rest, 1)
        if len(further) < 2:  # a trend is left
            return rest, k
        mode, k = further[0], k + 1
    return rest, k - 1
