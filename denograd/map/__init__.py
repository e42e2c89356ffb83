"""The rule `map`: a blind-spot backbone, the noise level, the error's scale, and the most probable data."""

from denograd.map.blind_spot import BlindSpot
from denograd.map.candidates.subspace import Shrinkage
from denograd.map.error_scale import LEAST_SHARE, noise_bound
from denograd.map.refine import Refined, refine
from denograd.map.solve import Solver, one_step

__all__ = ["LEAST_SHARE", "BlindSpot", "Refined", "Shrinkage", "Solver", "noise_bound", "one_step", "refine"]
