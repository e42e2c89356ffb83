"""Arrays in and out, windows of a series, checks of the input, progress."""

from denograd.data.arrays import Array, Kind, near_power_of_two, with_gaps

__all__ = ["Array", "Kind", "near_power_of_two", "with_gaps"]
