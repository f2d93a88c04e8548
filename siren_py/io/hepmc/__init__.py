"""HepMC3 files that follow NuHepMC 1.0 (arXiv:2310.13211): writing, reading, checking."""

from __future__ import annotations

from siren_py.io.hepmc.findings import Validation
from siren_py.io.hepmc.reader import read_hepmc
from siren_py.io.hepmc.rules import validate_hepmc
from siren_py.io.hepmc.writer import write_hepmc

HEPMC_DROPS: tuple[str, ...] = ()
"""What a HepMC3 file of siren_py does not hold: nothing."""

__all__ = ["HEPMC_DROPS", "Validation", "read_hepmc", "validate_hepmc", "write_hepmc"]
