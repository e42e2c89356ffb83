"""Extended long short-term memory: one matrix-memory and one scalar-memory block.

Beck et al. 2024, "xLSTM: Extended Long Short-Term Memory", arXiv:2405.04517, equations 8 to 27 and the block
diagrams of its appendix. The running maximum ``m`` that stabilises the exponential gates cancels in the output, so no
gradient flows through it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class XLSTM(nn.Module):
    """Linear embedding, residual mLSTM and sLSTM blocks in turn, and a linear layer on the last step.

    Parameters
    ----------
    n_features : int
        Channels of the series.
    outputs : int
        Values to predict.
    window : int or None
        Ignored: any length will do.
    hidden : int
        Width of the embedding; a multiple of 4 and of `heads`.
    blocks : int
        Blocks; the first, third, ... is an mLSTM.
    heads : int
    dropout : float
    """

    recurrent = True

    def __init__(
        self,
        n_features: int,
        outputs: int = 1,
        window: int | None = None,
        hidden: int = 64,
        blocks: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
    ):
        super().__init__()
        if hidden % 4 or hidden % heads:
            raise ValueError(f"hidden must be a multiple of 4 and of heads ({heads}), got {hidden}")
        self.embed = nn.Linear(n_features, hidden)
        branches: list[nn.Module] = []
        for i in range(blocks):
            if i % 2 == 0:
                branches.append(MLSTM(hidden, heads, dropout, depth=blocks))
            else:
                branches += [SLSTM(hidden, heads, dropout), FeedForward(hidden, dropout, depth=blocks)]
        self.branches = nn.ModuleList(branches)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden, bias=False) for _ in branches)
        self.norm = nn.LayerNorm(hidden, bias=False)
        self.head = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, W, C)`` to ``(B, outputs)``."""
        return self.head(self.last_step(self.embed(x)))

    def last_step(self, x: Tensor) -> Tensor:
        """Give the last step of `stack`: ``(B, W, hidden)`` to ``(B, hidden)``.

        A feed-forward layer mixes no steps: where it is the last branch, only the last step passes through it.
        """
        steps = x.shape[1]
        for norm, branch in zip(self.norms, self.branches, strict=True):
            if branch is self.branches[-1] and isinstance(branch, FeedForward):
                x = x[:, -1:]
                x = x + branch(norm(x), last_of=steps)
            else:
                x = x + branch(norm(x))
        return self.norm(x[:, -1])

    def stack(self, x: Tensor) -> Tensor:
        """Run the blocks: ``(B, W, hidden)`` to the same shape."""
        for norm, branch in zip(self.norms, self.branches, strict=True):
            x = x + branch(norm(x))
        return self.norm(x)


class MLSTM(nn.Module):
    """Matrix memory in its parallel form, between an up- and a down-projection (factor 2)."""

    def __init__(self, width: int, heads: int, dropout: float, depth: int, kernel: int = 4, block: int = 4):
        super().__init__()
        inner, self.heads = 2 * width, heads
        self.up = _small(nn.Linear(width, 2 * inner, bias=False), width)
        self.conv = CausalConv(inner, kernel)
        self.q, self.k, self.v = (BlockLinear(inner // block, block, width) for _ in range(3))
        self.gates = nn.Linear(3 * inner, 2 * heads)
        nn.init.zeros_(self.gates.weight)
        with torch.no_grad():
            self.gates.bias.copy_(torch.cat([0.1 * torch.randn(heads), torch.linspace(3, 6, heads)]))
        self.norm_weight = nn.Parameter(torch.ones(inner))
        self.skip = nn.Parameter(torch.ones(inner))
        self.down = _wang(nn.Linear(inner, width, bias=False), width, depth)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x, z = self.up(x).chunk(2, dim=-1)
        mixed = F.silu(self.conv(x))
        q, k, v = self.q(mixed), self.k(mixed), self.v(x)
        i, f = self.gates(torch.cat([q, k, v], dim=-1)).transpose(1, 2).chunk(2, dim=1)  # (B, heads, W)
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v))
        h = _matrix_memory(q, k, v, i, f).transpose(1, 2).flatten(2)
        h = _head_norm(h, self.heads, self.norm_weight) + self.skip * mixed
        return self.dropout(self.down(h * F.silu(z)))


