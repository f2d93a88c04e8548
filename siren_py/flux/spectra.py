"""Fluxes as histograms in energy and as single energies."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.errors import ConfigError
from siren_py.flux.base import UNIT, Flux
from siren_py.flux.checks import (
    check_limits,
    energy_array,
    fraction_array,
    number_array,
    positive,
    scaled_source,
)


@dataclass(frozen=True, eq=False, repr=False)
class HistogramFlux(Flux):
    """A flux that is constant within bins of energy; bins are half open, [low, high).

    Parameters
    ----------
    pdg
        PDG code.
    edges
        Edges of the bins [GeV], increasing, shape (n + 1,).
    values
        Flux in each bin [1/(GeV cm2 POT)], shape (n,); not negative, not all zero.
    name, mode, source
        See `Flux`.

    Raises
    ------
    ConfigError
        If edges or values are malformed.

    Examples
    --------
    >>> import numpy as np
    >>> from siren_py.flux import HistogramFlux
    >>> flux = HistogramFlux(14, np.array([0.0, 1.0, 3.0]), np.array([2e-8, 1e-8]))
    >>> f"{flux.integral:.1e} per cm2 and POT, mean {flux.mean_energy:.2f} GeV"
    '4.0e-08 per cm2 and POT, mean 1.25 GeV'
    """

    pdg: int
    edges: FloatArray
    values: FloatArray
    name: str = "histogram"
    mode: str | None = None
    source: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        edges = number_array("edges", self.edges)
        values = number_array("values", self.values)
        label = f"flux {self._label()!r}"
        if len(edges) < 2 or len(values) != len(edges) - 1:
            raise ConfigError(
                f"{label}: {len(edges)} edges need {max(len(edges) - 1, 1)} values, at least one "
                f"bin; there are {len(values)} values."
            )
        if edges[0] < 0.0:
            raise ConfigError(f"{label}: the first edge is {edges[0]:g} GeV; energies start at 0.")
        steps = np.diff(edges)
        if not (steps > 0.0).all():
            k = int(np.argmin(steps > 0.0))
            raise ConfigError(
                f"{label}: edges must increase, but edge {k + 1} is {edges[k + 1]:g} GeV after "
                f"{edges[k]:g} GeV."
            )
        if (values < 0.0).any():
            k = int(np.argmin(values))
            raise ConfigError(
                f"{label}: the value of bin {k} ({edges[k]:g} to {edges[k + 1]:g} GeV) is "
                f"{values[k]:g}; a flux is not negative."
            )
        if not (values > 0.0).any():
            raise ConfigError(f"{label}: all values are zero; such a flux makes no events.")
        for array in (edges, values):
            array.flags.writeable = False
        object.__setattr__(self, "pdg", int(self.pdg))
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "values", values)

    @cached_property
    def integral(self) -> float:
        """Fluence over all energies [1/(cm2 POT)]."""
        return math.fsum(self.values * np.diff(self.edges))

    @property
    def energy_range(self) -> tuple[float, float]:
        """Lowest and highest energy [GeV] between which the flux is not zero."""
        filled = np.flatnonzero(self.values)
        return float(self.edges[filled[0]]), float(self.edges[filled[-1] + 1])

    @property
    def mean_energy(self) -> float:
        """Mean energy [GeV], weighted with the flux."""
        low, high = self.edges[:-1], self.edges[1:]
        return math.fsum(self.values * (high - low) * 0.5 * (high + low)) / self.integral

    @cached_property
    def _cumulative(self) -> FloatArray:
        """Fraction of the flux below each edge; exactly 0 and 1 at the ends, shape (n + 1,)."""
        total = np.concatenate([[0.0], np.cumsum(self.values * np.diff(self.edges))])
        return np.asarray(total / total[-1], dtype=np.float64)

    def density(self, energy: ArrayLike) -> FloatArray:
        """Return the flux at each energy [GeV], in 1/(GeV cm2 POT); see `Flux.density`."""
        e = energy_array(energy)
        k = np.searchsorted(self.edges, e, side="right") - 1
        inside = (k >= 0) & (k < len(self.values))
        return np.where(inside, self.values[np.where(inside, k, 0)], 0.0)

    def integral_between(self, low: float, high: float) -> float:
        """Return the fluence of the energies in [low, high); see `Flux.integral_between`."""
        check_limits(low, high)
        overlap = np.minimum(self.edges[1:], high) - np.maximum(self.edges[:-1], low)
        return math.fsum(self.values * np.maximum(overlap, 0.0))

    def quantile(self, u: ArrayLike) -> FloatArray:
        """Return the energies [GeV] at the fractions `u`; see `Flux.quantile`."""
        fraction = np.minimum(fraction_array(u), np.nextafter(1.0, 0.0))
        cumulative = self._cumulative
        # "right" steps over empty bins: of equal entries it returns the last, whose bin is filled.
        k = np.searchsorted(cumulative, fraction, side="right") - 1
        low, high = self.edges[k], self.edges[k + 1]
        inner = (fraction - cumulative[k]) / (cumulative[k + 1] - cumulative[k])
        # Rounding must not push an energy onto the upper edge: it would belong to the next bin,
        # where the density differs.
        return np.minimum(low + inner * (high - low), np.nextafter(high, low))

    def scaled(self, factor: float) -> HistogramFlux:
        """Return the same flux times a positive number; see `Flux.scaled`."""
        return replace(
            self,
            values=self.values * positive("factor", factor),
            source=scaled_source(self.source, factor),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what identifies the flux; see `Flux.to_dict`."""
        content = hashlib.sha256(self.edges.tobytes() + self.values.tobytes()).hexdigest()
        return {
            **self._common_dict("histogram"),
            "unit": UNIT,
            "bins": len(self.values),
            "energy_range": list(self.energy_range),
            "values_sha256": content,
        }

    def __repr__(self) -> str:
        low, high = self.energy_range
        return (
            f"<HistogramFlux {self._label()}: {self.integral:.4g} /cm2/POT, {low:g} to {high:g} "
            f"GeV, mean {self.mean_energy:.4g} GeV, {len(self.values)} bins>"
        )


