"""A device "cuda" for machines without one: tensors that lie there by every sign that Python code sees.

Their values are on the CPU, so that everything computes as it would, with the CPU's numbers. Meanwhile

- an operation on tensors of both devices raises, as with CUDA, except for what CUDA takes: single numbers, indices;
- what makes the host wait for the device is counted: a number or an array taken off it, a shape that depends on values.
"""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad
from torch.overrides import TorchFunctionMode
from torch.utils._foreach_utils import _group_tensors_by_device_and_dtype
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

CUDA = torch.device("cuda", 0)
aten = torch.ops.aten
WAITS = {aten.nonzero, aten.masked_select, aten.equal, aten._unique2, aten.unique_dim, aten.allclose}
"""Their results, or shapes of them, are needed on the host."""

FACTORIES = {
    *(
        torch.zeros,
        torch.ones,
        torch.full,
        torch.empty,
        torch.tensor,
        torch.as_tensor,
        torch.arange,
        torch.rand,
    ),
    *(
        torch.randn,
        torch.randperm,
        torch.linspace,
        torch.eye,
        torch.randint,
        torch.zeros_like,
        torch.ones_like,
    ),
    *(torch.empty_like, torch.full_like, torch.rand_like, torch.randn_like),
}


class OnCuda(Tensor):
    """A tensor on the device; `inner` has its values."""

    @staticmethod
    def __new__(cls, inner):
        return Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device="cpu",  # what C++ sees: its threads for a real device are not there
            requires_grad=inner.requires_grad,
        )

    def __init__(self, inner):
        self.inner = inner.detach()

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)

    def __repr__(self):
        return f"OnCuda({self.inner!r})"

    def __tensor_flatten__(self):
        return ["inner"], None

    @staticmethod
    def __tensor_unflatten__(inner, meta, size, stride):
        return OnCuda(inner["inner"])

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        note(func, args)
        there = not is_cpu(kwargs.get("device")) or in_backward()
        plain = {k: v for k, v in kwargs.items() if k != "device"}
        if func is aten._to_copy.default and not there:
            COUNTED["copies"] += 1
        out = func(*tree_map(unwrapped, args), **tree_map(unwrapped, plain))
        if func is aten._local_scalar_dense.default or not there:
            return out
        return return_and_correct_aliasing(func, args, kwargs, tree_map(wrapped, out))


COUNTED: Counter[str] = Counter()


def note(func, args):
    """Count what the host waits for, and refuse what CUDA does not do."""
    if func.overloadpacket is aten._local_scalar_dense:
        COUNTED["numbers"] += 1
    elif func.overloadpacket in WAITS or (
        func.overloadpacket in (aten.index, aten.index_put_)
        and any(t is not None and t.dtype in (torch.bool, torch.uint8) for t in args[1])
    ):
        COUNTED["shapes"] += 1
    tensors = [t for t in tree_flatten(args)[0] if isinstance(t, Tensor)]
    if func.overloadpacket is aten.copy_ and not isinstance(args[0], OnCuda):
        COUNTED["copies"] += 1
    copies = func.overloadpacket in (aten.copy_, aten._to_copy, aten.index, aten.index_put_)
    if not copies and not in_backward():
        here = [t for t in tensors if not isinstance(t, OnCuda) and t.ndim]
        if here:
            raise RuntimeError(
                f"Expected all tensors to be on the same device: {func} got {[tuple(t.shape) for t in here]} on the CPU"
            )


def in_backward():
    """Whether autograd's formulas in C++ are at work, which see a CPU."""
    return torch._C._current_graph_task_id() != -1


def is_cpu(device):
    return device is not None and torch.device(device).type == "cpu"


def unwrapped(value):
    return value.inner if isinstance(value, OnCuda) else value


def wrapped(value):
    return OnCuda(value) if isinstance(value, Tensor) and not isinstance(value, OnCuda) else value


class Pretend(TorchFunctionMode):
    """Makes tensors on the device, and takes them there and back."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in FACTORIES and "device" in kwargs:
            return self._made(func, args, kwargs)
        if func is Tensor.to:
            return self._moved(args, kwargs)
        if func is Tensor.cpu and isinstance(args[0], OnCuda):
            COUNTED["copies"] += 1
            return args[0].inner
        if func is Tensor.tolist and isinstance(args[0], OnCuda):
            COUNTED["numbers"] += 1
            return args[0].inner.tolist()
        if func is Tensor.numpy and isinstance(args[0], OnCuda):
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")
        return func(*args, **kwargs)

    def _made(self, func, args, kwargs):
        device = kwargs.pop("device")
        there = device is not None and torch.device(device).type == "cuda"
        if device is None and args and isinstance(args[0], OnCuda):
            there = True
        like = tree_map(unwrapped, args) if not there or func in (torch.tensor, torch.as_tensor) else args
        made = func(*tree_map(unwrapped, like), **kwargs)
        wants = made.requires_grad
        return wrapped(made.detach()).requires_grad_(wants) if there else made

    def _moved(self, args, kwargs):
        """``Tensor.to`` with a device, a type, another tensor's two."""
        tensor, *rest = args
        other = next((value for value in rest if isinstance(value, Tensor)), None)
        dtype = kwargs.get("dtype") or next((value for value in rest if isinstance(value, torch.dtype)), None)
        target = kwargs.get("device") or next((v for v in rest if isinstance(v, (str, torch.device))), None)
        if other is not None:
            target, dtype = other.device, other.dtype
        cast = tensor if dtype is None else tensor.to(dtype)
        if target is None or (torch.device(target).type == "cuda") == isinstance(cast, OnCuda):
            return cast
        if isinstance(cast, OnCuda):
            COUNTED["copies"] += 1
            return cast.inner
        return OnCuda(cast.detach())


def _grouped(tensors):
    """Tensors by device and type, as `clip_grad_norm_` asks for them."""
    found = _group_tensors_by_device_and_dtype(tensors)
    there = any(isinstance(t, OnCuda) for group in tensors for t in group)
    return {(CUDA if there else device, dtype): group for (device, dtype), group in found.items()}


def _moving(to):
    """``Module.to`` that makes parameters of the other kind, in place of setting their data."""

    def moving(module, *args, **kwargs):
        before = torch.__future__.get_swap_module_params_on_conversion()
        torch.__future__.set_swap_module_params_on_conversion(True)
        try:
            return to(module, *args, **kwargs)
        finally:
            torch.__future__.set_swap_module_params_on_conversion(before)

    return moving


@contextlib.contextmanager
def pretend_cuda():
    """Pretend that there is a CUDA device; gives what is counted."""
    with pytest.MonkeyPatch.context() as patch, Pretend(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PyTorch was compiled without cuDNN")
        patch.setattr(torch.cuda, "is_available", lambda: True)
        patch.setattr(torch.cuda, "manual_seed", lambda seed: None)
        patch.setattr(torch.cuda, "get_rng_state", lambda device: torch.get_rng_state())
        patch.setattr(torch.cuda, "set_rng_state", lambda state, device: None)
        patch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
        # an inference tensor cannot be wrapped
        patch.setattr(
            torch, "inference_mode", lambda on=True: torch.no_grad() if on else contextlib.nullcontext()
        )
        patch.setattr(nn.Module, "to", _moving(nn.Module.to))
        patch.setattr(clip_grad, "_group_tensors_by_device_and_dtype", _grouped)
        COUNTED.clear()
        yield COUNTED
