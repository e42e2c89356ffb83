"""Arrays in and out, windows of a series, checks of what is handed over, progress."""

from denograd.data.arrays import Array, Kind, near_power_of_two, with_gaps

__all__ = ["Array", "Kind", "near_power_of_two", "with_gaps"]
