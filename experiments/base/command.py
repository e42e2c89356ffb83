"""What all commands share: the grammar, the form of errors, the exit codes.

The grammar is ``key=value``; ``--key value``, ``--key=value`` and, of a switch, ``--key`` alone mean the same.
A command's options are the fields of a frozen dataclass, annotated with an `Option` each; words without a key go to
the field that is annotated with `Words`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import threading
import types
import typing
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from experiments.base import screen
from experiments.base.errors import HarnessError, UnknownName, WrongCall

T = TypeVar("T")

DONE, FAILED, WRONG_CALL, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: all is done, something failed, the call is wrong, Ctrl-C."""

CODES = "Exit codes: 0 done, 1 something failed, 2 the call is wrong, 130 Ctrl-C."

STORED = "Interrupted. Finished cells are stored; the same command goes on from there."


def start(
    argv: Sequence[str] | None,
    work: Callable[[list[str]], int | None],
    usage: Callable[[], str],
    *,
    interrupted: str = "Interrupted.",
    alone: bool = True,
) -> int:
    """What the `main` of a command does: show the help if that is asked for, or do the work (see `run`).

    Parameters
    ----------
    argv : sequence of str or None
        None takes those of the process.
    work : callable
        Takes the words; returns the exit code, None for `DONE`.
    usage : callable
        Returns what ``--help`` prints.
    interrupted : str
        What to say after Ctrl-C.
    alone : bool
        Whether the command has something to do without a word; if not, it shows its help.

    Returns
    -------
    code : int
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if asks_for_help(arguments) or not (arguments or alone):
        print(usage())
        return DONE
    return run(lambda: work(arguments), interrupted=interrupted)


def run(work: Callable[[], int | None], *, interrupted: str = "Interrupted.") -> int:
    """Do a command's work and say how it ended.

    Parameters
    ----------
    work : callable
        Returns the exit code, None for `DONE`.
    interrupted : str
        What to say after Ctrl-C.

    Returns
    -------
    code : int
        Of an error that the user can mend the error's own, its message on stderr.
    """
    try:
        return work() or DONE
    except HarnessError as error:
        tell(error)
        return error.exit_code
    except KeyboardInterrupt:
        _say(interrupted)
        return INTERRUPTED
    except BrokenPipeError:  # the reader has left, as `| head` does: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return DONE


def tell(error: HarnessError) -> None:
    """Print an error, once however many hands it passes through."""
    if not getattr(error, "told", False):
        error.told = True  # type: ignore[attr-defined]  # travels with the error between processes
        _say(f"{type(error).__name__}: {error}")


def leave(code: int) -> NoReturn:
    """End the process with an exit code, also where a method has left a thread behind that would keep it alive."""
    main = threading.main_thread()
    if any(each is not main and not each.daemon for each in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        for child in multiprocessing.active_children():  # a sweep's workers would wait minutes for more work
            child.terminate()
        os._exit(code)
    sys.exit(code)


def asks_for_help(arguments: Sequence[str]) -> bool:
    return bool({"-h", "--help"} & set(arguments))


@dataclass(frozen=True)
class Option:
    """What is known of an option beside its name, type and default; `Annotated` with it stands a field.

    Attributes
    ----------
    what : str
        For ``--help``.
    least : float or None
        The least value that a number may have.
    among : collection of str or None
        The values that there are.
    """

    what: str
    least: float | None = None
    among: Collection[str] | None = None


@dataclass(frozen=True)
class Words:
    """Marks the field, ``tuple[str, ...]``, that takes the words without a key."""


def parse(arguments: Sequence[str], options: type[T]) -> T:
    """Read a command line.

    Parameters
    ----------
    arguments : sequence of str
    options : dataclass type
        Its fields are of type str, int, float, bool or Path, or one of them or None; all have a default.

    Returns
    -------
    options : T

    Raises
    ------
    WrongCall
        For an unknown key (near ones are shown), or a value that does not fit.
    """
    known, plain = _options(options)
    given: dict[str, Any] = {}
    for key, value in _pairs(arguments, {name for name, (kind, _) in known.items() if kind is bool}):
        key = key and key.lstrip("+")
        if key is None:
            if plain is None:
                raise WrongCall(
                    f"'{value}' is no KEY=VALUE: there are {', '.join(sorted(known))}; see --help"
                )
            given[plain] = (*given.get(plain, ()), value)
        elif key not in known:
            raise UnknownName("option", key, known)
        elif value is None:
            raise WrongCall(f"{key} needs a value: {key}=VALUE")
        else:
            given[key] = _value(key, value, *known[key])
    return options(**given)


def plain_words(arguments: Sequence[str], switches: Collection[str] = ()) -> list[str]:
    """A command line with ``key=value`` for ``--key value``, and for a switch alone.

    Raises
    ------
    WrongCall
        For an option without its value, or one of a single dash.
    """
    words = []
    for key, value in _pairs(arguments, switches):
        if key is not None and value is None:
            name = key.lstrip("-")
            raise WrongCall(f"'{key}' says nothing by itself: write {name}=VALUE, or see --help")
        words.append(f"{key}={value}" if key is not None else str(value))
    return words


def described(usage: str, options: type[Any] | None = None) -> str:
    """What ``--help`` prints: the command's own text, a line for each option, and the exit codes."""
    if options is None:
        return screen.page(f"{usage.strip()}\n\n{CODES}")
    known, _ = _options(options)
    defaults = options()
    names = {name: f"{name}={_shown(getattr(defaults, name))}" for name in known}
    width = max(map(len, names.values()))
    lines = [f"  {names[name]:{width}s}  {option.what}" for name, (_, option) in known.items()]
    return screen.page("\n".join([usage.strip(), "", "Options", *lines, "", CODES]))


