"""Rows that are made of the clean data."""

import numpy as np
import pytest

from baselines.base import Denoiser, NotApplicable, Problem
from experiments.data.noise import Gaussian
from experiments.data.recipes import load_dataset
from experiments.data.task import prepare
from experiments.methods.reference import Reference
from experiments.run.protocols import Refinement


@pytest.mark.parametrize("dataset", ["nasdaq", "diabetes"])
@pytest.mark.parametrize(
    "forms", [("clean", "clean", "clean"), ("clean", "clean", "noisy"), ("noisy", "clean", "noisy")]
)
def test_each_part_is_what_it_says(dataset, forms):
    task = prepare(load_dataset(dataset), Gaussian(sigma=0.2), "deployable", repetition=0, window=6, rows=200)
    found = Refinement(task, task.problem(), lambda: Reference(*forms), seed=0).under("deployable")
    X = {"clean": task.clean_X, "noisy": task.X}
    y = {"clean": task.clean_y, "noisy": task.y}
    np.testing.assert_array_equal(found.X[task.fit_rows], X[forms[0]][task.fit_rows])
    np.testing.assert_array_equal(found.y[task.fit_rows], y[forms[1]][task.fit_rows])
    np.testing.assert_array_equal(found.X_test, X[forms[2]])
    assert np.isnan(found.X[task.split.test]).all()
    assert np.isnan(found.y[task.split.test]).all()
    assert not np.shares_memory(found.X, task.clean_X)
    with pytest.raises(NotApplicable, match="deployable"):
        Refinement(task, task.problem(), lambda: Reference(*forms), seed=0).under("paper")


def test_it_is_skipped_where_there_is_no_noise_and_takes_no_other_word():
    assert isinstance(Reference(), Denoiser)
    assert "no noise was injected" in Reference().skip(Problem("series"))
    assert Reference().skip(Problem("series", sigma=0.2)) is None
    with pytest.raises(ValueError, match="test must be 'clean' or 'noisy', got 'dirty'"):
        Reference(test="dirty")
    with pytest.raises(NotApplicable, match="needs the clean data"):
        Reference().denoise(np.zeros((3, 2)))
