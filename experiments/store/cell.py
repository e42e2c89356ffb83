"""What identifies a cell: a canonical description of everything that can change its numbers, and its hash."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from experiments.base.errors import HarnessError

SCHEMA = 1
"""Version of the cell's form on disk; a store of another version is refused."""

Stage = Literal["denoise", "score"]
Status = Literal["ok", "skipped", "failed", "timeout"]


@dataclass(frozen=True)
class Cell:
    """One result: of a denoiser (stage ``denoise``) or of a regressor on denoised data (stage ``score``).

    Attributes
    ----------
    key : str
        Hash of `spec`, see `key_of`.
    stage, status : str
    reason : str or None
        Why a cell was skipped or failed; of a failure the traceback, and in the last line the error.
    spec : dict
        What was computed. Nothing here depends on the machine, the paths or the order of the run.
    metrics : dict of str to float
        What is not defined (a correlation of constants) is NaN, on disk ``null``.
    timings : dict of str to float
        Seconds: ``backbone_s``, ``fit_s``, ``denoise_s`` or ``fit_s``, ``score_s``.
    memory : dict of str to float
        ``peak_mb``: the peak of the resident memory above what was in use at the cell's start.
    info : dict
        Facts the denoiser or regressor reports; small.
    provenance : dict
        Profile, commit, versions, device, time: what is worth knowing but does not identify the cell.
    """

    key: str
    stage: Stage
    status: Status
    reason: str | None
    spec: dict[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def to_json(self) -> str:
        record = asdict(self)
        record["metrics"] = {k: v if math.isfinite(v) else None for k, v in self.metrics.items()}
        record = json.loads(json.dumps(record, default=_plain))
        return _dumped({**record, "sum": _sum(record)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a cell.

        Raises
        ------
        SchemaMismatch
            If its schema is another, or it has no sum.
        ValueError
            If the text is no cell, its key does not fit its spec, or its sum not its content.
        """
        record = json.loads(text)
        if not isinstance(record, dict) or type(record.get("schema")) is not int:
            raise ValueError("not a cell")
        if record["schema"] != SCHEMA:
            raise SchemaMismatch(
                f"the cell has schema {record['schema']}, this version reads {SCHEMA}: rerun the campaign "
                "under another name, or read it with the version that wrote it"
            )
        if unknown := set(record) - {"sum", *cls.__dataclass_fields__}:
            raise ValueError(f"the cell is damaged: it has {', '.join(sorted(unknown))}")
        if "sum" not in record:
            raise SchemaMismatch(
                "the cell was written before cells carried a checksum: delete it and run its campaign again, or "
                "use another campaign name"
            )
        if not _sum_fits(text, record.pop("sum"), record):
            raise ValueError("the cell is damaged: its sum does not fit its content")
        cell = cls(**record)
        cell.metrics.update({k: math.nan for k, v in cell.metrics.items() if v is None})
        if key_of(cell.spec) != cell.key:
            raise ValueError(f"the cell's key {cell.key[:12]} does not fit its content")
        return cell


CODE = ("versions", "revisions", "sources", "dataset_sha256", "frame_sha256")
"""Entries of a spec that say of which code and files a result comes: newer ones make it out of date."""


def stem_of(spec: Mapping[str, Any]) -> str:
    """Hash what a cell is of, whichever code computed it."""
    return key_of({name: value for name, value in spec.items() if name not in CODE})


def with_code(
    spec: Mapping[str, Any], revisions: Mapping[str, int], sources: Mapping[str, str | None]
) -> dict[str, Any]:
    """A spec and, by role, what says that its code has changed: see `experiments.base.code`.

    A revision of 1 is left out, as it was before there were revisions.
    """
    code: dict[str, dict[str, Any]] = {
        "revisions": {role: revision for role, revision in revisions.items() if revision > 1},
        "sources": {role: source for role, source in sources.items() if source},
    }
    merged = {name: {**spec.get(name, {}), **entries} for name, entries in code.items()}
    return {**spec, **{name: entries for name, entries in merged.items() if entries}}


class SchemaMismatch(HarnessError, ValueError):
    """A stored cell was written by a version with another schema."""


def key_of(spec: Mapping[str, Any]) -> str:
    """Hash a spec: the same content gives the same key, whatever the order of its entries.

    Examples
    --------
    >>> key_of({"a": 1, "b": [0.5, None]}) == key_of({"b": (0.5, None), "a": 1})
    True
    """
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"), default=_plain, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _dumped(record: Mapping[str, Any]) -> str:
    return json.dumps(record, sort_keys=True, indent=1)


def _sum(record: Mapping[str, Any]) -> str:
    """A checksum over a record as JSON: detects even a flipped bit that leaves a valid number."""
    return hashlib.sha256(_dumped(record).encode()).hexdigest()[:16]


def _sum_fits(text: str, stated: str, record: Mapping[str, Any]) -> bool:
    """Whether the sum is that of the text without its line, as it was written, or of the record, if laid out anew."""
    line = f'\n "sum": "{stated}",'
    if hashlib.sha256(text.replace(line, "", 1).encode()).hexdigest()[:16] == stated:
        return True
    return _sum(record) == stated


def _plain(value: Any) -> Any:
    """Turn NumPy scalars and arrays into what JSON knows."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be part of a cell: {value!r}")
