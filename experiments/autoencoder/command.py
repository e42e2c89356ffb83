"""``python -m experiments.autoencoder``: the denoising autoencoder of tutorials."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.autoencoder.recipe import Options
from experiments.base import command

HELP = """The denoising autoencoder of tutorials: does it denoise?

By default as it is told everywhere: scikit-learn's diabetes features, mapped to [0, 1] by the training part,
corrupted once by 0.2 N(0, 1) and clipped; a d-8-d network, ReLU and sigmoid, learns to undo it in 50 full-batch
steps of Adam. Options replace the corruption, the loss and the sizes; data=nasdaq takes windows of a series, each
mapped to [0, 1] by its own extremes, and a convolutional network.

Examples
  python -m experiments.autoencoder
  python -m experiments.autoencoder data=nasdaq window=48 corruption=masking
  python -m experiments.autoencoder sweep=true out=results/autoencoder_sweep

Results: figures, and with sweep=true a table, in the folder `out`.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Train, print every tenth loss and the test error, draw."""
    return command.start(argv, _main, lambda: command.described(HELP, Options))


def _main(arguments: Sequence[str]) -> None:
    options = command.parse(arguments, Options)
    print(f"autoencoder on {options.data}: loading torch", flush=True)
    from experiments.autoencoder.tutorial import carry_out

    carry_out(options)
