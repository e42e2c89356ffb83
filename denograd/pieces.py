"""Tables of any length, denoised in pieces and written to a file that appears only when it is complete.

A series is cut into blocks with overlap, each fitted by itself. Rows of a table do not know each other: one fit on
a random sample of them serves all, and the rest are new rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from denograd.data.arrays import Kind
from denograd.data.progress import tqdm
from denograd.new_rows import FittedTable
from denograd.one_call import denoise
from denograd.table import TableFile
from denograd.table.assumptions import Finding
from denograd.table.reading import Pieces
from denograd.table.result import DenoisedData
from denograd.table.writing import Writer

if TYPE_CHECKING:
    import pandas as pd

OVERLAP = 500
"""Steps of a series that neighbouring pieces share; each piece answers for its half of them."""

FINENESS = 1000
"""Refined values are written in steps of about so many parts of the noise level."""

NEAR = 1.001
"""A level is said to be lowered from so many times what was used on."""

MOVES = 10
"""So many values that moved farthest are kept."""


class PieceFailed(Exception):
    """A piece could not be denoised."""


@dataclass(frozen=True)
class Job:
    """What to do with a table; see `denograd.denoise`. `rows` are processed at once, and at most so many fitted."""

    sigma: Any
    kind: Kind
    time: str | None = None
    skip: list[Any] = field(default_factory=list)
    gaps: Literal["keep", "fill"] = "keep"
    seed: int = 0
    rows: int = 100_000
    verbose: bool = False


@dataclass(frozen=True)
class Move:
    """A value that moved: its column, its row in the file (from 0), before, after, and how far in noise levels."""

    column: Any
    row: int
    observed: float
    refined: float
    levels: float


@dataclass
class Outcome:
    """What came of it.

    Attributes
    ----------
    summary : DataFrame
        As `DenoisedData.summary`, over all rows.
    share : float
    findings : list of Finding
        What speaks against the assumption, each once: of a table in pieces, by the rows that were fitted.
    moves : list of Move
        The values that moved farthest.
    shown : DenoisedData
        For figures: the first piece, or the rows of a table that were fitted.
    rows, pieces, fitted : int
        All rows, how many pieces they were processed in, and how many were fitted.
    notes : list of str
    """

    summary: pd.DataFrame
    share: float
    findings: list[Finding]
    moves: list[Move]
    shown: DenoisedData
    rows: int
    pieces: int
    fitted: int
    notes: list[str]


def run(job: Job, table: TableFile, pieces: Pieces | None, output: Path) -> Outcome:
    """Denoise a table, piece by piece, and write it.

    Parameters
    ----------
    job : Job
    table : TableFile
        The whole, or the first piece of what `pieces` gives.
    pieces : Pieces or None
    output : Path
        Ends in .csv or .parquet.
    """
    frames: Callable[[], Iterator[Any]]
    if pieces is None:
        frame = table.frame
        if job.time is not None and len(frame) > job.rows:
            frame = frame.sort_values(job.time, kind="stable")
        frames, total = lambda: _sliced(frame, job.rows), -(-len(frame) // job.rows)
    else:
        frames, total = pieces.frames, None
    with Writer(output, table) as writer:
        if job.kind == "tabular" and total != 1:
            return _by_a_sample(job, frames, writer)
        return _one_by_one(job, frames, total, writer)


def _one_by_one(job: Job, frames: Callable[[], Iterator[Any]], total: int | None, writer: Writer) -> Outcome:
    """Fit every piece by itself, with some of its neighbours' rows."""
    tally, sigma, count = _Tally(), job.sigma, 0
    first: DenoisedData | None = None
    with tqdm(total=total, desc="pieces", unit="piece", disable=not job.verbose or total == 1) as bar:
        for frame, keep in _overlapping(frames(), OVERLAP if job.kind == "series" else 0):
            try:
                found = denoise(
                    frame,
                    sigma,
                    job.kind,
                    time=job.time,
                    skip=job.skip,
                    gaps=job.gaps,
                    seed=job.seed,
                    verbose=job.verbose,
                )
            except (ValueError, TypeError, ArithmeticError) as error:
                where = f" in rows {tally.rows + 1:,} to {tally.rows + len(frame):,}" if total != 1 else ""
                raise PieceFailed(f"{error}{where}") from error
            if first is None:
                first = found
                # the levels of the first piece are those of all
                sigma = {
                    column.name: float(level)
                    for column, level, why in zip(found.columns, found.asked, found.evidence, strict=True)
                    if why not in ("", "held")  # those that may move, with level 0 too
                }
            writer.write(found.data.iloc[keep], _decimals(found))
            tally.add(found, frame.index, keep)
            tally.judge(found)
            count += 1
            bar.update()
    assert first is not None
    return tally.outcome(first, pieces=count, fitted=tally.rows)


