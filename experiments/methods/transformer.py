"""A scikit-learn transformer as a denoiser."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import clone

from baselines.base import Denoised, Problem, stack, unstack


class Transformer:
    """Fit a transformer on the rows, and take what it makes of them for the refined data.

    One rule says how it sees the target: the target is the last column of the data that the transformer is fitted on
    and transforms, refined like any other; where no target may be seen (test rows of a table) it is fitted on and
    applied to the features alone; it never gets a ``y``. In a series the target is the first column.

    With an ``inverse_transform``, as of a PCA or a pipeline that ends in one, the refined rows are what comes back
    from it; without, as of an imputer, what ``transform`` returns, which must then have the columns that it was given,
    in their order. A row's result must depend on the fitted rows and that row alone, as scikit-learn requires of
    ``transform``.

    Parameters
    ----------
    transformer : scikit-learn transformer
        Cloned for every fit; each ``random_state`` that is None is set.
    """

    features_only = True
    causal = True
    sequential = False

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def skip(self, problem: Problem) -> str | None:
        return None

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None = None,
        *,
        seed: int = 0,
        problem: Problem | None = None,
    ) -> Self:
        self._fitted = clone(self.transformer)
        unset = [
            name
            for name, value in self._fitted.get_params(deep=True).items()
            if name.rpartition("__")[2] == "random_state" and value is None
        ]
        self._fitted.set_params(**dict.fromkeys(unset, seed))
        self._fitted.fit(stack(X, y))
        return self

    def denoise(self, X: np.ndarray, y: np.ndarray | None = None, *, causal: bool = False) -> Denoised:
        frame = stack(X, y)
        made = self._fitted.transform(frame)
        name = type(self.transformer).__name__
        imputes = type(self._fitted).__module__.startswith(
            "sklearn.impute"
        )  # its inverse brings the gaps back
        if hasattr(self._fitted, "inverse_transform") and not imputes:
            made = self._fitted.inverse_transform(made)
        made = np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=float)
        if made.shape != frame.shape:
            raise ValueError(
                f"{name} returns an array of shape {made.shape} for rows of shape {frame.shape} and has no "
                "inverse_transform: as a denoiser it must give back the columns that it was given"
            )
        return unstack(made, y)
