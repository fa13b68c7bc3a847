"""Command-line flags: TensorFlow 1's `tf.flags` and `tf.app.flags`.

    tf.flags.DEFINE_float("rate", 0.01, "the learning rate")
    FLAGS = tf.flags.FLAGS
    print(FLAGS.rate)                     # python train.py --rate=0.1

The command line is read when a flag is first used. A flag may be written `--rate=0.1`,
`--rate 0.1` or `-rate 0.1`, a boolean one `--verbose`, `--verbose=true` or `--noverbose`. What is
no flag of the program is left alone, unless its name is almost that of one: that is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from thalweg.base.errors import ThalwegError
from thalweg.base.record import Record

__all__ = [
    "FLAGS",
    "DEFINE_bool",
    "DEFINE_boolean",
    "DEFINE_enum",
    "DEFINE_float",
    "DEFINE_integer",
    "DEFINE_list",
    "DEFINE_string",
    "FlagValues",
    "FlagsError",
    "mark_flag_as_required",
]

TRUE, FALSE = ("true", "t", "1", "yes"), ("false", "f", "0", "no")


class FlagsError(ThalwegError, ValueError):
    """A flag that is missing, unknown or has a value it cannot have."""


class _UnknownFlagError(FlagsError, AttributeError):
    """No flag of that name was defined."""


class _Flag(Record):
    """A flag: how its text is read, and its value if the command line says nothing."""

    name: str
    default: Any
    help: str
    read: Callable[[str], Any]
    is_boolean: bool = False


class FlagValues:
    """The flags of the program, as attributes: `FLAGS.rate`.

    Calling it with a command line reads that one, and returns what is no flag.
    """

    def __init__(self) -> None:
        vars(self).update(_flags={}, _values={}, _required=set(), _is_parsed=False)

    def define(self, flag: _Flag) -> None:
        """Add a flag. One of the same name is replaced, as when a notebook's cell runs again."""
        self._flags[flag.name] = flag
        self._values.pop(flag.name, None)
        vars(self)["_is_parsed"] = False

    def require(self, name: str) -> None:
        """The flag must have a value when the command line is read."""
        self._known(name)
        self._required.add(name)

    def __call__(self, argv: Sequence[str]) -> list[str]:
        """Read a command line whose first word is the program's name.

        Returns:
            The program's name, and what is no flag.

        Raises:
            FlagsError: for a value that a flag cannot have, a required flag without one, or a name
                that is almost that of a flag.
            SystemExit: for `--help`, after printing it.
        """
        vars(self)["_is_parsed"] = True
        rest = list(argv[:1])
        words = iter(argv[1:])
        for word in words:
            if word == "--":
                break
            if not self._take(word, words):
                rest.append(word)
        missing = sorted(name for name in self._required if getattr(self, name) is None)
        if missing:
            raise FlagsError(f"a value is needed for --{', --'.join(missing)}")
        return [*rest, *words]

    def _take(self, word: str, words: Iterator[str]) -> bool:
        """Read a flag, with the word after it if that is its value; False if it is none."""
        name, equals, text = word.lstrip("-").partition("=")
        if not word.startswith("-") or not name:
            return False
        name = name.replace("-", "_") if name not in self._flags else name
        if name in ("help", "h", "helpfull") and name not in self._flags:
            self._help()
        flag = self._flags.get(name)
        negated = self._flags.get(name.removeprefix("no"))
        if flag is None and negated is not None and negated.is_boolean and not equals:
            self._values[negated.name] = False
        elif flag is None:
            self._refuse_almost(name)
            return False
        elif flag.is_boolean and not equals:
            self._values[name] = True
        else:
            self._values[name] = self._read(flag, text if equals else next(words, None))
        return True

    def _read(self, flag: _Flag, text: str | None) -> Any:
        if text is None:
            raise FlagsError(f"--{flag.name} needs a value")
        try:
            return flag.read(text)
        except ValueError as error:
            raise FlagsError(f"--{flag.name}={text}: {error}") from None

    def _refuse_almost(self, name: str) -> None:
        import difflib

        near = difflib.get_close_matches(name, self._flags, n=1, cutoff=0.8)
        if near:
            raise FlagsError(f"there is no flag --{name}; did you mean --{near[0]}?")

    def _help(self) -> NoReturn:
        print(f"flags of {sys.argv[0]}:")
        for flag in self._flags.values():
            print(f"  --{flag.name}: {flag.help} (default: {flag.default!r})")
        sys.exit(0)

    def _known(self, name: str) -> _Flag:
        flag: _Flag | None = self._flags.get(name)
        if flag is None:
            known = f"; there are --{', --'.join(self._flags)}" if self._flags else ""
            raise _UnknownFlagError(f"no flag {name!r} was defined{known}")
        return flag

    def __getattr__(self, name: str) -> Any:
        if name == "__flags":  # what TensorFlow before 1.5 called them
            return self.flag_values_dict()
        if name.startswith("__"):
            raise AttributeError(name)
        flag = self._known(name)
        if not self._is_parsed:
            self(sys.argv)
        return self._values.get(name, flag.default)

    def __setattr__(self, name: str, value: Any) -> None:
        self._known(name)
        if not self._is_parsed:
            self(sys.argv)
        self._values[name] = value

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __contains__(self, name: object) -> bool:
        return name in self._flags

    def __iter__(self) -> Iterator[str]:
        return iter(self._flags)

    def __dir__(self) -> list[str]:
        return [*self._flags, "flag_values_dict"]

    def flag_values_dict(self) -> dict[str, Any]:
        """All flags with their values."""
        return {name: getattr(self, name) for name in self._flags}

    def _parse_flags(self, args: Sequence[str] | None = None) -> None:
        """Read the command line now: what scripts for TensorFlow before 1.5 call."""
        self([sys.argv[0], *(sys.argv[1:] if args is None else args)])


