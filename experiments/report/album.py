"""The figures of a report: collected by its sections, then drawn in processes, and only where their data changed."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from experiments.report.figures.style import save
from experiments.report.forms.document import Picture
from experiments.store.files import writing

INLINE = 2
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
        source = fingerprint((_code(), draw.__module__, draw.__qualname__, args, options))
        self.jobs.append(Job(self.folder / stem, draw, args, options, source))
        return [Picture(stem, caption)]

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
        todo = [job for job in self.jobs if not all(_is_of(path, job.source) for path in self._files(job))]
        drawn(len(self.jobs) - len(todo), len(self.jobs))
        for i, _ in enumerate(self._draw(todo), start=len(self.jobs) - len(todo) + 1):
            drawn(i, len(self.jobs))
        return len(todo)

    def _draw(self, todo: list[Job]) -> Any:
        workers = min(self.workers, len(todo))
        if workers < 2 or len(todo) <= INLINE:
            yield from (_drawn(job, self.suffixes) for job in todo)
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            futures = [pool.submit(_drawn, job, self.suffixes) for job in todo]
            try:
                yield from (future.result() for future in as_completed(futures))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _files(self, job: Job) -> list[Path]:
        return [job.stem.parent / f"{job.stem.name}{suffix}" for suffix in self.suffixes]


def _drawn(job: Job, suffixes: tuple[str, ...]) -> str:
    with threadpool_limits(1), writing(job.stem):
        save(job.draw(*job.args, **job.options), job.stem, suffixes, job.source)
    return job.stem.name


def _is_of(path: Path, source: str) -> bool:
    """Whether a file was drawn from these data by this code: it says so itself."""
    return path.is_file() and source.encode() in path.read_bytes()


@cache
def _code() -> str:
    """Of the drawing code and of what draws."""
    digest = hashlib.sha256(mpl.__version__.encode())
    for path in sorted((Path(__file__).parent / "figures").glob("*.py")):
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
