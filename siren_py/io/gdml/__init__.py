"""GDML, the geometry format of Geant4: reading it with an own parser, and writing it."""

from __future__ import annotations

from siren_py.io.gdml.reader import load_gdml
from siren_py.io.gdml.writer import to_gdml

__all__ = ["load_gdml", "to_gdml"]
