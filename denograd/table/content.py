"""The bytes of a file that claims to be a table: unpacked, bounded, decoded."""

from __future__ import annotations

import bz2
import codecs
import difflib
import gzip
import io
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from denograd.data.checks import available_bytes
from denograd.table.errors import TableError

MOST_BYTES = 4 << 30
"""Unpacked bytes that are read into memory at most, less where less memory is free."""

BOMB_BYTES, BOMB_RATIO = 32 << 20, 100
"""From so many unpacked bytes on, a file may be unpacked to at most so many times its size."""

CHUNK = 1 << 20


class Bytes(Protocol):
    """What bytes are read from."""

    def read(self, size: int = -1, /) -> bytes: ...


Opener = Callable[[IO[bytes]], Bytes]

PACKED: dict[bytes, Opener] = {
    b"\x1f\x8b": lambda raw: gzip.GzipFile(fileobj=raw),
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"BZh": bz2.BZ2File,
}

FOREIGN = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture (PNG)",
    b"\xff\xd8\xff": "a picture (JPEG)",
    b"GIF8": "a picture (GIF)",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array; load it with numpy.load and hand the array to denograd.denoise",
    b"\x7fELF": "a program",
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls); save it as .xlsx or .csv",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"Rar!": "a RAR archive; unpack it first",
    b"\x28\xb5\x2f\xfd": "packed with zstd; unpack it first",
}

NO_TABLES = {
    "<!doctype html": "a web page (HTML): what was saved is not the file itself",
    "<html": "a web page (HTML): what was saved is not the file itself",
    "<?xml": "XML; export the table as CSV",
    "{": "JSON; turn it into CSV, as with pandas.read_json",
    "[{": "JSON; turn it into CSV, as with pandas.read_json",
    "version https://git-lfs": "a pointer of Git LFS; get the file with 'git lfs pull'",
}
"""What a text may begin with that holds no table, in small letters."""

MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}

WESTERN = set("äöüÄÖÜßéèêëáàâåãæçñíìîïóòôøõúùûÉÈÀÁÅÆØÇÑÓ°µ²³±×·€§«»–—’“”…½¼¾ºª" + "\xa0")
"""What stands in a table of Western Europe beyond ASCII."""


@contextmanager
def needed(path: Path, purpose: str) -> Iterator[None]:
    """Say how to get a package that the library itself does without, where importing it inside fails."""
    try:
        yield
    except ImportError as error:
        raise TableError(
            path,
            "package",
            f"{purpose} needs {error.name or error}, which is not installed: pip install 'denograd-harness[cli]'",
        ) from None


