"""Your own denoiser against published ones: a class, the diabetes table, two regressors, one call.

    python examples/compare_own_denoiser.py

The class pulls outliers back to the edge of their column. All methods are scored under the protocol `deployable`: they
learn from the training rows, and the test target is the clean one. Recovery is the share of the injected squared error
that was removed.
"""

import tempfile

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from baselines.base import Denoised
from experiments import Study


class ClipOutliers:
    """Clip every column to its median plus or minus two robust standard deviations (Hampel 1974)."""

    features_only = True  # can be fitted and applied without a target
    causal = True  # uses no later row
    sequential = False  # does not run along the order of the rows

    def skip(self, problem):
        return None  # or the reason why it cannot run here

    def fit(self, X, y=None, *, seed=0, problem=None):
        self.median = np.median(X, axis=0)
        self.half = 2 * 1.4826 * np.median(np.abs(X - self.median), axis=0)
        self.half[self.half == 0] = np.inf  # a column that is mostly one value stays
        return self

    def denoise(self, X, y=None, *, causal=False):
        return Denoised(np.clip(X, self.median - self.half, self.median + self.half), y)


names = ["pca", "dae", "wavelet", "moving_average", "denograd_map"]
with tempfile.TemporaryDirectory() as folder:
    study = Study(
        data=load_diabetes(as_frame=True).frame,
        target="target",
        name="patients",
        denoisers={"clip_outliers": ClipOutliers(), **{name: name for name in names}},
        regressors=["ridge", "knn"],
        noise=0.5,
        protocols="deployable",
        profile="smoke",
        results_dir=folder,
        progress=False,
    )
    table = study.run().loc["deployable"]

shown = table.drop(index="Identity").sort_values("recovery")
print(table[["ridge", "knn", "recovery"]].round(1).to_string())

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained", sharey=True)
best = shown["recovery"].idxmax()
figure.suptitle(f"Own denoiser among published ones: {best} removes most of the noise")
colours = ["#D55E00" if name == "clip_outliers" else "0.6" for name in shown.index]
left.barh(shown.index, shown["recovery"].clip(lower=-100), color=colours)
left.set_xlabel("recovery, % of the squared error (cut at -100)")
for name, colour, offset in (("ridge", "#0057E7", 0.15), ("knn", "#009E93", -0.15)):
    right.plot(shown[name], np.arange(len(shown)) + offset, "o", color=colour, label=name)
right.axvline(0, color="black", linewidth=1)
right.set_xlabel("Imp % of two regressors; above 0 it pays")
right.legend()
plt.show()
