"""The audit of a detector model: what is wrong or odd in it, found without running anything.

`DetectorModel.check` returns a `DetectorReport`; `DetectorModel.declare` explains findings that
are meant to be there.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from siren_py.audit.findings import KINDS, Declaration, Finding

if TYPE_CHECKING:
    from siren_py.audit.report import DetectorReport, audit

__all__ = ["KINDS", "Declaration", "DetectorReport", "Finding", "audit"]


def __getattr__(name: str) -> Any:
    # The detector imports this package for its declarations; the report imports the detector's
    # parts, so it is loaded when it is asked for.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("siren_py.audit.report"), name)
