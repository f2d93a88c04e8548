"""The command ``siren-py``."""

from __future__ import annotations

from siren_py.cli.main import main

__all__ = ["main"]
