"""One thread for small work: OpenMP's idle threads spin, and on a busy machine that costs more than the work."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_inside = 0
_before = 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread of torch inside, whoever calls; serves as a decorator, too.

    Where the environment asks for threads that wait passively, nothing is changed. The products in question are too
    small to gain from more, and their rounding would depend on the number.
    """
    global _inside, _before
    if os.environ.get("OMP_WAIT_POLICY", "").lower() == "passive":
        yield
        return
    with _lock:  # calls from several threads of Python overlap: the first sets, the last puts back
        if _inside == 0:
            _before = torch.get_num_threads()
            torch.set_num_threads(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                torch.set_num_threads(_before)
