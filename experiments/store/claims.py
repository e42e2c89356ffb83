"""Claims: which process works on which unit, so that two campaigns on one store share the work.

A claim is a locked file. The system drops the lock when its process ends, however it ends, so nothing has to
expire and no clock is read. On a file system without locks, a unit may be done twice, with the same result.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from experiments.store.files import writing


@contextlib.contextmanager
def claimed(path: Path, label: str) -> Iterator[IO[bytes] | None]:
    """Hold a claim for the block.

    Yields
    ------
    file : binary file or None
        Takes the process's last words; None where another process holds the claim.

    Raises
    ------
    StoreError
        If the claim cannot be written.
    """
    while True:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("ab+", buffering=0)
        if not _locked(file):
            file.close()
            yield None
            return
        if _same(file, path):
            break
        file.close()  # its holder removed it while this process waited
    try:
        with writing(path):
            file.truncate(0)
            file.write(f"{os.getpid()} {label}\n".encode())
        yield file
    finally:
        with contextlib.suppress(OSError):  # what is left unlocked is no claim
            path.unlink()
        file.close()


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a lock for the block; wait for a process that has it.

    Raises
    ------
    StoreError
        If the lock's file cannot be written.
    """
    while True:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # no locks here: go on without
            break
        if _same(file, path):
            break
        file.close()  # its holder removed it while this process waited: the next one locks another file
    with file:
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()


def last_words(path: Path) -> str:
    """What a dead process left in its claim, which is removed; empty if another one has it by now."""
    try:
        with path.open("rb") as file:
            if not (_locked(file) and _same(file, path)):
                return ""
            words = file.read().decode(errors="replace").partition("\n")[2]
            path.unlink(missing_ok=True)
            return words.strip()
    except OSError:
        return ""


def running(folder: Path) -> list[tuple[int, str]]:
    """Process id and label of every claim that is held, by processes of this or another machine."""
    held = []
    for path in sorted(folder.glob("*")):
        with contextlib.suppress(OSError, ValueError), path.open("rb") as file:
            if not _locked(file):
                pid, _, label = file.readline().decode().strip().partition(" ")
                held.append((int(pid), label))
    return held


def _locked(file: IO[bytes]) -> bool:
    """Lock a file; False if another process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # no locks here: go on without
    return True


def _same(file: IO[bytes], path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    here = os.fstat(file.fileno())
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