FLAGS = FlagValues()
"""The flags of the program."""


def DEFINE_string(flag_name: str, default_value: str | None, docstring: str = "") -> None:
    """Define a flag whose value is a text."""
    FLAGS.define(_Flag(flag_name, default_value, docstring, str))


def DEFINE_integer(flag_name: str, default_value: int | None, docstring: str = "") -> None:
    """Define a flag whose value is a whole number."""
    FLAGS.define(_Flag(flag_name, default_value, docstring, _integer))


def DEFINE_float(flag_name: str, default_value: float | None, docstring: str = "") -> None:
    """Define a flag whose value is a number."""
    FLAGS.define(_Flag(flag_name, default_value, docstring, _number))


def DEFINE_boolean(flag_name: str, default_value: bool | None, docstring: str = "") -> None:
    """Define a flag that is true or false."""
    FLAGS.define(_Flag(flag_name, default_value, docstring, _boolean, True))


DEFINE_bool = DEFINE_boolean


def DEFINE_list(
    flag_name: str, default_value: Sequence[str] | str | None, docstring: str = ""
) -> None:
    """Define a flag whose value is a list of texts, with commas between them."""
    default = _list(default_value) if isinstance(default_value, str) else default_value
    FLAGS.define(_Flag(flag_name, default, docstring, _list))


def DEFINE_enum(
    flag_name: str, default_value: str | None, enum_values: Sequence[str], docstring: str = ""
) -> None:
    """Define a flag whose value is one of some texts."""

    def read(text: str) -> str:
        if text not in enum_values:
            raise ValueError(f"it must be one of {', '.join(enum_values)}")
        return text

    FLAGS.define(_Flag(flag_name, default_value, docstring, read))


def mark_flag_as_required(flag_name: str) -> None:
    """Make it an error if the flag has no value when the command line is read.

    Raises:
        FlagsError: if no such flag was defined.
    """
    FLAGS.require(flag_name)


def _integer(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError("it must be a whole number") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("it must be a number") from None


def _boolean(text: str) -> bool:
    lower = text.lower()
    if lower not in TRUE + FALSE:
        raise ValueError("it must be true or false")
    return lower in TRUE


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text else []
