"""The figures of a report: collected by its sections, then drawn in processes, and only where their data changed."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from experiments.report.figures.style import save
from experiments.report.forms.document import Picture
from experiments.store.files import writing

HERE = Path(__file__).parent

INLINE = 6
"""So many figures are drawn faster here than processes start."""


@dataclass(frozen=True)
class Job:
    """A figure to draw."""

    stem: Path
    draw: Callable[..., Figure]
    args: tuple[Any, ...]
    options: dict[str, Any]
    source: str


@dataclass
class Album:
    """Collects the figures of a campaign; `finish` draws them into its ``figures/``.

    Parameters
    ----------
    root : Path
        The campaign's folder.
    enabled : bool
        False collects nothing.
    suffixes : tuple of str
        Forms beside the png, which the page needs.
    workers : int
        Processes.
    """

    root: Path
    enabled: bool = True
    suffixes: tuple[str, ...] = (".png",)
    workers: int = 1
    jobs: list[Job] = field(default_factory=list, init=False)
    _kept: list[str] = field(default_factory=list, init=False)
    _todo: list[Job] = field(default_factory=list, init=False)
    _drawing: list[Future[int]] = field(default_factory=list, init=False)
    _pool: ProcessPoolExecutor | None = field(default=None, init=False)

    @property
    def folder(self) -> Path:
        return self.root / "figures"

    @property
    def paths(self) -> list[Path]:
        """Every file of the figures that the report shows."""
        stems = [*(job.stem.name for job in self.jobs), *self._kept]
        return [self.folder / f"{stem}{suffix}" for stem in stems for suffix in self.suffixes]

    def add(
        self, stem: str, caption: str, draw: Callable[..., Figure], *args: Any, **options: Any
    ) -> list[Picture]:
        """Plan a figure; nothing where figures are not wanted.

        Parameters
        ----------
        stem : str
            Its files without their ending.
        caption : str
        draw : callable
            A function of a module, which makes the figure of the arguments: numbers, texts, arrays, dataclasses.
        """
        if not self.enabled:
            return []
        source = fingerprint((code_of(), draw.__module__, draw.__qualname__, args, options))
        job = Job(self.folder / stem, draw, args, options, source)
        self.jobs.append(job)
        if not all(_is_of(path, source) for path in self._files(job)):
            self._todo.append(job)
            self._start()
        return [Picture(stem, caption)]

    def _start(self) -> None:
        """Draw in processes what has come together, while the report goes on."""
        if self.workers < 2 or (len(self._todo) <= INLINE and not self._drawing):
            return
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.workers, multiprocessing.get_context("spawn"))
        self._drawing += [self._pool.submit(_drawn, job, self.suffixes) for job in self._todo]
        self._todo.clear()

    def keep(self, stem: str, caption: str) -> list[Picture]:
        """A figure of an earlier report that cannot be drawn again."""
        if not self.enabled or not (self.folder / f"{stem}.png").is_file():
            return []
        self._kept.append(stem)
        return [Picture(stem, caption)]

    def finish(self, drawn: Callable[[int, int], Any] = lambda done, total: None) -> int:
        """Draw what is not there yet; return how many figures that were.

        Parameters
        ----------
        drawn : callable
            Called with the number of figures done and in all.
        """
        if not self.jobs:
            return 0
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        new = len(self._todo) + len(self._drawing)
        done = len(self.jobs) - new
        drawn(done, len(self.jobs))
        try:
            for finished in chain(map(self._draw, self._todo), map(_result, as_completed(self._drawing))):
                done += finished
                drawn(done, len(self.jobs))
        finally:
            self.close()
        return new

    def close(self) -> None:
        """Stop the processes; what they have not begun is not drawn."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _draw(self, job: Job) -> int:
        return _drawn(job, self.suffixes)

    def _files(self, job: Job) -> list[Path]:
        return [job.stem.parent / f"{job.stem.name}{suffix}" for suffix in self.suffixes]


def _drawn(job: Job, suffixes: tuple[str, ...]) -> int:
    with threadpool_limits(1), writing(job.stem):
        save(job.draw(*job.args, **job.options), job.stem, suffixes, job.source)
    return 1


def _result(future: Future[int]) -> int:
    return future.result()


def _is_of(path: Path, source: str) -> bool:
    """Whether a file was drawn from these data by this code: it says so itself."""
    return path.is_file() and source.encode() in path.read_bytes()


@cache
def code_of(folder: Path = HERE) -> str:
    """A hash of the drawing code and of the package that draws: other code draws its figures again."""
    digest = hashlib.sha256(mpl.__version__.encode())
    for path in sorted(folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def fingerprint(value: Any) -> str:
    """A hash of content: the same numbers and texts give the same one, in any process.

    Parameters
    ----------
    value : numbers, texts, arrays, dataclasses, and sequences and mappings of these
    """
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        digest.update(type(value).__name__.encode() + b"(")
        if isinstance(value, np.ndarray):
            digest.update(f"{value.shape}{value.dtype}".encode() + np.ascontiguousarray(value).tobytes())
        elif isinstance(value, Mapping):
            for key, entry in value.items():
                add(key)
                add(entry)
        elif isinstance(value, (list, tuple)):
            for entry in value:
                add(entry)
        elif is_dataclass(value):
            for entry in fields(value):
                add(getattr(value, entry.name))
        elif value is None or isinstance(value, (str, bool, int, float, np.generic)):
            digest.update(repr(value).encode())
        else:
            raise TypeError(f"a figure's data are numbers and texts, got {type(value).__name__}")
        digest.update(b")")

    add(value)
    return digest.hexdigest()
