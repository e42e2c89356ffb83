"""Windows of a series as views, and the way back: the consensus of all windows that cover a time step."""

from __future__ import annotations

from torch import Tensor


def count_windows(length: int, width: int, future: int, stride: int) -> int:
    """Count the windows of a series whose target lies inside it.

    Window ``s`` covers the steps ``s*stride .. s*stride + width - 1``; its target is the step
    ``s*stride + width + future - 1``.

    Returns
    -------
    int
        0 if not even one window and its target fit.
    """
    return max(0, (length - width - future) // stride + 1)


def windows_of(series: Tensor, width: int, stride: int, count: int) -> Tensor:
    """View a ``(T, C)`` series as its first `count` windows, ``(count, width, C)``; nothing is copied."""
    return series.unfold(0, width, stride)[:count].transpose(1, 2)


def targets_of(series: Tensor, width: int, future: int, stride: int, count: int) -> Tensor:
    """View the ``(count, k)`` rows of a ``(T, k)`` series that are the windows' targets."""
    return series[width + future - 1 :: stride][:count]


def overlap_add(steps: Tensor, weight: Tensor, total: Tensor, stride: int) -> None:
    """Add the windows' weighted steps to the time steps that they cover.

    Windows that are ``ceil(W / stride)`` apart do not overlap, so a series is covered by that many combs of
    disjoint windows, and each comb is one strided addition over long rows.

    Parameters
    ----------
    steps : (n_windows, W, d) tensor
        Step of every window.
    weight : (n_windows,) tensor
        Factor of every window: 0 for a gated one.
    total : (length, d) tensor
        Contiguous; ``G_t`` of the consensus rule once all windows were added. Window 0 starts at its step 0.
    stride : int
        Distance between the starts of neighbouring windows.
    """
    n, width, d = steps.shape
    rows = steps.reshape(n, width * d)
    combs = -(-width // stride)
    for first in range(min(combs, n)):
        teeth = rows[first::combs]
        place = total.as_strided(
            teeth.shape, (combs * stride * d, 1), total.storage_offset() + first * stride * d
        )
        place.addcmul_(teeth, weight[first::combs, None])


def coverage(weight: Tensor, width: int, length: int, stride: int) -> Tensor:
    """Sum the windows' weights at the steps they cover: ``C_t``, shape ``(length,)``.

    A running sum over the window starts, so that the cost does not depend on `width`.
    """
    starts = weight.new_zeros(length + 1)
    n = len(weight)
    starts[: (n - 1) * stride + 1 : stride] += weight
    starts[width : width + (n - 1) * stride + 1 : stride] -= weight
    return starts.cumsum(0)[:length]
