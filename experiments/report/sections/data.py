"""What denoising does to the data, where the refined arrays are available."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.report.analysis.results import Results
from experiments.report.figures.album import Album
from experiments.report.figures.data import Refined, draw_correlation, draw_overlay
from experiments.report.forms.document import Picture, Section
from experiments.report.forms.table import slug
from experiments.store.files import Store

ROWS = 4000
"""Rows behind a correlation matrix."""


def data(everything: Results, album: Album) -> Section:
    pictures: list[Picture] = []
    denoise = everything.denoise
    fine = denoise[(denoise["status"] == "ok") & (denoise["repetition"] == denoise["repetition"].min())]
    fine = fine[fine["protocol"] == ("paper" if (fine["protocol"] == "paper").any() else "deployable")]
    for dataset, mine in fine.groupby("dataset"):
        noisy = mine[mine["sigma"] > 0]
        sigma = (noisy if len(noisy) else mine)["sigma"].min()
        chosen = mine[mine["sigma"] == sigma]
        chosen = chosen[chosen["noise"] == chosen["noise"].min()]
        reference = mine[(mine["sigma"] == 0) & (mine["denoiser"] == "identity")] if sigma else mine[:0]
        pictures += _of_dataset(everything, album, str(dataset), chosen, reference)
    return Section("What denoising does to the data", [*pictures])


def _of_dataset(
    everything: Results, album: Album, dataset: str, chosen: pd.DataFrame, reference: pd.DataFrame
) -> list[Picture]:
    first = chosen.iloc[0]
    protocol, sigma = str(first["protocol"]), f"{first['sigma']:g}"
    overlay, correlation = (slug(kind, protocol, sigma, dataset) for kind in ("denoised", "correlation"))
    where = f"{dataset}, sigma {sigma}, protocol {protocol}"
    shown = (
        "a stretch of the target"
        if first["kind"] == "series"
        else "the target against the feature that correlates most"
    )
    captions = {
        overlay: f"{where}: {shown}, before and after.",
        correlation: f"{where}: correlation matrices of the features (and the target, last) before and after.",
    }
    frames = _frames(album, chosen) if album.enabled else {}
    identity = next((row for row in frames if everything.rows[row].method.name == "identity"), None)
    if identity is None:
        earlier = " (From an earlier report: no arrays at hand.)"
        return [picture for stem, text in captions.items() for picture in album.keep(stem, text + earlier)]
    noisy = frames[identity]
    clean = next(iter(_frames(album, reference).values()), None)
    if clean is not None and clean.shape != noisy.shape:
        clean = None
    refined = {row: frame for row, frame in frames.items() if everything.rows[row].ranked}
    rows = np.linspace(0, len(noisy) - 1, min(len(noisy), ROWS)).astype(int)
    before = {"before": noisy[rows]} | ({"clean": clean[rows]} if clean is not None else {})
    after = {str(everything.rows[row]): frame[rows] for row, frame in refined.items()}
    pictures = album.add(correlation, captions[correlation], draw_correlation, before | after, title=where)
    if refined:
        methods = [
            Refined(str(everything.rows[row]), everything.rows[row].method.colour, frame)
            for row, frame in refined.items()
        ]
        kind = str(first["kind"])
        drawn = album.add(
            overlay, captions[overlay], draw_overlay, methods, noisy, clean, kind=kind, title=where
        )
        pictures = [*drawn, *pictures]
    return pictures


def _frames(album: Album, chosen: pd.DataFrame) -> dict[int, np.ndarray]:
    """Refined features and target by row; rows of the data that a protocol leaves out are dropped."""
    store = Store(album.root, read_only=True)
    frames = {}
    for row, cells in chosen.groupby("row"):
        arrays = store.load_arrays(str(cells["key"].iloc[0]))
        if arrays is not None:
            frame = np.column_stack([arrays["X"], arrays["y"]]).astype(np.float32)
            frames[int(row)] = frame[np.isfinite(frame).all(axis=1)]
    return frames
