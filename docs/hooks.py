"""What the site computes when it is built: the published figures beside ours, the leaderboard, the gallery.

A page says where by a comment, ``<!-- build: NAME -->``; on a code host, which builds nothing, it shows nothing.
"""

from __future__ import annotations

import ast
import contextlib
import csv
import io
import re
import runpy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
MARK = re.compile(r"<!-- build: (\w+) -->")


class UnknownPart(Exception):
    """A page names a part that nothing here makes."""


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Run the gallery, and add its pictures to the site."""
    SHOWN[:] = [run_example(ROOT / "examples" / f"{name}.py") for name in GALLERY]
    for shown in SHOWN:
        files.append(File.generated(config, f"docs/gallery/{shown.name}.png", content=shown.picture))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Set in the parts that are Markdown; in a report, say that ``[R]`` is no link."""
    if page.file.src_uri.startswith("results/"):
        return re.sub(r"(?<=[\w ])\[([A-Z])\]", r"\\[\1\\]", markdown)
    unknown = [name for name in MARK.findall(markdown) if name not in (*IN_MARKDOWN, *IN_HTML)]
    if unknown:
        there = ", ".join([*IN_MARKDOWN, *IN_HTML])
        raise UnknownPart(f"{page.file.src_uri}: nothing makes {', '.join(unknown)}; there are {there}")
    return MARK.sub(lambda mark: IN_MARKDOWN[mark[1]]() if mark[1] in IN_MARKDOWN else mark[0], markdown)


def on_post_page(output: str, **_: Any) -> str:
    """Set in the parts that are HTML, when the search has read the page."""
    return MARK.sub(lambda mark: IN_HTML[mark[1]](), output)


# ---------------------------------------------------------------------------------- the published figures


def figures() -> str:
    """Each published figure with ours, its verdict, the settings and the command, from the campaign's own table."""
    entries = yaml.safe_load((ROOT / "results/published.yaml").read_text(encoding="utf-8"))["figures"]
    known = {entry["what"]: entry for entry in entries}
    with (ROOT / "results/uncapped/tables/paper_versus_ours.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    parts = []
    for row in rows:
        parts += [
            f"### {row['figure']}\n",
            f"**{row['verdict']}**: published {row['published']}, ours {row['ours']} "
            f"(difference {row['difference']}).\n",
            f"- Why: {row['why']}.",
            f"- Settings: {row['settings']}.",
            f"- Largest part of the mean: {row['largest part of the mean']}.",
            f"\n```sh\n{command_of(known[row['figure']])}\npython -m experiments.report campaign=uncapped\n```\n",
        ]
    return "\n".join(line for line in parts if not line.endswith(": –."))


def command_of(entry: dict[str, Any]) -> str:
    """What computes the cells behind a published figure."""
    words = [f"only.sigma={entry['sigma']:g}"]
    if entry["kind"] != "rank":  # a rank needs all methods; an improvement is over `identity`
        words.append(f"only.denoiser=identity,{entry['method']}")
    if "dataset" in entry:
        words.append(f"only.dataset={entry['dataset']}")
    return " ".join(["python -m experiments.campaign +campaign=uncapped", *words])


# ----------------------------------------------------------------------------------------- the leaderboard

CAMPAIGNS = ("uncapped", "deployable", "core")


def leaderboard() -> str:
    """The leaderboard of the campaigns whose cells are in the checkout, with links to their reports."""
    from experiments.report.forms.leaderboard import fragment
    from experiments.report.leaderboard import described

    return fragment(described(ROOT / "results", CAMPAIGNS, link="../../results/{}/report.html"))


# --------------------------------------------------------------------------------------------- the gallery

GALLERY = (
    *("clean_a_series", "frame_with_gaps", "nasdaq_series"),
    *("compare_own_denoiser", "chosen_target", "read_a_campaign"),
)
"""Examples that end with a figure."""


@dataclass(frozen=True)
class Example:
    """A script that was run.

    Attributes
    ----------
    name, title, text, code : str
        The title is the first line of its docstring, the text what follows.
    output : str
        What it printed.
    picture : bytes
        Its figure as PNG.
    alt : str
        The figure's title: what the picture says.
    """

    name: str
    title: str
    text: str
    code: str
    output: str
    picture: bytes
    alt: str


SHOWN: list[Example] = []


def run_example(path: Path) -> Example:
    """Run a script as `python` does, and keep the figure that it shows."""
    import matplotlib.pyplot as plt
    import torch

    plt.switch_backend("agg")
    show, plt.show = plt.show, lambda: None
    printed, picture = io.StringIO(), io.BytesIO()
    try:
        with contextlib.redirect_stdout(printed), torch.random.fork_rng():
            runpy.run_path(str(path), run_name="__main__")
        (number,) = plt.get_fignums()
        figure = plt.figure(number)
        figure.savefig(picture, format="png", dpi=130)
        alt = figure.get_suptitle()
    finally:
        plt.show = show
        plt.close("all")
    source = path.read_text(encoding="utf-8")
    title, _, text = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")
    code = source.split('"""', 2)[2].strip()
    return Example(path.stem, title, text, code, printed.getvalue(), picture.getvalue(), alt)


def gallery() -> str:
    """Every example: what it says, the figure, what it prints, and the code folded away."""
    parts = []
    for shown in SHOWN:
        code = "\n".join(f"    {line}".rstrip() for line in f"```python\n{shown.code}\n```".splitlines())
        parts += [
            f"## {shown.title.rstrip('.')}",
            shown.text,
            f"![{shown.alt}](gallery/{shown.name}.png)",
            f"It prints:\n\n```text\n{shown.output.rstrip()}\n```",
            f'??? example "The script, examples/{shown.name}.py"\n\n{code}',
        ]
    return "\n\n".join(parts)


IN_MARKDOWN = {"figures": figures, "gallery": gallery}
IN_HTML = {"leaderboard": leaderboard}
