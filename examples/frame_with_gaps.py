"""A table with gaps: a raw DataFrame with a flag and an id; standard errors, and a check of the assumptions.

    python examples/frame_with_gaps.py

The diabetes table of scikit-learn, with noise and gaps added so that the truth is known.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from denograd import denoise

clean = load_diabetes(as_frame=True, scaled=False).frame.drop(columns=["s4"]).astype(float)
names = ["bmi", "bp", "s1", "s2", "s3", "s5", "s6", "target"]
sigma = {name: 0.3 * clean[name].std() for name in names}
rng = np.random.default_rng(0)
frame = clean.assign(**{name: clean[name] + sigma[name] * rng.normal(size=len(clean)) for name in names})
frame["sex"] = frame["sex"] == 2
frame.insert(0, "patient", [f"P{i:03}" for i in range(len(frame))])
gaps = rng.random((len(frame), len(names))) < 0.1
frame[names] = frame[names].mask(gaps)

result = denoise(frame, sigma, gaps="fill")
print(result)
print(result.summary()[["role", "sigma", "bound", "rmse_after", "gaps"]])
for finding in result.check():
    print(finding)

spread = np.array([sigma[name] for name in names])
error = (result.data[names] - clean[names]).to_numpy() / spread
inside = np.abs(error) < 1.645 * result.std[names].to_numpy() / spread
print(f"Observed values: {(error[~gaps] ** 2).mean():.0%} of the noise's squared error is left.")
by_mean = ((frame[names].mean() - clean[names]).to_numpy() / spread)[gaps]
filled, means = (np.sqrt((values**2).mean()) for values in (error[gaps], by_mean))
print(f"Gaps: root mean square error of {filled:.2f} noise levels; by the columns' means {means:.2f}.")
print(f"{inside.mean():.0%} of all values lie within the interval that should hold 90 %.")

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
figure.suptitle("A table with gaps: filled values against the clean ones, in noise levels")
at = (clean[names] - clean[names].mean()).to_numpy() / spread
left.plot([at.min(), at.max()], [at.min(), at.max()], color="black", linewidth=1)
left.plot(at[gaps], at[gaps] + error[gaps], ".", color="#0057E7")
left.set(xlabel="clean value", ylabel="filled value", title=f"gaps: root mean square error {filled:.2f}")
bins = np.linspace(-4, 4, 60)
noise = ((frame[names] - clean[names]).to_numpy() / spread)[~gaps]
right.hist(noise, bins, color="0.7", label="noisy")
right.hist(error[~gaps], bins, histtype="step", color="#0057E7", label="denoised")
right.set(
    xlabel="error of an observed value",
    ylabel="values",
    title=f"{(error[~gaps] ** 2).mean():.0%} of the noise is left",
)
right.legend()
plt.show()
