"""The xLSTM's cells against the recurrences of the paper, and the whole against the authors' package."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from experiments.models.xlstm import SLSTM, XLSTM, _head_norm, _matrix_memory

torch_double = {"dtype": torch.float64}
ORACLE = Path(__file__).resolve().parents[3] / ".oracle" / "xlstm"


def generator():
    return torch.Generator().manual_seed(0)


def shaken(module):
    """Random weights everywhere: some parts start at 0."""
    g = generator()
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=g))
    return module.double().eval()


def test_matrix_memory_equals_its_recurrence():
    B, H, W, D = 2, 3, 7, 4
    g = generator()
    q, k, v = (torch.randn(B, H, W, D, generator=g, **torch_double) for _ in range(3))
    i, f = (torch.randn(B, H, W, generator=g, **torch_double) for _ in range(2))
    C, n = torch.zeros(B, H, D, D, **torch_double), torch.zeros(B, H, D, **torch_double)
    steps = []
    for t in range(W):
        forget, take = torch.sigmoid(f[..., t, None]), torch.exp(i[..., t, None])
        key = k[:, :, t] / D**0.5
        C = forget[..., None] * C + take[..., None] * v[:, :, t, :, None] * key[..., None, :]
        n = forget * n + take * key
        down = (n * q[:, :, t]).sum(-1, keepdim=True).abs().clamp(min=1)
        steps.append(torch.einsum("bhij,bhj->bhi", C, q[:, :, t]) / down)
    torch.testing.assert_close(_matrix_memory(q, k, v, i, f), torch.stack(steps, 2), rtol=1e-4, atol=1e-5)


def test_scalar_memory_equals_its_recurrence_without_stabiliser():
    module = shaken(SLSTM(8, heads=2, dropout=0.0))
    x = torch.randn(3, 5, 8, generator=generator(), **torch_double)
    mixed = F.silu(module.conv(x))
    h = c = n = torch.zeros(3, 2, 4, **torch_double)
    steps = []
    for t in range(5):
        drive = torch.stack(
            [gate(s[:, t]).view(3, 2, 4) for gate, s in zip(module.gates, (mixed, mixed, x, x), strict=True)]
        )
        back = torch.einsum("bhi,hio->bho", h, module.recurrent) + module.bias
        i, f, z, o = drive + back.unflatten(-1, (4, 4)).permute(2, 0, 1, 3)
        c = torch.sigmoid(f) * c + torch.exp(i) * torch.tanh(z)
        n = torch.sigmoid(f) * n + torch.exp(i)
        h = torch.sigmoid(o) * c / n
        steps.append(h.flatten(1))
    expected = _head_norm(torch.stack(steps, 1), 2, module.norm_weight)
    torch.testing.assert_close(module(x), expected, rtol=1e-10, atol=1e-10)


def test_no_step_sees_a_later_one():
    module = shaken(XLSTM(3, hidden=16, heads=2))
    x = torch.randn(2, 9, 16, generator=generator(), **torch_double)
    moved = x.clone()
    moved[:, 5:] *= -1
    before, after = module.stack(x), module.stack(moved)
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


def test_huge_gates_stay_finite():
    module = shaken(XLSTM(1, hidden=16, heads=2))
    x = torch.full((1, 50, 1), 1e4, **torch_double, requires_grad=True)
    y = module(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.isfinite(y).all()
    assert torch.isfinite(gradient).all()


def test_width_must_suit_the_heads():
    with pytest.raises(ValueError, match="multiple of 4 and of heads"):
        XLSTM(3, hidden=10)


@pytest.mark.oracle
def test_agrees_with_the_authors_package(monkeypatch):
    if ORACLE.is_dir():
        monkeypatch.syspath_prepend(ORACLE)
    oracle = pytest.importorskip("xlstm", reason="the authors' package is not at hand: run 'make oracle'")
    stack = shaken(
        oracle.xLSTMBlockStack(
            oracle.xLSTMBlockStackConfig(
                mlstm_block=oracle.mLSTMBlockConfig(
                    mlstm=oracle.mLSTMLayerConfig(conv1d_kernel_size=4, qkv_proj_blocksize=4, num_heads=4)
                ),
                slstm_block=oracle.sLSTMBlockConfig(
                    slstm=oracle.sLSTMLayerConfig(backend="vanilla", num_heads=4, conv1d_kernel_size=4),
                    feedforward=oracle.FeedForwardConfig(proj_factor=1.3, act_fn="gelu"),
                ),
                context_length=24,
                num_blocks=2,
                embedding_dim=64,
                slstm_at=[1],
                dropout=0.1,
            )
        )
    )
    theirs, ours = stack.state_dict(), XLSTM(3).double().eval()
    m, s = "blocks.0.xlstm.", "blocks.1.xlstm."
    recurrent = theirs[s + "slstm_cell._recurrent_kernel_"].view(4, 4, 16, 16)  # head, gate, to, from
    bias = theirs[s + "slstm_cell._bias_"].view(4, 4, 16)  # gate, head, unit
    gates = {p: torch.cat([theirs[f"{m}mlstm_cell.{g}gate.{p}"] for g in "if"]) for p in ("weight", "bias")}
    state = {
        "branches.0.up.weight": theirs[m + "proj_up.weight"],
        "branches.0.down.weight": theirs[m + "proj_down.weight"],
        "branches.0.skip": theirs[m + "learnable_skip"],
        "branches.0.conv.conv.weight": theirs[m + "conv1d.conv.weight"],
        "branches.0.conv.conv.bias": theirs[m + "conv1d.conv.bias"],
        "branches.0.gates.weight": gates["weight"],
        "branches.0.gates.bias": gates["bias"],
        "branches.0.norm_weight": 1 + theirs[m + "mlstm_cell.outnorm.weight"],
        **{f"branches.0.{p}.weight": theirs[f"{m}{p}_proj.weight"] for p in "qkv"},
        "branches.1.conv.conv.weight": theirs[s + "conv1d.conv.weight"],
        "branches.1.conv.conv.bias": theirs[s + "conv1d.conv.bias"],
        "branches.1.norm_weight": 1 + theirs[s + "group_norm.weight"],
        "branches.1.recurrent": recurrent.permute(0, 3, 1, 2).reshape(4, 16, 64),
        "branches.1.bias": bias.transpose(0, 1).reshape(4, 64),
        # their "fgate" feeds the input gate and their "igate" the forget gate
        **{f"branches.1.gates.{j}.weight": theirs[f"{s}{g}gate.weight"] for j, g in enumerate("fizo")},
        "branches.2.up.weight": theirs["blocks.1.ffn.proj_up.weight"],
        "branches.2.down.weight": theirs["blocks.1.ffn.proj_down.weight"],
        "norms.0.weight": 1 + theirs["blocks.0.xlstm_norm.weight"],
        "norms.1.weight": 1 + theirs["blocks.1.xlstm_norm.weight"],
        "norms.2.weight": 1 + theirs["blocks.1.ffn_norm.weight"],
        "norm.weight": 1 + theirs["post_blocks_norm.weight"],
    }
    ends = {f"{part}.{p}" for part in ("embed", "head") for p in ("weight", "bias")}
    assert set(state) | ends == set(ours.state_dict())
    ours.load_state_dict(state, strict=False)
    x = torch.randn(5, 24, 64, generator=generator(), **torch_double)
    torch.testing.assert_close(ours.stack(x), stack(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_the_last_step_alone_is_the_last_of_all_steps(blocks):
    torch.manual_seed(0)
    module = XLSTM(3, hidden=8, heads=2, blocks=blocks, dropout=0.3)
    x = torch.randn(5, 6, 3)

    def output_and_gradients(forward):
        torch.manual_seed(1)
        module.zero_grad()
        output = forward(x)
        output.square().mean().backward()
        drawn = torch.rand(())  # the next draw of a training
        return [output.detach(), drawn, *(p.grad.clone() for p in module.parameters())]

    for training in (True, False):
        module.train(training)
        short = output_and_gradients(module)
        whole = output_and_gradients(lambda x: module.head(module.stack(module.embed(x))[:, -1]))
        torch.testing.assert_close(short, whole, rtol=1e-5, atol=1e-7)
