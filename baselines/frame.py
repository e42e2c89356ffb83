"""The common base of this package's denoisers: they refine a frame whose last column is the target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self, get_args

from baselines.base import Array, Denoised, Problem, Settings, stack, unstack


class FrameDenoiser:
    """Checks and bookkeeping around the two methods that a denoiser of frames writes.

    A subclass defines ``_learn(frame, seed, problem)`` where there is anything to learn, and
    ``_refine(frame, causal) -> (frame, info)``. Frames are float64; the result has the input's precision.

    Parameters
    ----------
    settings : {"paper", "sound"}
        As published, defects included, or with the known defects corrected.
    """

    features_only = True
    causal = True
    sequential = False
    revision: ClassVar[int | Mapping[str, int]] = 1

    def __init__(self, settings: Settings = "paper") -> None:
        if settings not in get_args(Settings):
            raise ValueError(
                f"{type(self).__name__}: settings must be 'paper' (as published) or 'sound' "
                f"(defects mended), got {settings!r}"
            )
        self.settings = settings
        self._width: int | None = None

    @property
    def sound(self) -> bool:
        """Whether the defects of the published settings are mended."""
        return self.settings == "sound"

    def skip(self, problem: Problem) -> str | None:
        """Frame denoisers run on everything."""
        return None

    def fit(self, X: Array, y: Array | None = None, *, seed: int = 0, problem: Problem | None = None) -> Self:
        """Learn from the rows of `X` and, if given, of `y`.

        Parameters
        ----------
        X : (n, d) array
        y : (n,) array, optional
        seed : int
            The only source of randomness.
        problem : Problem, optional

        Raises
        ------
        ValueError
            If the shapes do not match, or a value is NaN or infinite.
        """
        frame = stack(X, y).astype(float, copy=False)
        if not len(frame):
            raise ValueError(f"{type(self).__name__}.fit needs at least one row, got shape {frame.shape}")
        self._width, self._has_target = frame.shape[1], y is not None
        self._learn(frame, seed, problem or Problem())
        return self

    def denoise(self, X: Array, y: Array | None = None, *, causal: bool = False) -> Denoised:
        """Refine rows, those of `fit` or new ones, with the same columns.

        Parameters
        ----------
        X : (n, d) array
        y : (n,) array, optional
        causal : bool
            Row ``t`` of the result depends on rows ``0..t`` alone.

        Raises
        ------
        RuntimeError
            If called before `fit`.
        ValueError
            If the columns differ from those of `fit`, a value is NaN or infinite, or `causal` is asked of
            a denoiser that has no such form.
        """
        name = type(self).__name__
        if self._width is None:
            raise RuntimeError(f"{name}.denoise was called before fit: fit it first")
        if causal and not self.causal:
            raise ValueError(f"{name} looks both ways and has no causal form: call denoise with causal=False")
        frame = stack(X, y)
        if frame.shape[1] != self._width:
            raise ValueError(
                f"{name} was fitted on {self._width} columns (target included), got {frame.shape[1]}: "
                "hand over the same features, and a target if and only if fit had one"
            )
        refined, info = self._refine(frame.astype(float), causal)
        return unstack(refined.astype(frame.dtype, copy=False), y, info)

    def _learn(self, frame: Array, seed: int, problem: Problem) -> None:
        """Nothing to learn, unless a subclass says otherwise."""

    def _refine(self, frame: Array, causal: bool) -> tuple[Array, dict[str, Any]]:
        raise NotImplementedError
