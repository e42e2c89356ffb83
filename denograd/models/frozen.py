"""A model whose weights are frozen while gradients flow to its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from denograd.data.threads import one_thread
from denograd.models.layouts import Layout

Criterion = Callable[[Tensor, Tensor], Tensor]
Forward = Callable[[nn.Module, Tensor, Tensor], Tensor]

SMALL = 1_000_000
"""Models of fewer weights are run by one thread on a CPU: they gain nothing from more."""

HALF = (torch.float16, torch.bfloat16)
"""Types too coarse for gradients: what is computed in them is NaN or 0 before it is small."""


def choose_device(device: torch.device | str | int | None) -> torch.device:
    """Resolve `device`; None means CUDA where there is one.

    Parameters
    ----------
    device : torch.device, str, int or None

    Returns
    -------
    device : torch.device

    Raises
    ------
    ValueError
        If the device does not exist on this machine.

    Examples
    --------
    >>> choose_device("cpu")
    device(type='cpu')
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device {device!r} is not one that torch knows, such as 'cpu' or 'cuda:0'"
        ) from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device {str(device)!r} was requested, but torch sees no CUDA device here: "
            "leave device=None, which takes CUDA only where there is one"
        )
    return chosen


@contextmanager
def frozen(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Freeze `model` on `device`: weights without gradients, dropout off, batch norm statistics fixed.

    Half-precision weights are float32 meanwhile. Everything (flags, modes, values, the device) is restored at
    the end, also after an exception. Recurrent modules on CUDA run in train mode with their dropout at 0, since
    cuDNN computes no backward pass otherwise.

    Raises
    ------
    ValueError
        If the model's weights lie on several devices or on none, or are not there yet.
    """
    _check_weights(model)
    home = {t.device for t in (*model.parameters(), *model.buffers())}
    if len(home) > 1 or any(d.type == "meta" for d in home):
        places = ", ".join(sorted(str(d) for d in home))
        raise ValueError(
            f"the model lies on {places}: move it to one device first, model.to({str(device)!r})"
        )
    flags = [(p, p.requires_grad) for p in model.parameters()]
    modes = [(m, m.training) for m in model.modules()]
    rates = [(m, m.dropout) for m in model.modules() if isinstance(m, nn.RNNBase)]
    coarse = [t for t in (*model.parameters(), *model.buffers()) if t.dtype in HALF]
    exact = [t.data for t in coarse]
    try:
        for t in coarse:
            t.data = t.data.float()
        model.to(device)
        for parameter, _ in flags:
            parameter.requires_grad_(False)
        silence(model, device)
        small = device.type == "cpu" and sum(p.numel() for p, _ in flags) < SMALL
        alone = one_thread() if small else nullcontext()
        with alone, torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        for rnn, rate in rates:
            rnn.dropout = rate
        for module, mode in modes:
            module.training = mode
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
        for place in home:
            model.to(place)
        for t, value in zip(coarse, exact, strict=True):
            t.data = value


def _check_weights(model: nn.Module) -> None:
    """Refuse modules whose weights are not there yet, or have no gradients to pass on."""
    for name, module in model.named_modules():
        kind, where = type(module).__name__, f" ({name})" if name else ""
        if any(is_lazy(p) for p in (*module.parameters(False), *module.buffers(False))):
            raise ValueError(
                f"the layer {kind}{where} has no weights yet: run the model once on a batch, and train it"
            )
        if ".quantized." in f"{type(module).__module__}.":
            raise ValueError(
                f"the layer {kind}{where} is quantised, no gradient passes through it: hand over the model that was "
                "quantised"
            )


def silence(model: nn.Module, device: torch.device) -> None:
    """Put a model into eval mode; recurrent modules on CUDA into train mode without dropout (see `frozen`)."""
    model.eval()
    for module in model.modules():
        if device.type == "cuda" and isinstance(module, nn.RNNBase):
            module.dropout, module.training = 0.0, True


def dtype_of(model: nn.Module, default: torch.dtype) -> torch.dtype:
    """Say in what the model computes: the type of its first floating-point weight, `default` if it has none."""
    found = next((p.dtype for p in model.parameters() if p.is_floating_point()), default)
    return torch.float32 if found in HALF else found


class Predictor:
    """The frozen model as a function from rows or windows to predictions.

    Parameters
    ----------
    model : Module
        Inside `frozen`.
    criterion : callable
        Loss of (prediction, target).
    layout : {"ntc", "nct"}
        The layout of windows that the model takes.
    flattening : bool
        Whether the model takes windows as rows of W*C values, time step after time step.
    forward : callable, optional
        How to call the model: ``forward(model, x, first) -> prediction``, see `denograd.DenoGrad`.
    stride : int
        Steps between neighbouring windows; 1 for rows.
    """

    def __init__(
        self,
        model: nn.Module,
        criterion: Criterion,
        layout: Layout = "ntc",
        flattening: bool = False,
        forward: Forward | None = None,
        stride: int = 1,
    ):
        self.model = model
        self.criterion = criterion
        self.layout = layout
        self.flattening = flattening
        self.forward = forward
        self.stride = stride

    def of(self, model: nn.Module) -> Predictor:
        """The same for another model of this kind."""
        return Predictor(model, self.criterion, self.layout, self.flattening, self.forward, self.stride)

    def __call__(self, x: Tensor, samples: slice | Tensor) -> Tensor:
        """Predict for a batch ``(B, ...)``, the samples of these numbers; the output is what the model gives."""
        if self.flattening:
            x = x.flatten(1)
        elif self.layout == "nct":
            x = x.transpose(1, 2)
        if self.forward is None:
            prediction: Tensor = self.model(x)
            return prediction
        if isinstance(samples, slice):
            samples = torch.arange(samples.start, samples.start + len(x), device=x.device)
        return self.forward(self.model, x, self.stride * samples)

    def loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Loss of a batch as one number; of an elementwise criterion the mean."""
        loss = self.criterion(prediction, target.reshape(prediction.shape))
        return loss if loss.ndim == 0 else loss.mean()

    def gradients(self, x: Tensor, y: Tensor, samples: slice | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the loss with respect to the data.

        Parameters
        ----------
        x : (B, ...) tensor
        y : (B, k) tensor
        samples : slice or (B,) tensor
            Their numbers.

        Returns
        -------
        g_x : (B, ...) tensor
        g_y : (B, k) tensor
        residual : (B, k) tensor
            Prediction minus target.
        """
        x = x.detach().requires_grad_()
        y = y.detach().requires_grad_()
        prediction = self(x, samples)
        g_x, g_y = torch.autograd.grad(self.loss(prediction, y), (x, y))
        return g_x, g_y, prediction.detach().reshape(y.shape) - y.detach()
