"""Where the command line writes: results to standard output, words on trouble to standard error."""

from __future__ import annotations

import json
import sys
from typing import Any


def text(message: object) -> None:
    """Write a result for people."""
    sys.stdout.write(f"{message}".rstrip("\n") + "\n")
    sys.stdout.flush()


def json_object(data: dict[str, Any]) -> None:
    """Write one JSON object, and nothing else, to standard output."""
    # NaN is not JSON: a result that has one must not pass as a number.
    sys.stdout.write(json.dumps(data, indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


def error(message: str) -> None:
    """Write a message to standard error."""
    sys.stderr.write(message.rstrip("\n") + "\n")
    sys.stderr.flush()
