"""Tables and figure of the measurements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.map_shares.measure import FAILING, LEVELS, OTHERS, SIGMAS, STRONG, UNEQUAL, WANTED
from benchmarks.tables import markdown, shown

Cells = dict[tuple[str, float, str], list[dict[str, Any]]]
"""Measurements of all seeds, by data, sigma and variant."""


def cells_of(rows: list[dict[str, Any]]) -> Cells:
    cells: Cells = defaultdict(list)
    for row in rows:
        cells[row["data"], row["sigma"], row["variant"]].append(row)
    return cells


def all_tables(cells: Cells) -> dict[str, str]:
    """By the names of their markers."""
    return {
        "shares": shares_table(cells),
        "ranks": ranks_table(cells),
        "levels": f"{levels_table(cells)}\n\n{levels_sentences(cells)}",
        "robust": robust_table(cells),
        "unequal": unequal_table(cells),
        "all rows": all_rows_table(cells),
        "cost": cost_table(cells),
    }


def mean(rows: list[dict[str, Any]], *path: str, how: Callable[[list[float]], Any] = np.mean) -> float:
    """Mean of one figure over seeds; NaN where nobody has it."""
    values = []
    for value in rows:
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, float | int):
            values.append(float(value))
    return float(how(values)) if values else float("nan")


def each(values: list[float], digits: int = 3) -> str:
    """Figures side by side."""
    return " / ".join(shown(v, digits) for v in values)


def best_of(cells: list[dict[str, Any]], others: list[dict[str, Any]], names: Any) -> float:
    """Least share that one of the named denoisers leaves."""
    found = [mean(others or cells, name, "share") for name in names]
    return min(filter(np.isfinite, found), default=np.nan)


def shares_table(cells: Cells) -> str:
    """The level known."""
    rows = []
    for name, wanted in WANTED.items():
        at = [cells[name, sigma, "known"] for sigma in SIGMAS]
        others = [cells[name, sigma, "others"] for sigma in SIGMAS]
        if any(at):
            rows.append(
                [
                    f"`{name}`",
                    *(each([mean(c, "auto", k) for c in at]) for k in ("share", "repeating", "continuous")),
                    each([mean(c, "auto", "expected") for c in at]),
                    each([mean(c, "auto", "worst", how=max) for c in at], 2),
                    each(list(wanted)),
                    each([mean(c, "one_step", "share") for c in at]),
                    each([best_of(c, o, STRONG) for c, o in zip(at, others, strict=True)]),
                    each([mean(o, "DnResNet", "share") for o in others]),
                    "/".join(str(len(c)) for c in at),
                    f"{mean(at[1], 'fit_s'):.0f} + {mean(at[1], 'auto', 'seconds'):.0f}",
                ]
            )
    head = ["data", "share left", "values repeat", "continuous", "expected (Stein)", "worst column", "wanted"]
    return markdown([*head, "closed form", "best peer", "DN-ResNet", "seeds", "fit + refine, s"], rows)


def ranks_table(cells: Cells) -> str:
    """All denoisers in one run: mean rank of the share that each leaves, over the data sets."""
    names = ["auto", "one_step", *OTHERS]
    rows, ranks = [], {}
    for sigma in SIGMAS:
        found = []
        for name in WANTED:
            others = cells[name, sigma, "others"]
            # on the same draws
            known = [r for r in cells[name, sigma, "known"] if r["seed"] in {o["seed"] for o in others}]
            if known:
                left = [mean(known if m in ("auto", "one_step") else others, m, "share") for m in names]
                # what does not run on a table leaves it as it is
                found.append(np.nan_to_num(np.array(left), nan=1.0))
        if found:
            shares = np.stack(found)
            below, same = ((shares[:, :, None] > shares[:, None]), (shares[:, :, None] == shares[:, None]))
            ranks[sigma] = (below.sum(2) + (same.sum(2) + 1) / 2).mean(0), len(found)
    called = {"auto": "`map`", "one_step": "`map`, closed form"}
    for k in np.argsort(np.mean([r for r, _ in ranks.values()], 0)) if ranks else []:
        rows.append(
            [
                called.get(names[k], names[k]),
                *(f"{ranks[s][0][k]:.1f}" if s in ranks else "-" for s in SIGMAS),
            ]
        )
    return markdown(
        ["denoiser", *(f"sigma {s:g} ({ranks[s][1] if s in ranks else 0} data sets)" for s in SIGMAS)], rows
    )


def robust_table(cells: Cells) -> str:
    """When the assumptions fail: `auto` / the plain closed form."""
    kinds = ("known", *FAILING)
    rows = []
    for name in WANTED:
        for sigma in SIGMAS[:2]:
            found = [[mean(cells[name, sigma, v], s, "share") for s in ("auto", "one_step")] for v in kinds]
            if np.isfinite(found[1:]).any():
                rows.append([f"`{name}`", f"{sigma}", *(each(pair, 2) for pair in found)])
    return markdown(["data", "sigma", *kinds], rows)


def unequal_table(cells: Cells) -> str:
    """Levels that differ between rows: told, or the mean level alone."""
    rows = []
    for name in WANTED:
        found = [[mean(cells[name, 0.2, v], s, "share") for s in ("auto", "one_level")] for v in UNEQUAL]
        if np.isfinite(found).any():
            rows.append([f"`{name}`", *(each(pair, 3) for pair in found)])
    return markdown(["data", *(v.replace("_", " ") for v in UNEQUAL)], rows)


def levels_table(cells: Cells) -> str:
    """The level unknown."""
    rows = []
    for name in (*WANTED, "ecl_excerpt"):
        for sigma in LEVELS:
            found = cells[name, sigma, "levels"]
            if not found:
                continue
            row = [f"`{name}`", f"{sigma}", f"{mean(found, 'auto', 'touched'):.0f} of {found[0]['columns']}"]
            for how in ("auto", "common"):
                if all(r[how] is None for r in found):
                    row += ["refused", "-", "-"]
                    continue
                least, most = mean(found, how, "least", how=min), mean(found, how, "most", how=max)
                row += ["-" if np.isnan(least) else f"{least:.2f} to {most:.2f}"]
                row += [each([mean(found, how, "share"), mean(found, how, "worst", how=max)])]
                row += [shown(mean(found, how, "of_gain"), 2)]
            rows.append(row)
    heads = ["level / true", "share / worst column", "of the known level's gain"]
    return markdown(
        ["data", "sigma", "auto touches", *(f"auto: {h}" for h in heads), *(f"common: {h}" for h in heads)],
        rows,
    )


def levels_sentences(cells: Cells) -> str:
    """What the table of unknown levels comes to."""
    found = [r for (_, _, variant), rows in cells.items() if variant == "levels" for r in rows]
    clean, noisy = ([r for r in found if (r["sigma"] == 0) == at_zero] for at_zero in (True, False))
    moved = sum(r[how] is not None and r[how]["moved"] > 0 for r in clean for how in ("auto", "common"))
    said = [f"Clean data: {len(clean)} draws, of which {moved} moved."]
    for how in ("auto", "common"):
        told = [r[how] for r in noisy if r[how] is not None and r[how]["touched"]]
        if not told:
            continue
        least, most = min(t["least"] for t in told), max(t["most"] for t in told)
        said.append(
            f"`{how}` touches columns in {len(told)} of {len(noisy)} noisy draws; there its levels are {least:.2f} to "
            f"{most:.2f} of the true ones, it gains at least {100 * min(t['of_gain'] for t in told):.0f} % of what the "
            f"known level does on the same columns, and leaves at most {max(t['share'] for t in told):.3f}, "
            f"{max(t['worst'] for t in told):.3f} in a single column."
        )
    return "\n".join(said)


def all_rows_table(cells: Cells) -> str:
    """All rows of every data set: the rule's forms and its peers."""
    ways = {
        "auto": "`auto`",
        "one_step": "closed form",
        "lbfgs": "`lbfgs`",
        **{name: name for name in STRONG},
        "DnResNet": "DN-ResNet",
    }
    rows = []
    for name in WANTED:
        found = cells[name, 0.2, "all_rows"]
        if found:
            size = f"{found[0]['rows']:,} x {found[0]['columns']}"
            shares = [shown(mean(found, way, "share")) for way in ways]
            worst, seconds = mean(found, "auto", "worst", how=max), mean(found, "auto", "seconds")
            cost = f"{mean(found, 'fit_s'):.0f} + {seconds:.0f}"
            rows.append([f"`{name}`", size, *shares, shown(worst, 2), cost])
    return markdown(
        ["data", "rows x columns", *ways.values(), "`auto`: worst column", "fit + refine, s"], rows
    )


