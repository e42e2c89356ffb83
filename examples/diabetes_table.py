"""A table: train a perceptron on the noisy diabetes data, refine the data with its gradients.

    python examples/diabetes_table.py

Real measurements of 442 patients, standardised; noise of 0.3 standard deviations is added, so that we can measure
how much of it each rule removes. The published rules do not know how noisy the data are and can move them
away from the truth: look at the share that is left before you trust a refined table.
"""

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from torch import nn

from denograd import DenoGrad

SIGMA = 0.3

table = np.column_stack(load_diabetes(return_X_y=True, scaled=False))
clean = (table - table.mean(0)) / table.std(0)
noise = SIGMA * np.random.default_rng(0).standard_normal(clean.shape)
X, y = (clean + noise)[:, :-1], (clean + noise)[:, -1]

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1))
adam = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-2)
inputs, targets = torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)[:, None]
for _ in range(200):
    adam.zero_grad()
    nn.functional.mse_loss(model(inputs), targets).backward()
    adam.step()

denoiser = DenoGrad(model, nn.MSELoss()).fit(X, y)
for rule, how in {
    "fixed": {"nrr": 0.01, "nr_threshold": 0.1, "max_epochs": 30},
    "gauss_newton": {"nrr": 0.3, "nr_threshold": 0.1, "max_epochs": 30, "eta_y": 0.1},
}.items():
    X_new, y_new, _, _ = denoiser.transform(rule=rule, save_gradients=False, **how)
    left = ((np.column_stack([X_new, y_new]) - clean) ** 2).sum() / (noise**2).sum()
    first, last = denoiser.history_[0], denoiser.history_[-1]
    print(
        f"{rule:13s} mean residual {first['residual']:.3f} -> {last['residual']:.3f} "
        f"in {last['epoch']} epochs; share of the injected squared error left: {left:.2f}"
    )
