"""``python -m experiments.fetch``: get the raw files, or check those that are there."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated

from tqdm import tqdm

from experiments.base import command, screen
from experiments.base.command import Option, Words
from experiments.base.errors import DatasetCorrupt, FetchFailed, UnknownName, WrongCall
from experiments.data import sources
from experiments.data.recipes import DATASETS
from experiments.data.sources import Source, line_end_forms, locate, unpack

LIMIT = 1 << 30
"""Largest file, in bytes, that is unpacked from an archive where the size is not known beforehand."""

HELP = """Download the datasets' raw files and verify their checksums.

Usage
  python -m experiments.fetch NAME... [data_dir=PATH] [verify=true]

NAME is a dataset (see `python -m experiments.list dataset`), or all. A file that is at hand and right, there or in
the folder that DENOGRAD_DATA names, is left alone. Where there is no direct address, or it fails, what to do by
hand is printed.

Results: files go to DATA_DIR/KEY/FILE and are proved by their sha256 (two of them by git blob ids). The exit code
is 1 where a requested file is missing or not right.

Examples
  python -m experiments.fetch ett parkinsons
  python -m experiments.fetch all data_dir=~/data
  python -m experiments.fetch all verify=true
"""


@dataclass(frozen=True)
class Options:
    names: Annotated[tuple[str, ...], Words()] = ()
    data_dir: Annotated[Path | None, Option("folder for the files; null is datasets/raw")] = None
    verify: Annotated[bool, Option("only check what is there, download nothing")] = False


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch or verify what the command line names; return the exit code."""
    interrupted = "Interrupted. Files that are complete stay; the same command goes on from there."
    return command.start(argv, _main, lambda: command.described(HELP, Options), interrupted=interrupted)


def _main(arguments: Sequence[str]) -> int:
    options = command.parse(arguments, Options)
    if not options.names:
        raise WrongCall("which datasets? Name some, or 'all': see 'python -m experiments.list dataset'")
    wanted = sources_of(options.names)
    folder = options.data_dir or sources.RAW
    if not options.verify:
        _make_folder(folder)
    bad = verify(wanted, options.data_dir) if options.verify else fetch(wanted, folder)
    if bad:
        listed = ", ".join(bad)
        missing = f"{len(bad)} of {len(wanted)} files are not there or not right: {listed}"
        print(screen.fitted(missing, sys.stderr), file=sys.stderr)
    elif not wanted:
        print("Nothing to fetch: these data come with a package or are computed.")
    if not bad:
        name = next(iter(set(options.names) - {"all"}), "ett")
        print(screen.next_command("python", "-m", "experiments.run", f"+dataset={name}", "profile=quick"))
    return command.FAILED if bad else command.DONE


def sources_of(names: Iterable[str]) -> list[Source]:
    """Collect the raw files of the named datasets ('all' names every one), each once.

    Raises
    ------
    UnknownName
    """
    if "all" in names:
        names = list(DATASETS)
    for name in names:
        if name not in DATASETS:
            raise UnknownName("dataset", name, [*DATASETS, "all"])
    return list(dict.fromkeys(source for name in names for source in DATASETS[name].sources))


def verify(wanted: list[Source], data_dir: Path | None = None) -> list[str]:
    """Check the files that are there, print the state of each, and return those that are not right."""
    bad = []
    for source in wanted:
        path = locate(source, data_dir)
        problem = "missing" if path is None else _problem(source, path)
        print(screen.fitted(f"{source.path}: {problem or 'right'}{f' ({path})' if path else ''}"))
        if problem:
            bad.append(source.path)
    return bad


def fetch(wanted: list[Source], folder: Path) -> list[str]:
    """Download what is not at hand to `folder`; print how to get the rest, and return it."""
    bad = []
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-", ignore_cleanup_errors=True) as scratch:
        for source in wanted:
            target = folder / source.path
            found = locate(source, folder)
            try:
                if found and not _problem(source, found):
                    print(screen.fitted(f"{source.path}: at hand ({found})"))
                    continue
                if found and not found.is_relative_to(folder):
                    raise FetchFailed(
                        f"{found} is not the published file, but would be found first: delete it"
                    )
                _write(target, _download(source, Path(scratch)))
                print(screen.fitted(f"{source.path}: downloaded to {target}"))
            except FetchFailed as error:
                bad.append(source.path)
                print(screen.fitted(by_hand(source, target, str(error)), sys.stderr), file=sys.stderr)
    return bad


