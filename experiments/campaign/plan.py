"""The plan of a campaign: its units, which are done, how long the others will take, and in which order."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any

from experiments.base.errors import DatasetCorrupt, DatasetMissing
from experiments.campaign.engines.unit import Unit, dataset_of
from experiments.config.components import Component, noise_of
from experiments.config.schema import Config
from experiments.data.recipes import DATASETS
from experiments.run.bench import Bench, noise_name
from experiments.run.loop import trials
from experiments.run.protocols import variants
from experiments.run.scoring import Scorer
from experiments.run.trial import Trial
from experiments.store.cell import Cell, key_of, stem_of
from experiments.store.files import FINISHED, Store

OVERHEAD_S = 0.05
"""Time of a cell apart from its work: metrics, reading, writing."""


@dataclass
class Item:
    """A unit that may have to be done, as the campaign's process sees it.

    Attributes
    ----------
    trial : Trial
    regressor : Component or None
        None for the denoiser's own cell.
    seconds : float
        What it will probably take.
    order : tuple
        Items are done from the least to the greatest.
    attempts : int
        How often it was started.
    """

    trial: Trial
    regressor: Component | None
    seconds: float = 0.0
    order: tuple[Any, ...] = ()
    attempts: int = 0

    def __lt__(self, other: Item) -> bool:
        return self.order < other.order

    @cached_property
    def unit(self) -> Unit:
        trial, backbone = self.trial, self.trial.backbone
        name = trial.key[:32] + (f"-{self.regressor.name}" if self.regressor else "")
        return Unit(
            name,
            trial.bench.config,
            trial.protocol,
            trial.repetition,
            trial.denoiser.name,
            backbone.name if backbone else None,
            self.regressor.name if self.regressor else None,
        )

    def specs(self, denoised: Cell | None) -> list[dict[str, Any]]:
        """Specs of the unit's cells; a regressor's are known once the denoiser's cell is there."""
        if self.regressor is None:
            return [self.trial.spec]
        if denoised is None or denoised.status != "ok":
            return []
        return list(Scorer(self.trial.bench, self.trial.spec, self.regressor).specs(denoised).values())

    @property
    def expected(self) -> int:
        """Cells to expect before the denoiser's cell is there."""
        if self.regressor is None:
            return 1
        return len(variants(self.trial.protocol, self.trial.bench.spec["sigma"], test_form=True))


@dataclass
class Plan:
    """The state of a campaign.

    Attributes
    ----------
    states : Counter
        Cells that are ``ok``, ``skipped``, ``failed``, ``timeout``, ``to do``; the last an upper bound while
        denoisers are to do, since some have no form for the test part.
    first : list of Item
        Units that can start at once.
    after : dict
        Units of regressors that wait for a denoiser's unit, by the trial's key.
    absent : list of (str, str)
        Datasets that cannot be read, each with the reason.
    unmeasured : int
        Units whose time is a guess.
    guessed_s : float
        Their part of the time.
    outdated : Counter
        Stored cells that stand for some of what is to do but were computed by older code, by what has changed.
    """

    states: Counter[str] = field(default_factory=Counter)
    first: list[Item] = field(default_factory=list)
    after: dict[str, list[Item]] = field(default_factory=lambda: defaultdict(list))
    absent: list[tuple[str, str]] = field(default_factory=list)
    unmeasured: int = 0
    guessed_s: float = 0.0
    outdated: Counter[str] = field(default_factory=Counter)

    @property
    def items(self) -> list[Item]:
        return [*self.first, *(item for items in self.after.values() for item in items)]

    @property
    def seconds(self) -> float:
        return sum(item.seconds for item in self.items)


def plan(
    configs: Iterable[Config],
    store: Store,
    *,
    only: Mapping[str, set[str]] | None = None,
    cells: Iterable[Cell] = (),
) -> Plan:
    """Find out what is to do.

    Parameters
    ----------
    configs : iterable of Config
    store : Store
    only : mapping of str to set of str, optional
        Restricts an axis (``dataset``, ``protocol``, ``denoiser``, ``regressor``, ``repetition``) to some values.
    cells : iterable of Cell
        Further cells to learn times from, such as those of other campaigns.
    """
    known = {cell.key: cell for cell in store.everything()}
    timings = Timings([*known.values(), *cells])
    older = Older(known.values())
    found = Plan()
    seen: set[tuple[str, str]] = set()
    for place, config in enumerate(configs):
        if only and config.dataset.name not in only.get("dataset", {config.dataset.name}):
            continue
        bench = Bench(config, store, load=dataset_of)
        try:
            _ = bench.spec
        except (DatasetMissing, DatasetCorrupt) as error:
            if (entry := (str(config.dataset.name), str(error))) not in found.absent:
                found.absent.append(entry)
            continue
        finally:
            bench.__dict__.pop("dataset", None)  # a spec needs its name and sum alone
        for trial in trials(bench):
            if _chosen(trial, only or {}):
                _add(found, trial, known, older, seen, timings, place, (only or {}).get("regressor"))
    return found


