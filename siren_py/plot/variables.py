"""What of a sample can be drawn: its event columns, and quantities made of its trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import ConfigError, unknown_name
from siren_py.tree import FINAL, EventTable
from siren_py.weighting import FACTORS

if TYPE_CHECKING:
    from siren_py.sample import Sample

VariableLike: TypeAlias = "str | Callable[[Sample], Any]"


class Variable(NamedTuple):
    """A quantity with one value per event."""

    values: Callable[[Sample], FloatArray]
    """Its values for a sample, (n,); NaN where an event has none."""
    words: str
    """What it is, for the label of an axis."""
    unit: str
    """Its unit; empty for a plain number."""


def visible_momenta(sample: Sample) -> FloatArray:
    """Return the summed four-momentum of what can be seen of the last vertex, (n, 4) [GeV].

    Neutrinos are not seen; nor is, after a decay elsewhere, the nucleus that was struck.
    """
    return np.concatenate([_visible(table) for table in sample.tables()])


def _visible(table: EventTable) -> FloatArray:
    particles = table.particles
    seen = particles["status"] == FINAL
    seen &= ~np.isin(np.abs(particles["pdg"]), (12, 14, 16))
    seen &= particles["vertex"] == np.repeat(table.vertex_counts - 1, table.particle_counts)
    event = np.repeat(np.arange(len(table)), table.particle_counts)[seen]
    total = np.empty((len(table), 4))
    for i, name in enumerate(("energy", "px", "py", "pz")):
        total[:, i] = np.bincount(event, particles[name][seen], minlength=len(table))
    total[total[:, 0] == 0.0] = np.nan
    return total


def last_vertex(sample: Sample) -> FloatArray:
    """Return x, y, z [cm] and time [ns] of the decay, (n, 4); of the only vertex where none."""
    first, second = sample.vertices(0), sample.vertices(1)
    return np.where(np.isnan(second), first, second)


def _beam_angle(sample: Sample) -> FloatArray:
    record = sample.provenance.get("configuration", {}).get("beam", {})
    way = np.asarray(record.get("direction", (0.0, 0.0, 1.0)), dtype=np.float64)
    p = visible_momenta(sample)[:, 1:]
    return np.asarray(np.arctan2(np.linalg.norm(np.cross(p, way), axis=1), p @ way))


def _visible_mass(sample: Sample) -> FloatArray:
    p = visible_momenta(sample)
    squared = p[:, 0] ** 2 - (p[:, 1:] ** 2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def _flight(sample: Sample) -> FloatArray:
    way = sample.vertices(1)[:, :3] - sample.vertices(0)[:, :3]
    return np.asarray(np.linalg.norm(way, axis=1))


def _coordinate(vertex: Callable[[Sample], FloatArray], i: int) -> Callable[[Sample], FloatArray]:
    return lambda sample: vertex(sample)[:, i]


def _first(sample: Sample) -> FloatArray:
    return sample.vertices(0)


DERIVED: Mapping[str, Variable] = {
    "visible_energy": Variable(
        lambda sample: visible_momenta(sample)[:, 0], "energy of what is visible", "GeV"
    ),
    "visible_mass": Variable(_visible_mass, "invariant mass of what is visible", "GeV"),
    "beam_angle": Variable(_beam_angle, "angle of what is visible to the beam", "rad"),
    "flight": Variable(_flight, "flight before the decay", "cm"),
    **{
        f"{name}_{axis}": Variable(_coordinate(vertex, i), f"{axis} of the {name}", "cm")
        for name, vertex in (("production", _first), ("decay", last_vertex))
        for i, axis in enumerate("xyz")
    },
    "decay_time": Variable(_coordinate(last_vertex, 3), "time of the decay", "ns"),
}
"""Quantities made of the trees of events, by name. Visible is every final particle of the last
vertex but neutrinos; where there is one vertex only, that is the decay."""

_COLUMNS: Mapping[str, tuple[str, str]] = {
    "weight": ("weight", "events per POT"),
    "primary_energy": ("energy of the primary particle", "GeV"),
    "decay_length": ("mean decay length", "cm"),
    "polarization_x": ("polarisation along x", ""),
    "polarization_y": ("polarisation along y", ""),
    "polarization_z": ("polarisation along z", ""),
    "q2": (r"$Q^2$", r"$\mathrm{GeV}^2$"),
    "event": ("number of the attempt", ""),
    **{name: (name.replace("_", " "), unit) for name, (unit, _) in FACTORS.items()},
}


def find_variable(
    sample: Sample, variable: VariableLike, words: str | None = None, unit: str | None = None
) -> Variable:
    """Return a variable of a sample by its name, or one's own function.

    Parameters
    ----------
    sample
        The sample.
    variable
        Name of an event column or of `DERIVED`; or a function that turns a sample into an array
        with one number per event.
    words, unit
        For the label of the axis; a function's own name, and no unit, if None.

    Raises
    ------
    UnknownNameError
        If there is nothing of this name.
    """
    if callable(variable):
        name = getattr(variable, "__name__", "value").strip("<>").replace("_", " ")
        return Variable(_checked(variable), words or name, unit or "")
    if variable in DERIVED:
        found = DERIVED[variable]
    elif variable in sample.columns:
        known = _COLUMNS.get(variable, (variable.replace("_", " "), ""))
        found = Variable(lambda s: np.asarray(s[variable], np.float64), *known)
    else:
        raise unknown_name("variable", variable, [*sample.columns, *DERIVED])
    return Variable(
        found.values,
        found.words if words is None else words,
        found.unit if unit is None else unit,
    )


def _checked(function: Callable[[Sample], Any]) -> Callable[[Sample], FloatArray]:
    def values(sample: Sample) -> FloatArray:
        found = np.asarray(function(sample), dtype=np.float64)
        if found.shape != (len(sample),):
            raise ConfigError(
                f"The variable {function!r} must give one number per event, shape "
                f"({len(sample)},); it gave the shape {found.shape}."
            )
        return found

    return values
