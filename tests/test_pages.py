"""Every page says what the reader gets, and what it shows can be run; the API has every public name."""

import doctest
import importlib
import inspect
import re

import pytest
import yaml

import baselines.base
import experiments
from tests.snippets import ROOT, commands_of, execute, python_of, understood

TOPICS = {
    "Start": "docs/start.md",
    "Clean your data": "docs/guide.md",
    "Does it pay?": "docs/pays.md",
    "Reproduce the paper": "docs/paper.md",
    "Compare your own method": "docs/compare.md",
    "Campaigns": "docs/campaigns.md",
    "The method": "docs/method.md",
    "Denoisers compared": "docs/denoisers.md",
    "Architecture": "docs/architecture.md",
    "API": "docs/api/README.md",
    "Changelog": "CHANGELOG.md",
}
"""The entries of the navigation, in this order, and the page that each opens."""

PAGES = [
    *TOPICS.values(),
    *("docs/map.md", "docs/leaderboard.md", "docs/gallery.md", "docs/agra.md"),
    *("docs/api/denograd.md", "docs/api/rooms.md", "docs/api/harness.md"),
]


def text_of(page):
    return (ROOT / page).read_text()


def test_the_navigation_has_the_topics_in_their_order():
    nav = yaml.safe_load(re.sub(r"!!\S+", "", text_of("mkdocs.yml")))["nav"]
    opened = {}
    for entry in nav:
        ((title, leads_to),) = entry.items()
        while isinstance(leads_to, list | dict):
            leads_to = leads_to[0] if isinstance(leads_to, list) else next(iter(leads_to.values()))
        opened[title] = leads_to
    assert list(opened.items()) == [("Home", "README.md"), *TOPICS.items()]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_begins_with_what_the_reader_gets_and_a_snippet(page):
    beginning = re.split(r"^## ", text_of(page), flags=re.MULTILINE)[0]
    assert re.match(r"# .+\n\nYou get: ", beginning)
    assert re.search(r"^```(python|sh)\n", beginning, flags=re.MULTILINE)


BLOCKS = [(page, i, code) for page in PAGES for i, code in enumerate(python_of(text_of(page)))]


@pytest.mark.parametrize(("page", "code"), [pytest.param(p, c, id=f"{p}-{i}") for p, i, c in BLOCKS])
def test_a_snippet_runs_as_it_stands(page, code, monkeypatch, tmp_path):
    execute(code, monkeypatch, tmp_path)


def commands():
    """One of those with the same keys: what they are given is checked where each key is tested."""
    found = {}
    for command in (command for page in PAGES for command in commands_of(text_of(page))):
        keys = frozenset(word.partition("=")[0] for word in command.split())
        if not re.search(r"NAME|PATH|FILE|mine|launcher|engine=(slurm|ray)", command):
            found.setdefault(keys, command)
    return sorted(found.values())


@pytest.mark.parametrize("command", commands())
def test_a_command_is_understood(command, monkeypatch, tmp_path):
    assert understood(command, monkeypatch, tmp_path)


# ------------------------------------------------------------------------------------------------- the API

ROOMS = ("denograd", "denograd.data", "denograd.models", "denograd.map", "denograd.table")


def public_names():
    """Dotted names of everything that the project promises to keep."""
    for room in ROOMS:
        yield from (f"{room}.{name}" for name in importlib.import_module(room).__all__)
    for name, value in vars(baselines.base).items():
        if getattr(value, "__module__", None) == "baselines.base" and not name.startswith("_"):
            yield f"baselines.base.{name}"
    yield from (f"experiments.study.{name}" for name in experiments.__all__)


NAMES = sorted(public_names())
DESCRIBED = {
    name
    for page in (ROOT / "docs/api").glob("*.md")
    for name in re.findall(r"^::: (\S+)", page.read_text(), re.M)
}


def test_every_public_name_is_described():
    at_the_door = {name.rpartition(".")[2] for name in NAMES if name.count(".") == 1}
    missing = {name for name in set(NAMES) - DESCRIBED if name.rpartition(".")[2] not in at_the_door}
    assert missing == set()
    assert set(NAMES) >= DESCRIBED


@pytest.mark.parametrize("name", [name for name in NAMES if name in DESCRIBED])
def test_a_public_name_has_a_docstring_with_an_example(name):
    module, _, last = name.rpartition(".")
    value = getattr(importlib.import_module(module), last)
    if not (inspect.isclass(value) or inspect.isfunction(value)):  # a constant or an alias of a type
        return
    (test,) = doctest.DocTestFinder(recurse=False).find(value, last, module=False)
    assert test.examples
    if inspect.isfunction(value):
        wanted = ["Parameters", "Returns"]
        assert [head for head in wanted if f"{head}\n" not in test.docstring] == []


@pytest.mark.parametrize("module", ["baselines.base", "experiments.study"])
def test_examples_of_the_harness_are_true(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0
