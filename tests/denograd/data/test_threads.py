import threading

import numpy as np
import pytest
import torch

from denograd import BlindSpot, denoise, refine
from denograd.data.threads import one_thread


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_one_inside_what_was_there_outside_also_after_an_error():
    with one_thread():
        assert torch.get_num_threads() == 1
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with pytest.raises(ZeroDivisionError), one_thread():
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == 2


def test_a_user_who_set_the_policy_knows_better(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    with one_thread():
        assert torch.get_num_threads() == 2


def test_calls_that_overlap_put_back_what_was_there():
    inside, leave = threading.Event(), threading.Event()

    def long():
        with one_thread():
            inside.set()
            leave.wait(60)

    other = threading.Thread(target=long)
    other.start()
    assert inside.wait(60)
    with one_thread():
        pass
    leave.set()
    other.join()
    with one_thread():
        pass
    assert torch.get_num_threads() == 2


def test_the_calls_of_the_library_use_it(monkeypatch):
    seen = []
    plain = torch.relu
    monkeypatch.setattr(torch, "relu", lambda x: seen.append(torch.get_num_threads()) or plain(x))
    X = np.random.default_rng(0).normal(size=(200, 3))
    X[:, 2] += X[:, 0]
    denoise(X, 0.3, hidden=4, epochs=1, verbose=False)
    blind = BlindSpot(hidden=4, epochs=1).fit(X)
    blind.predict(X)
    refine(blind, X, 0.3)
    assert seen
    assert set(seen) == {1}
    assert torch.get_num_threads() == 2
