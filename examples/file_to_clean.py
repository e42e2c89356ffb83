"""From a raw file to clean data on the command line: a price history with missing days.

    python examples/file_to_clean.py

The history is that of the NASDAQ composite; noise is added here so that the truth is known. The file is written as
a Western European spreadsheet would: semicolons, decimal commas, days first.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from arch.data import nasdaq

from denograd.table import read_table

SIGMA = 5.0
NAMES = ["Open", "High", "Low", "Close"]

frame = nasdaq.load()[NAMES].iloc[:1_000]
rng = np.random.default_rng(0)
noisy = frame + SIGMA * rng.normal(size=frame.shape)
kept = np.sort(rng.permutation(len(frame))[:950])

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "history.csv"
    noisy.iloc[kept].to_csv(path, sep=";", decimal=",", date_format="%d.%m.%Y", float_format="%.2f")
    levels = "sigma=" + ",".join(f"{name}:{SIGMA}" for name in NAMES)
    for option in ([], [levels]):  # first what is in it, and what bounds the noise
        command = [sys.executable, "-m", "denograd", str(path), *option]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    refined = read_table(path.with_name("history.denoised.csv")).frame

left = ((refined[NAMES].to_numpy() - frame.iloc[kept].to_numpy()) ** 2).mean() / SIGMA**2
print(f"Of the squared error {left:.0%} is left.")
