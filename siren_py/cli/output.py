"""What a verb answers, and where it is written.

Results go to standard output, words on trouble to standard error.
"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass
from typing import Any

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


def text(message: object) -> None:
    """Write a result for people."""
    sys.stdout.write(f"{message}".rstrip("\n") + "\n")
    sys.stdout.flush()


def json_object(data: dict[str, Any]) -> None:
    """Write one JSON object, and nothing else, to standard output."""
    from siren_py.io.record import to_json

    text(to_json(data, indent=2))


def paragraph(message: str) -> None:
    """Write one paragraph to standard error."""
    # Paths and names must stay whole, so that they can be copied.
    lines = textwrap.fill(message, WIDTH, break_long_words=False, break_on_hyphens=False)
    sys.stderr.write(f"{lines}\n")
    sys.stderr.flush()
