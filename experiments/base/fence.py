"""A fence around a method: it gets copies, its changes to the process are undone, its output is checked.

A method (a denoiser, a regressor, a noise model, a network) may be third-party code. If it fails, only its own cell
fails; it must not change what another method sees.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from experiments.base.code import OURS
from experiments.base.errors import HarnessError

LARGEST_INFO = 1 << 20
"""Bytes of JSON that a method may report."""


class MethodError(HarnessError):
    """A method broke its interface; the message names it, what it did and what was expected."""


def copied(values: np.ndarray) -> np.ndarray:
    """A private, read-only copy: a method that wants to change it copies it first."""
    mine = np.array(values)
    mine.setflags(write=False)
    return mine


@contextlib.contextmanager
def fenced(who: str, seed: int) -> Iterator[None]:
    """Run a method's code.

    Global generators are seeded, so that a method that draws from them is as reproducible as the others; whatever it
    sets of the process (generators, threads, number formats, environment, folder, handlers, open streams, functions of
    NumPy, torch and this project) is as before when the block ends. What it prints goes to stderr.

    Raises
    ------
    MethodError
        If it writes into what it was handed, or tries to end the process.
    """
    with _restored(), _streams(), warnings.catch_warnings():
        _seed(seed)
        try:
            yield
        except ValueError as error:
            if "read-only" in str(error) or "not writeable" in str(error):
                raise MethodError(
                    f"{who} writes into the array that it was handed, which others see too: copy first, as in "
                    "X = X.copy()"
                ) from error
            raise
        except (Exception, KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # SystemExit, or one of its own
            raise MethodError(f"{who} tried to end the process: {type(error).__name__}({error})") from error


def array(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """A copy of what a method returned, if it is an array of numbers as expected.

    Raises
    ------
    MethodError
        If it is none, or of another shape or type, or not finite.
    """
    wanted = f"wanted an array of float64 of shape {shape}"
    if type(value) is not np.ndarray:
        raise MethodError(f"{what} is a {type(value).__name__}: {wanted}")
    if value.dtype not in (np.float64, np.float32):
        raise MethodError(f"{what} is of type {value.dtype}: {wanted}")
    if value.shape != shape:
        raise MethodError(f"{what} has the shape {value.shape}: {wanted}")
    if bad := int((~np.isfinite(value)).sum()):
        raise MethodError(f"{what} holds {bad} NaN or infinite values: {wanted}, all of them finite")
    return value.copy(order="K")


def report(info: Any, what: str) -> dict[str, Any]:
    """A copy of what a method reports, if JSON can hold it.

    Raises
    ------
    MethodError
    """
    if not isinstance(info, dict):
        raise MethodError(f"{what} is a {type(info).__name__}: wanted a dict")
    try:
        text = json.dumps(info, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise MethodError(f"{what} cannot be stored: {error}. It may hold what JSON knows") from error
    if len(text) > LARGEST_INFO:
        raise MethodError(
            f"{what} takes {len(text):,} bytes: at most {LARGEST_INFO:,} are kept with a result"
        )
    return dict(json.loads(text))


def left_running() -> list[threading.Thread]:
    """Threads that would keep this process from ending: a method's, since ours are daemons or have ended by then."""
    main = threading.main_thread()
    return [each for each in threading.enumerate() if each is not main and not each.daemon]


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  # the very generator that a method may draw from
    _torch().manual_seed(seed)


@contextlib.contextmanager
def _restored() -> Iterator[None]:
    """Put settings of the process back that the block has changed."""
    settings = _settings()
    before = [get() for get, _ in settings]
    modules = {each: dict(vars(each)) for each in _modules()}
    try:
        yield
    finally:
        for (get, put), value in zip(settings, before, strict=True):
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                if not _same(get, value):
                    put(value)
        for module, entries in modules.items():
            names = vars(module)
            for name, value in entries.items():
                if names.get(name) is not value:
                    setattr(module, name, value)


def _same(get: Callable[[], Any], value: Any) -> bool:
    """Whether a setting is as it was; where that cannot be told it is put back."""
    try:
        return bool(get() == value)
    except (OSError, ValueError, RuntimeError, TypeError):
        return False


def _settings() -> list[tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """What a process has once: how it is read, and how it is set."""
    torch = _torch()
    settings: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [
        (os.getcwd, os.chdir),
        (lambda: dict(os.environ), _set_environment),
        (lambda: list(sys.path), lambda paths: sys.path.__setitem__(slice(None), paths)),
        (sys.getrecursionlimit, sys.setrecursionlimit),
        (gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
        (lambda: logging.root.manager.disable, logging.disable),
        (lambda: logging.root.level, logging.root.setLevel),
        (random.getstate, random.setstate),
        (np.random.get_state, np.random.set_state),
        (np.geterr, lambda old: np.seterr(**old)),
        (np.get_printoptions, lambda old: np.set_printoptions(**old)),
        (torch.get_rng_state, torch.set_rng_state),
        (torch.get_default_dtype, torch.set_default_dtype),
        (torch.get_num_threads, torch.set_num_threads),
        (torch.is_grad_enabled, torch.set_grad_enabled),
        (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    ]
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not None:
                settings.append((partial(signal.getsignal, number), partial(signal.signal, number)))
    return settings


def _set_environment(before: dict[str, str]) -> None:
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


def _modules() -> list[ModuleType]:
    """Modules whose functions the harness computes with."""
    ours = [
        module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in OURS and isinstance(module, ModuleType)
    ]
    return [np, np.linalg, np.random, _torch(), _torch().nn.functional, random, json, *ours]


@contextlib.contextmanager
def _streams() -> Iterator[None]:
    """Shield stdout and stderr: what closes them, or their descriptors, closes nothing."""
    kept = {number: copy for number in (0, 1, 2) if (copy := _duplicate(number)) is not None}
    shown = _Shielded(sys.stderr)
    try:
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            yield
    finally:
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)


def _duplicate(number: int) -> int | None:
    try:
        return os.dup(number)
    except OSError:
        return None


class _Shielded(io.TextIOBase):
    """A stream that can be written to and not closed."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._stream.flush()

    def close(self) -> None:
        """Stay open."""

    def isatty(self) -> bool:
        return bool(getattr(self._stream, "isatty", bool)())

    def fileno(self) -> int:
        return int(self._stream.fileno())

    @property
    def encoding(self) -> str:  # type: ignore[override]  # of whatever stream it is
        return getattr(self._stream, "encoding", None) or "utf-8"

    def writable(self) -> bool:
        return True


def _plain(value: Any) -> Any:
    """Turn NumPy scalars and arrays into what JSON knows."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is nothing that JSON knows")


def _torch() -> Any:
    """Torch, once something has imported it: a command that needs none starts without."""
    import torch

    return torch
