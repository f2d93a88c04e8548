"""Reading the command line, running one verb, turning errors into one paragraph."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence
from typing import NoReturn

from siren_py.cli import output, verbs
from siren_py.errors import ConfigError, SirenError, nearest_names

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_BUG, EXIT_INTERRUPTED = 0, 1, 2, 70, 130


class Parser(argparse.ArgumentParser):
    """A parser whose errors are `ConfigError`s that suggest the nearest option or verb."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise ConfigError(f"{message[:1].upper()}{message[1:]}. See `{self.prog} --help`.")

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse; unknown options are errors that name the nearest known ones."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = found.known_options if "known_options" in found else []
            close = nearest_names(unknown[0].split("=")[0], known)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            self.error(f"unknown argument {unknown[0]!r}.{hint}"[:-1] if hint else
                       f"unknown argument {unknown[0]!r}")  # fmt: skip
        return found


def build_parser() -> Parser:
    """Return the parser of the whole command."""
    from siren_py import __version__

    parser = Parser(
        prog="siren-py",
        description="Simulate rare neutrino-induced processes in detectors, with exact weights.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"siren-py {__version__}")
    sub = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    verbs.add_all(sub)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (0 done, 1 a check failed, 2 bad input)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    try:
        parser = build_parser()
        if words and not words[0].startswith("-") and words[0] not in verbs.NAMES:
            close = nearest_names(words[0], verbs.NAMES)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise ConfigError(
                f"There is no command {words[0]!r}.{hint} Commands: {', '.join(verbs.NAMES)}."
            )
        options = parser.parse_args(words)
        if options.verb is None:
            output.text(parser.format_help())
            return EXIT_USAGE
        return int(options.run(options))
    except SirenError as error:
        return _report(str(error), EXIT_USAGE, as_json)
    except KeyboardInterrupt:
        return _report("Interrupted; nothing was written.", EXIT_INTERRUPTED, as_json)
    except BrokenPipeError:
        # The reader of our output went away (`siren-py list | head`): not an error. Python
        # would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except Exception as error:
        if os.environ.get("SIREN_PY_DEBUG"):
            raise
        return _report(
            f"Unexpected {type(error).__name__}: {error}. This is a fault of siren_py; run again "
            "with SIREN_PY_DEBUG=1 in the environment and report what it prints.",
            EXIT_BUG,
            as_json,
        )


def _report(message: str, code: int, as_json: bool) -> int:
    if as_json:
        output.json_object({"error": message})
    output.error(textwrap.fill(f"siren-py: {message}", width=100, break_on_hyphens=False))
    return code
