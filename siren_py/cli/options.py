"""Reading the options of the command line: parsers, and types of values."""

from __future__ import annotations

import argparse
import math
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

from siren_py.errors import ConfigError, nearest_names

if TYPE_CHECKING:
    from siren_py.cli.output import Answer

Subparsers: TypeAlias = "argparse._SubParsersAction[Any]"
"""Where the verbs of a parser are added."""

Run: TypeAlias = Callable[[argparse.Namespace], "Answer"]

MAX_COUNT = 10**12
"""Attempts that a run may have; more would take months, and are a slip of the exponent."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are `ConfigError`s that suggest the nearest option or verb."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        text = message[:1].upper() + message[1:]
        raise ConfigError(f"{text.rstrip('.?')}. See `{self.prog} --help`.")

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse; unknown options are errors that name the nearest known ones."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            parser: Parser = getattr(found, "parser", self)
            known = [o for action in parser._actions for o in action.option_strings]
            raise ConfigError(
                f"Unknown argument {unknown[0]!r}.{suggestion(unknown[0].split('=')[0], known)} "
                f"See `{parser.prog} --help`."
            )
        return found


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return " Did you mean ...?" with the nearest of the known words, or nothing."""
    close = nearest_names(word, known)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def add_verb(
    sub: Subparsers, name: str, run: Run, help_: str, description: str, examples: Sequence[str]
) -> Parser:
    """Add a verb to the command line.

    Parameters
    ----------
    sub
        Where the verbs are.
    name
        The verb.
    run
        What it does.
    help_, description
        One line for the list of verbs, and a paragraph for its own help.
    examples
        Command lines to show below the options.
    """
    parser: Parser = sub.add_parser(
        name,
        help=help_,
        description=textwrap.fill(description, 80),
        epilog="examples:\n" + "\n".join(f"  {line}" for line in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, nothing else")
    parser.set_defaults(run=run, parser=parser)
    return parser


def number(text: str) -> float:
    """Read a finite number; argparse names the option when it fails."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return value


def whole(text: str) -> int:
    """Read a whole number that is not negative; ``1e6`` is one."""
    try:
        value = int(text)  # exact, where float is not above 2^53
    except ValueError:
        real = number(text)
        if real != int(real):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        value = int(real)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is negative")
    return value


def count(text: str) -> int:
    """Read a number of things: whole, at least 1, and not absurdly large."""
    value = whole(text)
    if not 1 <= value <= MAX_COUNT:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 1 and {MAX_COUNT:.0e}")
    return value


def chunk_range(text: str) -> tuple[int, int]:
    """Read ``first:end``, numbers of chunks."""
    first, colon, end = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form first:end, e.g. 40:60")
    numbers = whole(first), whole(end)
    if numbers[0] >= numbers[1]:
        raise argparse.ArgumentTypeError(f"{text!r} holds no chunk: its end is not above its first")
    return numbers


def exposure(text: str) -> float | dict[str, float]:
    """Read protons on target: a number, or ``fhc=12.34e20,rhc=6.29e20``."""
    if "=" not in text:
        return _not_negative(text)
    result: dict[str, float] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (key and equals and value):
            raise argparse.ArgumentTypeError(f"{text!r} is not of the form fhc=1e21,rhc=1e21")
        if key in result:
            raise argparse.ArgumentTypeError(f"{text!r} names {key} twice")
        result[key] = _not_negative(value)
    return result


class Range(NamedTuple):
    """Points spread evenly in the logarithm."""

    low: float
    high: float
    number: int


def grid(text: str) -> Range | tuple[float, ...]:
    """Read ``low:high:number`` (spread logarithmically) or a list ``a,b,c`` of positive numbers."""
    if ":" in text:
        parts = text.split(":")
        if len(parts) != 3:
            raise argparse.ArgumentTypeError(f"{text!r} is not of the form low:high:number")
        low, high, points = number(parts[0]), number(parts[1]), count(parts[2])
        if not 0.0 < low < high or points < 2:
            raise argparse.ArgumentTypeError(
                f"{text!r} needs 0 < low < high and at least two points"
            )
        return Range(low, high, points)
    values = tuple(number(part) for part in text.split(","))
    if any(v <= 0.0 for v in values):
        raise argparse.ArgumentTypeError(f"{text!r} has a number that is not positive")
    return values


def setting(text: str) -> tuple[str, Any]:
    """Read ``key=value``; the value is a number or a truth value where it looks like one."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not (key and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form key=value")
    if value in ("true", "false"):
        return key.replace("-", "_"), value == "true"
    try:
        return key.replace("-", "_"), float(value)
    except ValueError:
        return key.replace("-", "_"), value


def _not_negative(text: str) -> float:
    value = number(text)
    if value < 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is negative")
    return value
