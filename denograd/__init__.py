"""DenoGrad: refine data with the gradients of a frozen network. Needs numpy, torch and tqdm alone."""

from denograd.estimator import DenoGrad

__all__ = ["DenoGrad"]
