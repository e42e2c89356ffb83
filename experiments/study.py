"""A study from Python: your own data and objects in, a table out; the cells are stored like those of any run."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.base.errors import BadConfig, SettingInvalid
from experiments.config.objects import name_of, node_of
from experiments.config.schema import Config, RegressorConf, threads_fit
from experiments.config.words import choices_of, composed
from experiments.data import chosen, own
from experiments.data.recipes import DATASETS
from experiments.report import Table, results_of
from experiments.report.analysis.tables import setting_table
from experiments.report.forms import page
from experiments.run.bench import Bench, dataset_of
from experiments.run.loop import execute
from experiments.store.cell import Cell
from experiments.store.files import Store
from experiments.store.frame import frame


class Study:
    """Denoisers compared on one dataset, as ``python -m experiments.run`` does it.

    Parameters
    ----------
    data : DataFrame, path or str
        A frame, a file (CSV, Parquet, Excel), or the name of one of the project's datasets.
    target : str, optional
        The column to be predicted; needed for your own table.
    kind : {"tabular", "series"}, optional
        By default a series where `time` is given.
    time, drop, gaps
        See `experiments.data.own.Preparation`.
    name : str, optional
        Names the dataset in tables; by default the file's name, or ``data``.
    denoisers, regressors : sequence
        Names (see ``python -m experiments.list``) and objects: a denoiser with the interface of `baselines.base`, a
        scikit-learn transformer; a scikit-learn regressor. A mapping gives objects their names in tables.
    noise : str, float, noise model or None
        A name, a level of Gaussian noise in standard deviations of a column, or an object; None adds none.
    protocols : str or sequence of str
        ``paper``, ``deployable``.
    profile : str
        Caps on rows and epochs: ``smoke``, ``demo``, ``quick``, ``full``.
    repetitions : int
        Each draws its own split and noise.
    results_dir, campaign : str
        Where the cells are stored; stored cells are not computed again.
    progress : bool, optional
        Show a progress bar; by default in a terminal or a notebook.
    **settings
        Any other setting of a run, such as ``threads=2`` or ``window=12``.

    Raises
    ------
    HarnessError
        For invalid data, names or settings.

    Examples
    --------
    >>> import tempfile
    >>> frame = pd.DataFrame({"a": range(60), "b": [i % 7 for i in range(60)], "y": [i % 5 for i in range(60)]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study = Study(
    ...         data=frame,
    ...         target="y",
    ...         denoisers=["pca"],
    ...         regressors=["ridge"],
    ...         noise=0.1,
    ...         profile="smoke",
    ...         results_dir=folder,
    ...         progress=False,
    ...     )
    ...     table = study.run()
    >>> table.loc[("deployable", "Identity"), "Imp % ridge"]
    np.float64(0.0)
    """

    def __init__(
        self,
        data: pd.DataFrame | str | os.PathLike[str],
        target: str | None = None,
        *,
        kind: str | None = None,
        time: str | None = None,
        drop: Sequence[str] = (),
        gaps: str = "drop",
        window: int = 24,
        name: str | None = None,
        denoisers: str | Sequence[Any] | Mapping[str, Any] = "published",
        regressors: str | Sequence[Any] | Mapping[str, Any] = ("ridge", "knn"),
        noise: Any = 0.05,
        protocols: str | Sequence[str] = ("paper", "deployable"),
        profile: str = "quick",
        repetitions: int = 1,
        results_dir: str | os.PathLike[str] = "results",
        campaign: str = "studies",
        progress: bool | None = None,
        **settings: Any,
    ) -> None:
        self.progress = progress
        self.cells: list[Cell] = []
        shared = {
            "profile": profile,
            "protocol": [protocols] if isinstance(protocols, str) else list(protocols),
            "repetitions": repetitions,
            "results_dir": os.fspath(results_dir),
            "campaign": campaign,
            "figure": False,
            **settings,
        }
        table = {"target": target, "kind": kind, "time": time, "drop": list(drop), "gaps": gaps, "name": name}
        words = [
            *_dataset_words(data, table, window),
            *(f"{key}={_quoted(value)}" for key, value in shared.items()),
        ]
        self.config = config = composed([*words, "denoiser=[identity]", "regressor=[ridge]"])
        config.denoiser = dict(_members("denoiser", denoisers, config))
        config.regressor = dict(_regressors(regressors, config))
        config.noise = _noise(noise, config)
        threads_fit(config.threads)
        if isinstance(data, pd.DataFrame):
            self.dataset = own.from_frame(
                data, chosen.preparation(config.dataset), name=str(config.dataset.name)
            )
        else:
            self.dataset = dataset_of(config)
        folder = Path(config.results_dir) / config.campaign
        self.bench = Bench(config, Store(folder, read_only=True), load=lambda _: self.dataset)
        _ = self.bench.noise, self.bench.pairs, self.bench.regressors  # what cannot be built shows here
        self.bench.store = Store(folder)

    @property
    def changes(self) -> tuple[str, ...]:
        """What is computed on, and what was changed on the user's behalf: rows dropped, columns encoded, caps."""
        return tuple(line.strip() for line in chosen.told(self.dataset, self.config.profile))

    def run(self) -> pd.DataFrame:
        """Compute what is missing.

        Returns
        -------
        table : DataFrame
            See `table`.

        Warns
        -----
        RuntimeWarning
            If cells failed; `cells` has their reasons.
        """
        self.cells = execute(self.bench, progress=self.progress)
        failed = [cell for cell in self.cells if cell.status in ("failed", "timeout")]
        if failed:
            why = (failed[0].reason or "no reason").strip().splitlines()[-1]
            warnings.warn(
                f"{len(failed)} of {len(self.cells)} cells failed, the first one of '{failed[0].spec['denoiser']}' "
                f"with {why}. Study.cells has all reasons",
                RuntimeWarning,
                stacklevel=2,
            )
        return self.table()

    def table(self) -> pd.DataFrame:
        """The numbers that `run` found, unrounded: one row per protocol and method, a column per measure."""
        parts = {}
        for protocol, table in self._tables().items():
            titles = [column.title for column in table.columns]
            parts[protocol] = table.value.set_axis(titles, axis=1).set_axis(map(str, table.value.index))
        if not parts:
            return pd.DataFrame(index=pd.MultiIndex.from_tuples([], names=["protocol", "method"]))
        return pd.concat(parts, names=["protocol", "method"])

    def _tables(self) -> dict[str, Table]:
        everything = results_of(frame(self.cells))
        found = {setting[-1]: setting_table(everything.at(setting)) for setting in everything.settings}
        return {protocol: found[protocol] for protocol in self.config.protocol if protocol in found}

    def _repr_html_(self) -> str:
        """What a notebook shows: what was changed, and the tables with best and second."""
        changes = "".join(f"<li>{escape(change)}</li>" for change in self.changes)
        tables = "".join(page.table_html(table) for table in self._tables().values()) if self.cells else ""
        return f"<ul>{changes}</ul>{tables or '<p>Nothing is computed yet: call run().</p>'}"


def _dataset_words(data: Any, table: dict[str, Any], window: int) -> Iterator[str]:
    """The words of a command line for the data."""
    given = {key: value for key, value in table.items() if value}
    if isinstance(data, str) and data in DATASETS:
        yield f"dataset={data}"
    elif isinstance(data, pd.DataFrame):
        given["name"] = table["name"] or "data"
        yield from ("dataset=own", "dataset.path=frame")  # which is handed over as it is
    elif isinstance(data, str | os.PathLike):
        yield from ("dataset=own", f"dataset.path={_quoted(os.fspath(data))}")
    else:
        raise BadConfig(
            f"data must be a DataFrame, a file or the name of a dataset, got {type(data).__name__}: of an array, "
            "pandas.DataFrame(array, columns=[...]) makes a frame"
        )
    yield f"dataset.window={window}"
    yield from (f"dataset.{key}={_quoted(value)}" for key, value in given.items() if value != "drop")


def _quoted(value: Any) -> str:
    """A value as the grammar of overrides takes it."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_quoted, value))}]"
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def _members(group: str, given: Any, config: Config) -> Iterator[tuple[str, Any]]:
    """Names and configurations of a group's members, of which some are names and some objects."""
    named = list(given.items()) if isinstance(given, Mapping) else [(None, each) for each in _listed(given)]
    names = [each for _, each in named if isinstance(each, str)]
    known = getattr(composed([f"{group}={_quoted(names)}"]), group) if names else {}
    if group == "denoiser" and "identity" not in known:  # every Imp% compares with it
        known = {**config.denoiser, **known}
    yield from known.items()
    taken = set(choices_of(group))
    for name, each in named:
        if isinstance(each, str):
            continue
        if isinstance(each, type):
            raise BadConfig(f"{each.__name__} is a class: hand over an object, {each.__name__}()")
        if each is None or isinstance(each, bool | int | float):
            raise BadConfig(f"{group}s are names and objects, got {each!r}")
        own_name = name or name_of(each)
        while own_name in taken:
            own_name = f"own_{own_name}"
        taken.add(own_name)
        config.allow_targets.append(type(each).__module__.partition(".")[0])
        yield own_name, node_of(each)


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]


def _regressors(given: Any, config: Config) -> Iterator[tuple[str, RegressorConf]]:
    for name, member in _members("regressor", given, config):
        if isinstance(member, RegressorConf):
            yield name, member
        else:
            yield name, RegressorConf(kinds=[str(config.dataset.kind)], estimator=member)


def _noise(given: Any, config: Config) -> dict[str, Any]:
    if given is None:
        return composed(["noise=none"]).noise
    if isinstance(given, str):
        return composed([f"noise={given}"]).noise
    if isinstance(given, bool):
        raise SettingInvalid(f"noise must be a name, a level, a noise model or None, got {given}")
    if isinstance(given, int | float):
        return composed(["noise=gaussian", f"noise.sigma={float(given)!r}"]).noise
    config.allow_targets.append(type(given).__module__.partition(".")[0])
    return node_of(given)