class SLSTM(nn.Module):
    """Scalar memory with block-diagonal recurrence."""

    def __init__(self, width: int, heads: int, dropout: float, kernel: int = 4):
        super().__init__()
        self.heads, size = heads, width // heads
        self.conv = CausalConv(width, kernel)
        self.gates = nn.ModuleList(BlockLinear(heads, size, width) for _ in "ifzo")
        self.recurrent = nn.Parameter(torch.zeros(heads, size, 4 * size))
        bias = torch.zeros(heads, 4, size)
        bias[:, 1] = torch.linspace(3, 6, width).view(heads, size)
        self.bias = nn.Parameter(bias.flatten(1))
        self.norm_weight = nn.Parameter(torch.ones(width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        mixed = F.silu(self.conv(x))
        inputs = (mixed, mixed, x, x)
        parts = [gate(t).unflatten(-1, (self.heads, -1)) for gate, t in zip(self.gates, inputs, strict=True)]
        drive = torch.cat(parts, dim=-1).permute(1, 2, 0, 3) + self.bias[:, None]  # (W, heads, B, 4 size)
        h = c = n = torch.zeros_like(drive[0, :, :, : drive.shape[-1] // 4])
        m = torch.full_like(h, -torch.inf)
        steps = []
        for step in drive.unbind():
            i, f, z, o = torch.baddbmm(step, h, self.recurrent).chunk(4, dim=-1)
            f = F.logsigmoid(f) + m
            m = torch.maximum(i, f).detach()
            i, f = torch.exp(i - m), torch.exp(f - m)
            c = f * c + i * torch.tanh(z)
            n = f * n + i
            h = torch.sigmoid(o) * c / n
            steps.append(h)
        y = torch.stack(steps).permute(2, 0, 1, 3).flatten(2)
        return _head_norm(self.dropout(y), self.heads, self.norm_weight)


class FeedForward(nn.Module):
    """Gated feed-forward layer, 4/3 wide, rounded up to a multiple of 64."""

    def __init__(self, width: int, dropout: float, depth: int, factor: float = 1.3):
        super().__init__()
        inner = 64 * math.ceil(factor * width / 64)
        self.up = _small(nn.Linear(width, 2 * inner, bias=False), width)
        self.down = _wang(nn.Linear(inner, width, bias=False), width, depth)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, last_of: int = 1) -> Tensor:
        """Map ``(B, steps, width)`` to the same shape.

        Where `x` is the last one of `last_of` steps, dropout draws for all of them: training sees the same draws.
        """
        gate, value = self.up(x).chunk(2, dim=-1)
        y = self.down(F.gelu(gate) * value)
        if not self.training or last_of == 1:
            return self.dropout(y)
        return y * self.dropout(torch.ones_like(y).expand(-1, last_of, -1).contiguous())[:, -1:]


class CausalConv(nn.Module):
    """Convolution over time within each channel that sees no later step."""

    def __init__(self, width: int, kernel: int):
        super().__init__()
        self.conv = nn.Conv1d(width, width, kernel, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x.transpose(1, 2), (self.conv.kernel_size[0] - 1, 0))
        return self.conv(padded).transpose(1, 2)


class BlockLinear(nn.Module):
    """Block-diagonal linear map: `blocks` blocks of `size` x `size`, no bias."""

    def __init__(self, blocks: int, size: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(blocks, size, size) * math.sqrt(2 / (5 * width)))

    def forward(self, x: Tensor) -> Tensor:
        blocks, size, _ = self.weight.shape
        return torch.einsum("...bi,boi->...bo", x.unflatten(-1, (blocks, size)), self.weight).flatten(-2)


def _matrix_memory(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor) -> Tensor:
    """All steps at once: ``q, k, v (B, heads, W, size)``, gates before activation ``i, f (B, heads, W)``."""
    W, size = q.shape[-2:]
    decay = F.logsigmoid(f).cumsum(-1)
    D = decay[..., :, None] - decay[..., None, :] + i[..., None, :]  # the weight of step j at step t, in logs
    D = D.masked_fill(torch.ones(W, W, dtype=torch.bool, device=q.device).triu(1), -torch.inf)
    m = D.amax(-1, keepdim=True).detach()
    S = (q @ k.transpose(-1, -2)) / math.sqrt(size) * torch.exp(D - m)
    n = torch.maximum(S.sum(-1, keepdim=True).abs(), torch.exp(-m))
    return (S / (n + 1e-6)) @ v


def _head_norm(x: Tensor, heads: int, weight: Tensor) -> Tensor:
    """Standardise each head of ``(B, W, width)`` by itself."""
    return F.group_norm(x.flatten(0, 1), heads, weight).view_as(x)


def _small(layer: nn.Linear, width: int) -> nn.Linear:
    nn.init.normal_(layer.weight, std=math.sqrt(2 / (5 * width)))
    return layer


def _wang(layer: nn.Linear, width: int, depth: int) -> nn.Linear:
    nn.init.normal_(layer.weight, std=2 / (depth * math.sqrt(width)))
    return layer
