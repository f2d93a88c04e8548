"""Samples as awkward arrays whose particles are four-momenta of the library vector.

The records of particles are called ``Momentum4D`` and have the fields ``energy``, ``px``, ``py``,
``pz`` [GeV] that vector knows. Its behaviour is attached to the arrays; nothing is registered for
other arrays of the program.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from siren_py._optional import MissingDependencyError, import_optional

if TYPE_CHECKING:
    import awkward as ak

    from siren_py.sample import Sample

MOMENTUM = "Momentum4D"
"""Name of the records of particles: vector's own for momenta."""


class Behavior(dict[Any, Any]):
    """Behaviours of arrays that are pickled by name: those of vector contain plain functions."""

    def __reduce__(self) -> tuple[Any, ...]:
        return momentum_behavior, ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Behavior:
        return self


@cache
def momentum_behavior() -> Behavior:
    """Return the behaviours of the records ``Momentum4D``: vector's, if it is installed."""
    try:
        module = import_optional("vector.backends.awkward", "vector", "Momenta of particles")
    except MissingDependencyError:
        return Behavior(_without_vector())
    return Behavior(module.behavior)


def _without_vector() -> dict[Any, Any]:
    """Return behaviours that say what to install for a property that vector would give."""
    import awkward as ak

    def field(self: Any, name: str, base: type) -> Any:
        try:
            return base.__getattr__(self, name)  # type: ignore[attr-defined]
        except AttributeError as error:
            if name.startswith("_"):
                raise  # what programs look for, people do not
            raise AttributeError(
                f"Particles have no field {name!r}; they have {', '.join(self.fields)}. Properties "
                "of momenta (mass, pt, eta, deltaR, ...) need vector, which is not installed: "
                'pip install "siren-py[vector]"'
            ) from error

    class Momenta(ak.Array):  # type: ignore[misc]
        def __getattr__(self, name: str) -> Any:
            return field(self, name, ak.Array)

    class Momentum(ak.Record):  # type: ignore[misc]
        def __getattr__(self, name: str) -> Any:
            return field(self, name, ak.Record)

    return {("*", MOMENTUM): Momenta, MOMENTUM: Momentum}


def events_of(sample: Sample) -> ak.Array:
    """Return the events of a sample as an awkward array; see `Sample.to_awkward`."""
    import awkward as ak

    table = sample.table()
    particles = ak.zip(dict(table.particles), with_name=MOMENTUM)
    fields: dict[str, Any] = {
        "weight": sample.weights,
        **table.events,
        "vertices": ak.unflatten(ak.zip(dict(table.vertices)), table.vertex_counts),
        "particles": ak.unflatten(particles, table.particle_counts),
    }
    return ak.zip(fields, depth_limit=1, behavior=momentum_behavior())
