"""Reading the command line, running one verb, turning errors into one paragraph."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TextIO

from siren_py.cli import (
    check,
    cite,
    completion,
    config,
    convert,
    doctor,
    info,
    limit,
    listing,
    merge,
    new,
    output,
    reproduce,
    scan,
    show,
    simulate,
    validate,
)
from siren_py.cli.options import Parser, suggestion
from siren_py.cli.output import Answer
from siren_py.errors import ConfigError, SirenError

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_BUG, EXIT_INTERRUPTED = 0, 1, 2, 70, 130

COMPILING = "siren_py.compilation"
"""Name of the logger that says when kernels are compiled; `siren_py._numba` writes to it."""

VERBS = {
    "simulate": simulate.add,
    "scan": scan.add,
    "limit": limit.add,
    "config": config.add,
    "merge": merge.add,
    "convert": convert.add,
    "validate": validate.add,
    "info": info.add,
    "cite": cite.add,
    "list": listing.add,
    "check": check.add,
    "show": show.add,
    "new": new.add,
    "reproduce": reproduce.add,
    "doctor": doctor.add,
    "completion": completion.add,
}

EXIT_CODES = {
    EXIT_OK: "done",
    EXIT_FAILED: "a check failed (check, validate, reproduce, doctor)",
    EXIT_USAGE: "bad input, or a file that cannot be read or written",
    EXIT_BUG: "a fault of siren_py",
    EXIT_INTERRUPTED: "interrupted with Ctrl-C; 128 + n: ended by signal n",
}
"""What the command returns to the shell."""

_EPILOG = "\n".join(
    [
        "examples:",
        "  siren-py simulate --output nd280.root",
        "  siren-py info nd280.root",
        "  siren-py doctor",
        "",
        "exit codes:",
        *(f"  {code:<4} {words}" for code, words in EXIT_CODES.items()),
        "",
        "`siren-py VERB --help` tells more of each verb. Every verb takes --json and --quiet.",
    ]
)


def build_parser() -> Parser:
    """Return the parser of the whole command."""
    from siren_py import __version__

    parser = Parser(
        prog="siren-py",
        description="Simulate rare neutrino-induced processes in detectors, with exact weights.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"siren-py {__version__}")
    sub = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    for add in VERBS.values():
        add(sub)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code.

    Returns
    -------
    int
        0 done; 1 a check failed; 2 bad input, or a file that cannot be read or written; 70 a
        fault of siren_py; 130 interrupted; 128 + n ended by signal n.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    try:
        # What a detector script prints must not get between a program and the JSON.
        aside = contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext()
        with _ended_by_signals(), _short_warnings(), _compilation_told(words), aside:
            answer = _answer(words)
        if as_json:
            output.json_object(answer.data)
        else:
            output.show(answer)
        return EXIT_OK if answer.ok else EXIT_FAILED
    except SirenError as error:
        return _report(str(error), EXIT_USAGE, as_json)
    except KeyboardInterrupt as stop:
        # A run says what it has kept.
        message = str(stop) or "Interrupted; no incomplete file was left."
        return _report(message, EXIT_INTERRUPTED, as_json)
    except BrokenPipeError:
        # The reader of our output went away (`siren-py list | head`): not an error. Python
        # would complain once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        return _report(
            f"A file could not be read or written: {error.strerror or error}{place}. Free space or "
            "choose another folder; TMPDIR names the one for temporary files.",
            EXIT_USAGE,
            as_json,
        )
    except Exception as error:
        if os.environ.get("SIREN_PY_DEBUG"):
            raise
        return _report(
            f"Unexpected {type(error).__name__}: {error}. This is a fault of siren_py; run again "
            "with SIREN_PY_DEBUG=1 in the environment and report what it prints.",
            EXIT_BUG,
            as_json,
        )


def _answer(words: list[str]) -> Answer:
    parser = build_parser()
    if words and not words[0].startswith("-") and words[0] not in VERBS:
        raise ConfigError(
            f"There is no command {words[0]!r}.{suggestion(words[0], list(VERBS))} Commands: "
            f"{', '.join(VERBS)}."
        )
    options = parser.parse_args(words)
    if options.verb is None:
        raise ConfigError(
            f"Say what to do: {', '.join(VERBS)}. `siren-py simulate` runs with defaults, "
            "`siren-py --help` tells more."
        )
    answer: Answer = options.run(options)
    return answer


def _report(message: str, code: int, as_json: bool) -> int:
    if as_json:
        output.json_object({"error": message})
    output.paragraph(f"siren-py: {message}")
    return code


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Leave in good order on SIGTERM and SIGHUP, so that temporary files are removed.

    Batch systems end jobs with SIGTERM; by default Python would die on the spot.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    changed = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        # Whoever started us may want a signal ignored: nohup does.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            changed[number] = signal.signal(number, _leave)
    try:
        yield
    finally:
        for number, before in changed.items():
            signal.signal(number, before)


def _leave(number: int, frame: FrameType | None) -> None:
    del frame
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _compilation_told(words: Sequence[str]) -> Iterator[None]:
    """Tell people, once, why the very first run takes so long to begin."""
    if "--quiet" in words:
        yield
        return

    class Teller(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            output.paragraph(f"siren-py: {record.getMessage()}")

    log, teller = logging.getLogger(COMPILING), Teller()
    level = log.level
    log.addHandler(teller)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(teller)
        log.setLevel(level)


@contextlib.contextmanager
def _short_warnings() -> Iterator[None]:
    """Show warnings as paragraphs, without the line of code that raised them."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        del category, filename, lineno, file, line
        output.paragraph(f"siren-py: warning: {message}")

    before = warnings.showwarning
    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before
