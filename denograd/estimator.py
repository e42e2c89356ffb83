"""The estimator: fitted on noisy data with a trained model, it returns the refined data."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import nn

from denograd.data.arrays import Array, Wrap, is_column, is_frame, read, read_targets
from denograd.data.checks import check_targets, check_windows, not_fitted
from denograd.data.time_index import check_index, check_labels
from denograd.map.refine import Refined
from denograd.models.fitted import Fitted
from denograd.models.frozen import Criterion, Forward, choose_device
from denograd.models.layouts import Layout
from denograd.rules.registry import RuleName, run


class DenoGrad:
    """Refine noisy data with the gradients of a model that was trained on them.

    Parameters
    ----------
    model : Module
        Trained model; it is frozen and left unchanged.
    criterion : callable
        Regression loss of (prediction, target), e.g. ``nn.MSELoss()``.
    device : torch.device or str, optional
        Where to compute; None takes CUDA if available.
    layout : {"auto", "ntc", "nct"}
        Whether the model sees windows as (batch, time, channel) or (batch, channel, time). "auto" reads the
        model's attribute ``input_layout``, else checks whether its first layer is a 1-D convolution.
    forward : callable, optional
        ``forward(model, x, first) -> prediction`` for a model that needs more than `x` or returns more than a
        tensor; the default is ``model(x)``. ``first`` has the numbers of the samples of the batch, ``(B,)``: the row
        of a table, the first step of a window. So separate time features are passed by
        ``lambda model, x, first: model(x, hours[first[:, None] + steps])`` with ``steps = torch.arange(window)``.

    Notes
    -----
    The model, as called by `forward`, must treat each sample independently: it maps ``(B, d)`` rows, or
    ``(B, W, C)`` windows (`layout`), to ``(B,)`` or ``(B, k)`` predictions and is differentiable. This is
    tested before every run.

    With a model that is affine in its windows (a linear forecaster), an epoch is one convolution instead of one
    pass per window if `save_gradients` is off. This is tested, unless the model's attribute ``affine`` declares it.

    Attributes
    ----------
    history_ : list of dict
        Per epoch of the last run: ``moved`` (share of the samples; `global` and `map`: of the rows), ``residual``
        (mean absolute), ``displacement`` (mean distance of a row from its observation), ``seconds``. An epoch of
        `map` is an iteration of L-BFGS, or the single closed-form step. `global` and `map` add their ``objective``.
    result_ : Refined or None
        Further results of a run of `map`: level, bound, estimated error, residual, scale, for the columns of X
        and, where the target is separate, then of y; see `denograd.Refined`.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from denograd import DenoGrad
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3))
    >>> y = X @ [1.0, 2.0, -1.0] + rng.normal(scale=0.3, size=200)
    >>> model = torch.nn.Linear(3, 1)
    >>> with torch.no_grad():
    ...     _ = model.weight.copy_(torch.tensor([[1.0, 2.0, -1.0]])), model.bias.zero_()
    >>> denoiser = DenoGrad(model, torch.nn.MSELoss()).fit(X, y)
    >>> X_new, y_new, _, _ = denoiser.transform(nrr=0.02, max_epochs=20)
    >>> bool(np.abs(X_new @ [1, 2, -1] - y_new).mean() < np.abs(X @ [1, 2, -1] - y).mean())
    True
    """

    history_: list[dict[str, Any]]
    result_: Refined | None

    def __init__(
        self,
        model: nn.Module,
        criterion: Criterion,
        device: torch.device | str | None = None,
        *,
        layout: Layout = "auto",
        forward: Forward | None = None,
    ):
        self.model = model
        self.criterion = criterion
        self.device = device
        self.layout = layout
        self.forward = forward

    def fit(
        self,
        X: Any,
        y: Any = None,
        is_ts: bool = False,
        window_size: int | None = None,
        future: int = 1,
        stride: int = 1,
        flattening: bool = False,
        target_cols: int | list[int] | None = None,
    ) -> Self:
        """Take the data and define how the model sees them; nothing is computed yet.

        Parameters
        ----------
        X : array, tensor or DataFrame
            Features ``(n, d)``; a series ``(T, C)``. Copied.
        y : array, tensor, Series, DataFrame, str or list of str, optional
            Target ``(n,)`` or ``(n, k)``, or the names of its columns in the DataFrame `X` (which then keeps
            them: the model sees them).
        is_ts : bool
            Whether the rows are the steps of a series that the model sees through windows.
        window_size : int
            Steps of a window.
        future : int
            Horizon: the target lies this many steps after the window's last one.
        stride : int
            Steps between neighbouring windows.
        flattening : bool
            Whether the model sees a window as one row of ``window_size * C`` values.
        target_cols : int or list of int, optional
            Columns of X that are the target, instead of `y`.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            For values that are not floating-point numbers.
        ValueError
            For NaN, lengths that differ, a discrete `y`, windows that do not fit, a `layout` without effect.
        """
        if not isinstance(self.model, nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, got {type(self.model).__name__}")
        if not callable(self.criterion):
            raise TypeError(f"criterion must be a loss such as nn.MSELoss(), got {self.criterion!r}")
        target, cols = read_targets(X, y, target_cols)
        values, self._wrap_X = read(X, "X")
        if values.ndim < 2 or (is_ts and values.ndim != 2):
            raise ValueError(
                f"X must have shape {'(steps, channels)' if is_ts else '(rows, features)'}, "
                f"got {values.shape}"
            )
        check_index(X, "series" if is_ts else "tabular")
        if is_ts:
            check_windows(len(values), window_size, future, stride)
        elif (window_size, future, stride, flattening) != (None, 1, 1, False):
            raise ValueError(
                "window_size, future, stride and flattening are for series: set is_ts=True as well"
            )
        if self.layout != "auto" and (not is_ts or (flattening and self.layout == "nct")):
            raise ValueError(
                f"layout={self.layout!r} has no effect {'with flattening=True' if is_ts else 'on a table'}: "
                "leave it out"
            )
        self._wrap_y: Wrap | None = None
        goals = None
        if target is not None:
            goals, self._wrap_y = read(target, "y")
            if cols is None:
                check_targets(goals, len(values))
                check_labels(X, target)
            goals = goals.reshape(len(goals), -1)
        self._fitted = Fitted(
            model=self.model,
            criterion=self.criterion,
            device=choose_device(self.device),
            layout=self.layout,
            forward=self.forward,
            X=values,
            y=goals,
            is_ts=is_ts,
            window_size=window_size,
            future=future,
            stride=stride,
            flattening=flattening,
            target_cols=cols,
            names=_names(X, values.shape[1], target, 0 if goals is None or cols else goals.shape[1]),
        )
        return self

    def transform(
        self,
        nrr: float | None = None,
        nr_threshold: float | None = None,
        max_epochs: int | None = None,
        denoise_y: bool = True,
        batch_size: int | None = None,
        save_gradients: bool | None = None,
        eta_x: float | None = None,
        eta_y: float | None = None,
        ts_strategy: str | None = None,
        lam: float | None = None,
        lr: float | None = None,
        tol: float | None = None,
        *,
        rule: RuleName = "fixed",
        sigma: Any = None,
        solver: str | None = None,
        folds: int | None = None,
        verbose: bool = True,
    ) -> tuple[Any, Any, list[Array], list[Array]]:
        """Refine the fitted data; every call starts from the data given to `fit`.

        Parameters
        ----------
        nrr : float, optional
            Noise reduction rate: for `fixed` the length of a step in units of the data (0.05), for `gauss_newton` the
            fraction of the distance to the model's surface closed per epoch (0.5).
        nr_threshold : float, optional
            Samples with a residual up to this do not move (`fixed`, `gauss_newton`; 0.01).
        max_epochs : int, optional
            100; `global` 300; `map` 40.
        denoise_y : bool
            Whether the target is refined too.
        batch_size : int, optional
            Samples per pass; affects speed and memory, and the result by rounding only. Chosen if not given.
        save_gradients : bool, optional
            Whether to return the gradients of all epochs; by default yes, except for `map`, which has none.
        eta_x, eta_y : float, optional
            `gauss_newton`: factors of the steps of X and y (1).
        ts_strategy : {"window", "global"}, optional
            Release 2.0's name for the rules `gauss_newton` and `global` on series.
        lam, lr, tol : float, optional
            `global`: weight of the pull towards the observed data (1), learning rate (0.05), change of the
            objective at which to stop (1e-7).
        rule : {"fixed", "gauss_newton", "global", "map"}
            Update rule.
        sigma : float, array_like, mapping, "auto", "common" or "wavelet"
            `map` (which needs it): standard deviation of the noise in the data's units: a number, one per column
            of X and, where the target is separate, then of y, or ``{column: level}`` (other columns are held);
            a name selects an estimate, see `denograd.map.noise_level`.
        solver : {"auto", "lbfgs", "one_step"}, optional
            `map`: L-BFGS; the closed form, which moves targets only; or whichever is better (default).
        folds : int, optional
            `map`: cross-fit this many retrained copies of the model, each to refine the part that it has not seen
            (5), since training errors underestimate a model's error; 1 takes the model as it is.
        verbose : bool
            Whether to show progress (never where stderr is not a terminal).

        Returns
        -------
        X, y
            Refined data: DataFrames for DataFrames, NumPy arrays otherwise.
        grad_x, grad_y : lists of arrays
            Per epoch: unit gradients of all samples (`global`: gradients of the objective).

        Raises
        ------
        NotFittedError
            Before `fit`: scikit-learn's where it is loaded.
        TypeError
            For a parameter that the rule does not have, or that has no effect beside the others.
        ValueError
            For parameters out of range, discrete targets, or a model that does not fit the data.
        MemoryError
            If the gradients of all epochs would not fit into memory.
        """
        if not hasattr(self, "_fitted"):
            raise not_fitted("this DenoGrad", "call fit(X, y, ...) before transform()")
        given = {
            "nrr": nrr,
            "nr_threshold": nr_threshold,
            "max_epochs": max_epochs,
            "eta_x": eta_x,
            "eta_y": eta_y,
            "ts_strategy": ts_strategy,
            "lam": lam,
            "lr": lr,
            "tol": tol,
            "sigma": sigma,
            "solver": solver,
            "folds": folds,
        }
        refined = run(
            rule,
            self._fitted,
            {name: value for name, value in given.items() if value is not None},
            denoise_y=denoise_y,
            batch_size=batch_size,
            save_gradients=save_gradients,
            verbose=verbose,
        )
        self.history_, self.result_ = refined.history, refined.details
        y = None if refined.y is None or self._wrap_y is None else self._wrap_y(refined.y)
        return self._wrap_X(refined.X), y, refined.grad_x, refined.grad_y

    def fit_transform(
        self,
        X: Any,
        y: Any = None,
        is_ts: bool = False,
        window_size: int | None = None,
        future: int = 1,
        stride: int = 1,
        flattening: bool = False,
        target_cols: int | list[int] | None = None,
        nrr: float | None = None,
        nr_threshold: float | None = None,
        max_epochs: int | None = None,
        denoise_y: bool = True,
        batch_size: int | None = None,
        save_gradients: bool | None = None,
        **rule_parameters: Any,
    ) -> tuple[Any, Any, list[Array], list[Array]]:
        """`fit`, then `transform`, with the parameters of both (`rule` and the rule's own by name)."""
        self.fit(X, y, is_ts, window_size, future, stride, flattening, target_cols)
        return self.transform(
            nrr, nr_threshold, max_epochs, denoise_y, batch_size, save_gradients, **rule_parameters
        )


def _names(X: Any, columns: int, y: Any, apart: int) -> tuple[Any, ...]:
    """Names of the columns of X (numbers without a DataFrame), then of the `apart` targets that are none of them."""
    names = tuple(X.columns) if is_frame(X) else tuple(range(columns))
    if not apart:
        return names
    if is_frame(y):
        return *names, *y.columns
    if is_column(y) and y.name is not None:
        return *names, y.name
    return *names, *(["y"] if apart == 1 else [f"y{j}" for j in range(apart)])
