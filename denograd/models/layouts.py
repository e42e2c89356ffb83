"""The layout in which a model takes the windows of a series: time steps first or channels first."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

import torch
from torch import Tensor, nn

Layout = Literal["auto", "ntc", "nct"]


def find_layout(model: nn.Module, windows: Tensor, layout: Layout = "auto") -> Literal["ntc", "nct"]:
    """Find out whether the model takes windows as (batch, time, channel) or as (batch, channel, time).

    The model's attribute ``input_layout`` wins over `layout` = "auto"; failing both, the model is run once,
    and wants channels first if its first layer with weights is a 1-D convolution (or a norm of channels) over
    exactly our channels which gets the windows as they were handed over, not as the model transposed them.

    Parameters
    ----------
    model : Module
    windows : (n, W, C) tensor
        A few windows, in the model's dtype and on its device.
    layout : {"auto", "ntc", "nct"}
    """
    if layout == "auto":
        layout = getattr(model, "input_layout", "auto")
    if layout not in ("auto", "ntc", "nct"):
        raise ValueError(f"layout must be 'auto', 'ntc' or 'nct', got {layout!r}")
    if layout != "auto":
        return layout
    channels_first = (nn.Conv1d, nn.BatchNorm1d, nn.InstanceNorm1d, nn.GroupNorm)
    if not any(isinstance(m, channels_first) for m in model.modules()):
        return "ntc"
    probe = windows.contiguous()
    called: list[tuple[nn.Module, Any]] = []

    def look(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        called.append((module, inputs[0] if inputs else None))

    weighted = [m for m in model.modules() if not list(m.children()) and list(m.parameters())]
    hooks = [m.register_forward_pre_hook(look) for m in weighted]
    try:
        # A model with channels first cannot take this layout: it fails after its first layer was seen.
        with torch.no_grad(), suppress(RuntimeError, ValueError, IndexError, TypeError, AttributeError):
            model(probe)
    finally:
        for hook in hooks:
            hook.remove()
    if not called or not isinstance(called[0][0], channels_first) or not isinstance(called[0][1], Tensor):
        return "ntc"
    first, given = called[0]
    untouched = given.shape == probe.shape and given.stride() == probe.stride()
    width = getattr(first, "in_channels", None) or getattr(first, "num_features", None) or first.num_channels
    return "nct" if untouched and width == probe.shape[2] else "ntc"
