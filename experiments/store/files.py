"""Cells on disk, one file each. A file is complete or absent: it is written aside and renamed."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from experiments.base.errors import HarnessError
from experiments.store import parquet
from experiments.store.cell import Cell, SchemaMismatch

FINISHED = ("ok", "skipped")
"""States that are not computed again."""


class StoreError(HarnessError):
    """The results folder cannot be used: not writable, or full."""


class Store:
    """A campaign's folder: ``cells/``, and beside them the caches ``arrays/`` and ``backbones/``.

    Parameters
    ----------
    root : Path
        The campaign's folder, made if absent.
    read_only : bool
        Neither make nor write anything.

    Attributes
    ----------
    unreadable : set of Path
        Files met in ``cells/`` that hold no cell: damaged ones, which are computed anew, and foreign ones.

    Raises
    ------
    StoreError
        If the folder cannot be made or written.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        self.root = Path(root)
        self._reopened: set[str] = set()
        self.unreadable: set[Path] = set()
        if read_only:
            return
        try:
            for part in ("cells", "arrays", "backbones"):
                (self.root / part).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root / "cells"):
                pass
        except OSError as error:
            raise StoreError(
                f"cannot write to the results folder {self.root}: {error.strerror}. Mend its permissions, or "
                "name another one with results_dir=PATH"
            ) from error

    def cell_path(self, key: str) -> Path:
        return self.root / "cells" / key[:2] / f"{key}.json"

    def backbone_path(self, key: str) -> Path:
        return self.root / "backbones" / f"{key}.pt"

    def get(self, key: str) -> Cell | None:
        """The stored cell, its own file's or the archive's; None where there is no readable one."""
        return self._read(self.cell_path(key)) or self._archived.get(key)

    def finished(self, key: str) -> Cell | None:
        """The stored cell if it needs no further work."""
        cell = self.get(key)
        if cell is None or cell.status not in FINISHED:
            return None
        return None if cell.status == "skipped" and key in self._reopened else cell

    def reopen(self, key: str) -> None:
        """Have this object take a skipped cell for an unfinished one until it is stored anew."""
        self._reopened.add(key)

    def put(self, cell: Cell) -> None:
        """Store a cell; a finished one is never replaced by an unfinished one."""
        if cell.status not in FINISHED and self.finished(cell.key):
            return
        write_atomically(self.cell_path(cell.key), cell.to_json().encode())
        self._reopened.discard(cell.key)

    def everything(self) -> Iterator[Cell]:
        """All cells, those of the archive that have no file of their own among them."""
        seen = set()
        for cell in self.cells():
            seen.add(cell.key)
            yield cell
        yield from (cell for key, cell in self._archived.items() if key not in seen)

    @cached_property
    def _archived(self) -> dict[str, Cell]:
        """The cells of the campaign's archive, by key; read when first needed."""
        try:
            return {cell.key: cell for cell in parquet.cells_of(self.root)}
        except parquet.ArchiveUnreadable:  # whoever reports on it is told; what it held is computed again
            self.unreadable.add(self.root / parquet.ARCHIVE)
            return {}

    def cells(self) -> Iterator[Cell]:
        """All cells that have a file of their own that can be read, in the order of their keys."""
        for path in sorted((self.root / "cells").glob("*/*.json")):
            cell = self._read(path)
            if cell is not None:
                yield cell

    def _read(self, path: Path) -> Cell | None:
        cell = read_cell(path)
        if cell is None and path.exists():
            self.unreadable.add(path)
        return cell

    def told(self) -> str | None:
        """What to say, once, of the files in ``cells/`` that hold no cell."""
        if not self.unreadable:
            return None
        n, first = len(self.unreadable), min(self.unreadable)
        return (
            f"{n} file{'s' if n > 1 else ''} in {self.root} could not be read, such as {first.name}: what was damaged "
            "is computed anew, what is foreign is ignored"
        )

    def save_arrays(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        write_atomically(self.root / "arrays" / f"{key}.npz", buffer.getbuffer())

    def load_arrays(self, key: str) -> dict[str, np.ndarray] | None:
        """The arrays cached beside a cell; None where they are absent or damaged."""
        try:
            with (
                (self.root / "arrays" / f"{key}.npz").open("rb") as file,
                np.load(file, allow_pickle=False) as archive,
            ):
                return {name: archive[name] for name in archive.files}
        except Exception:  # torn archives raise half a dozen types; a cache that cannot be read is no cache
            return None

    def has_arrays(self, key: str) -> bool:
        return (self.root / "arrays" / f"{key}.npz").is_file()

    def drop_arrays(self, key: str) -> None:
        (self.root / "arrays" / f"{key}.npz").unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says against writing a file into a `StoreError` that names the file."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}. What is stored is safe; mend this (free space, "
            "permissions, results_dir=PATH) and run the same command again"
        ) from error


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write a file so that a reader, a crash or a second writer sees all of it or nothing.

    Raises
    ------
    StoreError
        If the disk is full, or the folder cannot be written. What was there before is still there.
    """
    name = None
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            if name:
                with contextlib.suppress(OSError):
                    os.unlink(name)
            raise


def read_cell(path: Path) -> Cell | None:
    """The cell of a file; None if it is absent, torn or not a cell."""
    try:
        cell = Cell.from_json(path.read_text(encoding="utf-8"))
    except OSError:
        return None
    except SchemaMismatch as error:
        raise SchemaMismatch(f"{path}: {error}") from error
    except (ValueError, TypeError, RecursionError):
        return None  # torn, damaged or foreign: computed anew
    return cell if cell.key == path.stem else None
