"""DataFrames: hand in a frame with dates, get a frame with the same dates and types.

    python examples/nasdaq_frame.py

The target is named by its column. The frame keeps it: the model sees the target's history, too.
"""

import numpy as np
import torch
from arch.data import nasdaq
from torch import nn

from denograd import DenoGrad

WINDOW = 10

prices = np.log(nasdaq.load()[["Open", "High", "Low", "Close"]].iloc[-1_000:])
frame = (prices - prices.mean()) / prices.std()

torch.manual_seed(0)
model = nn.Linear(WINDOW * 4, 1)
values = torch.tensor(frame.to_numpy(dtype=np.float32, copy=True))
windows = values.unfold(0, WINDOW, 1)[:-1].transpose(1, 2).flatten(1)
adam = torch.optim.Adam(model.parameters(), lr=1e-2)
for _ in range(200):
    adam.zero_grad()
    nn.functional.mse_loss(model(windows), values[WINDOW:, 3:]).backward()
    adam.step()

denoiser = DenoGrad(model, nn.MSELoss())
refined, close, _, _ = denoiser.fit_transform(
    X=frame,
    y="Close",
    is_ts=True,
    window_size=WINDOW,
    flattening=True,
    rule="global",
    lam=1.0,
    lr=0.005,
    max_epochs=50,
)
assert refined.index.equals(frame.index)
assert close.name == "Close"
print((refined * prices.std() + prices.mean()).pipe(np.exp).tail().round(1))
print("mean move, in standard deviations:")
print((refined - frame).abs().mean().round(4).to_string())
