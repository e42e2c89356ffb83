"""Reference rows: the result of training, or testing, on the clean data. Neither a denoiser nor a bound for one."""

from __future__ import annotations

from typing import Literal, Self

from baselines.base import Array, Denoised, NotApplicable, Problem

Form = Literal["clean", "noisy"]
FORMS: tuple[Form, ...] = ("clean", "noisy")


class Reference:
    """Features and target as they were before the noise, where it says so; under the protocol `deployable`.

    The harness, which alone has the clean data, asks `made_of` instead of calling `fit` and `denoise`.

    Parameters
    ----------
    features, target : {"clean", "noisy"}
        Of the train and validation part.
    test : {"clean", "noisy"}
        Features of the test part.
    """

    features_only = False
    causal = False
    sequential = False

    def __init__(self, features: Form = "clean", target: Form = "clean", test: Form = "clean") -> None:
        for name, form in (("features", features), ("target", target), ("test", test)):
            if form not in FORMS:
                raise ValueError(f"{name} must be 'clean' or 'noisy', got {form!r}")
        self.features = features
        self.target = target
        self.test = test

    def skip(self, problem: Problem) -> str | None:
        """Without noise there is nothing to refer to."""
        return None if problem.is_noisy else "no noise was injected: the data are their own reference"

    def fit(self, X: Array, y: Array | None = None, *, seed: int = 0, problem: Problem = Problem()) -> Self:  # noqa: B008
        """Cannot be done without the clean data."""
        raise NotApplicable("a reference row needs the clean data, under the protocol 'deployable'")

    def denoise(self, X: Array, y: Array | None = None, *, causal: bool = False) -> Denoised:
        """Cannot be done without the clean data."""
        raise NotApplicable("a reference row needs the clean data, under the protocol 'deployable'")

    def made_of(self, noisy: tuple[Array, Array], clean: tuple[Array, Array]) -> tuple[Array, Array, Array]:
        """Choose what to train and to test on.

        Parameters
        ----------
        noisy, clean : (X, y)
            All rows.

        Returns
        -------
        X, y : (n, d), (n,) arrays
            For training.
        X_test : (n, d) array
            For testing.
        """
        by_form = {"noisy": noisy, "clean": clean}
        return by_form[self.features][0], by_form[self.target][1], by_form[self.test][0]
