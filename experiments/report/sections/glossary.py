"""The terms and symbols of the report."""

from __future__ import annotations

from experiments.report.analysis.measures import MEASURES
from experiments.report.analysis.results import Results
from experiments.report.analysis.tables import BASELINE, MEANINGLESS, NOISY_TEST
from experiments.report.figures.album import Album
from experiments.report.forms.document import Section
from experiments.report.forms.table import Grid

BETTER = {"high": "higher is better", "low": "lower is better", "": "–"}
WORDS = (
    (
        "protocol paper",
        "as published: scaler and denoiser see all rows, and a regressor is scored against the denoised test target",
    ),
    (
        "protocol deployable",
        "what a user gets: scaler and denoiser are fitted on the train part, and a regressor is scored against a test "
        "target that no denoiser saw (the clean one where noise was injected)",
    ),
    (
        "headline",
        "under deployable the test features are denoised as well, where a method has a form for that, and noisy [N] "
        "where it has none",
    ),
    (
        "published regressors",
        "the regressors of the paper for the kind of data: means under the protocol paper are over these alone, those "
        "under deployable over all that ran",
    ),
    ("sigma", "level of the injected noise, in standard deviations of a column"),
    ("± ", "standard deviation over repetitions: split, noise, backbone and regressor drawn anew"),
    ("(3/5)", "of so many numbers that others of the column have; no marks and no mean over such a value"),
    (f"[{NOISY_TEST.letter}]", NOISY_TEST.meaning),
    (f"[{MEANINGLESS.letter}]", MEANINGLESS.meaning),
    ("[B]", BASELINE.removeprefix("[B] ")),
    ("identity, constant", "controls: what doing nothing, and erasing everything, would score"),
    (
        "average rank",
        "1 is the best of the eight published methods on a dataset; the mean over datasets that have a number of each",
    ),
    (
        "rope",
        "what counts as practically the same in the Bayesian test: one point of Imp % or recovery, else 0.01",
    ),
)


def glossary(everything: Results, album: Album) -> Section:
    shown = [m for m in MEASURES if m.of in ("score", "error") or everything.denoise[m.name].notna().any()]
    rows = [[m.title, m.meaning, BETTER[m.better]] for m in shown]
    rows += [[word, meaning, "–"] for word, meaning in WORDS]
    return Section(
        "Glossary", [Grid("glossary", "Metrics, words and letters.", ["word", "meaning", "direction"], rows)]
    )
