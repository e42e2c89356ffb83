"""What the paper says in figures, and the groups of regressors and the backbones behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from experiments.base import paths
from experiments.base.errors import HarnessError

KINDS = ("rank", "imp", "mean", "all_above", "run_median", "other")


class PublishedInvalid(HarnessError):
    """The file of published figures cannot be used."""


@dataclass(frozen=True)
class Published:
    """The file of published figures.

    Attributes
    ----------
    regressors : dict of str to tuple of str
        The published group by kind of data: what a mean beside a published figure is over.
    follow_up : dict of str to tuple of str
        The same of the follow-up study.
    backbones : dict of str to str
        What drives DenoGrad by kind of data where nothing else is said.
    figures : tuple of dict
    """

    regressors: Mapping[str, tuple[str, ...]]
    follow_up: Mapping[str, tuple[str, ...]]
    backbones: Mapping[str, str]
    figures: tuple[dict[str, Any], ...]


@cache
def load(path: Path = paths.PUBLISHED) -> Published:
    """Read the published figures.

    Raises
    ------
    PublishedInvalid
        If the file is missing or an entry lacks a field.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = Published(
            regressors={kind: tuple(names) for kind, names in content["regressors"].items()},
            follow_up={kind: tuple(names) for kind, names in content["follow_up"].items()},
            backbones=dict(content["backbones"]),
            figures=tuple(content["figures"]),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise PublishedInvalid(f"the published figures in {path} cannot be read: {error!r}") from error
    for entry in found.figures:
        lacking = {"id", "what", "kind", "method", "sigma"} - set(entry)
        if lacking or entry["kind"] not in KINDS:
            raise PublishedInvalid(
                f"{path}: entry {entry} lacks {sorted(lacking)}, or its kind is none of {', '.join(KINDS)}"
            )
    return found
