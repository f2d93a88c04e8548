"""Processes by name: those of siren_py, and those of plug-ins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from siren_py import plugins
from siren_py.processes.base import Decay, Interaction

PROCESSES: Mapping[str, str] = {
    "dipole-decay": "siren_py.processes.dipole_decay:DipoleDecay",
    "dipole-upscattering": "siren_py.processes.dipole:DipoleUpscattering",
    "mixing-decay": "siren_py.processes.mixing_decay:MixingDecay",
}
"""Name of each process of siren_py, and its class."""


def process_names() -> list[str]:
    """Return the names of all processes that `load_process` knows, sorted.

    Examples
    --------
    >>> "dipole-decay" in process_names()
    True
    """
    return plugins.names("processes", PROCESSES)


def load_process(name: str, **parameters: Any) -> Interaction | Decay:
    """Make a process by its name, for `siren_py.Model` or for a look at its cross section.

    Parameters
    ----------
    name
        Name, see `process_names`: one of siren_py, or of a plug-in (`siren_py.plugins`).
    **parameters
        Parameters of the process.

    Returns
    -------
    Interaction or Decay
        The process.

    Raises
    ------
    UnknownNameError
        If there is no process of this name, or it has no such parameter.
    ConfigError
        If a parameter is missing or cannot be used, or a plug-in does not deliver a process.

    Examples
    --------
    >>> decay = load_process("dipole-decay", mass=0.1, d_mu=1e-6)
    >>> f"{decay.width():.3g} GeV"
    '8e-17 GeV'
    """
    maker = plugins.find(
        "processes", name, PROCESSES, "A process of your own needs no name: make the object."
    )
    process: Interaction | Decay = plugins.make("processes", name, maker, parameters)
    # Classes need not derive from those of siren_py; what the engine calls must be there.
    needed = ("width", "channels") if hasattr(process, "width") else ("reactions", "total")
    plugins.check_methods(f"process {plugins.dashed(name)!r}", process, (*needed, "sample"))
    return process