def _by_a_sample(job: Job, frames: Callable[[], Iterator[Any]], writer: Writer) -> Outcome:
    """Fit rows drawn over the whole table, and denoise all others as new ones: none depends on the others' pieces."""
    import pandas as pd

    sample = draw_sample(frames(), job.rows, job.seed)
    try:
        fitted = FittedTable.of(
            sample.frame, job.sigma, skip=job.skip, gaps=job.gaps, seed=job.seed, verbose=job.verbose
        )
    except (ValueError, TypeError, ArithmeticError) as error:
        raise PieceFailed(
            f"{error} in the {len(sample.frame):,} rows, drawn from all, that are fitted"
        ) from error
    tally, decimals, start = _Tally(), _decimals(fitted.result), 0
    tally.judge(fitted.result)
    tally.add(fitted.result, sample.frame.index)
    total = -(-sample.total // job.rows)
    with tqdm(total=total, desc="pieces", unit="piece", disable=not job.verbose) as bar:
        for frame in frames():
            first, last = np.searchsorted(sample.place, [start, start + len(frame)])
            ours = sample.place[first:last] - start
            others = np.delete(np.arange(len(frame)), ours)
            parts = [fitted.result.data.iloc[first:last]]
            if len(others):
                try:
                    new = fitted.denoise(frame.iloc[others])
                except ValueError as error:
                    raise PieceFailed(f"{error} in rows {start + 1:,} to {start + len(frame):,}") from error
                parts.append(new.data)
                tally.add(new, frame.index[others])
            order = np.argsort(np.concatenate([ours, others]), kind="stable")
            writer.write(pd.concat(parts).iloc[order], decimals)
            start += len(frame)
            bar.update()
    if len(sample.frame) < sample.total:
        tally.notes[
            f"levels, bounds and expected errors were found on {len(sample.frame):,} rows, drawn at random from all "
            f"{sample.total:,}; the others were denoised by what these taught, each by itself"
        ] = None
    return tally.outcome(fitted.result, pieces=total, fitted=len(sample.frame))


@dataclass(frozen=True)
class Sample:
    """Rows of a table drawn at random, in their order.

    Attributes
    ----------
    frame : DataFrame
    place : (k,) int array
        Which rows of the table they are, rising.
    total : int
        Rows of the table.
    """

    frame: pd.DataFrame
    place: NDArray[np.int64]
    total: int


def draw_sample(frames: Iterable[Any], rows: int, seed: int) -> Sample:
    """Draw rows without replacement from a table that comes in pieces; whatever the pieces, the same ones.

    Every row gets a random key, and the rows with the smallest keys are kept: never more than `rows` and one piece.

    Parameters
    ----------
    frames : iterable of DataFrame
    rows : int
        How many; all of them where the table has no more.
    seed : int
    """
    import pandas as pd

    rng = np.random.default_rng(seed)
    kept: list[Any] = []
    keys, place, total = np.empty(0), np.empty(0, dtype=np.int64), 0
    for frame in frames:
        key = rng.random(len(frame))
        chosen = np.flatnonzero(key < keys.max()) if len(keys) == rows else np.arange(len(frame))
        keys, place = np.append(keys, key[chosen]), np.append(place, total + chosen)
        total += len(frame)
        smallest = np.sort(np.argpartition(keys, rows)[:rows]) if len(keys) > rows else slice(None)
        kept = [pd.concat([*kept, frame.iloc[chosen]]).iloc[smallest]]
        keys, place = keys[smallest], place[smallest]
    return Sample(kept[0], place, total)


class _Tally:
    """Adds up what is said of pieces."""

    def __init__(self) -> None:
        self.rows = 0
        self.notes: dict[str, None] = {}
        self._summaries: list[tuple[int, pd.DataFrame]] = []
        self._findings: dict[tuple[str, Any], Finding] = {}
        self._moves: list[Move] = []

    def add(self, found: DenoisedData, index: Any, keep: slice = slice(None)) -> None:
        """Count a piece's rows `keep`, whose numbers in the file are `index`."""
        index, observed = index[keep], found.observed[keep]
        kept = replace(
            found,
            observed=observed,
            refined=found.refined[keep],
            residual=found.residual[keep],
            gaps=np.where(found.gaps > 0, np.isnan(observed).sum(0), 0),
        )
        rows = len(index)
        self._summaries.append((rows, kept.summary()))
        self._moves = sorted([*self._moves, *_farthest(kept, index)], key=lambda move: -move.levels)[:MOVES]
        self.rows += rows

    def judge(self, found: DenoisedData) -> None:
        """Take what a fit said, and what speaks against the assumption there."""
        self.notes |= dict.fromkeys(found.notes)
        for finding in found.check():
            self._findings.setdefault((finding.what, finding.column), finding)
        for name, asked, used in zip(found.names, found.asked, found.sigma, strict=True):
            if used > 0 and asked > NEAR * used and ("level", name) not in self._findings:
                self.notes[
                    f"{name}: the level {asked:.4g} was lowered to {used:.4g}, which the data bear out"
                ] = None

    def outcome(self, shown: DenoisedData, *, pieces: int, fitted: int) -> Outcome:
        summary = _merged(self._summaries)
        noisy = summary["rmse_before"] > 0
        left = ((summary["rmse_after"] / summary["rmse_before"]) ** 2)[noisy]
        share = float(left.mean()) if noisy.any() else 1.0
        findings = list(self._findings.values())
        return Outcome(
            summary, share, findings, self._moves, shown, self.rows, pieces, fitted, list(self.notes)
        )


def _farthest(found: DenoisedData, index: Any) -> Iterator[Move]:
    """The values that moved farthest, in noise levels."""
    with np.errstate(invalid="ignore", divide="ignore"):
        far = np.abs(found.refined - found.observed) / np.where(found.sigma > 0, found.sigma, np.nan)
    far = np.nan_to_num(far)
    flat = np.argpartition(-far, MOVES, axis=None)[:MOVES] if far.size > MOVES else np.arange(far.size)
    for i, j in zip(*np.unravel_index(flat, far.shape), strict=True):
        if far[i, j] > 0:
            yield Move(found.names[j], int(index[i]), found.observed[i, j], found.refined[i, j], far[i, j])


def _sliced(frame: pd.DataFrame, rows: int) -> Iterator[Any]:
    """Pieces of about equal length, none longer than `rows`."""
    count = -(-len(frame) // rows)
    edges = np.linspace(0, len(frame), count + 1).astype(int)
    for a, b in itertools.pairwise(edges):
        yield frame.iloc[a:b]


def _overlapping(frames: Iterable[Any], overlap: int) -> Iterator[tuple[Any, slice]]:
    """Every piece with `overlap` rows of its neighbours, and which of its rows it answers for."""
    import pandas as pd

    iterator = iter(frames)
    before, here = None, next(iterator, None)
    while here is not None:
        after = next(iterator, None)
        if overlap:
            parts = [before, here, None if after is None else after.iloc[:overlap]]
            start = 0 if before is None else len(before)
            yield pd.concat([part for part in parts if part is not None]), slice(start, start + len(here))
            before = here.iloc[-overlap:]
        else:
            yield here, slice(0, len(here))
        here = after


def _decimals(found: DenoisedData) -> dict[Any, int]:
    """Decimals that are worth writing, per refined column."""
    return {
        column.name: int(np.ceil(-np.log10(level / FINENESS)))
        for column, level in zip(found.columns, found.sigma, strict=True)
        if column.role == "refined" and level > 0
    }


def _merged(results: list[tuple[int, pd.DataFrame]]) -> pd.DataFrame:
    """One summary of all pieces: squared figures weighted by rows, counts added up."""
    rows = np.array([count for count, _ in results], dtype=float)
    out = results[0][1].copy()
    for name in ("sigma", "rmse_before", "rmse_after", "moved", "bound"):
        squares = np.stack([summary[name].to_numpy(dtype=float) ** 2 for _, summary in results])
        out[name] = np.sqrt(np.average(squares, axis=0, weights=rows))
    for name in ("outliers", "gaps"):
        out[name] = np.sum([summary[name].to_numpy() for _, summary in results], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        out["share"] = np.where(out["rmse_before"] > 0, (out["rmse_after"] / out["rmse_before"]) ** 2, np.nan)
    return out
