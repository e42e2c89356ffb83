"""DenoGrad: refine data with the gradients of a frozen network. Needs only numpy, torch and tqdm.

What to use: `denoise` for a table or a series and a noise level; `DenoisingTransformer` for the same in a scikit-learn
pipeline; `python -m denograd FILE` for a file; `BlindSpot` and `refine`, the two halves of `denoise`, to learn
from one part and refine another; `DenoGrad` for your own model and the published rules; `DenoisedRegressor`
to refine training data inside a scikit-learn pipeline; `smooth_target` and `ChosenTarget` where the accuracy of the
model trained on the data is what counts.

Where to read on: `denograd.estimator` (the call) -> `denograd.rules.registry` (the rules by name) ->
`denograd.rules.steps` and `denograd.rules.descent` (the paper's rule, its loop); `denograd.one_call` ->
`denograd.map.blind_spot` (the backbone) -> `denograd.map.refine` and `denograd.map.solve` (the objective, its solvers).
"""

from typing import TYPE_CHECKING, Any

from denograd.chosen_target import ChosenTarget
from denograd.estimator import DenoGrad
from denograd.map.blind_spot import BlindSpot
from denograd.map.noise_level import NoiseLevelMissing
from denograd.map.refine import Refined, refine
from denograd.one_call import denoise
from denograd.regressor import DenoisedRegressor
from denograd.smoothed_target import SmoothedTarget, smooth_target
from denograd.table.result import DenoisedData

if TYPE_CHECKING:
    from denograd.transformer import DenoisingTransformer

__version__ = "0.1.0"

__all__ = [
    "BlindSpot",
    "ChosenTarget",
    "DenoGrad",
    "DenoisedData",
    "DenoisedRegressor",
    "DenoisingTransformer",
    "NoiseLevelMissing",
    "Refined",
    "SmoothedTarget",
    "denoise",
    "refine",
    "smooth_target",
]


def __getattr__(name: str) -> Any:
    """Load the one class that needs scikit-learn at its first use."""
    if name != "DenoisingTransformer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from denograd.transformer import DenoisingTransformer
    except ModuleNotFoundError as error:
        raise ImportError(
            "denograd.DenoisingTransformer needs scikit-learn: pip install scikit-learn"
        ) from error
    return DenoisingTransformer
