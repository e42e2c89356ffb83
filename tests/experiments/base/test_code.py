"""Whose code a class is, and what says that it has changed."""

import importlib
import sys

import pytest
from sklearn.linear_model import Ridge

from baselines.pca import PCA
from experiments.base.code import is_ours, revision_of, source_of, versions_of
from experiments.models import training
from experiments.models.estimators import DNN
from experiments.models.mlp import MLP


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A user's package whose files can be rewritten."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def written(files):
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in ("minex", "helpersx"):
                del sys.modules[name]
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        importlib.invalidate_caches()
        sys.dont_write_bytecode = True
        return importlib.import_module("minex.halve").Halve

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return written


HALVE = "from minex import tools\nclass Halve:\n    factor = tools.FACTOR\n"


def test_ours_and_libraries_have_no_source_in_a_key():
    assert source_of(PCA) is None
    assert source_of(Ridge) is None
    assert is_ours("baselines.pca.PCA")
    assert not is_ours("baselinesx.pca.PCA")


@pytest.mark.parametrize(
    "edit",
    [
        {"minex/halve.py": HALVE + "    # a comment\n"},
        {"minex/tools.py": "FACTOR = 0.1\n"},
        {"helpersx.py": "def other(): return 1\n"},
    ],
    ids=["class", "imported", "imported by that, inside a function"],
)
def test_a_users_source_counts_and_all_that_it_imports(package, edit):
    files = {
        "minex/__init__.py": "",
        "minex/halve.py": HALVE,
        "minex/tools.py": "FACTOR = 0.9\ndef late():\n    import helpersx\n",
        "helpersx.py": "",
    }
    before = source_of(package(files))
    assert before
    assert source_of(package(files)) == before
    assert source_of(package(files | edit)) != before


def test_a_base_class_elsewhere_counts_and_a_relative_import(package):
    files = {
        "minex/__init__.py": "",
        "minex/halve.py": "from .base import Base\nclass Halve(Base): ...\n",
        "minex/base.py": "class Base: factor = 0.9\n",
    }
    before = source_of(package(files))
    assert source_of(package(files | {"minex/base.py": "class Base: factor = 0.1\n"})) != before


def test_a_class_without_a_file_has_no_source():
    assert source_of(type("Halve", (), {"__module__": "typed_in"})) is None


def test_a_raise_anywhere_in_what_a_component_is_made_of_raises_its_revision(monkeypatch):
    assert revision_of(PCA) == revision_of(DNN) == revision_of(MLP) == 1
    monkeypatch.setattr(PCA, "revision", 2, raising=False)
    assert revision_of(PCA) == 2
    monkeypatch.setattr(PCA.__mro__[1], "revision", 3)
    assert revision_of(PCA) == 4
    monkeypatch.setattr(MLP, "revision", 2, raising=False)
    assert revision_of(DNN) == 2
    monkeypatch.setattr(training, "REVISION", 2)
    assert revision_of(DNN) == 3
    assert revision_of(MLP, training) == 3


def test_our_own_version_is_no_part_of_a_key(monkeypatch):
    import denograd

    before = versions_of("baselines.pca.PCA")
    monkeypatch.setattr(denograd, "__version__", "9.9.9")
    assert versions_of("baselines.pca.PCA") == before