def cost_table(cells: Cells) -> str:
    """Many rows."""
    rows = []
    for name in WANTED:
        for r in cells[name, 0.2, "large"]:
            row = [f"`{name}`", f"{r['rows']:,} x {r['columns']}", shown(r["fit_s"], 0)]
            for way in ("auto", "lbfgs"):
                row += [shown(r[way]["share"]), shown(r[way]["seconds"], 0), shown(r[way]["memory_gb"], 1)]
            rows.append(row)
    return markdown(
        [
            "data",
            "rows x columns",
            "fit, s",
            *(f"{w}: {k}" for w in ("auto", "lbfgs") for k in ("share", "s", "peak GB")),
        ],
        rows,
    )


def draw_figure(cells: Cells, path: Path) -> None:
    """Shares that are left: one panel a level, one line a data set."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = [name for name in WANTED if cells[name, 0.2, "known"]]
    with plt.rc_context({"svg.hashsalt": "map_shares", "svg.fonttype": "none", "font.size": 9}):
        figure, panels = plt.subplots(1, len(SIGMAS), figsize=(9, 3.2), sharey=True, layout="constrained")
        for panel, sigma in zip(panels, SIGMAS, strict=True):
            at = np.arange(len(names))[::-1]
            known, others = ([cells[name, sigma, v] for name in names] for v in ("known", "others"))
            series = {
                "map": ([mean(c, "auto", "share") for c in known], "o", "tab:blue"),
                "map, closed form": ([mean(c, "one_step", "share") for c in known], "|", "tab:blue"),
                "best peer": (
                    [best_of(c, o, STRONG) for c, o in zip(known, others, strict=True)],
                    "s",
                    "tab:orange",
                ),
                "DN-ResNet": ([mean(o, "DnResNet", "share") for o in others], "^", "tab:green"),
            }
            for label, (values, marker, colour) in series.items():
                panel.plot(
                    values, at, marker, color=colour, label=label, markersize=8 if marker == "|" else 5
                )
            panel.set(title=f"sigma {sigma:g}", xlim=(0, 1.05), yticks=at, yticklabels=names)
            panel.grid(axis="x", alpha=0.4)
        panels[1].set_xlabel("share of the injected squared error that is left")
        figure.legend(
            *panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False
        )
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
