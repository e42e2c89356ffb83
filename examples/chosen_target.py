"""Does a refined target pay? Cross-validation decides: kNN on eight years of the NASDAQ composite, with noise.

    python examples/chosen_target.py

Features stay as observed, in training and prediction. The versions of the target are its blind-spot prediction and a
teacher's forecast; the regressor's own error on held-out observed targets decides how much of each is used.
"""

import matplotlib.pyplot as plt
import numpy as np
from arch.data import nasdaq
from sklearn.neighbors import KNeighborsRegressor

from denograd import ChosenTarget, smooth_target

WINDOW, SIGMA = 16, 0.3

frame = nasdaq.load()[["Close", "Open", "High", "Low"]].iloc[-2_000:]
returns = np.diff(np.log(frame.to_numpy()), axis=0).cumsum(0)[:, :4]
clean = (returns - returns.mean(0)) / returns.std(0)
noisy = clean + SIGMA * np.random.default_rng(0).standard_normal(clean.shape)

windows = np.lib.stride_tricks.sliding_window_view(noisy[:-1], WINDOW, axis=0).reshape(-1, WINDOW * 4)
target, truth = noisy[WINDOW:, 0], clean[WINDOW:, 0]
cut = len(target) * 4 // 5  # what comes later is for testing alone

smoothed = smooth_target(noisy[: WINDOW + cut], target=0)
print(f"cross-fitted R2 of the target's neighbours: {smoothed.r2:.2f}")

model = ChosenTarget(KNeighborsRegressor(), ordered=True, gap=WINDOW + 8)
model.fit(windows[:cut], target[:cut], versions=(smoothed.values[WINDOW:],))
for row in model.report_:
    print(
        f"{row['target']:10s} weight {row['weight']:.1f}  held-out gain {row['gain']:6.1%}  {row['verdict']}"
    )

plain = KNeighborsRegressor().fit(windows[:cut], target[:cut])
errors = [((m.predict(windows[cut:]) - truth[cut:]) ** 2).mean() for m in (plain, model)]
print(f"test error on the true target: {errors[0]:.4f} as observed, {errors[1]:.4f} with the chosen target")

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
figure.suptitle("A training target refined as far as held-out data say")
rows = model.report_
left.barh([row["target"] for row in rows], [100 * row["gain"] for row in rows], color="#0057E7")
left.axvline(0, color="black", linewidth=1)
left.set_xlabel("gain on held-out training data, %")
right.bar(["as observed", "chosen target"], errors, color=["0.7", "#0057E7"])
right.set_ylabel("test error on the clean target")
plt.show()
