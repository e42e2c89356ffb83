"""DenoGrad's published rules behind the interface of every other denoiser."""

from __future__ import annotations

from typing import Any, Literal, Self, get_args

import torch

from baselines.base import Array, Denoised, Problem
from denograd import DenoGrad

Refine = Literal["both", "features", "target"]
Rule = Literal["fixed", "gauss_newton", "global"]


class DenoGradRule:
    """One of the published update rules, driven by the pipeline's backbone.

    The rule refines the rows it is given, features and target together, so it has no form for features alone
    and none that spares the future of a series.

    Parameters
    ----------
    rule : {"fixed", "gauss_newton", "global"}
    refine : {"both", "features", "target"}
        ``features`` holds the target during the run; ``target`` keeps only the target of the joint run.
    nrr, nr_threshold, max_epochs, batch_size, lam, lr, eta_x, eta_y, tol
        Parameters of the rule, see `denograd.DenoGrad.transform`; None leaves the rule's own default.
    device : {"cpu", "cuda"}
        Where the rule is run.
    """

    needs_backbone = True
    features_only = False
    causal = False
    sequential = False
    revision = 1

    def __init__(
        self,
        rule: Rule = "fixed",
        refine: Refine = "both",
        nrr: float | None = None,
        nr_threshold: float | None = None,
        max_epochs: int | None = None,
        batch_size: int | None = None,
        lam: float | None = None,
        lr: float | None = None,
        eta_x: float | None = None,
        eta_y: float | None = None,
        tol: float | None = None,
        device: str = "cpu",
    ) -> None:
        if refine not in get_args(Refine):
            raise ValueError(f"refine must be one of {', '.join(get_args(Refine))}, got {refine!r}")
        self.rule = rule
        self.device = device
        self.refine = refine
        options: dict[str, Any] = {
            "nrr": nrr,
            "nr_threshold": nr_threshold,
            "max_epochs": max_epochs,
            "batch_size": batch_size,
            "lam": lam,
            "lr": lr,
            "eta_x": eta_x,
            "eta_y": eta_y,
            "tol": tol,
        }
        self.options = {name: value for name, value in options.items() if value is not None}
        self._problem: Problem | None = None

    def skip(self, problem: Problem) -> str | None:
        """The global rule is defined for series."""
        if self.rule == "global" and problem.kind == "tabular":
            return "the rule 'global' refines a series as one; a table has no windows that share values"
        return None

    def fit(self, X: Array, y: Array | None = None, *, seed: int = 0, problem: Problem = Problem()) -> Self:  # noqa: B008
        """Take the trained backbone; the rule itself learns nothing."""
        if problem.backbone is None:
            raise ValueError("DenoGrad needs a trained backbone: problem.backbone is None")
        self._problem = problem
        self._backbone = problem.backbone("target")
        return self

    def denoise(self, X: Array, y: Array | None = None, *, causal: bool = False) -> Denoised:
        """Refine the rows of `X`, and of `y` or, in a series, of channel 0 apart from the frame."""
        if self._problem is None:
            raise RuntimeError("fit the denoiser before it denoises")
        if causal:
            raise ValueError(f"the rule '{self.rule}' looks both ways: it has no causal pass")
        series = self._problem.kind == "series"
        target = X[:, 0].copy() if y is None else y
        windows: dict[str, Any] = {"is_ts": True, "window_size": self._problem.window} if series else {}
        method = DenoGrad(self._backbone.module, torch.nn.MSELoss(), device=self.device)
        method.fit(X, target, **windows)
        refined_X, refined_y, _, _ = method.transform(
            rule=self.rule,
            denoise_y=self.refine != "features",
            save_gradients=False,
            **self.options,
        )
        return Denoised(
            X.copy() if self.refine == "target" else refined_X,
            refined_y.reshape(len(X)),
            {"history": method.history_},
        )
