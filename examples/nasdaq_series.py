"""Your own network as the backbone: refine eight years of the NASDAQ composite with a forecasting LSTM.

    python examples/nasdaq_series.py

The model forecasts tomorrow's close from the last 16 days. Every day lies in 16 windows; it moves by the
mean of their steps (`fixed`, `gauss_newton`), or all days are refined at once (`global`).
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from arch.data import nasdaq
from torch import nn

from denograd import DenoGrad

WINDOW, SIGMA = 16, 0.1

frame = nasdaq.load()[["Close", "Open", "High", "Low"]].iloc[-2_000:]
clean = np.log(frame.to_numpy())
clean = (clean - clean.mean(0)) / clean.std(0)
noise = SIGMA * np.random.default_rng(0).standard_normal(clean.shape)
Z = (clean + noise).astype(np.float32)


class Forecaster(nn.Module):
    """Tomorrow's close = today's mean over the window's last days + what the LSTM adds."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 16, batch_first=True)
        self.head = nn.Linear(16, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, -4:, :1].mean(1) + self.head(self.lstm(x)[0][:, -1])


torch.manual_seed(0)
model = Forecaster()
windows = torch.tensor(Z).unfold(0, WINDOW, 1)[:-1].transpose(1, 2)
targets = torch.tensor(Z[WINDOW:, :1])
adam = torch.optim.Adam(model.parameters(), lr=1e-2)
for _ in range(3):
    for rows in torch.randperm(len(windows)).split(128):
        adam.zero_grad()
        nn.functional.mse_loss(model(windows[rows]), targets[rows]).backward()
        adam.step()

shares = {"noisy": 1.0}
denoiser = DenoGrad(model, nn.MSELoss()).fit(Z, is_ts=True, window_size=WINDOW, target_cols=[0])
for rule, how in {
    "fixed": {"nrr": 0.01, "nr_threshold": 0.1, "max_epochs": 10},
    "gauss_newton": {"nrr": 0.3, "max_epochs": 10, "eta_y": 0.1},
    "global": {"max_epochs": 20, "lam": 1.0, "lr": 0.01},
}.items():
    X_new, _, _, _ = denoiser.transform(rule=rule, save_gradients=False, **how)
    left = shares[rule] = ((X_new - clean) ** 2).sum() / (noise**2).sum()
    print(
        f"{rule:13s} mean displacement {denoiser.history_[-1]['displacement']:.3f}, "
        f"{sum(h['seconds'] for h in denoiser.history_):.2f} s, share of the injected squared error left: {left:.2f}"
    )

figure, (left_axes, right_axes) = plt.subplots(
    1, 2, figsize=(8, 3.4), layout="constrained", width_ratios=(1, 2)
)
figure.suptitle("Three published rules with an LSTM: what is left of the injected error")
left_axes.bar(list(shares), list(shares.values()), color=["0.7", "#D55E00", "#E69F00", "#882255"])
left_axes.axhline(1, color="black", linewidth=1)
left_axes.set_ylabel("share of the squared error left")
left_axes.tick_params("x", labelsize="x-small")
days = slice(-100, None)
right_axes.plot(Z[days, 0], ".", color="0.6", label="noisy")
right_axes.plot(X_new[days, 0], color="#882255", label="global")
right_axes.plot(clean[days, 0], "--", color="black", linewidth=1, label="clean")
right_axes.set(xlabel="day", ylabel="log close, standard deviations")
right_axes.legend()
plt.show()
