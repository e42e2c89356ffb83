"""What happened in a run: one record per epoch, shown as a progress bar while it runs."""

from __future__ import annotations

import time
import warnings
from typing import Any, Self

from tqdm import TqdmWarning

with warnings.catch_warnings():  # in a notebook without widgets the bar is text, and no reader need be told
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm as tqdm


class Progress:
    """Count epochs on a bar, and keep their figures.

    Parameters
    ----------
    epochs : int
        Maximum number.
    name : str
        What is running.
    verbose : bool
        False silences; True shows a bar where stderr is a terminal.

    Attributes
    ----------
    history : list of dict
        Per epoch its number ``epoch``, the figures that `record` got, and ``seconds``.
    """

    def __init__(self, epochs: int, name: str, verbose: bool = True):
        self.history: list[dict[str, Any]] = []
        self._bar = tqdm(
            total=epochs, desc=f"denograd {name}", disable=None if verbose else True, leave=False
        )
        self._clock = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def record(self, **figures: float) -> None:
        """Note the figures of the epoch that just ended."""
        now = time.perf_counter()
        self.history.append({"epoch": len(self.history) + 1, **figures, "seconds": now - self._clock})
        self._clock = now
        self._bar.update()
        self._bar.set_postfix({name: f"{value:.3g}" for name, value in figures.items()}, refresh=False)

    def advance(self, **_: float) -> None:
        """Move the bar by an epoch whose figures are not kept."""
        self._bar.update()
