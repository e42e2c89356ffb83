"""Write readings.csv as a logger would: semicolons, decimal commas, gaps, a status in words."""

from pathlib import Path

import numpy as np
import pandas as pd

rng = np.random.default_rng(7)
hours = np.arange(400)
outside = 12 + 6 * np.sin(2 * np.pi * (hours - 9) / 24) + 0.3 * rng.normal(size=400).cumsum()
heating = np.where(outside < 10, "on", "off")
inside = 18 + 0.3 * (outside - 12) + 2 * (heating == "on") + 0.2 * rng.normal(size=400)
frame = pd.DataFrame(
    {
        "time": pd.date_range("2024-03-01", periods=400, freq="h").strftime("%d.%m.%Y %H:%M"),
        "logger": "GH-04",
        "outside": outside.round(2),
        "heating": heating,
        "humidity": (70 - 2 * (inside - 18) + rng.normal(size=400)).round(1),
        "inside": inside.round(2),
    }
)
frame.loc[rng.choice(400, 12, replace=False), "humidity"] = np.nan
frame.to_csv(Path(__file__).with_name("readings.csv"), sep=";", decimal=",", index=False)