def _options(options: type[Any]) -> tuple[dict[str, tuple[Any, Option]], str | None]:
    """Type and `Option` of every keyed field, and the name of the field for words without a key."""
    known: dict[str, tuple[Any, Option]] = {}
    plain = None
    for name, hint in typing.get_type_hints(options, include_extras=True).items():
        kind, option = typing.get_args(hint)
        if isinstance(option, Words):
            plain = name
        else:
            known[name] = (kind, option)
    return known, plain


def _pairs(arguments: Sequence[str], switches: Collection[str]) -> Iterator[tuple[str | None, str | None]]:
    """Key and value of every word; no key for a plain word, no value where an option lacks its own."""
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        key, equals, value = word.partition("=")
        if word.startswith("--"):
            key = key[2:].replace("-", "_")
            if not equals and key in switches:
                yield key, "true"
            elif not equals:
                yield key, rest.pop(0) if rest else None
            else:
                yield key, value
        elif equals:
            yield key, value
        elif word.startswith("-") and len(word) > 1:
            yield word, None
        else:
            yield None, word


def _value(key: str, text: str, hint: Any, option: Option) -> Any:
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if type(None) in kinds and text.lower() in ("null", "none"):
        return None
    kind = kinds[0]
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise WrongCall(f"{key} is true or false, got '{text}'")
        return text.lower() == "true"
    text = unquoted(text)
    if not text:
        raise WrongCall(f"{key} needs a value: {key}=VALUE")
    if kind is Path:
        return Path(text).expanduser()
    try:
        value = kind(text)
    except ValueError as error:
        raise WrongCall(f"{key} is a {'whole ' if kind is int else ''}number, got '{text}'") from error
    if option.among is not None and value not in option.among:
        raise UnknownName(key, value, option.among)
    if option.least is not None and not value >= option.least:
        raise WrongCall(f"{key} must be at least {option.least}, got {text}")
    return value


def unquoted(text: str) -> str:
    """A value without the quotes that ``experiments.run`` wants around special characters."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _shown(default: Any) -> str:
    if default is None:
        return "null"
    return str(default).lower() if isinstance(default, bool) else str(default)


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # stderr may be closed: the exit code then has to tell
        print(screen.fitted(text, sys.stderr), file=sys.stderr, flush=True)
