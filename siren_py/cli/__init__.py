"""The command ``siren-py``: one module per verb, and what they share."""

from __future__ import annotations

from siren_py.cli.main import main

__all__ = ["main"]
