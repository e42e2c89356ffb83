"""Read a campaign with pandas: every result is a row of one Parquet file.

    python examples/read_a_campaign.py

The campaign `uncapped` is in the checkout. The improvement of a regressor is computed here from its errors, as the
report does it: its squared error after denoising against the one without (`identity`), on the same data and seed.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

CELLS = Path(__file__).resolve().parents[1] / "results" / "uncapped" / "cells.parquet"

cells = pd.read_parquet(CELLS)
print(cells.groupby(["stage", "status"]).size().to_string())

paper = (cells["protocol"] == "paper") & (cells["sigma"] == 0) & (cells["status"] == "ok")
scores = cells[paper & (cells["stage"] == "score") & (cells["variant"] == "denoised")]
setting = ["dataset", "repetition", "regressor", "regressor_params"]
before = scores[scores["denoiser"] == "identity"].drop_duplicates(setting).set_index(setting)["mse"]
after = scores.set_index(setting)["mse"]
scores = scores.assign(imp=100 * (1 - after.to_numpy() / before.reindex(after.index).to_numpy()))

table = scores.pivot_table(index="denoiser", columns="dataset", values="imp", aggfunc="median")
table = table.loc[table.median(axis=1).sort_values().index]
print(table.round(1).to_string())

figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
figure.suptitle("Imp % under the protocol paper: to erase everything (constant) wins")
image = axes.imshow(table, vmin=-100, vmax=100, cmap="PuOr", aspect="auto")
axes.set_xticks(range(table.shape[1]), table.columns, rotation=30, ha="right")
axes.set_yticks(range(len(table)), table.index)
for i, row in enumerate(table.to_numpy()):
    for j, value in enumerate(row):
        axes.text(
            j, i, f"{value:.0f}", ha="center", va="center", color="white" if abs(value) > 60 else "black"
        )
figure.colorbar(image, label="median Imp %, cut at ±100", extend="min")
plt.show()
