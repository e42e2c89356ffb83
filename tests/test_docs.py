"""What the documents point at is there: links, headings, and the files that code hosts read."""

import pkgutil
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "benchmarks/*.md",
        "datasets/*.md",
        "examples/**/*.md",
        "results/*/*.md",
    )
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(page):
    """A page without its code, where brackets mean something else."""
    return re.sub(
        r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    )


def anchors(page):
    """The names by which a code host reaches a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.replace("\\", "")) for heading in headings)
    return {heading.strip().lower().replace(" ", "-") for heading in plain}


def described(page):
    """The names that the site describes on a page of the API, and reaches by themselves."""
    return set(re.findall(r"^::: (\S+)", page.read_text(), flags=re.MULTILINE))


def broken(page):
    """The links of a page that lead nowhere, as far as that can be seen without a network."""
    for link in LINK.findall(prose(page)):
        if re.match(r"\w+:", link):
            continue
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (heading and heading not in anchors(target) | described(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_broken(page):
    assert list(broken(page)) == []


def test_a_broken_link_is_noticed(tmp_path):
    (tmp_path / "other.md").write_text("# One thing, or two\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md#one-thing-or-two) [b](other.md#none) [c](no.md) [d](#no) [e](https://x.org) `[f](no)`\n"
        "```\n[g](no.md)\n```\n"
    )
    assert list(broken(page)) == ["other.md#none", "no.md", "#no"]


PATH = re.compile(r"`((?:denograd|baselines|experiments|conf|tests|benchmarks|docs|examples)/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_is_named_is_there(page):
    named = [name for name in PATH.findall(page.read_text()) if "NAME" not in name]
    assert [name for name in named if not (ROOT / name).exists()] == []


NAME = re.compile(r"`((?:denograd|baselines|experiments)(?:\.\w+)+)(?:\(.*?\))?`")


def leads_nowhere(dotted):
    """Whether a dotted name is neither a module nor something in one."""
    try:
        pkgutil.resolve_name(dotted)
    except (ImportError, AttributeError):
        return True
    return False


def test_every_name_of_the_architecture_is_there():
    named = set(NAME.findall((ROOT / "docs/architecture.md").read_text()))
    assert len(named) > 30
    assert sorted(filter(leads_nowhere, named)) == []


@pytest.mark.parametrize("name", ["denograd.none", "denograd.map.refine.none", "experiments.none.x"])
def test_a_name_that_is_not_there_is_noticed(name):
    assert leads_nowhere(name)


def test_every_example_is_listed():
    listed = set(LINK.findall((ROOT / "examples/README.md").read_text()))
    there = {path.name for path in (ROOT / "examples").glob("*.py")}
    there |= {f"{path.parent.name}/README.md" for path in (ROOT / "examples").glob("*/README.md")}
    assert listed == there


def test_every_page_is_in_the_site():
    def leaves(node):
        if isinstance(node, str):
            return [node]
        return [
            leaf for inner in (node.values() if isinstance(node, dict) else node) for leaf in leaves(inner)
        ]

    shown = leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert [name for name in shown if not (ROOT / name).is_file()] == []
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")} <= set(shown)


def test_the_citation_names_the_authors_of_the_method():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert [author["name"] for author in citation["authors"]] == ["The DenoGrad harness developers"]
    (paper,) = citation["references"]
    assert paper["authors"][0]["family-names"] == "Alonso-Ramos"


def test_a_bug_report_asks_for_the_command_and_the_cell():
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text())
    asked = {part["id"]: part for part in form["body"]}
    assert asked["command"]["validations"]["required"]
    assert asked["cell"]["attributes"]["render"] == "json"


def test_the_workflow_runs_what_the_project_supports():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
    job = workflow["jobs"]["test"]
    project = (ROOT / "pyproject.toml").read_text()
    low, high = (
        int(minor) for minor in re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', project).groups()
    )
    assert job["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in range(low, high)]
    called = [step["run"] for step in job["steps"] if "run" in step]
    assert {"make setup", "make lint", "make types"} <= set(called)
    assert any("pytest" in command for command in called)


def test_every_fault_has_a_test_that_is_there():
    text = (ROOT / "docs" / "campaigns.md").read_text()
    part = text.partition("\n## When something goes wrong\n")[2].partition("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("| ") and not line.startswith("| what ")]
    assert len(rows) > 40
    named = set()
    for row in rows:
        last = row.strip("| ").rpartition(" | ")[2]
        found = re.findall(r"`([\w/]+\.py)::(\w+)`", last)
        assert found or last.startswith("the same"), row
        named.update(found)
    for file, test in sorted(named):
        source = (ROOT / "tests" / "experiments" / file).read_text()
        assert re.search(rf"^def {test}\(", source, flags=re.MULTILINE), (file, test)
