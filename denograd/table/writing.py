"""Write a table as its file was written, piece by piece; the new file appears when it is complete."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from denograd.table.content import needed
from denograd.table.reading import TableFile


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
        # dates as they were written
        frame = frame.assign(**{name: old.reindex(frame.index) for name, old in self.table.written.items()})
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
