"""The files that users' tables lie in: where one is, what it holds, and the sum that identifies it."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

from denograd.table import TableError, TableFile, read_table, unpacked
from experiments.base.errors import DatasetCorrupt, DatasetMissing, HarnessError, SettingInvalid, UnknownName
from experiments.data.sources import data_folders


@dataclass(frozen=True)
class Reading:
    """How a file is written, where it is known; what is None is found. See `denograd.table.read_table`."""

    separator: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] = ()
    sheet: str | int = 0


AS_FOUND = Reading()
"""Nothing is known."""


def find(path: str | os.PathLike[str], data_dir: str | os.PathLike[str] | None = None) -> Path:
    """The file of that path, in the first folder that has it.

    Raises
    ------
    DatasetMissing
        If none has, or it is a folder.
    """
    given = Path(path).expanduser()
    folders = [Path(), *data_folders(data_dir)[:-1]]
    for file in (folder / given for folder in folders):
        try:
            file.stat()
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise DatasetMissing(
                f"{file} cannot be looked at: {error}. Name another one with dataset.path=FILE"
            ) from error
        if file.is_dir():
            inside = sorted(each.name for each in file.iterdir() if each.is_file())
            there = f": it holds {', '.join(inside[:5])}" if inside else ""
            raise DatasetMissing(f"{file} is a folder{there}. Name one file with dataset.path=FILE")
        return file
    near = sorted(each.name for each in given.parent.glob("*.*")) if given.parent.is_dir() else []
    where = " or ".join(str((folder / given).parent.resolve()) for folder in folders)
    hint = UnknownName("file", given.name, near) if near else None
    more = f" {str(hint).partition('. ')[2]}" if hint is not None and hint.near else ""
    beside = "" if given.is_absolute() else " (nor, where a YAML names it, beside that)"
    raise DatasetMissing(f"there is no file {given.name} in {where}{beside}.{more}")


def read(file: Path, reading: Reading = AS_FOUND) -> TableFile:
    """Read a file as a table.

    Raises
    ------
    DatasetMissing, SettingInvalid, DatasetCorrupt
        With what the reader says of it.
    """
    try:
        return read_table(file, **vars(reading))
    except TableError as error:
        kind: type[HarnessError] = DatasetCorrupt
        if error.problem in ("missing", "directory", "permission"):
            kind = DatasetMissing
        elif error.problem == "option":
            kind = SettingInvalid
        raise kind(str(error)) from error


def content_sum(table: TableFile) -> str:
    """The sha256 of a file's bytes; of a packed text, of what it holds."""
    if table.kind != "text":
        return hashlib.sha256(table.path.read_bytes()).hexdigest()
    with unpacked(table.path) as content:
        return hashlib.file_digest(io.BufferedReader(content), "sha256").hexdigest()
