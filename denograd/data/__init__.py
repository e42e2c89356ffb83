"""Arrays in and out, windows of a series, checks of what is handed over, progress."""

from denograd.data.arrays import Array, Kind, with_gaps

__all__ = ["Array", "Kind", "with_gaps"]
