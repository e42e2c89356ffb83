"""The registry of update rules: their names, their parameters, and what runs them."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from denograd.data.checks import (
    check_count,
    check_discrete,
    check_memory,
    check_nonnegative,
    check_positive,
)
from denograd.data.progress import Progress
from denograd.map.own_model import FOLDS, transform_map
from denograd.models.fitted import Fitted, RuleResult, open_model
from denograd.models.frozen import frozen
from denograd.rules import steps
from denograd.rules.affine import descend_affine
from denograd.rules.descent import Descent, Gradients, descend_rows, descend_series
from denograd.rules.joint import Joint, minimise_jointly

RuleName = Literal["fixed", "gauss_newton", "global", "map"]


@dataclass(frozen=True)
class Rule:
    """An update rule: what runs it, its parameters with their defaults, and whether it has gradients to give."""

    run: Callable[..., RuleResult]
    defaults: dict[str, Any]
    gradients: bool = True


def run(rule: str, fitted: Fitted, given: dict[str, Any], **common: Any) -> RuleResult:
    """Run `rule` with the parameters `given` and the ones that all rules have.

    Raises
    ------
    ValueError
        For an unknown rule or a parameter out of range.
    TypeError
        For a parameter that the rule does not have, or that has no effect beside the others.
    """
    if rule not in RULES:
        near = difflib.get_close_matches(str(rule), RULES) or list(RULES)
        raise ValueError(f"unknown rule {rule!r}; there are {', '.join(RULES)}; did you mean {near[0]!r}?")
    strategy = given.pop("ts_strategy", None)
    if strategy is not None and {"window": "gauss_newton", "global": "global"}.get(strategy) != rule:
        raise TypeError(
            f"ts_strategy={strategy!r} does not go with rule={rule!r}: 2.0's ts_strategy='window' is "
            "rule='gauss_newton', its ts_strategy='global' is rule='global'"
        )
    if strategy is not None and not fitted.is_ts:
        raise TypeError(
            "ts_strategy is for series, and this is a table: leave it out, or fit with is_ts=True"
        )
    defaults = RULES[rule].defaults
    for name in given:
        if name not in defaults:
            owners = [other for other, r in RULES.items() if name in r.defaults]
            raise TypeError(
                f"{name} has no effect with rule={rule!r}: leave it out, or use "
                + " or ".join(f"rule={o!r}" for o in owners)
            )
    _check_effect(rule, given, **common)
    if not RULES[rule].gradients:
        del common["save_gradients"]
    elif common["save_gradients"] is None:
        common["save_gradients"] = True
    # `map` can hold a column by its sigma; a target that stands apart was looked at by `fit`
    if rule != "map" and fitted.y is not None and fitted.target_cols is not None:
        check_discrete(fitted.y)
    settings = {**defaults, **given}
    check_count(max_epochs=settings["max_epochs"])
    if common["batch_size"] is not None:
        check_count(batch_size=common["batch_size"])
    return RULES[rule].run(fitted, **settings, **common)


def _check_effect(
    rule: str, given: dict[str, Any], *, denoise_y: bool, save_gradients: bool | None, **_: Any
) -> None:
    """Refuse parameters that the rule has, but that the others leave without effect."""
    if given.get("solver") == "one_step" and "max_epochs" in given:
        raise TypeError(
            "max_epochs has no effect with solver='one_step', a closed form: leave it out, or use solver='lbfgs'"
        )
    if given.get("solver") == "one_step" and not denoise_y:
        raise TypeError(
            "denoise_y=False leaves nothing to move with solver='one_step', a closed form for the targets alone: "
            "leave out one of them"
        )
    if save_gradients and not RULES[rule].gradients:
        raise TypeError(
            f"save_gradients=True: rule={rule!r} has no gradients per epoch to give, leave it out"
        )
    if "eta_y" in given and not denoise_y:
        raise TypeError("eta_y has no effect with denoise_y=False: leave out one of them")


def _window_arguments(fitted: Fitted) -> dict[str, Any]:
    return {
        "window": fitted.window_size,
        "future": fitted.future,
        "stride": fitted.stride,
        "count": fitted.count,
    }


def _descend(rule: str) -> Callable[..., RuleResult]:
    step = getattr(steps, rule)

    def run_rule(
        fitted: Fitted,
        *,
        nrr: float,
        nr_threshold: float,
        max_epochs: int,
        eta_x: float = 1.0,
        eta_y: float = 1.0,
        denoise_y: bool,
        batch_size: int | None,
        save_gradients: bool,
        verbose: bool,
    ) -> RuleResult:
        check_positive(nrr=nrr)
        check_nonnegative(nr_threshold=nr_threshold, eta_x=eta_x, eta_y=eta_y)
        with frozen(fitted.model, fitted.device), Progress(max_epochs, rule, verbose) as progress:
            opened = open_model(fitted, rule, batch_size)
            predict, X, y, dtype = opened.predict, opened.X, opened.y, opened.dtype
            if save_gradients:
                sample = X[0].numel() * (fitted.window_size or 1) + y.shape[1]
                what = f"{max_epochs} epochs x {fitted.count} samples x {sample} values"
                check_memory(dtype.itemsize * max_epochs * fitted.count * sample, what)
            how = Descent(
                rule=step,
                ungated_only=rule == "gauss_newton",
                nrr=nrr,
                tau=nr_threshold,
                epochs=max_epochs,
                batch_size=opened.batch_size,
                move_y=denoise_y,
                eta_x=eta_x,
                eta_y=eta_y,
                keep=save_gradients,
            )
            if opened.affine is not None and not save_gradients:
                kept = Gradients()
                descend_affine(predict, opened.affine, X, y, how, progress, **_window_arguments(fitted))
            elif fitted.is_ts:
                kept = descend_series(predict, X, y, dtype, how, progress, **_window_arguments(fitted))
            else:
                kept = descend_rows(predict, X, y, dtype, how, progress)
        return RuleResult(X.cpu().numpy(), y.cpu().numpy(), kept.x, kept.y, progress.history)

    return run_rule


def _refine_jointly(
    fitted: Fitted,
    *,
    lam: float,
    lr: float,
    tol: float,
    max_epochs: int,
    denoise_y: bool,
    batch_size: int | None,
    save_gradients: bool,
    verbose: bool,
) -> RuleResult:
    check_positive(lr=lr)
    check_nonnegative(lam=lam, tol=tol)
    if not fitted.is_ts:
        raise ValueError(
            "rule='global' refines a series as a whole: fit with is_ts=True, or use 'gauss_newton' here"
        )
    with frozen(fitted.model, fitted.device), Progress(max_epochs, "global", verbose) as progress:
        opened = open_model(fitted, "global", batch_size)
        predict, X, y, dtype = opened.predict, opened.X, opened.y, opened.dtype
        if save_gradients:
            moving = [X, y] if denoise_y and fitted.target_cols is None else [X]
            values = sum(v.numel() for v in moving)
            need = sum(v.numel() * v.itemsize for v in moving)
            check_memory(max_epochs * need, f"{max_epochs} epochs x {values} values")
        how = Joint(
            target_cols=fitted.target_cols,
            mean=opened.mean,
            lam=lam,
            lr=lr,
            tol=tol,
            epochs=max_epochs,
            batch_size=opened.batch_size,
            move_y=denoise_y,
            keep=save_gradients,
        )
        kept = minimise_jointly(predict, X, y, dtype, how, progress, **_window_arguments(fitted))
    if fitted.target_cols is not None:
        y = X[:, list(fitted.target_cols)]
    return RuleResult(X.cpu().numpy(), y.cpu().numpy(), kept.x, kept.y, progress.history)


RULES = {
    "fixed": Rule(_descend("fixed"), {"nrr": 0.05, "nr_threshold": 0.01, "max_epochs": 100}),
    "gauss_newton": Rule(
        _descend("gauss_newton"),
        {"nrr": 0.5, "nr_threshold": 0.01, "max_epochs": 100, "eta_x": 1.0, "eta_y": 1.0},
    ),
    "global": Rule(_refine_jointly, {"lam": 1.0, "lr": 0.05, "tol": 1e-7, "max_epochs": 300}),
    "map": Rule(
        transform_map, {"sigma": None, "solver": "auto", "folds": FOLDS, "max_epochs": 40}, gradients=False
    ),
}
