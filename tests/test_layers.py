"""Who may import whom: the house's table as data, and the checks that hold the code to it.

Imports inside functions count like any other. Each check is a function of a tree and returns what it found
wrong, so that every one is also tried on a small made-up tree that breaks its rule.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs/architecture.md"
PRODUCT = ("denograd", "baselines", "experiments")
OUTSIDE = ("benchmarks", "examples")
"""What uses the product as anybody would: no room of the table, but public names of `denograd` alone."""

FULL = 15
"""Modules in one folder, its `__init__` not counted."""

DENOGRAD = ("denograd.data", "denograd.models", "denograd.map", "denograd.rules", "denograd.table")
BELOW_RUN = (
    *("experiments.base", "experiments.store", "experiments.config", "experiments.data"),
    *("experiments.models", "experiments.methods", "experiments.report", "baselines", "denograd"),
)
BELOW_CAMPAIGN = ("experiments.run", *BELOW_RUN)
SMALL_STUDY = (
    *("experiments.base", "experiments.config", "experiments.data", "experiments.models", "baselines"),
)

ROOMS: dict[str, tuple[str, ...]] = {
    "denograd.data": (),
    "denograd.models": ("denograd.data",),
    "denograd.map": ("denograd.models", "denograd.data"),
    "denograd.rules": ("denograd.map", "denograd.models", "denograd.data"),
    "denograd.table": ("denograd.data",),
    "denograd": DENOGRAD,
    "baselines": ("denograd",),
    "experiments": ("denograd", "experiments.study"),
    "experiments.base": (),
    "experiments.store": ("experiments.base",),
    "experiments.config": ("experiments.base",),
    "experiments.data": ("experiments.base", "baselines.base", "denograd.table"),
    "experiments.models": ("experiments.base", "baselines", "denograd"),
    "experiments.methods": ("experiments.base", "baselines", "denograd"),
    "experiments.report": ("experiments.base", "experiments.store"),
    "experiments.run": BELOW_RUN,
    "experiments.campaign": BELOW_CAMPAIGN,
    "experiments.leaderboard": ("experiments.report", "experiments.base", "experiments.store"),
    "experiments.compare": ("experiments.campaign", *BELOW_CAMPAIGN),
    "experiments.study": BELOW_CAMPAIGN,
    "experiments.hparams": BELOW_CAMPAIGN,
    "experiments.fetch": SMALL_STUDY,
    "experiments.list": SMALL_STUDY,
    "experiments.agra": SMALL_STUDY,
    "experiments.autoencoder": SMALL_STUDY,
}
"""A room, or a module that needs no room, and what of ours it may import besides itself. `denograd` and
`experiments` are the modules that lie directly in these folders; as something imported, they and `baselines` are
the whole package."""

LIBRARY_NEEDS = {"numpy", "torch", "tqdm"}
OPTIONAL = {
    "denograd.regressor": {"sklearn"},
    "denograd.regressor_base": {"sklearn"},
    "denograd.chosen_target": {"sklearn"},
    "denograd.target_choice": {"sklearn"},
    "denograd.command": {"pandas"},
    "denograd.page": {"matplotlib"},
    "denograd.pieces": {"pandas"},
    "denograd.table.result": {"pandas", "matplotlib"},
    "denograd.table.content": {"charset_normalizer"},
    "denograd.table.columns": {"pandas"},
    "denograd.table.dates": {"pandas"},
    "denograd.table.reading": {"pandas", "openpyxl", "pyarrow"},
    "denograd.table.text": {"pandas"},
    "denograd.table.writing": {"pyarrow"},
    "denograd.table.polars_frame": {"pandas"},
}
"""Packages that a module of `denograd` may import inside its functions, since a user of them has them."""

COMMANDS = ("denograd.__main__", "denograd.command")
"""Modules of the libraries that may print."""

LOADED_ON_DEMAND = {"denograd.transformer": {"sklearn"}}
"""Modules that nothing imports before they are asked for, and what they may import outside functions."""

PUBLIC_MODULES: tuple[str, ...] = ("denograd.data", "denograd.models", "denograd.map", "denograd.table")
"""Documented modules of `denograd` besides its front door; what they list in `__all__` is public."""


@dataclass(frozen=True)
class Import:
    """One name that a module takes from a module of the tree or from a package."""

    by: str
    target: str  # the module; of a foreign package its first word
    name: str | None  # None where the module itself is taken
    line: int
    inside: bool  # a function, or a block for the type checker alone

    def __str__(self) -> str:
        what = self.target if self.name is None else f"{self.target}.{self.name}"
        return f"{self.by}, line {self.line}, imports {what}"


class Tree:
    """The modules of some packages under a folder, parsed, with their imports.

    Parameters
    ----------
    root : Path
        The folder that holds the packages.
    packages : tuple of str
        Names of folders under it.
    """

    def __init__(self, root: Path, packages: tuple[str, ...] = PRODUCT + OUTSIDE):
        self.modules: dict[str, ast.Module] = {}
        self.packages: set[str] = set()
        for path in sorted(path for package in packages for path in (root / package).rglob("*.py")):
            words = path.relative_to(root).with_suffix("").parts
            name = ".".join(words[:-1] if words[-1] == "__init__" else words)
            if words[-1] == "__init__":
                self.packages.add(name)
            self.modules[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
        self.imports = [found for name in self.modules for found in self._imports_of(name)]

    def _imports_of(self, module: str) -> Iterator[Import]:
        folder = module if module in self.packages else module.rpartition(".")[0]
        later = [  # what does not run, or not when the module is imported
            node
            for node in ast.walk(self.modules[module])
            if isinstance(node, ast.FunctionDef | ast.Lambda)
            or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        ]
        inside = {inner for node in later for inner in ast.walk(node)}
        for node in ast.walk(self.modules[module]):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield self._found(module, alias.name, None, node, inside)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    up = folder.split(".")[: len(folder.split(".")) - node.level + 1]
                    base = ".".join([*up, *([base] if base else [])])
                for alias in node.names:
                    yield self._found(module, base, alias.name, node, inside)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                for word in node.args[:1]:
                    if isinstance(word, ast.Constant) and isinstance(word.value, str):
                        yield self._found(module, word.value, None, node, inside)

    def _found(
        self, by: str, base: str, name: str | None, node: ast.stmt | ast.expr, inside: set[ast.AST]
    ) -> Import:
        if name is not None and f"{base}.{name}" in self.modules:
            base, name = f"{base}.{name}", None
        if not self.has(base):
            base, name = base.partition(".")[0], None
        return Import(by, base, name, node.lineno, node in inside)

    def has(self, module: str) -> bool:
        """Whether a module, or a folder without `__init__`, is of this tree."""
        return module in self.modules or any(known.startswith(f"{module}.") for known in self.modules)

    def ours(self) -> list[Import]:
        """The imports whose target is of this tree."""
        return [found for found in self.imports if self.has(found.target)]

    def folder_of(self, module: str) -> str:
        """The folder that a module lies in, as a dotted name."""
        return module if module in self.packages else module.rpartition(".")[0]

    def public_names(self, module: str) -> set[str]:
        """What a module lists in `__all__`."""
        for node in self.modules[module].body if module in self.modules else ():
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return set(ast.literal_eval(node.value))
        return set()


def room_of(module: str, tree: Tree, rooms: Mapping[str, object] = ROOMS) -> str | None:
    """The room that a module stands in; None where the table has no place for it."""
    if module in rooms:
        return module
    folder = tree.folder_of(module)
    while folder and folder not in rooms:
        folder = folder.rpartition(".")[0]
    beside = folder in {"experiments"} and module != folder  # a module there is named in the table itself
    return None if beside or not folder else folder


def homeless(tree: Tree, rooms: Mapping[str, object] = ROOMS) -> list[str]:
    """Modules of the product that stand in no room of the table."""
    return [
        f"{module} stands in no room: say in ROOMS what it may import"
        for module in tree.modules
        if module.partition(".")[0] in PRODUCT and room_of(module, tree, rooms) is None
    ]


def upward(tree: Tree, rooms: Mapping[str, tuple[str, ...]] = ROOMS) -> list[str]:
    """Imports that the table does not allow."""
    wrong = []
    for found in tree.ours():
        room = room_of(found.by, tree, rooms)
        if room is None or room_of(found.target, tree, rooms) == room:
            continue
        if not any(found.target == name or found.target.startswith(f"{name}.") for name in rooms[room]):
            wrong.append(f"{found}, which {room} may not")
    return wrong


def circles(arrows: Mapping[str, set[str]]) -> list[str]:
    """The circles of a graph, one for each set of nodes that all reach one another (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(arrows.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            members = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(members) > 1:
                found.append("a circle: " + ", ".join(sorted(members)))

    for node in sorted(arrows):
        if node not in index:
            visit(node)
    return found


def circles_of_files(tree: Tree) -> list[str]:
    """Files that import one another, directly or around."""
    arrows: dict[str, set[str]] = {module: set() for module in tree.modules}
    for found in tree.ours():
        arrows[found.by].add(found.target)
    return circles(arrows)


def circles_of_folders(tree: Tree) -> list[str]:
    """Folders whose files import one another's, directly or around."""
    arrows: dict[str, set[str]] = {}
    for found in tree.ours():
        here, there = (tree.folder_of(module) for module in (found.by, found.target))
        if here != there:
            arrows.setdefault(here, set()).add(there)
    return circles(arrows)


def too_full(root: Path, packages: tuple[str, ...] = PRODUCT) -> list[str]:
    """Folders with more modules than one reads at a glance."""
    wrong = []
    for package in packages:
        for folder in [root / package, *(path for path in (root / package).rglob("*") if path.is_dir())]:
            count = len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
            if count > FULL:
                wrong.append(
                    f"{folder.relative_to(root)} has {count} modules; up to {FULL} stand in one folder"
                )
    return wrong


def is_private(name: str) -> bool:
    """Whether a name says that it is for its own module alone."""
    return name.startswith("_") and not name.startswith("__")


def private(tree: Tree) -> list[str]:
    """Names with an underscore that are taken from another room, by import or by an attribute of one."""
    wrong = []
    for found in tree.ours():
        words = [*found.target.split("."), *([found.name] if found.name else [])]
        if room_of(found.by, tree) != room_of(found.target, tree) and any(map(is_private, words)):
            wrong.append(f"{found}, which is private")
    for module, parsed in tree.modules.items():
        for node in ast.walk(parsed):
            if isinstance(node, ast.Attribute) and is_private(node.attr):
                taken_from = _module_meant(tree, module, node.value)
                if taken_from and room_of(taken_from, tree) != room_of(module, tree):
                    wrong.append(
                        f"{module}, line {node.lineno}, takes {taken_from}.{node.attr}, which is private"
                    )
    return wrong


def _module_meant(tree: Tree, module: str, value: ast.expr) -> str | None:
    """The module of the tree from which the owner of an attribute was imported."""
    spelt = ast.unparse(value)
    if spelt in tree.modules:
        return spelt
    for node in ast.walk(tree.modules[module]):
        if isinstance(node, ast.Import | ast.ImportFrom):
            base = getattr(node, "module", None)
            for alias in node.names:
                full = alias.name if base is None else f"{base}.{alias.name}"
                if (alias.asname or alias.name) == spelt:
                    return full if full in tree.modules else base if base in tree.modules else None
    return None


def behind_the_door(tree: Tree, public_modules: tuple[str, ...] = PUBLIC_MODULES) -> list[str]:
    """Names of `denograd` that others use although they are not public."""
    modules = [module for module in ("denograd", *public_modules) if tree.has(module)]
    public = {module: tree.public_names(module) for module in modules}
    wrong = []
    for found in tree.ours():
        if found.by.partition(".")[0] == "denograd" or found.target.partition(".")[0] != "denograd":
            continue
        names = public.get(found.target, set()) | {"__version__"}
        if found.target not in public or (found.name is not None and found.name not in names):
            wrong.append(f"{found}, which is not public")
    return wrong


def foreign(tree: Tree, optional: Mapping[str, set[str]] = OPTIONAL) -> list[str]:
    """Packages that the library imports and may not."""
    wrong = []
    for found in tree.imports:
        if found.by.partition(".")[0] != "denograd" or tree.has(found.target):
            continue
        allowed = LIBRARY_NEEDS | set(sys.stdlib_module_names) | LOADED_ON_DEMAND.get(found.by, set())
        if found.inside:
            allowed = allowed | optional.get(found.by, set())
        if found.target not in allowed:
            wrong.append(f"{found}; the library needs {', '.join(sorted(LIBRARY_NEEDS))} alone")
    return wrong


def printing(tree: Tree) -> list[str]:
    """Calls of `print` in the libraries; a command may."""
    return [
        f"{module}, line {node.lineno}, prints"
        for module, parsed in tree.modules.items()
        if module.partition(".")[0] in ("denograd", "baselines") and module not in COMMANDS
        for node in ast.walk(parsed)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]


CHECKS = {
    check.__name__: check
    for check in (
        *(homeless, upward, circles_of_files, circles_of_folders),
        *(private, behind_the_door, foreign, printing),
    )
}


@pytest.fixture(scope="module")
def house():
    return Tree(ROOT)


@pytest.mark.parametrize("name", CHECKS)
def test_the_house_is_in_order(name, house):
    assert CHECKS[name](house) == []


def test_no_folder_is_too_full():
    assert too_full(ROOT) == []


def as_markdown(rooms):
    """The table as docs/architecture.md shows it, rooms that may import the same in one row."""
    together = {}
    for room, allowed in rooms.items():
        together.setdefault(allowed, []).append(room)

    def code(names):
        return ", ".join(f"`{name}`" for name in names)

    rows = [
        f"| {code(names)} | {code(allowed) or 'nothing of ours'} |" for allowed, names in together.items()
    ]
    return "\n".join(["| room | may import |", "|---|---|", *rows])


def with_table(page):
    """The document's text with this table between its markers."""
    start, end = "<!-- rooms -->", "<!-- end of rooms -->"
    before, _, rest = page.partition(start)
    return f"{before}{start}\n{as_markdown(ROOMS)}\n{end}{rest.partition(end)[2]}"


def test_the_document_shows_this_table():
    page = DOCUMENT.read_text()
    assert page == with_table(page), "python tests/test_layers.py puts the table into the document"


def test_every_room_is_there(house):
    assert [room for room in ROOMS if not house.has(room)] == []


def build(folder, **files):
    """Write a made-up tree: `a__b` is the module `a.b`, every folder gets an `__init__`."""
    for name, text in files.items():
        path = folder / Path(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        for parent in path.relative_to(folder).parents:
            if parent.name:
                (folder / parent / "__init__.py").touch()
        path.write_text(text + "\n")
    return Tree(folder)


BROKEN = {
    "a new module beside the rooms": ("homeless", {"experiments__novel": ""}, "experiments.novel stands"),
    "an arrow upwards": (
        "upward",
        {"denograd__data__a": "from denograd.rules import b", "denograd__rules__b": ""},
        "denograd.data.a, line 1, imports denograd.rules.b, which denograd.data may not",
    ),
    "an arrow upwards inside a function": (
        "upward",
        {"baselines__a": "def f():\n    import experiments.run.b", "experiments__run__b": ""},
        "baselines.a, line 2, imports experiments.run.b",
    ),
    "an arrow upwards by a relative import": (
        "upward",
        {"experiments__base__a": "from ..run.b import x", "experiments__run__b": "x = 1"},
        "imports experiments.run.b.x",
    ),
    "an arrow upwards by import_module": (
        "upward",
        {
            "experiments__base__a": "import importlib\nimportlib.import_module('experiments.run.b')",
            "experiments__run__b": "",
        },
        "imports experiments.run.b",
    ),
    "more than the one module that a room may know": (
        "upward",
        {
            "experiments__data__a": "from baselines import base, pca",
            "baselines__base": "",
            "baselines__pca": "",
        },
        "imports baselines.pca",
    ),
    "two files": (
        "circles_of_files",
        {"denograd__map__a": "import denograd.map.b", "denograd__map__b": "def f():\n    from . import a"},
        "a circle: denograd.map.a, denograd.map.b",
    ),
    "three files": (
        "circles_of_files",
        {
            "denograd__map__a": "import denograd.map.b",
            "denograd__map__b": "import denograd.map.c",
            "denograd__map__c": "import denograd.map.a",
        },
        "a circle: denograd.map.a, denograd.map.b, denograd.map.c",
    ),
    "two folders whose files stand in no circle": (
        "circles_of_folders",
        {
            **{"denograd__map__a": "import denograd.data.a", "denograd__data__a": ""},
            **{"denograd__data__b": "import denograd.map.b", "denograd__map__b": ""},
        },
        "a circle: denograd.data, denograd.map",
    ),
    "a folder and the one in it": (
        "circles_of_folders",
        {
            **{"experiments__campaign__a": "import experiments.campaign.engines.a"},
            **{
                "experiments__campaign__engines__a": "import experiments.campaign.b",
                "experiments__campaign__b": "",
            },
        },
        "a circle: experiments.campaign, experiments.campaign.engines",
    ),
    "a private name": (
        "private",
        {"experiments__run__a": "from experiments.store.b import _x", "experiments__store__b": "_x = 1"},
        "imports experiments.store.b._x, which is private",
    ),
    "a private module": (
        "private",
        {"experiments__run__a": "from experiments.store import _b", "experiments__store___b": ""},
        "imports experiments.store._b, which is private",
    ),
    "a private attribute of a module": (
        "private",
        {
            "experiments__run__a": "from experiments.store import b\nb._x()",
            "experiments__store__b": "_x = int",
        },
        "experiments.run.a, line 2, takes experiments.store.b._x",
    ),
    "a private attribute of a class": (
        "private",
        {
            "experiments__run__a": "from experiments.store.b import C as D\nD._x",
            "experiments__store__b": "class C: ...",
        },
        "line 2, takes experiments.store.b._x",
    ),
    "a name that the front door does not list": (
        "behind_the_door",
        {"denograd__map__a": "x = 1", "examples__e": "from denograd.map.a import x"},
        "examples.e, line 1, imports denograd.map.a.x, which is not public",
    ),
    "a module behind the front door": (
        "behind_the_door",
        {"denograd__map__a": "x = 1", "baselines__e": "import denograd.map.a"},
        "imports denograd.map.a, which is not public",
    ),
    "a name of the front door that it does not list": (
        "behind_the_door",
        {"denograd__map__a": "x = 1", "benchmarks__e": "from denograd import DenoGrad"},
        "imports denograd.DenoGrad, which is not public",
    ),
    "a package that the library does not need": (
        "foreign",
        {"denograd__map__a": "import scipy.stats"},
        "denograd.map.a, line 1, imports scipy",
    ),
    "an optional package outside a function": (
        "foreign",
        {"denograd__regressor": "from sklearn.base import clone"},
        "denograd.regressor, line 1, imports sklearn",
    ),
    "an optional package where it is not listed": (
        "foreign",
        {"denograd__map__a": "def f():\n    import sklearn"},
        "denograd.map.a, line 2, imports sklearn",
    ),
    "a library that prints": ("printing", {"baselines__a": "def f():\n    print(1)"}, "line 2, prints"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_house_is_noticed(case, tmp_path):
    check, files, message = BROKEN[case]
    assert any(message in wrong for wrong in CHECKS[check](build(tmp_path, **files)))


def test_a_house_in_order_passes(tmp_path):
    tree = build(
        tmp_path,
        denograd__map__solve="import numpy as np\nfrom denograd.data.arrays import read",
        denograd__data__arrays="from pathlib import Path\n_own = 1\ndef read(): return _own",
        denograd__regressor="def f():\n    from sklearn.base import clone",
        denograd__one_call="from denograd.map import solve\nsolve.answer",
        baselines__pca="import sklearn\nfrom denograd import DenoGrad",
        experiments__report__sections__ranks="from experiments.report.analysis import tables",
        experiments__report__analysis__tables="from ...store.cell import Cell",
        experiments__report__command="from experiments.report.sections.ranks import f",
        experiments__store__cell="class Cell: ...",
    )
    (tmp_path / "denograd/__init__.py").write_text("__all__ = ['DenoGrad']\n")
    tree = Tree(tmp_path)
    assert {name: check(tree) for name, check in CHECKS.items()} == {name: [] for name in CHECKS}


@pytest.mark.parametrize(("count", "found"), [(FULL, 0), (FULL + 1, 1)])
def test_a_full_folder_is_noticed(count, found, tmp_path):
    build(tmp_path, **{f"experiments__run__m{number}": "" for number in range(count)})
    assert len(too_full(tmp_path)) == found


def test_the_library_needs_numpy_torch_and_tqdm_alone():
    code = (
        "import sys, denograd; print(*sorted({m.partition('.')[0] for m in sys.modules} & set(sys.argv[1:])))"
    )
    heavy = ["pandas", "sklearn", "scipy", "hydra", "matplotlib", "baselines", "experiments"]
    shown = subprocess.run(
        [sys.executable, "-c", code, *heavy], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.split() == []


def test_a_foreign_denograd_is_noticed_at_start_up(tmp_path):
    (tmp_path / "denograd.py").write_text("class DenoGrad: ...\n")
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; import experiments"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 1
    assert "shadows this project's" in shown.stderr
    assert "pip uninstall denograd" in shown.stderr


if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text()))