def axes_of(config: Config) -> dict[str, set[str]]:
    """What a configuration has of each axis that a call may restrict; no data are read."""
    noise = noise_of(config)
    kind = config.dataset.kind
    return {
        "dataset": {str(config.dataset.name)},
        "protocol": set(config.protocol),
        "denoiser": set(config.denoiser),
        "regressor": {name for name, conf in config.regressor.items() if kind in conf.kinds},
        "repetition": {str(repetition) for repetition in range(config.repetitions)},
        "noise": {noise_name(noise)},
        "sigma": {f"{float(noise.sigma):g}"},
    }


def _chosen(trial: Trial, only: Mapping[str, set[str]]) -> bool:
    axes = {
        "protocol": trial.protocol,
        "denoiser": trial.denoiser.name,
        "repetition": str(trial.repetition),
        "noise": trial.bench.spec["noise"],
        "sigma": f"{trial.bench.spec['sigma']:g}",
    }
    return all(value in only.get(axis, {value}) for axis, value in axes.items())


def _add(
    found: Plan,
    trial: Trial,
    known: Mapping[str, Cell],
    older: Older,
    seen: set[tuple[str, str]],
    timings: Timings,
    place: int,
    regressors: set[str] | None,
) -> None:
    """Add a trial's units, those of other configurations with the same cells left out."""

    def item(regressor: Component | None, cells: int) -> Item:
        seconds, measured = timings.of(trial, regressor, cells)
        found.unmeasured += not measured
        found.guessed_s += 0.0 if measured else seconds
        # A repetition after the other, in the order of the campaign's file; in a run of it cheap ones first.
        magnitude = max(0, math.floor(math.log10(seconds * 2)))
        return Item(trial, regressor, seconds, (trial.repetition, place, magnitude, trial.protocol, seconds))

    denoised = known.get(trial.key)
    if denoised is not None and not trial.stands(denoised):
        denoised = None
    finished = denoised is not None and denoised.status in FINISHED
    if (trial.key, "") not in seen:
        seen.add((trial.key, ""))
        found.states[denoised.status if denoised else "to do"] += 1
        if denoised is None:
            found.outdated.update(older.reasons(trial.spec))
    waiting = []
    for regressor in trial.bench.regressors:
        mark = (trial.key, key_of({"params": regressor.params, "name": regressor.name}))
        if mark in seen or (regressors and regressor.name not in regressors):
            continue
        seen.add(mark)
        empty = Item(trial, regressor)
        if not finished:
            found.states["to do"] += empty.expected
            if before := older.of(trial.spec):
                for spec in empty.specs(before):
                    found.outdated.update(older.reasons(spec))
            waiting.append(item(regressor, empty.expected))
            continue
        scorer = Scorer(trial.bench, trial.spec, regressor)
        cells = [known.get(key_of(spec)) for spec in empty.specs(denoised)]
        for spec, cell in zip(empty.specs(denoised), cells, strict=True):
            found.outdated.update(older.reasons(spec) if cell is None else ())
        states = ["to do" if cell is None or not scorer.stands(cell) else cell.status for cell in cells]
        found.states.update(states)
        if missing := sum(state not in FINISHED for state in states):
            waiting.append(item(regressor, missing))
    ready = finished and (not waiting or trial.bench.store.has_arrays(trial.key))
    if not ready and trial.key not in found.after:
        found.first.append(item(None, 1))
    (found.first if ready and trial.key not in found.after else found.after[trial.key]).extend(waiting)


class Older:
    """Stored cells, by what they are of, whichever code computed them.

    Parameters
    ----------
    cells : iterable of Cell
    """

    def __init__(self, cells: Iterable[Cell]) -> None:
        self._cells: dict[str, Cell] = {}
        for cell in sorted(cells, key=lambda cell: str(cell.provenance.get("started", ""))):
            if cell.status == "ok":
                self._cells[stem_of(cell.spec)] = cell

    def of(self, spec: Mapping[str, Any]) -> Cell | None:
        """The newest cell of the same, computed by other code than the spec's."""
        cell = self._cells.get(stem_of(spec))
        return cell if cell is not None and cell.key != key_of(spec) else None

    def reasons(self, spec: Mapping[str, Any]) -> list[str]:
        """What has changed since then, in one line; none where nothing is stored."""
        cell = self.of(spec)
        if cell is None:
            return []
        changes = [
            _changed(role, spec, before, after)
            for name, default in (("revisions", 1), ("sources", None), ("versions", None))
            for role in sorted({*cell.spec.get(name, {}), *spec.get(name, {})})
            if (before := cell.spec.get(name, {}).get(role, default))
            != (after := spec.get(name, {}).get(role, default))
        ]
        if any(cell.spec.get(name) != spec.get(name) for name in ("dataset_sha256", "frame_sha256")):
            changes.append(f"the file of {spec['dataset']}")
        return [", ".join(changes)]


