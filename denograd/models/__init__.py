"""A user's model and its data: checked together, frozen, or trained."""

from denograd.models.frozen import choose_device
from denograd.models.training import Trained, split_rows, train_best

__all__ = ["Trained", "choose_device", "split_rows", "train_best"]