def by_hand(source: Source, target: Path, reason: str) -> str:
    """Say how to get a file without us."""
    return (
        f"{source.path}: {reason}. To get it by hand:\n"
        f"  page     {source.page}\n"
        f"  file     {source.file}\n"
        f"  save as  {target} (or {target.name}.gz)\n"
        f"  proof    {source.proof}"
    )


def _problem(source: Source, path: Path) -> str | None:
    """What is wrong with a file that is there."""
    try:
        content = unpack(path, source.n_bytes or LIMIT)
    except DatasetCorrupt:
        return "truncated or damaged"
    if source.matches(content):
        return None
    found = hashlib.sha256(content).hexdigest()
    return f"altered: sha256 {found}, {len(content):,} bytes, expected {source.proof}"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FetchFailed(
            f"cannot write to {folder} ({error.strerror}): choose another with data_dir=PATH"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FetchFailed(f"cannot write to {folder} (no permission): choose another with data_dir=PATH")


def _write(target: Path, content: bytes) -> None:
    """Write a whole file or nothing."""
    try:
        target.parent.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as part:
            try:
                part.write(content)
                part.flush()
                os.chmod(part.name, 0o644)
                os.replace(part.name, target)
            except BaseException:
                os.unlink(part.name)
                raise
    except OSError as error:
        raise FetchFailed(f"{target} cannot be written ({error.strerror})") from error


def _download(source: Source, scratch: Path) -> bytes:
    """Try the addresses in turn until one yields the file."""
    if not source.urls:
        raise FetchFailed("no direct download")
    reasons = []
    for url in source.urls:
        try:
            return _pick(source, _retrieve(url, scratch))
        except FetchFailed as error:
            reasons.append(f"{url}: {error}")
    raise FetchFailed("download failed (" + "; ".join(reasons) + ")")


def _retrieve(url: str, scratch: Path) -> Path:
    """Download an address into the scratch folder, once per call of the program."""
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    label = url.rpartition("/")[2][:30]
    with tqdm(total=1, desc=label, unit="B", unit_scale=True, disable=None, leave=False) as bar:
        downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=30)
        try:
            return Path(pooch.retrieve(url, None, fname=name, path=scratch, downloader=downloader))
        except (requests.exceptions.RequestException, OSError, ValueError) as error:
            raise FetchFailed(str(error)) from error


def _pick(source: Source, path: Path) -> bytes:
    """Find the file in what was downloaded: the download itself, or the member of a zip with the right sum."""
    seen = []
    for name, content in _members(path, source.n_bytes) if zipfile.is_zipfile(path) else _plain(path):
        # Some servers hand out other line ends than those that the sum was taken of.
        for form in line_end_forms(content):
            if source.matches(form):
                return form
        seen.append(f"{name}: {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    raise FetchFailed(f"it does not hold the published file ({'; '.join(seen) or 'it is empty'})")


def _plain(path: Path) -> Iterator[tuple[str, bytes]]:
    yield "download", path.read_bytes()


def _members(path: Path, n_bytes: int | None) -> Iterator[tuple[str, bytes]]:
    """Unpack the members of a zip in memory, one after the other, none larger than it may be."""
    limit = 2 * n_bytes if n_bytes else LIMIT
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                _refuse_traversal(member.filename)
                if member.is_dir() or member.file_size > limit:
                    continue
                with archive.open(member) as handle:
                    content = handle.read(limit + 1)  # the header may lie about the size
                if len(content) <= limit:
                    yield member.filename, content
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise FetchFailed(f"the zip is damaged or encrypted ({error})") from error


def _refuse_traversal(name: str) -> None:
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.is_absolute() or path.anchor or ".." in path.parts:
            raise FetchFailed(f"the zip holds a member outside its own folder, {name!r}: not to be trusted")


if __name__ == "__main__":
    sys.exit(main())