def _changed(role: str, spec: Mapping[str, Any], before: Any, after: Any) -> str:
    """One change in words: of a component by its name, of a library by its versions."""
    name = f"{role} {spec[role]}" if isinstance(spec.get(role), str) else role
    if isinstance(after, int):
        return f"{name} (revision {before} -> {after})"
    if role in ("denoiser", "backbone", "regressor", "noise"):
        return f"the source of {name}"
    return f"{name} ({before or 'none'} -> {after or 'none'})"


class Timings:
    """Times of stored cells, scaled to others by rows, columns and epochs.

    Parameters
    ----------
    cells : iterable of Cell
    """

    def __init__(self, cells: Iterable[Cell]) -> None:
        self._noted: dict[tuple[str, str], dict[tuple[str, str], list[tuple[float, float]]]] = {}
        for cell in cells:
            if cell.status == "ok":
                self._learn(cell)
        self._known = {
            what: {
                where: (noted[0][0], median(t / size for size, t in noted)) for where, noted in known.items()
            }
            for what, known in self._noted.items()
        }
        self._trained: set[tuple[Any, ...]] = set()

    def of(self, trial: Trial, regressor: Component | None, cells: int) -> tuple[float, bool]:
        """Seconds that a unit will probably take, and whether they are more than a guess."""
        spec = trial.bench.spec
        if regressor is None:
            parts = [("denoise", trial.component)]
            backbone = trial.backbone
            if backbone:
                task = (
                    spec["dataset"],
                    spec["sigma"],
                    trial.protocol,
                    trial.repetition,
                    spec["rows"],
                    backbone.name,
                )
                if task not in self._trained:  # trained once for all that it drives
                    self._trained.add(task)
                    parts.append(("backbone", backbone))
        else:
            parts = [("fit", regressor), *[("score", regressor)] * cells]
        total, measured = OVERHEAD_S * cells, True
        for part, component in parts:
            driver = trial.backbone.name if part == "denoise" and trial.backbone else ""
            seconds = self._look_up(part, spec, component, driver)
            measured &= seconds is not None
            total += _guess(part, component, spec) if seconds is None else seconds
        return total, measured

    def _look_up(self, part: str, spec: Mapping[str, Any], component: Component, driver: str) -> float | None:
        size = _size(spec, component.params)
        known = self._known.get((part, component.name + driver), {})
        found = known.get((spec["kind"], spec["dataset"]))
        if found is None:  # what is nearest in size: small ones cost more per row
            others = [each for (kind, _), each in known.items() if kind == spec["kind"]]
            found = min(others, key=lambda each: abs(math.log(each[0] / size)), default=None)
        return None if found is None else found[1] * size

    def _learn(self, cell: Cell) -> None:
        spec, timings = cell.spec, cell.timings
        if cell.stage == "denoise":
            worked = timings["fit_s"] + timings["denoise_s"]
            whole = cell.provenance.get("seconds", 0.0) - timings["backbone_s"]
            driven = spec["denoiser"] + (spec["backbone"] or "")
            self._note("denoise", driven, spec, spec["denoiser_params"], max(worked, whole))
            if spec["backbone"]:
                self._note("backbone", spec["backbone"], spec, spec["backbone_params"], timings["backbone_s"])
        elif timings:  # none of what needed no fit
            self._note("fit", spec["regressor"], spec, spec["regressor_params"], timings["fit_s"])
            self._note("score", spec["regressor"], spec, spec["regressor_params"], timings["score_s"])

    def _note(
        self, part: str, name: str, spec: Mapping[str, Any], params: Mapping[str, Any], seconds: float
    ) -> None:
        known = self._noted.setdefault((part, name), defaultdict(list))
        known[spec["kind"], spec["dataset"]].append((_size(spec, params), seconds))


def _size(spec: Mapping[str, Any], params: Mapping[str, Any]) -> float:
    """What times grow with: rows, epochs allowed, columns (the square root: most networks have a fixed width)."""
    training = params.get("training", {})
    epochs = params.get("epochs") or params.get("max_epochs") or training.get("epochs") or 1
    recipe = DATASETS.get(spec["dataset"])
    return spec["rows"] * (recipe.shape[1] if recipe else 1) ** 0.5 * epochs


def _guess(part: str, component: Component, spec: Mapping[str, Any]) -> float:
    """Seconds of what was never measured: our networks and what they drive are slow, the rest is not."""
    if part == "score":
        return 0.1
    slow = component.needs_backbone or "epochs" in component.params or part == "backbone"
    usual = 3000 * 10**0.5 * (30 if slow else 1)  # rows, columns, epochs
    return (30.0 if slow else 1.0) * max(0.05, _size(spec, component.params) / usual)


def duration(seconds: float) -> str:
    """A human-readable duration.

    Examples
    --------
    >>> duration(42), duration(4000), duration(200000)
    ('42 s', '1 h 07 min', '2 d 7 h')
    """
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"
