"""Each method's lowest Imp%, with the errors behind it."""

from __future__ import annotations

import numpy as np

from experiments.report.analysis.results import Results
from experiments.report.figures.album import Album
from experiments.report.forms.document import Section
from experiments.report.forms.table import Grid


def lowest(everything: Results, album: Album) -> Section:
    ranked = np.array([row.ranked for row in everything.rows], dtype=bool)
    score = everything.headline
    score = score[ranked[score["row"].to_numpy(int)]]
    if score.empty:
        return Section("The lowest Imp%")
    score = score.loc[score.groupby(["protocol", "row"])["imp"].idxmin()]
    rows = [
        [
            str(everything.rows[cell.row]),
            cell.protocol,
            f"{cell.imp:,.1f}",
            f"{cell.mse_before:.3g}",
            f"{cell.mse:.3g}",
            cell.dataset,
            f"{cell.sigma:g}",
            cell.regressor,
        ]
        for cell in score.sort_values(["protocol", "imp"]).itertuples()
    ]
    caption = (
        "Imp% is relative to the error without denoising. Where that is small, as for a series whose next value is "
        "nearly its last, an error that is still small on the scale of the data gives an Imp% of minus thousands, "
        "which then rules a mean over datasets: read the median, or the ranks. Both MSE are on the target "
        "standardised as the protocol says: 1 is the error of its mean."
    )
    header = ["method", "protocol", "Imp %", "MSE before", "MSE after", "dataset", "sigma", "regressor"]
    return Section("The lowest Imp%", [Grid("lowest_imp", caption, header, rows)])
