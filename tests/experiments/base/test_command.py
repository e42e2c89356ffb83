"""One grammar, one way to tell an error, one way to end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest

from experiments.base import command
from experiments.base.command import Option, Words
from experiments.base.errors import DatasetMissing, HarnessError, UnknownName, WrongCall


@dataclass(frozen=True)
class Options:
    names: Annotated[tuple[str, ...], Words()] = ()
    seeds: Annotated[int, Option("how many", least=1)] = 50
    rate: Annotated[float | None, Option("a share")] = None
    verify: Annotated[bool, Option("only look")] = False
    data_dir: Annotated[Path | None, Option("a folder")] = None
    loss: Annotated[str, Option("what counts", among=("mse", "l1"))] = "mse"


@pytest.mark.parametrize(
    "arguments",
    [
        ["ett", "seeds=2", "verify=true", "data_dir=a=b", "wth"],
        ["ett", "--seeds=2", "--verify", "--data-dir", "a=b", "wth"],
        ["--data_dir=a=b", "ett", "+seeds=2", "verify=True", "wth"],
    ],
)
def test_words_and_flags_mean_the_same(arguments):
    read = command.parse(arguments, Options)
    assert read == Options(("ett", "wth"), seeds=2, verify=True, data_dir=Path("a=b"))


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_quotes_as_a_run_wants_them_are_no_part_of_a_value(quote):
    read = command.parse([f"data_dir={quote}/x/ü (a)=b, c{quote}", f"loss={quote}l1{quote}"], Options)
    assert read == Options(data_dir=Path("/x/ü (a)=b, c"), loss="l1")


def test_a_home_folder_is_expanded_and_null_is_none():
    read = command.parse(["data_dir=~/x", "rate=null"], Options)
    assert read.data_dir == Path.home() / "x"
    assert read.rate is None
    assert command.parse(["rate=0.5"], Options).rate == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sedes=2"], "there is no option 'sedes'. Did you mean seeds?"),
        (["--verfy"], "Did you mean verify?"),
        (["-x"], "there is no option '-x'"),
        (["seeds=two"], "seeds is a whole number, got 'two'"),
        (["seeds=0"], "seeds must be at least 1, got 0"),
        (["rate=high"], "rate is a number, got 'high'"),
        (["verify=perhaps"], "verify is true or false, got 'perhaps'"),
        (["--seeds"], "seeds needs a value"),
        (["data_dir="], "data_dir needs a value"),
        (["loss=''"], "loss needs a value"),
        (["loss=l2"], "there is no loss 'l2'. Did you mean l1?"),
    ],
)
def test_a_wrong_call_is_answered(arguments, message):
    with pytest.raises(WrongCall) as caught:
        command.parse(arguments, Options)
    assert message in str(caught.value)


def test_help_lists_every_option_with_its_default():
    text = command.described("What it does.", Options)
    assert text.startswith("What it does.")
    for words in ("seeds=50", "rate=null", "verify=false", "how many"):
        assert words in text


def raiser(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "code"),
    [
        (lambda: None, 0),
        (lambda: 1, 1),
        (raiser(DatasetMissing("gone")), 1),
        (raiser(HarnessError("bad")), 1),
        (raiser(WrongCall("bad")), 2),
        (raiser(UnknownName("key", "x", ["y"])), 2),
        (raiser(KeyboardInterrupt()), 130),
    ],
)
def test_how_a_command_ends(work, code):
    assert command.run(work) == code


def test_an_error_is_told_once(capsys):
    error = WrongCall("which?")
    command.tell(error)
    assert command.run(raiser(error)) == 2
    assert capsys.readouterr().err == "WrongCall: which?\n"


def test_a_bug_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        command.run(lambda: 1 // 0)


def test_a_closed_stderr_changes_no_exit_code(monkeypatch, tmp_path):
    closed = (tmp_path / "err").open("w")
    closed.close()
    monkeypatch.setattr("sys.stderr", closed)
    assert command.run(raiser(DatasetMissing("gone"))) == 1
