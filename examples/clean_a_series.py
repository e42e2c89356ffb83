"""Clean a series: four years of the NASDAQ composite whose noise level is known.

    python examples/clean_a_series.py

The four prices of a day predict one another, and so do neighbouring days: that is all that `denoise` uses. Noise of 60
points is added here, so that the clean values are known and the estimated error can be checked.
"""

import matplotlib.pyplot as plt
import numpy as np
from arch.data import nasdaq
from matplotlib.dates import MonthLocator

from denograd import denoise

SIGMA = 60.0

clean = nasdaq.load()[["Open", "High", "Low", "Close"]].iloc[-1_000:]
noisy = clean + SIGMA * np.random.default_rng(0).normal(size=clean.shape)

result = denoise(noisy, SIGMA)  # a DatetimeIndex makes it a series
left = ((result.data - clean) ** 2).to_numpy().mean() / SIGMA**2
print(f"squared error left: {left:.0%}; estimated without the clean values: {result.share:.0%}")
inside = ((result.data - clean).abs() < 1.96 * result.std).to_numpy().mean()
print(f"clean values within the interval that should hold 95 %: {inside:.0%}")

days = slice(-80, None)
close, std = result.data["Close"].iloc[days], result.std["Close"].iloc[days]
figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
figure.suptitle(f"Denoised prices: {left:.0%} of the noise's squared error is left")
axes.plot(noisy["Close"].iloc[days], ".", color="0.55", label=f"noisy, sigma {SIGMA:g}")
axes.fill_between(
    close.index, close - 1.96 * std, close + 1.96 * std, color="#56B4E9", alpha=0.35, label="95 %"
)
axes.plot(close, color="#0057E7", label="denoised")
axes.plot(clean["Close"].iloc[days], color="black", linewidth=1, linestyle="--", label="clean")
axes.set_ylabel("NASDAQ close, points")
axes.xaxis.set_major_locator(MonthLocator())
axes.legend(ncols=4, fontsize="small")
plt.show()
