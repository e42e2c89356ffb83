"""Tables of any length: `denoise` in pieces, written to a file that appears only when it is complete."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from tqdm.auto import tqdm

from denograd.data.arrays import Kind
from denograd.one_call import denoise
from denograd.table import TableFile
from denograd.table.assumptions import Finding
from denograd.table.content import needed
from denograd.table.reading import Pieces
from denograd.table.result import DenoisedData

if TYPE_CHECKING:
    import pandas as pd

OVERLAP = 500
"""Steps of a series that neighbouring pieces share; each piece answers for its half of them."""

FINENESS = 1000
"""Refined values are written in steps of about so many parts of the noise level."""


class PieceFailed(Exception):
    """A piece could not be denoised."""


@dataclass(frozen=True)
class Job:
    """What to do with a table; see `denograd.denoise`. `rows` are processed at once."""

    sigma: Any
    kind: Kind
    time: str | None = None
    skip: list[Any] = field(default_factory=list)
    gaps: Literal["keep", "fill"] = "keep"
    seed: int = 0
    rows: int = 100_000
    verbose: bool = False


@dataclass
class Outcome:
    """What came of it.

    Attributes
    ----------
    summary : DataFrame
        As `DenoisedData.summary`, over all pieces.
    share : float
    findings : list of Finding
        What speaks against the assumption, each once.
    first : DenoisedData
        The first piece, for figures.
    rows, pieces : int
    notes : list of str
    """

    summary: pd.DataFrame
    share: float
    findings: list[Finding]
    first: DenoisedData
    rows: int
    pieces: int
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
    frames: Iterable[Any]
    if pieces is None:
        frame = table.frame
        if job.time is not None and len(frame) > job.rows:
            frame = frame.sort_values(job.time, kind="stable")
        frames, total = _sliced(frame, job.rows), -(-len(frame) // job.rows)
    else:
        frames, total = pieces.frames, None
    results: list[Any] = []
    first: DenoisedData | None = None
    findings: dict[tuple[str, Any], Finding] = {}
    notes: dict[str, None] = {}
    rows, count = 0, 0
    sigma = job.sigma
    with (
        Writer(output, table) as writer,
        tqdm(total=total, desc="pieces", unit="piece", disable=not job.verbose or total == 1) as bar,
    ):
        for frame, keep in _overlapping(frames, OVERLAP if job.kind == "series" else 0):
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
                where = f" in rows {rows + 1:,} to {rows + len(frame):,}" if total != 1 else ""
                raise PieceFailed(f"{error}{where}") from error
            if first is None:
                first = found
                # the levels of the first piece are those of all
                sigma = {
                    column.name: float(level)
                    for column, level in zip(found.columns, found.asked, strict=True)
                    if column.role == "refined"
                }
            writer.write(found.data.iloc[keep], _decimals(found))
            results.append((len(range(*keep.indices(len(frame)))), found.summary()))
            rows += results[-1][0]
            count += 1
            notes |= dict.fromkeys(found.notes)
            for finding in found.check():
                findings.setdefault((finding.what, finding.column), finding)
            bar.update()
    assert first is not None
    summary = _merged(results)
    noisy = summary["rmse_before"] > 0
    share = (
        float(((summary["rmse_after"] / summary["rmse_before"]) ** 2)[noisy].mean()) if noisy.any() else 1.0
    )
    return Outcome(summary, share, list(findings.values()), first, rows, count, list(notes))


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


def _merged(results: list[Any]) -> pd.DataFrame:
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


class Writer:
    """Writes frames into a file beside its place, which it takes when all are written.

    Parameters
    ----------
    output : Path
    table : TableFile
        How the original is written: separator, decimal sign, dates.
    """

    def __init__(self, output: Path, table: TableFile) -> None:
        self.output, self.table = output, table
        self.part = output.with_name(f".{output.name}.part")
        self._parquet: Any = None
        self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._parquet is not None:
            self._parquet.close()
        if kind is None and self.part.exists():
            os.replace(self.part, self.output)
        else:
            self.part.unlink(missing_ok=True)

    def write(self, frame: Any, decimals: dict[Any, int]) -> None:
        """Append rows."""
        frame = frame.round(
            {name: places for name, places in decimals.items() if frame[name].dtype.kind == "f"}
        )
        if self.output.suffix == ".parquet":
            self._write_parquet(frame)
        else:
            self._write_text(frame)
        self._started = True

    def _write_parquet(self, frame: Any) -> None:
        with needed(self.output, "writing Parquet"):
            import pyarrow
            import pyarrow.parquet
        rows = pyarrow.Table.from_pandas(frame, preserve_index=False)
        if self._parquet is None:
            self._parquet = pyarrow.parquet.ParquetWriter(self.part, rows.schema)
        self._parquet.write_table(rows.cast(self._parquet.schema))

    def _write_text(self, frame: Any) -> None:
        layout = self.table.layout
        separator, decimal = (",", ".") if layout is None else (layout.separator, layout.decimal)
        frame = frame.copy(deep=False)
        for name, form in self.table.dates.items():
            frame[name] = _dates_as_text(frame[name], form)
        frame.to_csv(
            self.part,
            mode="a" if self._started else "w",
            header=not self._started,
            index=False,
            sep=" " if separator == r"\s+" else separator,
            decimal=decimal,
            na_rep="NA" if separator == r"\s+" else "",
            encoding="utf-8-sig" if self.table.encoding == "utf-8-sig" and not self._started else "utf-8",
        )


def _dates_as_text(column: Any, form: str) -> Any:
    """Dates as they were written: by a format, or counted since 1970."""
    if form.startswith("epoch:"):
        unit = form.partition(":")[2]
        counted = (column - np.datetime64(0, "s")) // np.timedelta64(1, unit)  # type: ignore[call-overload]
        return counted.astype("Int64")
    return column.dt.strftime(form)
