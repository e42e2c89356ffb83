"""DenoGrad: refine data with the gradients of a frozen network. Needs numpy, torch and tqdm alone."""

from denograd.chosen_target import ChosenTarget
from denograd.estimator import DenoGrad
from denograd.map.blind_spot import BlindSpot
from denograd.map.noise_level import NoiseLevelMissing
from denograd.one_call import DenoisedData, denoise
from denograd.regressor import DenoisedRegressor
from denograd.smooth_target import SmoothedTarget, smooth_target

__version__ = "0.1.0"

__all__ = [
    "BlindSpot",
    "ChosenTarget",
    "DenoGrad",
    "DenoisedData",
    "DenoisedRegressor",
    "NoiseLevelMissing",
    "SmoothedTarget",
    "denoise",
    "smooth_target",
]
