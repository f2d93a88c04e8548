"""Fluxes of heavy neutral leptons: histograms that also know the polarisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.errors import ConfigError
from siren_py.flux.checks import energy_array, number_array
from siren_py.flux.spectra import HistogramFlux
from siren_py.particles import name as particle_name

if TYPE_CHECKING:
    from siren_py.flux.produced import ProducedFlux


@dataclass(frozen=True, eq=False, repr=False)
class HeavyNeutrinoFlux(HistogramFlux):
    """A flux of N (PDG code 5914) or its antiparticle (-5914) at the detector, without decays.

    It is what would arrive if N were stable: the chance to survive the way is in the weight of
    the simulation. Energies are total energies, and no bin may begin below the mass of N.

    Parameters
    ----------
    pdg, edges, values, name, mode, source
        See `HistogramFlux`.
    polarizations
        Mean polarisation along the flight in each bin, (n,), between -1 and 1; zero if None.
    errors
        Statistical error of each value [1/(GeV cm2 POT)], (n,); zero if None.
    production
        How the flux follows from a model, if it does.

    Raises
    ------
    ConfigError
        If an array is malformed.
    """

    polarizations: FloatArray | None = None
    errors: FloatArray | None = None
    production: ProducedFlux | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("polarizations", "errors"):
            given = getattr(self, key)
            array = np.zeros(len(self.values)) if given is None else number_array(key, given)
            if array.shape != self.values.shape:
                raise ConfigError(
                    f"flux {self._label()!r}: there are {len(self.values)} values and "
                    f"{array.size} {key}."
                )
            array.flags.writeable = False
            object.__setattr__(self, key, array)
        if np.abs(self.polarizations).max() > 1.0:  # type: ignore[arg-type]
            raise ConfigError(f"flux {self._label()!r}: a polarisation must be between -1 and 1.")

    @property
    def flavor(self) -> str:
        """Name of the particle."""
        return particle_name(self.pdg)

    def polarization(self, energy: ArrayLike) -> FloatArray:
        """Mean polarisation along the flight at each energy [GeV]; 0 outside the range."""
        e = energy_array(energy)
        k = np.searchsorted(self.edges, e, side="right") - 1
        inside = (k >= 0) & (k < len(self.values))
        table = np.asarray(self.polarizations, dtype=np.float64)
        return np.where(inside, table[np.where(inside, k, 0)], 0.0)

    @property
    def mean_polarization(self) -> float:
        """Polarisation along the flight, averaged over the flux."""
        table = np.asarray(self.polarizations, dtype=np.float64)
        return float((table * self.values * np.diff(self.edges)).sum() / self.integral)

    def scaled(self, factor: float) -> HeavyNeutrinoFlux:
        """Return the same flux times a positive number; see `Flux.scaled`."""
        flux = super().scaled(factor)
        errors = np.asarray(self.errors, dtype=np.float64) * factor
        return HeavyNeutrinoFlux(
            flux.pdg, flux.edges, flux.values, flux.name, flux.mode, flux.source,
            self.polarizations, errors, self.production,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return what identifies the flux; see `Flux.to_dict`."""
        made = {} if self.production is None else {"production": self.production.name}
        return {**super().to_dict(), "mean_polarization": self.mean_polarization, **made}

    def __repr__(self) -> str:
        low, high = self.energy_range
        return (
            f"<HeavyNeutrinoFlux {self._label()}: {self.integral:.4g} /cm2/POT, {low:g} to "
            f"{high:g} GeV, mean {self.mean_energy:.4g} GeV, polarisation "
            f"{self.mean_polarization:+.3f}>"
        )
