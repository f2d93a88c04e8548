"""What a verb answers, and where it is written.

Results go to standard output, words on trouble to standard error.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siren_py.tables import Table

WIDTH = 100


@dataclass(frozen=True)
class Answer:
    """What a verb found out, for programs and for people."""

    data: dict[str, Any]
    """The JSON object."""
    text: str
    """The same in words."""
    ok: bool = True
    """False if a check failed; the exit code is then 1."""
    screen: Sequence[str | Table] = ()
    """What a terminal shows in place of `text`: words and tables. Empty: the text."""


def text(message: object) -> None:
    """Write a result for people."""
    sys.stdout.write(f"{message}".rstrip("\n") + "\n")
    sys.stdout.flush()


def show(answer: Answer) -> None:
    """Write an answer for people: with tables on a terminal, as plain text into files and pipes."""
    if not answer.screen or not sys.stdout.isatty():
        text(answer.text)
        return
    from rich.console import Console

    from siren_py.tables import rich_group

    # Numbers and names are what they are: nothing is coloured for looking like something.
    console = Console(file=sys.stdout, highlight=False)
    console.print(rich_group(answer.screen))
    sys.stdout.flush()


def json_object(data: dict[str, Any]) -> None:
    """Write one JSON object, and nothing else, to standard output."""
    from siren_py.io.record import to_json

    text(to_json(data, indent=2))


def paragraph(message: str) -> None:
    """Write one paragraph to standard error; what is on lines of its own stays there."""
    for line in message.splitlines():
        if line.strip():
            # Paths and names must stay whole, so that they can be copied.
            lines = textwrap.fill(line, WIDTH, break_long_words=False, break_on_hyphens=False)
            sys.stderr.write(f"{lines}\n")
    sys.stderr.flush()
