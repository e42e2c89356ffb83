"""The four update rules as the paper and the releases write them: one sample after another, nothing clever.

Slow on purpose: every fast path of `denograd` is held to these functions. Arrays are float64, models see one
sample at a time as ``(1, d)`` or ``(1, W, C)`` and give ``(1, k)``.
"""

import numpy as np
import torch


def gradients(model, criterion, x, y):
    """Gradients of the loss of one sample with respect to its features and its target, and f(x) - y."""
    x, y = torch.tensor(x[None], requires_grad=True), torch.tensor(y[None], requires_grad=True)
    prediction = model(x).reshape(y.shape)
    g_x, g_y = torch.autograd.grad(criterion(prediction, y), (x, y))
    return g_x[0].numpy(), g_y[0].numpy(), (prediction - y).detach()[0].numpy()


def step(rule, g_x, g_y, r, nrr, tau):
    """What a sample is moved by, ``(step_x, step_y)``; None if all of its residuals are within tau."""
    if (np.abs(r) <= tau).all():
        return None
    norm = np.sqrt((g_x**2).sum() + (g_y**2).sum())
    length = nrr  # `fixed`: eta
    if rule == "gauss_newton":  # a fraction of the distance to the surface f(x) = y
        length = nrr * np.linalg.norm(r) * np.linalg.norm(g_y) / norm
    return length * g_x / norm, length * g_y / norm


def refine_rows(model, criterion, X, y, rule, nrr, tau, epochs, move_y=True, eta_x=1.0, eta_y=1.0):
    """`fixed` and `gauss_newton` on a table; y is (n, k)."""
    X, y = X.copy(), y.copy()
    for _ in range(epochs):
        moved = False
        for i in range(len(X)):
            found = step(rule, *gradients(model, criterion, X[i], y[i]), nrr, tau)
            if found is None:
                continue
            moved = True
            X[i] -= eta_x * found[0]
            if move_y:
                y[i] -= eta_y * found[1]
        if not moved:
            break
    return X, y


def windows(length, W, future, stride):
    """First step and target's step of every window whose target lies inside the series."""
    starts = range(0, length, stride)
    return [(a, a + W + future - 1) for a in starts if a + W + future - 1 < length]


def refine_series(
    model, criterion, X, y, rule, nrr, tau, epochs, W, future, stride, move_y=True, eta_x=1.0, eta_y=1.0
):
    """The same on a series: an epoch's windows see the same data, a step gets the mean of its windows."""
    X, y = X.copy(), y.copy()
    for _ in range(epochs):
        total, count, new_y = np.zeros_like(X), np.zeros(len(X)), y.copy()
        moved = False
        for a, t in windows(len(X), W, future, stride):
            found = step(rule, *gradients(model, criterion, X[a : a + W], y[t]), nrr, tau)
            if found is not None:
                moved = True
                total[a : a + W] += found[0]
                new_y[t] -= eta_y * found[1]
            if found is not None or rule == "fixed":  # `fixed` counts the gated windows too
                count[a : a + W] += 1
        X -= eta_x * total / np.maximum(count, 1)[:, None]
        if move_y:
            y = new_y
        if not moved:
            break
    return X, y


def refine_jointly(
    model, criterion, X, y, lam, lr, tol, epochs, W, future, stride, target_cols=None, move_y=True
):
    """`global`: Adam on criterion(f(windows), targets) + lam * mean((z - z_obs)^2) over what may move.

    With `target_cols` the target is a part of X; where it is not to move, those columns are held.
    """
    X, y = torch.tensor(X, requires_grad=True), torch.tensor(y, requires_grad=target_cols is None and move_y)
    moving = [v for v in (X, y) if v.requires_grad]
    observed = [v.detach().clone() for v in moving]
    adam, before = torch.optim.Adam(moving, lr), None
    for _ in range(epochs):
        spans = windows(len(X), W, future, stride)
        source = y if target_cols is None else X[:, target_cols]
        goals = torch.stack([source[t] for _, t in spans])
        outputs = torch.stack([model(X[a : a + W][None])[0] for a, _ in spans]).reshape(goals.shape)
        away = torch.cat([(v - old).flatten() for v, old in zip(moving, observed, strict=True)])
        objective = criterion(outputs, goals) + lam * (away**2).mean()
        adam.zero_grad()
        objective.backward()
        if target_cols is not None and not move_y:
            X.grad[:, target_cols] = 0.0
        adam.step()
        if before is not None and abs(objective.item() - before) < tol:
            break
        before = objective.item()
    return X.detach().numpy(), y.detach().numpy()


def rho(u, c=1.345):
    """Huber's function."""
    return u**2 / 2 if abs(u) <= c else c * abs(u) - c**2 / 2


def map_objective(predict, z, z_obs, outputs, sigma, s):
    """`map`: sum rho((f_k(z) - z_k) / s_k) + 1/2 sum ((z - z_obs) / sigma)^2, value after value.

    `predict` gives (n, k); a row without a prediction, NaN, and a column without noise have no term.
    """
    f, total = predict(z), 0.0
    for i in range(len(z)):
        for k, j in enumerate(outputs):
            if not np.isnan(f[i, k]) and sigma[j] > 0:
                total += rho((f[i, k] - z[i, j]) / s[i, k])
        for j in range(z.shape[1]):
            if sigma[j] > 0:
                total += 0.5 * ((z[i, j] - z_obs[i, j]) / sigma[j]) ** 2
    return total


def map_closed_form(f, z_obs, sigma, s, c=1.345):
    """`map` with the prediction held: z_obs + clip(sigma^2 / (s^2 + sigma^2) r, +-c sigma^2 / s), r = f - z_obs."""
    z = z_obs.copy()
    for i in range(len(z)):
        for j in range(z.shape[1]):
            limit = c * sigma[j] ** 2 / s[i, j]
            r = sigma[j] ** 2 / (s[i, j] ** 2 + sigma[j] ** 2) * (f[i, j] - z_obs[i, j])
            z[i, j] += min(max(r, -limit), limit)
    return z
