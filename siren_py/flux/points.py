"""Fluxes that are known at points of energy, with straight lines in between."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

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

Below: TypeAlias = Literal["refuse", "zero"]
"""What holds below the first point of a flux."""


@dataclass(frozen=True, eq=False, repr=False)
class PointsFlux(Flux):
    """A flux that is linear between points of energy, and zero above the last one.

    Below the first point there is nothing if that point is at 0 GeV or its value is 0. Otherwise
    the table is limited: what is below is not zero but unknown. Such a flux gives no number there;
    `density` and `integral_between` raise an error that says where the table begins, unless
    ``below="zero"`` says that the missing part may count as nothing. Samples and `integral` are
    those of the table.

    Parameters
    ----------
    pdg
        PDG code.
    energies
        Energies of the points [GeV], increasing, shape (n,), at least two.
    values
        Flux at the points [1/(GeV cm2 POT)], shape (n,); not negative, not all zero.
    below
        ``"refuse"`` or ``"zero"``.
    name, mode, source
        See `Flux`.

    Raises
    ------
    ConfigError
        If energies, values or `below` are malformed.

    Examples
    --------
    >>> import numpy as np
    >>> from siren_py.flux import PointsFlux
    >>> flux = PointsFlux(14, np.array([0.0, 1.0, 3.0]), np.array([0.0, 2e-8, 0.0]))
    >>> flux.density(2.0).item()
    1e-08
    """

    pdg: int
    energies: FloatArray
    values: FloatArray
    below: Below = "refuse"
    name: str = "points"
    mode: str | None = None
    source: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        energies = number_array("energies", self.energies)
        values = number_array("values", self.values)
        label = f"flux {self._label()!r}"
        if self.below not in ("refuse", "zero"):
            raise ConfigError(f'{label}: below is {self.below!r}; it must be "refuse" or "zero".')
        if len(energies) < 2 or len(values) != len(energies):
            raise ConfigError(
                f"{label}: {len(energies)} energies and {len(values)} values; there must be as "
                "many of both, and at least two."
            )
        if energies[0] < 0.0:
            raise ConfigError(f"{label}: the first energy is {energies[0]:g} GeV, below 0.")
        steps = np.diff(energies)
        if not (steps > 0.0).all():
            k = int(np.argmin(steps > 0.0))
            raise ConfigError(
                f"{label}: energies must increase, but number {k + 1} is {energies[k + 1]:g} GeV "
                f"after {energies[k]:g} GeV."
            )
        if (values < 0.0).any():
            k = int(np.argmin(values))
            raise ConfigError(
                f"{label}: the value at {energies[k]:g} GeV is {values[k]:g}; a flux is not "
                "negative."
            )
        if not (values > 0.0).any():
            raise ConfigError(f"{label}: all values are zero; such a flux makes no events.")
        for array in (energies, values):
            array.flags.writeable = False
        object.__setattr__(self, "pdg", int(self.pdg))
        object.__setattr__(self, "energies", energies)
        object.__setattr__(self, "values", values)

    @property
    def is_limited(self) -> bool:
        """Whether the table begins above 0 GeV with a flux that is not zero."""
        return bool(self.energies[0] > 0.0 and self.values[0] > 0.0)

    @cached_property
    def _areas(self) -> FloatArray:
        """Fluence between neighbouring points [1/(cm2 POT)], shape (n - 1,)."""
        return np.asarray(
            0.5 * (self.values[:-1] + self.values[1:]) * np.diff(self.energies), dtype=np.float64
        )

    @cached_property
    def integral(self) -> float:
        """Fluence of the table [1/(cm2 POT)]; of a limited one only what is above its begin."""
        return math.fsum(self._areas)

    @property
    def energy_range(self) -> tuple[float, float]:
        """Lowest and highest energy [GeV] between which the flux is not zero."""
        filled = np.flatnonzero(self._areas)
        return float(self.energies[filled[0]]), float(self.energies[filled[-1] + 1])

    @property
    def mean_energy(self) -> float:
        """Mean energy [GeV], weighted with the flux."""
        (e0, e1), (f0, f1) = ((array[:-1], array[1:]) for array in (self.energies, self.values))
        # The integral of the product of two straight lines.
        moments = (e1 - e0) * ((f0 * e0 + f1 * e1) / 3.0 + (f0 * e1 + f1 * e0) / 6.0)
        return math.fsum(moments) / self.integral

    @cached_property
    def _cumulative(self) -> FloatArray:
        """Fraction of the flux below each point; exactly 0 and 1 at the ends, shape (n,)."""
        total = np.concatenate([[0.0], np.cumsum(self._areas)])
        return np.asarray(total / total[-1], dtype=np.float64)

    def density(self, energy: ArrayLike) -> FloatArray:
        """Return the flux at each energy [GeV], in 1/(GeV cm2 POT); see `Flux.density`.

        Raises
        ------
        ConfigError
            If an energy is NaN, or below the first point of a limited table (see the class).
        """
        e = energy_array(energy)
        if e.size:
            self._check_begin(float(e.min()))
        return self._at(e)

    def _at(self, e: FloatArray) -> FloatArray:
        inside = (e >= self.energies[0]) & (e <= self.energies[-1])
        last = len(self.energies) - 2
        k = np.clip(np.searchsorted(self.energies, e, side="right") - 1, 0, last)
        low, high = self.energies[k], self.energies[k + 1]
        w = np.where(inside, (np.where(inside, e, low) - low) / (high - low), 0.0)
        return np.where(inside, self.values[k] * (1.0 - w) + self.values[k + 1] * w, 0.0)

    def integral_between(self, low: float, high: float) -> float:
        """Return the fluence of the energies in [low, high); see `Flux.integral_between`.

        Raises
        ------
        ConfigError
            If the limits are not in order, or `low` is below the first point of a limited table.
        """
        check_limits(low, high)
        self._check_begin(low)
        start = np.clip(self.energies[:-1], low, high)
        stop = np.clip(self.energies[1:], low, high)
        width = stop - start
        filled = width > 0.0
        mean = 0.5 * (self._at(start[filled]) + self._at(stop[filled]))
        return math.fsum(mean * width[filled])

    def quantile(self, u: ArrayLike) -> FloatArray:
        """Return the energies [GeV] at the fractions `u`; see `Flux.quantile`."""
        fraction = np.minimum(fraction_array(u), np.nextafter(1.0, 0.0))
        cumulative = self._cumulative
        # "right" steps over empty stretches: of equal entries it returns the last.
        k = np.searchsorted(cumulative, fraction, side="right") - 1
        low, high = self.energies[k], self.energies[k + 1]
        r = (fraction - cumulative[k]) / (cumulative[k + 1] - cumulative[k])
        # Nothing is drawn at the very ends of a stretch, where the flux may be zero; 2^-60 is below
        # the steps of random numbers.
        r = np.maximum(r, 2.0**-60)
        # The root t of f0 t + (f1 - f0) t^2 / 2 = r (f0 + f1) / 2 in a form without cancellation;
        # divided by the larger value, so that squares neither vanish nor overflow.
        scale = np.maximum(self.values[k], self.values[k + 1])
        f0, f1 = self.values[k] / scale, self.values[k + 1] / scale
        t = r * (f0 + f1) / (f0 + np.sqrt(f0**2 * (1.0 - r) + f1**2 * r))
        # So far from a zero at the upper end that the flux there is not lost in rounding.
        t = np.minimum(t, 1.0 - 2.0**-48)
        return np.clip(low + t * (high - low), np.nextafter(low, high), np.nextafter(high, low))

    def scaled(self, factor: float) -> PointsFlux:
        """Return the same flux times a positive number; see `Flux.scaled`."""
        return replace(
            self,
            values=self.values * positive("factor", factor),
            source=scaled_source(self.source, factor),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what identifies the flux; see `Flux.to_dict`."""
        content = hashlib.sha256(self.energies.tobytes() + self.values.tobytes()).hexdigest()
        return {
            **self._common_dict("points"),
            "unit": UNIT,
            "points": len(self.values),
            "energy_range": list(self.energy_range),
            "begins_at": float(self.energies[0]) if self.is_limited else 0.0,
            "values_sha256": content,
        }

    def __repr__(self) -> str:
        low, high = self.energy_range
        limited = " (unknown below)" if self.is_limited else ""
        return (
            f"<PointsFlux {self._label()}: {self.integral:.4g} /cm2/POT, {low:g}{limited} to "
            f"{high:g} GeV, mean {self.mean_energy:.4g} GeV, {len(self.values)} points>"
        )

    def _check_begin(self, energy: float) -> None:
        if self.is_limited and self.below == "refuse" and energy < self.energies[0]:
            raise ConfigError(
                f"The flux {self._label()!r} is asked for at {energy:g} GeV, but its table begins "
                f"at {self.energies[0]:g} GeV; what is below is not known. Ask above that, or say "
                'that it may count as nothing: below="zero" in siren_py.load_flux or '
                "Flux.from_points."
            )
