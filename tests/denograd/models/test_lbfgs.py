import pytest
import torch

from denograd.models.lbfgs import lbfgs


def rosenbrock(x):
    a, b = x[:-1], x[1:]
    gradient = torch.zeros_like(x)
    gradient[:-1] = -400 * a * (b - a**2) - 2 * (1 - a)
    gradient[1:] += 200 * (b - a**2)
    return float((100 * (b - a**2) ** 2 + (1 - a) ** 2).sum()), gradient


@pytest.mark.parametrize("size", [2, 10])
def test_finds_the_end_of_the_valley(size):
    start = torch.full((size,), -1.0, dtype=torch.float64)
    found = lbfgs(rosenbrock, start, max_iter=200)
    assert torch.allclose(found.point, torch.ones(size, dtype=torch.float64), atol=1e-5)
    assert found.value < 1e-10 < found.before == rosenbrock(start)[0]
    assert found.iterations <= found.evaluations


def test_every_iteration_goes_down_and_is_reported():
    seen = []
    found = lbfgs(
        rosenbrock,
        torch.full((4,), -1.0, dtype=torch.float64),
        max_iter=30,
        report=lambda x, v: seen.append((x, v)),
    )
    values = [v for _, v in seen]
    assert len(values) == found.iterations == 30
    assert all(b < a for a, b in zip([found.before, *values], values, strict=False))
    assert values == [rosenbrock(x)[0] for x, _ in seen]


@pytest.mark.parametrize("factor", [1e-2, 1.0, 1e12])
def test_where_it_stops_does_not_depend_on_the_units_of_the_value(factor):
    def scaled(x):
        value, gradient = rosenbrock(x)
        return factor * value, factor * gradient

    start = torch.tensor([-1.2, 1.0], dtype=torch.float64)
    found = lbfgs(scaled, start, max_iter=200, tolerance=0.1)
    # here iterations gain much or next to nothing, and one of the latter comes early
    assert found.iterations < 40
    steps = []
    lbfgs(scaled, start, max_iter=found.iterations, report=lambda _, value: steps.append(value))
    gains = [(a - b) / a for a, b in zip([found.before, *steps], steps, strict=False)]
    assert gains[-1] <= 0.1 < min(gains[:-1])


def test_stays_at_a_minimum_and_gives_up_where_nothing_goes_down():
    at = torch.ones(3, dtype=torch.float64)
    found = lbfgs(rosenbrock, at, max_iter=5)
    assert (found.iterations, found.evaluations) == (0, 1)
    assert torch.equal(found.point, at)
    uphill = lbfgs(lambda x: (float(x.square().sum()), -2 * x), at, max_iter=5)
    assert uphill.iterations == 0
    assert torch.equal(uphill.point, at)


def test_kinks_do_not_stop_it():
    """Huber's rho has a curvature that jumps."""

    def huber(x):
        u = x * torch.tensor([1.0, 30.0], dtype=x.dtype)
        value = torch.where(u.abs() < 1, u**2 / 2, u.abs() - 0.5).sum()
        return float(value), u.clamp(-1, 1) * torch.tensor([1.0, 30.0], dtype=x.dtype)

    found = lbfgs(huber, torch.tensor([50.0, -40.0], dtype=torch.float64), max_iter=60)
    assert found.value < 1e-12
