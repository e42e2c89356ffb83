"""The examples as notebooks, executed: what stands in a script between blank lines is a cell.

    python docs/notebooks.py [NAME ...] [--into FOLDER]     # `make notebooks`: all of them, into build/notebooks/

A notebook is made from its script and never edited or kept in the repository. One that fails ends this with its error.
"""

from __future__ import annotations

import argparse
import ast
import os
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
LONGEST_S = 600


def as_notebook(path: Path) -> Any:
    """A script as a notebook: its docstring as text, its paragraphs as cells."""
    source = path.read_text(encoding="utf-8")
    said = ast.get_docstring(ast.parse(source)) or path.stem
    title, _, text = said.partition("\n\n")
    notebook = jupytext.reads(source.split('"""', 2)[2].lstrip("\n"), fmt="py:light")
    if "__file__" in source:
        here = nbformat.v4.new_code_cell(
            f'__file__ = "{path.name}"  # what a notebook does not know of itself'
        )
        notebook.cells.insert(0, here)
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"# {title}\n\n{text}"))
    return notebook


def execute(notebook: Any) -> None:
    """Run the cells in a fresh kernel that imports from this checkout."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    client = NotebookClient(
        notebook,
        timeout=LONGEST_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(ROOT / "examples")}},
    )
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("MPLBACKEND", None)  # a notebook shows its figures
    client.execute(env=environment)


def main() -> None:
    known = {path.stem: path for path in sorted((ROOT / "examples").glob("*.py"))}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--into", type=Path, default=ROOT / "build/notebooks")
    options = parser.parse_args()
    for name in options.names:
        if name not in known:
            parser.error(f"there is no examples/{name}.py; there are {', '.join(known)}")
    options.into.mkdir(parents=True, exist_ok=True)
    for name in options.names or known:
        notebook = as_notebook(known[name])
        execute(notebook)
        nbformat.write(notebook, options.into / f"{name}.ipynb")
        print(options.into / f"{name}.ipynb", flush=True)


if __name__ == "__main__":
    main()
