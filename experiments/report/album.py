"""The figures of a report: drawn, saved, captioned; those of the data only where arrays are at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.report import campaign_figures as draw
from experiments.report import figures
from experiments.report.document import Picture, Section
from experiments.report.ranking import Ranking
from experiments.report.render import slug
from experiments.report.results import CONTROLS, NAMES, Results
from experiments.report.tables import describe, name_of, ordered
from experiments.store.files import Store

ROWS = 4000
"""Rows behind a correlation matrix."""


@dataclass
class Album:
    """Draws into a campaign's ``figures/``.

    Parameters
    ----------
    root : Path
        The campaign's folder.
    cells : DataFrame
    everything : Results
    drawn : callable
        Called after each figure.
    enabled : bool
        False draws nothing.
    """

    root: Path
    cells: pd.DataFrame
    everything: Results
    drawn: Callable[[], Any] = lambda: None
    enabled: bool = True
    paths: list[Path] = field(default_factory=list, init=False)

    @property
    def folder(self) -> Path:
        return self.root / "figures"

    def suffix(self, noise: str, sigma: float, protocol: str) -> str:
        return name_of("", noise, sigma, protocol)

    def ranks(self, found: Sequence[Ranking], noise: str, sigma: float, protocol: str) -> list[Picture]:
        if not found:
            return []
        return self._add(
            name_of("ranks", noise, sigma, protocol),
            f"Average ranks, the best to the left; a bar joins methods that Nemenyi's test does not tell apart; "
            f"{describe(noise, sigma, protocol)}.",
            draw.rank_figure,
            found,
        )

    def trade_off(self, part: Results, noise: str, sigma: float, protocol: str) -> list[Picture]:
        where = describe(noise, sigma, protocol)
        return [
            *self._add(
                name_of("pareto", noise, sigma, protocol),
                "Imp% against how far the features moved; median over datasets of the methods that have them all; the "
                f"dashed line joins what no other ranked method beats in both; {where}.",
                *(draw.pareto_figure, part),
            ),
            *self._add(
                name_of("spread", noise, sigma, protocol),
                f"Every dataset and repetition (dots; Imp% is their mean over regressors), median, quartiles; {where}.",
                *(draw.box_figure, part),
            ),
        ]

    def overall_sections(self) -> list[Section]:
        """Recovery, convergence, sensitivity, and the data themselves."""
        sections = []
        recovery: list[Any] = []
        for noise in sorted(set(self.everything.denoise["noise"]) - {"none"}):
            for protocol in sorted(set(self.everything.denoise["protocol"])):
                recovery += self._add(
                    slug("recovery", protocol, noise),
                    "Share of the injected squared error that was removed, against sigma; logarithmic beyond -100; "
                    f"{noise} noise, protocol {protocol}.",
                    *(draw.recovery_figure, self.everything, noise, protocol),
                )
        sections.append(Section("Recovery against sigma", recovery))
        sections.append(Section("Convergence of DenoGrad", self._convergence()))
        sections.append(Section("Sensitivity to hyper-parameters", self._sensitivity()))
        sections.append(Section("What denoising does to the data", self._data()))
        return sections

    def _convergence(self) -> list[Any]:
        history = draw.histories(self.cells) if self.enabled else pd.DataFrame()
        if history.empty:
            return []
        found: list[Any] = []
        for protocol, mine in history.groupby("protocol"):
            found += self._add(
                slug("convergence", protocol),
                f"Per epoch: mean residual, mean displacement, share of samples that moved; a thin line per cell "
                f"(60 at most, evenly chosen), their median bold; protocol {protocol}.",
                *(draw.convergence_figure, mine),
            )
        return found

    def _sensitivity(self) -> list[Any]:
        found: list[Any] = []
        for denoiser, parameters in draw.swept(self.cells).items():
            for protocol in sorted(set(self.everything.denoise["protocol"])):
                found += self._add(
                    slug("sensitivity", denoiser, protocol),
                    f"{NAMES.get(denoiser, denoiser)}: Imp% against {', '.join(parameters)}; a dot per setting, the "
                    f"line their mean per value; protocol {protocol}.",
                    *(draw.sensitivity_figure, self.everything, denoiser, parameters, protocol),
                )
        return found

    # ------------------------------------------------------------------------------ the data themselves

    def _data(self) -> list[Any]:
        found: list[Any] = []
        denoise = self.everything.denoise
        fine = denoise[(denoise["status"] == "ok") & (denoise["repetition"] == denoise["repetition"].min())]
        fine = fine[fine["protocol"] == ("paper" if (fine["protocol"] == "paper").any() else "deployable")]
        for dataset, mine in fine.groupby("dataset"):
            noisy = mine[mine["sigma"] > 0]
            sigma = (noisy if len(noisy) else mine)["sigma"].min()
            chosen = mine[mine["sigma"] == sigma]
            chosen = chosen[chosen["noise"] == chosen["noise"].min()]
            reference = mine[(mine["sigma"] == 0) & (mine["denoiser"] == "identity")] if sigma else mine[:0]
            found += self._of_dataset(str(dataset), chosen, reference)
        return found

    def _of_dataset(self, dataset: str, chosen: pd.DataFrame, reference: pd.DataFrame) -> list[Any]:
        first = chosen.iloc[0]
        stems = {
            kind: slug(kind, first["protocol"], f"{first['sigma']:g}", dataset)
            for kind in ("denoised", "correlation")
        }
        frames = self._frames(chosen) if self.enabled else {}
        where = f"{dataset}, sigma {first['sigma']:g}, protocol {first['protocol']}"
        captions = {
            "denoised": f"{where}: a stretch of the target, or the target against the feature that correlates most.",
            "correlation": f"{where}: correlation matrices of the features (and the target, last) before and after.",
        }
        if "identity" not in frames:
            kept = [kind for kind, stem in stems.items() if (self.folder / f"{stem}.png").is_file()]
            self.paths += [
                self.folder / f"{stems[kind]}{suffix}" for kind in kept for suffix in (".png", ".pdf")
            ]
            return [
                Picture(stems[kind], f"{captions[kind]} (From an earlier report: no arrays at hand.)")
                for kind in kept
            ]
        noisy = frames["identity"]
        clean = next(iter(self._frames(reference).values()), None)
        if clean is not None and clean.shape != noisy.shape:
            clean = None
        shown = {name: frame for name, frame in frames.items() if name not in CONTROLS}
        rows = np.linspace(0, len(noisy) - 1, min(len(noisy), ROWS)).astype(int)
        before = {"before": noisy[rows]} | ({"clean": clean[rows]} if clean is not None else {})
        return [
            *self._add(
                stems["denoised"],
                captions["denoised"],
                partial(figures.overlay_figure, kind=str(first["kind"]), title=where),
                *(shown, noisy, clean),
            ),
            *self._add(
                stems["correlation"],
                captions["correlation"],
                figures.correlation_figure,
                before | {name: frame[rows] for name, frame in shown.items()},
            ),
        ]

    def _frames(self, chosen: pd.DataFrame) -> dict[str, np.ndarray]:
        """Refined features and target by denoiser; rows that a protocol leaves out are dropped."""
        store = Store(self.root, read_only=True)
        frames = {}
        for method in ordered(chosen):
            cell = chosen[chosen["method"] == method].iloc[0]
            arrays = store.load_arrays(str(cell["key"])) if cell["denoiser"] not in frames else None
            if arrays is not None:
                frame = np.column_stack([arrays["X"], arrays["y"]]).astype(np.float32)
                frames[str(cell["denoiser"])] = frame[np.isfinite(frame).all(axis=1)]
        return frames

    def _add(
        self, stem: str, caption: str, figure: Callable[..., Figure | None], *data: Any
    ) -> list[Picture]:
        drawn = figure(*data) if self.enabled else None
        if drawn is None:
            return []
        self.paths += figures.save(drawn, self.folder / stem)
        self.drawn()
        return [Picture(stem, caption)]
