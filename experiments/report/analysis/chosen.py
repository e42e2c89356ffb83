"""What regressors that choose their training target chose, what they expected of it, and what came of it."""

from __future__ import annotations

import json

from experiments.report.analysis.results import Results
from experiments.report.forms.table import Grid


def chosen_targets(everything: Results) -> Grid | None:
    """A row a setting and regressor, over its repetitions; None where no regressor chose."""
    stored = everything.cells
    info = stored.loc[stored["info"].str.contains('"target_weights"', regex=False, na=False), ["key", "info"]]
    score = everything.headline.merge(info, on="key")
    if score.empty:
        return None
    found = score["info"].map(json.loads)
    score["gain"] = [100 * one["target_gain"] for one in found]
    score["weights"] = [one["target_weights"] for one in found]
    score["changed"] = [one["target_weights"].get("observed", 0.0) < 1 for one in found]
    versions = list(dict.fromkeys(name for weights in score["weights"] for name in weights))
    rows = []
    # a training by choice on the rows of another denoiser is a row of its own
    axes = ["dataset", "sigma", "noise", "protocol", "row", "regressor"]
    for (dataset, sigma, noise, protocol, row, regressor), mine in score.groupby(axes):
        means = [sum(w.get(name, 0.0) for w in mine["weights"]) / len(mine) for name in versions]
        rows.append(
            [
                *(dataset, noise, f"{sigma:g}", protocol, str(everything.rows[row]), regressor),
                f"{int(mine['changed'].sum())} of {len(mine)}",
                *(f"{100 * mean:.0f}" for mean in means),
                *(f"{mine[name].mean():,.1f}" for name in ("gain", "imp")),
            ]
        )
    caption = (
        "Weight of every version of the training target in percent, mean over repetitions; the share of the held-out "
        "error that the choice promised inside the train part, and Imp% on the test part. Changed: in how many "
        "repetitions anything but the target as observed was learnt."
    )
    header = ["dataset", "noise", "sigma", "protocol", "method", "regressor", "changed"]
    header += [*versions, "promised %", "Imp %"]
    return Grid("chosen_targets", caption, header, rows)
