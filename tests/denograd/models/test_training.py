import pytest
import torch
from torch import nn

from denograd.models import split_rows, train_best
from denograd.models.adam import Adam, one_cycle


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 16, 17])
def test_batches_hold_every_row_once_and_none_is_left_alone(n):
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    parts = split_rows(order, 8)
    assert torch.equal(torch.cat(parts), order)
    assert n == 1 or min(map(len, parts)) > 1


def test_the_best_epoch_is_kept():
    model = nn.Linear(1, 1)
    errors = iter([3.0, 1.0, 2.0, 2.5, 4.0])
    seen = []

    def error():
        seen.append(model.weight.item())
        return next(errors)

    x = torch.ones(4, 1)
    done = train_best(model, lambda: [x], lambda b: model(b).sum(), error, epochs=10, patience=2, lr=0.1)
    assert (done.epochs, done.error) == (4, 1.0)
    assert model.weight.item() == seen[1]
    assert not model.training


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_is_adam(decay):
    torch.manual_seed(0)
    ours = [torch.randn(3, 2), torch.randn(4)]
    theirs = [v.clone().requires_grad_() for v in ours]
    adam, reference = Adam(ours, 0.1, decay), torch.optim.AdamW(theirs, 0.1, weight_decay=decay)
    for _ in range(20):
        gradients = [torch.randn_like(v) for v in ours]
        adam.step(gradients)
        for value, gradient in zip(theirs, gradients, strict=True):
            value.grad = gradient.clone()
        reference.step()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b.detach(), rtol=1e-5, atol=1e-6)


def test_one_cycle_goes_up_and_down():
    rates = [one_cycle(step, 100, 2.0, 0.25) for step in range(101)]
    assert rates[0] == pytest.approx(2.0 / 25)
    assert rates[25] == max(rates) == 2.0
    assert rates[100] == pytest.approx(0.0, abs=1e-12)
    assert rates[:26] == sorted(rates[:26])
    assert rates[25:] == sorted(rates[25:], reverse=True)