def check_file(path: Path) -> None:
    """Refuse what is no readable, non-empty file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        near = _near(path)
        raise TableError(path, "missing", "there is no such file" + near) from None
    except PermissionError:
        raise TableError(path, "permission", _no_permission()) from None
    except OSError as error:
        raise TableError(path, "missing", f"cannot be opened: {error.strerror}") from None
    if stat.S_ISDIR(found.st_mode):
        inside = sorted(p.name for p in path.iterdir() if p.is_file())[:3] if os.access(path, os.R_OK) else []
        hint = f"; it holds {', '.join(inside)}" if inside else ""
        raise TableError(path, "directory", f"is a directory, name a file in it{hint}")
    if not stat.S_ISREG(found.st_mode):
        raise TableError(path, "format", "is no regular file (a device, a pipe or a socket)")
    if not found.st_size:
        raise TableError(path, "empty", "is empty (0 bytes)")
    try:
        path.open("rb").close()
    except PermissionError:
        raise TableError(path, "permission", _no_permission()) from None


def _no_permission() -> str:
    return "you have no permission to read it: ask its owner, or copy it to where you may"


def _near(path: Path) -> str:
    try:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], 3)
    except OSError:
        return ""
    return f"; near names there: {', '.join(near)}" if near else ""


def kind_of(path: Path) -> str:
    """What a file is, by its first bytes: ``text``, ``parquet`` or ``excel``; text may be packed.

    Raises
    ------
    TableError
        For what is known to be none of them.
    """
    with path.open("rb") as file:
        head = file.read(16)
    for mark, name in FOREIGN.items():
        if head.startswith(mark):
            raise TableError(path, "binary", f"is no table but {name}")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(path) as archive:
                return "excel" if "[Content_Types].xml" in archive.namelist() else "text"
        except zipfile.BadZipFile:
            raise TableError(
                path, "damaged", "begins like a zip archive or Excel file, but is damaged"
            ) from None
    return "text"


@contextmanager
def unpacked(path: Path) -> Iterator[Guarded]:
    """Open a file of text, through gz, bz2, xz or a zip of one file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    stream : context manager
        Of a stream of bytes, unpacked.

    Raises
    ------
    TableError
        If a zip does not hold one file; on reading, if the stream is damaged or unpacks to far more than its size.

    Examples
    --------
    >>> import gzip, tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "prices.csv.gz"
    ...     _ = path.write_bytes(gzip.compress(b"price"))
    ...     with unpacked(path) as stream:
    ...         stream.read()
    b'price'
    """
    with path.open("rb") as raw:
        head = raw.read(6)
        raw.seek(0)
        if head.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(path) as archive:
                members = [
                    m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX")
                ]
                if len(members) != 1:
                    names = ", ".join(m.filename for m in members[:5])
                    raise TableError(
                        path, "format", f"holds {len(members)} files ({names}): unpack the one you mean"
                    )
                with archive.open(members[0]) as stream:
                    yield Guarded(stream, path)
            return
        for mark, opener in PACKED.items():
            if head.startswith(mark):
                yield Guarded(opener(raw), path)
                return
        yield Guarded(raw, path, packed=False)


class Guarded(io.RawIOBase):
    """A stream that stops where it is damaged, unpacks to far more than its size, or holds NUL bytes in text.

    Parameters
    ----------
    stream : binary file
    path : Path
        Whose bytes they are.
    packed : bool
        Whether `stream` unpacks.
    """

    def __init__(self, stream: Bytes, path: Path, packed: bool = True):
        self.stream, self.path, self.packed = stream, path, packed
        self.size = path.stat().st_size
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            got = self.stream.read(len(buffer))
        except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError) as error:
            raise TableError(
                self.path, "damaged", f"cannot be unpacked, it is damaged or cut off ({error})"
            ) from None
        buffer[: len(got)] = got
        self.count += len(got)
        if self.packed and self.count > BOMB_BYTES and self.count > BOMB_RATIO * self.size:
            raise TableError(
                self.path,
                "bomb",
                f"unpacks to more than {BOMB_RATIO} times its {self.size:,} bytes, as a zip bomb does: "
                "if you trust it, unpack it yourself",
            )
        return len(got)


def head_of(path: Path, size: int = CHUNK) -> bytes:
    """The first `size` bytes, unpacked."""
    with unpacked(path) as stream:
        return _read(stream, size)


def _read(stream: Guarded, size: int) -> bytes:
    parts = []
    while size > 0 and (part := stream.read(min(size, CHUNK))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def most_bytes() -> int:
    """Unpacked bytes that may be read into memory: a fifth of what is free, since the table itself stands beside."""
    free = available_bytes()
    return MOST_BYTES if free is None else min(MOST_BYTES, free // 5)


def whole(path: Path, limit: int | None = None) -> bytes:
    """All bytes of a file of text, unpacked.

    Raises
    ------
    TableError
        Where there are more than `limit`, or than `most_bytes`.
    """
    limit = most_bytes() if limit is None else limit
    with unpacked(path) as stream:
        data = _read(stream, limit + 1)
    if len(data) > limit:
        raise TableError(
            path,
            "too_large",
            f"holds more than the {limit / 1e6:,.0f} MB that may be read at once here; "
            f"'python -m denograd {path} sigma=...' goes through it in pieces",
        )
    return data


def find_encoding(head: bytes, path: Path, given: str | None = None) -> str:
    """The encoding of a text of which `head` is the beginning.

    A byte order mark decides; then UTF-8 if it decodes; then UTF-16 without a mark, where every other byte is NUL; then
    Windows-1252 where that gives plain Western letters and signs; else what charset-normalizer says.

    Raises
    ------
    TableError
        For what is no text.
    """
    if given is not None:
        try:
            head.decode(given, errors="ignore")
        except LookupError:
            raise TableError(path, "option", f"encoding={given!r} is not known to Python") from None
        return given
    for mark, name in MARKS.items():
        if head.startswith(mark):
            return name
    if b"\0" in head:
        return _wide_encoding(head, path)
    odd = sum(head.count(bytes([code])) for code in range(32) if code not in b"\t\n\r\f\x1a\x1b")
    if odd > len(head) // 200:
        raise TableError(path, "binary", "is no text but binary data: hand over CSV, Excel or Parquet")
    if _decodes(head, "utf-8"):
        return "utf-8"
    western = head.decode("cp1252", errors="replace")
    beyond = [sign for sign in western if ord(sign) > 127]
    if beyond and sum(sign in WESTERN for sign in beyond) >= 0.95 * len(beyond):
        return "cp1252"
    with needed(path, "finding the encoding"):
        import charset_normalizer
    best = charset_normalizer.from_bytes(head[: 1 << 16]).best()
    if best is None:
        raise TableError(path, "binary", "is no text in any encoding known: hand over CSV, Excel or Parquet")
    return str(best.encoding)


def _decodes(head: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)  # the last character may be cut in two
    except UnicodeDecodeError:
        return False
    return True


def _wide_encoding(head: bytes, path: Path) -> str:
    even, odd = head[::2].count(0), head[1::2].count(0)
    for count, other, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if count > 0.4 * len(head) / 2 and other < 0.01 * len(head) and _decodes(head, name):
            return name
    binary = sum(byte < 9 or 13 < byte < 32 for byte in head) - head.count(0)
    if binary > len(head) // 100 or head.count(0) > len(head) // 4:
        raise TableError(path, "binary", "is no text but binary data: hand over CSV, Excel or Parquet")
    raise TableError(path, "nul", _nul(head.index(0)))


def _nul(position: int) -> str:
    return (
        f"holds NUL bytes, the first at byte {position:,}: the file is damaged, often by a logger that lost power. "
        "Take them out ('tr -d \"\\000\" < old.csv > new.csv') and look at the rows around them"
    )


def refuse_nul(data: bytes, encoding: str, path: Path) -> None:
    """Refuse a text with NUL bytes."""
    if not encoding.startswith(("utf-16", "utf-32")) and (at := data.find(0)) >= 0:
        raise TableError(path, "nul", _nul(at))
