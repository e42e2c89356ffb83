"""L-BFGS (Liu and Nocedal, 1989) on one tensor.

torch's own loads a compiler the first time it is used, a second of every process's first call, and stops on
absolute tolerances, which mean nothing where the size of the problem decides that of the objective.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Function = Callable[[Tensor], tuple[float, Tensor]]
Pair = tuple[Tensor, Tensor, float]
"""A step, the change of the gradient along it, and their product."""

DECREASE, CURVATURE = 1e-4, 0.9
"""Wolfe's conditions: the least decrease, the most slope that may be left, as shares of the slope at the start."""

TRIES = 20
"""Most evaluations of one line search."""


@dataclass(frozen=True)
class Minimum:
    """Where `lbfgs` ended.

    Attributes
    ----------
    point : tensor
    before, value : float
        The function at the start and at `point`.
    iterations, evaluations : int
    """

    point: Tensor
    before: float
    value: float
    iterations: int
    evaluations: int


def lbfgs(
    function: Function,
    start: Tensor,
    *,
    max_iter: int,
    memory: int = 10,
    tolerance: float = 0.0,
    report: Callable[[Tensor, float], None] | None = None,
) -> Minimum:
    """Minimise a smooth function.

    Parameters
    ----------
    function : callable
        ``point -> (value, gradient)``; the gradient is a new tensor.
    start : tensor
        The first step tried is minus the gradient: bring the curvature near 1.
    max_iter : int
        Most iterations.
    memory : int
        Pairs of steps and changes of the gradient that are remembered.
    tolerance : float
        End where an iteration lowers the value by less than this share of it.
    report : callable, optional
        Called with point and value after every iteration, right after `function` was called there.

    Examples
    --------
    >>> import torch
    >>> found = lbfgs(lambda x: (float((x - 3).square().sum()), 2 * (x - 3)), torch.zeros(2), max_iter=5)
    >>> found.point
    tensor([3., 3.])
    """
    point, (value, gradient) = start, function(start)
    before, iterations, evaluations = value, 0, 1
    pairs: deque[Pair] = deque(maxlen=memory)
    while iterations < max_iter:
        direction = _direction(gradient, pairs)
        found, tries = _line_search(function, point, value, gradient, direction)
        evaluations += tries
        if found is None:  # no descent is left that the arithmetic can see
            break
        new_point, new_value, new_gradient = found
        step, change = new_point - point, new_gradient - gradient
        if (product := _dot(step, change)) > 0:
            pairs.append((step, change, product))
        decrease = value - new_value
        point, value, gradient = new_point, new_value, new_gradient
        iterations += 1
        if report is not None:
            report(point, value)
        if decrease <= tolerance * abs(value + decrease):
            break
    return Minimum(point, before, value, iterations, evaluations)


def _dot(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum())


def _direction(gradient: Tensor, pairs: deque[Pair]) -> Tensor:
    """Minus the inverse Hessian that the pairs suggest, times the gradient: the two-loop recursion."""
    direction = -gradient
    factors = []
    for step, change, product in reversed(pairs):
        factors.append(_dot(step, direction) / product)
        direction = direction.sub(change, alpha=factors[-1])
    if pairs:
        _, change, product = pairs[-1]
        direction = direction * (product / _dot(change, change))
    for (step, change, product), factor in zip(pairs, reversed(factors), strict=True):
        direction = direction.add(step, alpha=factor - _dot(change, direction) / product)
    return direction


def _line_search(
    function: Function, point: Tensor, value: float, gradient: Tensor, direction: Tensor
) -> tuple[tuple[Tensor, float, Tensor] | None, int]:
    """Look for a step that fulfils Wolfe's (weak) conditions, by bisection (Lewis and Overton, 2013).

    Returns
    -------
    found : tuple or None
        Point, value and gradient, the last that were computed; None if no step lowers the function.
    tries : int
    """
    slope = _dot(gradient, direction)
    if not slope < 0:
        return None, 0
    low, high, length = 0.0, float("inf"), 1.0
    for tries in range(1, TRIES + 1):
        there = point.add(direction, alpha=length)
        new_value, new_gradient = function(there)
        if not new_value <= value + DECREASE * length * slope:
            # too far: to the minimum of the parabola through what is known, kept off the ends of the bracket
            high = length
            parabola = -0.5 * slope * length**2 / max(new_value - value - slope * length, 1e-300)
            length = min(max(parabola, low + 0.1 * (high - low)), low + 0.5 * (high - low))
        elif _dot(new_gradient, direction) < CURVATURE * slope:
            low = length
            length = 2 * length if high == float("inf") else 0.5 * (low + high)
        else:
            return (there, new_value, new_gradient), tries
    return None, TRIES
