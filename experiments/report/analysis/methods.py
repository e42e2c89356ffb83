"""The methods compared, one record each, and the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """One method, as cells and readers know it.

    Attributes
    ----------
    name : str
        The denoiser's key in cells.
    title : str
    colour, marker : str
        Of figures. The markers tell apart what a colour-blind eye may not.
    published : bool
        One of the eight that the paper ranks.
    control, reference : bool
        What doing nothing or erasing everything would score, and what training or testing on clean data would:
        below the rule of a table, never ranked.
    note : str
        Said below every table that shows the method.
    trains : str
        Prefix of the regressors that the method trains, where it is a way of training and no denoiser.
    sequential : bool
        It filters along the order of the rows.
    """

    name: str
    title: str
    colour: str
    marker: str
    published: bool = False
    control: bool = False
    reference: bool = False
    note: str = ""
    trains: str = ""
    sequential: bool = False

    @property
    def ranked(self) -> bool:
        return not (self.control or self.reference)


REFERENCES = (
    "References, with what no method can have: clean data at training, or a clean target. None of them is the most "
    "that denoising can give: a regressor trained on clean features may do worse on noisy ones"
)

METHODS = (
    Method("denograd_fixed", "DenoGrad", "#D55E00", "o", published=True),
    Method("dae", "DAE", "#117733", "s", published=True),
    Method("dn_resnet", "DN-ResNet", "#999933", "D", published=True),
    Method("pca", "PCA", "#332288", "^", published=True),
    Method("wavelet", "Wavelet", "#56B4E9", "v", published=True, sequential=True),
    Method("emd", "EMD", "#B8860B", "P", published=True, sequential=True),
    Method("kalman", "Kalman", "#009E93", "X", published=True, sequential=True),
    Method("moving_average", "Moving average", "#AA4499", "p", published=True, sequential=True),
    Method("denograd_released", "DenoGrad, released settings", "#F4A582", "$r$"),
    Method("denograd_gauss_newton", "DenoGrad Gauss-Newton", "#E69F00", "<"),
    Method("denograd_global", "DenoGrad global", "#882255", ">"),
    Method("denograd_map", "DenoGrad MAP", "#0057E7", "*"),
    Method("denograd_map_est", "DenoGrad MAP, level estimated", "#7FA6F5", "h"),
    Method("denograd_map_forecast", "DenoGrad MAP, forecasting", "#00A6D6", "d"),
    Method("denograd_map_backbone", "DenoGrad MAP, any backbone", "#5B3FD0", "H"),
    Method("denograd_target", "DenoGrad, target of a series", "#A6761D", "$t$"),
    Method("singular_values", "Singular values", "#1B9E77", "$v$"),
    Method("singular_spectrum", "Singular spectrum", "#66A61E", "$s$"),
    Method("bayes_shrink", "BayesShrink", "#E7298A", "$b$"),
    Method("autoencoder", "Autoencoder (tutorial)", "#CC6677", "8"),
    Method(
        "agra",
        "AGRA",
        "#44AA99",
        "|",
        note="AGRA: networks trained on the rows as they are, leaving out samples that contradict the rest",
        trains="agra_",
    ),
    Method(
        "chosen",
        "Chosen target",
        "#8C6D31",
        "$o$",
        note="Chosen target: regressors trained on features as they are and a target refined as far as their own "
        "cross-validation pays for it",
        trains="chosen_",
    ),
    Method("identity", "Identity", "#707070", "x", control=True),
    Method("constant", "Constant", "#A0A0A0", "+", control=True),
    Method("residual", "Residual (detector)", "#808060", "1", control=True),
    Method("isolation_forest", "Isolation forest (detector)", "#908080", "2", control=True),
    Method(
        "reference_clean_clean",
        "Trained on clean, tested on clean",
        "#5A7A5A",
        "3",
        reference=True,
        note=REFERENCES,
    ),
    Method(
        "reference_clean_noisy",
        "Trained on clean, tested on noisy",
        "#7A5A5A",
        "4",
        reference=True,
        note=REFERENCES,
    ),
    Method(
        "reference_clean_target",
        "Noisy features, clean target",
        "#5A5A7A",
        "_",
        reference=True,
        note=REFERENCES,
    ),
)
"""Every method that has a place of its own, in the order of tables."""

BY_NAME = {method.name: method for method in METHODS}
PUBLISHED = tuple(method for method in METHODS if method.published)
TRAINERS = tuple(method for method in METHODS if method.trains)

MORE_COLOURS = ("#4D4D00", "#008B8B", "#8B0000", "#2F4F4F", "#6A5ACD", "#A0522D", "#C71585", "#1E6E1E")
MORE_MARKERS = (".", "$a$", "$c$", "$e$", "$f$", "$g$", "$h$", "$k$", "$m$", "$n$")


def methods_of(names: Iterable[str]) -> dict[str, Method]:
    """The records of the named methods, in the order of tables; one of a user gets the next colour and marker.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    methods : dict
        By name: those that are ranked, a user's own after ours, then controls and references.
    """
    wanted = set(names)
    own = [
        Method(name, name, MORE_COLOURS[i % len(MORE_COLOURS)], MORE_MARKERS[i % len(MORE_MARKERS)])
        for i, name in enumerate(sorted(wanted - set(BY_NAME)))
    ]
    ours = [method for method in METHODS if method.name in wanted]
    ordered = [m for m in ours if m.ranked] + own + [m for m in ours if not m.ranked]
    return {method.name: method for method in ordered}


@dataclass(frozen=True)
class Row:
    """What a row of a table stands for; the text is made by whoever prints it.

    Attributes
    ----------
    method : Method
    detail : str
        What tells it apart from other rows of the method in the campaign; empty where there is one.
    trained_by : Method or None
        The way of training (AGRA) of the regressors behind the row, where it is not the usual one.
    """

    method: Method
    detail: str = ""
    trained_by: Method | None = None

    def __str__(self) -> str:
        text = self.method.title + (f" ({self.detail})" if self.detail else "")
        return text + (f" + {self.trained_by.title}" if self.trained_by else "")

    @property
    def ranked(self) -> bool:
        return self.method.ranked

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be said below a table with this row."""
        return tuple(m.note for m in (self.method, self.trained_by) if m is not None and m.note)
