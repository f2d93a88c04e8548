"""Processes: interactions with a target and decays, and the classes to derive one's own from."""

from __future__ import annotations

from siren_py.processes.base import (
    BoundInteraction,
    Decay,
    FinalState,
    Interaction,
    Reaction,
    final_state,
)
from siren_py.processes.dipole import DipoleUpscattering
from siren_py.processes.dipole_decay import DipoleDecay

__all__ = [
    "BoundInteraction",
    "Decay",
    "DipoleDecay",
    "DipoleUpscattering",
    "FinalState",
    "Interaction",
    "Reaction",
    "final_state",
]
