"""Rare neutrino-induced processes in detectors: injection, exact weights, limits.

The names listed in ``__all__`` are the front door; each is imported when it is first used, so
that ``import siren_py`` costs next to nothing::

    import siren_py as sp

    detector = sp.load_detector("nd280")
    flux = sp.load_flux("t2k-nd280", mode="fhc", flavor="numu")
    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    sim = sp.Simulation(detector, flux, model, decay="nu e+ e-", region="tpc")
    sample = sim.run(10_000, seed=1)

Units inside: GeV, cm, ns, g, rad (`siren_py.units`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siren_py import constants, counting, errors, geometry, processes, units
    from siren_py.analysis import Analysis, analysis_names, load_analysis
    from siren_py.channel import Channel
    from siren_py.citations import cite
    from siren_py.combination import combine
    from siren_py.detector import DetectorModel
    from siren_py.efficiency import Efficiency
    from siren_py.estimate import Estimate
    from siren_py.exclusion import find_limit
    from siren_py.flux import Flux, load_flux
    from siren_py.io.formats import read
    from siren_py.io.gdml import load_gdml
    from siren_py.io.hepevt import write_hepevt
    from siren_py.io.hepmc import read_hepmc, write_hepmc
    from siren_py.io.root import read_root
    from siren_py.io.siren_format import load_siren_detector
    from siren_py.limits import Limit
    from siren_py.materials import Material
    from siren_py.models import DipolePortal, Model, load_model, model_names
    from siren_py.models_mixing import MassMixing
    from siren_py.plugins import list_plugins
    from siren_py.processes.library import load_process, process_names
    from siren_py.published import load_curve
    from siren_py.reproduction import reproduce
    from siren_py.resources import list_detectors, list_fluxes, load_detector
    from siren_py.runs.merging import merge
    from siren_py.sample import Sample
    from siren_py.scan import Scan
    from siren_py.selection import Cut, cut_names, load_cut
    from siren_py.simulation import Simulation

__version__ = "0.1.0"

__all__ = [
    "Analysis",
    "Channel",
    "Cut",
    "DetectorModel",
    "DipolePortal",
    "Efficiency",
    "Estimate",
    "Flux",
    "Limit",
    "MassMixing",
    "Material",
    "Model",
    "Sample",
    "Scan",
    "Simulation",
    "__version__",
    "analysis_names",
    "cite",
    "combine",
    "constants",
    "counting",
    "cut_names",
    "errors",
    "find_limit",
    "geometry",
    "list_detectors",
    "list_fluxes",
    "list_plugins",
    "load_analysis",
    "load_curve",
    "load_cut",
    "load_detector",
    "load_flux",
    "load_gdml",
    "load_model",
    "load_process",
    "load_siren_detector",
    "merge",
    "model_names",
    "process_names",
    "processes",
    "read",
    "read_hepmc",
    "read_root",
    "reproduce",
    "units",
    "write_hepevt",
    "write_hepmc",
]

# Public name -> module that defines it; a name without an entry here is a module itself.
_HOME = {
    "Analysis": "analysis",
    "Channel": "channel",
    "Cut": "selection",
    "DetectorModel": "detector",
    "DipolePortal": "models",
    "Efficiency": "efficiency",
    "Estimate": "estimate",
    "Flux": "flux",
    "Limit": "limits",
    "MassMixing": "models_mixing",
    "Material": "materials",
    "Model": "models",
    "Sample": "sample",
    "Scan": "scan",
    "Simulation": "simulation",
    "analysis_names": "analysis",
    "cite": "citations",
    "combine": "combination",
    "cut_names": "selection",
    "find_limit": "exclusion",
    "list_detectors": "resources",
    "list_fluxes": "resources",
    "list_plugins": "plugins",
    "load_analysis": "analysis",
    "load_curve": "published",
    "load_cut": "selection",
    "load_detector": "resources",
    "load_flux": "flux",
    "load_gdml": "io.gdml",
    "load_model": "models",
    "load_process": "processes.library",
    "load_siren_detector": "io.siren_format",
    "merge": "runs.merging",
    "model_names": "models",
    "process_names": "processes.library",
    "read": "io.formats",
    "read_hepmc": "io.hepmc",
    "read_root": "io.root",
    "reproduce": "reproduction",
    "write_hepevt": "io.hepevt",
    "write_hepmc": "io.hepmc",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    elif name in __all__:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        # difflib is not worth loading for a typing error: the module's own text is enough.
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; see dir({__name__})")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