@dataclass(frozen=True, eq=False, repr=False)
class MonoenergeticFlux(Flux):
    """A flux of a single energy.

    Its density is a delta function. `density` therefore returns the fluence [1/(cm2 POT)] at
    exactly this energy and 0 elsewhere, a density with respect to counting and not to GeV;
    `discrete` says so. ``density / integral`` is 1 for every sampled energy.

    Parameters
    ----------
    pdg
        PDG code.
    energy
        Energy [GeV], positive.
    fluence
        Neutrinos per area and proton on target [1/(cm2 POT)], positive.
    name, mode, source
        See `Flux`.

    Raises
    ------
    ConfigError
        If energy or fluence is not a positive number.

    Examples
    --------
    >>> from siren_py.flux import MonoenergeticFlux
    >>> MonoenergeticFlux(14, energy=1.0, fluence=1e-8).sample(3).tolist()
    [1.0, 1.0, 1.0]
    """

    pdg: int
    energy: float
    fluence: float = 1.0
    name: str = "monoenergetic"
    mode: str | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    discrete = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "pdg", int(self.pdg))
        object.__setattr__(self, "energy", positive("energy", self.energy, " GeV"))
        object.__setattr__(self, "fluence", positive("fluence", self.fluence, " /cm2/POT"))

    @property
    def integral(self) -> float:
        """Fluence [1/(cm2 POT)]."""
        return self.fluence

    @property
    def energy_range(self) -> tuple[float, float]:
        """The energy [GeV], twice."""
        return self.energy, self.energy

    @property
    def mean_energy(self) -> float:
        """The energy [GeV]."""
        return self.energy

    def density(self, energy: ArrayLike) -> FloatArray:
        """Return the fluence [1/(cm2 POT)] where `energy` is the energy of the line, else 0."""
        return np.where(energy_array(energy) == self.energy, self.fluence, 0.0)

    def integral_between(self, low: float, high: float) -> float:
        """Return the fluence if the line is in [low, high), else 0."""
        check_limits(low, high)
        return self.fluence if low <= self.energy < high else 0.0

    def quantile(self, u: ArrayLike) -> FloatArray:
        """Return the energy [GeV] of the line for every fraction."""
        return np.full(fraction_array(u).shape, self.energy)

    def scaled(self, factor: float) -> MonoenergeticFlux:
        """Return the same flux times a positive number; see `Flux.scaled`."""
        return replace(
            self,
            fluence=self.fluence * positive("factor", factor),
            source=scaled_source(self.source, factor),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what identifies the flux; see `Flux.to_dict`."""
        return {**self._common_dict("monoenergetic"), "energy": self.energy}

    def __repr__(self) -> str:
        return (
            f"<MonoenergeticFlux {self._label()}: {self.fluence:.4g} /cm2/POT at {self.energy:g} "
            "GeV>"
        )
