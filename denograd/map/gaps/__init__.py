"""Values that are missing: guessed in several ways, filled by the mixture that errs least, with the error expected."""

from denograd.map.gaps.fill import Filled, RowFiller, fill_gaps
from denograd.map.gaps.past_gaps import PastGaps, see_past_gaps
from denograd.map.gaps.series_ways import column_groups, interpolate

__all__ = ["Filled", "PastGaps", "RowFiller", "column_groups", "fill_gaps", "interpolate", "see_past_gaps"]
