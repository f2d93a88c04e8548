"""Reading the options of the command line: parsers, and types of values."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from siren_py.configuration.keys import Command
from siren_py.configuration.kinds import Exposure, Flag, Number, Whole
from siren_py.configuration.reading import Settings, merged_settings
from siren_py.errors import ConfigError, SirenError, nearest_names

if TYPE_CHECKING:
    from siren_py.cli.output import Answer

Subparsers: TypeAlias = "argparse._SubParsersAction[Any]"
"""Where the verbs of a parser are added."""

Run: TypeAlias = Callable[[argparse.Namespace], "Answer"]


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
    parser.add_argument("--quiet", action="store_true", help="no progress bar, no remarks")
    parser.set_defaults(run=run, parser=parser)
    return parser


def add_keys(parser: Parser, command: Command) -> None:
    """Add the file of a configuration and an option for each of its keys.

    The options keep the words as they stand; `settings_of` reads them, together with the file.
    """
    parser.add_argument(
        "config",
        nargs="?",
        metavar="FILE.toml",
        help="file with the options; see `siren-py config`",
    )
    for title, keys in command.groups.items():
        group = parser.add_argument_group(title)
        for key in keys:
            # A sign of per cent would be taken for a format.
            help_ = key.description.replace("%", "%%")
            if isinstance(key.kind, Flag):
                group.add_argument(key.option, action="store_true", default=None, help=help_)
                continue
            group.add_argument(
                key.option,
                action="append" if key.kind.repeated else "store",
                metavar=key.metavar,
                help=help_,
            )


def settings_of(options: argparse.Namespace, command: Command) -> Settings:
    """Return the settings of a command line: defaults, file and options, later ones first.

    Raises
    ------
    ConfigError, FormatError
        With everything that is wrong in the file and on the command line.
    """
    words = {name: getattr(options, name) for name in command.keys}
    return merged_settings(command.name, options.config, words)


def _reader(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a reader for argparse, which names the option when it fails."""

    def reader(text: str) -> Any:
        try:
            return read(text)
        except SirenError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return reader


number: Callable[[str], float] = _reader(Number().text)
"""Reads a finite number."""
whole: Callable[[str], int] = _reader(Whole().text)
"""Reads a whole number that is not negative; ``1e6`` is one."""
count: Callable[[str], int] = _reader(Whole(1).text)
"""Reads a number of things: whole, at least 1, and not absurdly large."""
exposure: Callable[[str], float | dict[str, float]] = _reader(Exposure().text)
"""Reads protons on target: a number, or ``fhc=12.34e20,rhc=6.29e20``."""
