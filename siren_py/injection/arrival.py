"""Particles that arrive: the primary was made at the source of the beam and decays in the region.

With the flux phi(E) at the detector, without decays, the rate per proton on target is

    rate = int dE phi(E) int_R d^3y  exp(-s/L)/L  x BR,    L = (p/m) hbar c/Gamma,

s being the way from the source to y. Points of production lie evenly on the straight source that
the detector's beam describes. In a parallel beam all particles fly along the direction of the
beam and s is measured along it; with `beam_kind="source"` they fly from their point of
production, and the flux is that of the table at the origin, with 1/s^2.

The decay point y is drawn evenly in the solids of the region, the point of production from
exp(-s/L) along the source. In the event tree the beam particle ends at vertex 0, the point of
production, which it leaves unchanged for vertex 1, its decay.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.driving import generators, rows_of
from siren_py.errors import ConfigError, GeometryError, KinematicsError, NoRateError
from siren_py.flux import FluxLike
from siren_py.injection.assembly import Assembler, Batch
from siren_py.injection.energy import EnergyCells, EnergyReactionProposal, energy_range
from siren_py.injection.growth import Growth
from siren_py.injection.matter import Matter
from siren_py.injection.signal import ModelLike, Signal
from siren_py.tree import EventTable, vertex_of

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel

PROCESS = "arrival"
"""Name of the process of vertex 0."""

_PURPOSES = ("energy", "line", "vertex", "decay", "growth")

_CHANGE = 0.3
"""Largest change of s/L within a cell of energy: the chance to arrive varies little inside."""
_MOST_PARTS = 400
_DEEPEST = 700.0


def arrives(model: ModelLike, pdg: int) -> bool:
    """Whether a primary of this code is a particle of the model that decays, not a neutrino."""
    return int(pdg) in model.particle_masses and bool(list(model.decays(int(pdg))))


class _Open:
    """Stands for the reactions of a flux: there is one, possible from the mass on."""

    def __init__(self, mass: float) -> None:
        self.threshold = np.array([mass])

    def __len__(self) -> int:
        return 1


class Source:
    """Points of production of a beam, and the way from there.

    Parameters
    ----------
    detector
        The detector, whose beam says where the source is.
    beam_kind
        ``"parallel"`` or ``"source"``.

    Raises
    ------
    GeometryError
        If the beam has no source.
    """

    def __init__(self, detector: DetectorModel, beam_kind: str) -> None:
        ends = detector.beam.source()
        if ends is None:
            raise GeometryError(
                f"The beam of {detector.name!r} has no source, so that nobody knows how far a "
                "particle flew before it arrived: give its distance with "
                "detector.set_beam(direction, distance=...) [cm]."
            )
        self._first, self._last = (np.asarray(end, dtype=np.float64) for end in ends)
        self._direction = np.asarray(detector.beam.direction, dtype=np.float64)
        self._parallel = beam_kind == "parallel"

    def way(self, points: FloatArray, share: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Ways s [cm], (n,), and directions, (n, 3), to points from `share` of the source."""
        emission = self._first + share[:, None] * (self._last - self._first)
        flight = points - emission
        if self._parallel:
            along = flight @ self._direction
            return along, np.broadcast_to(self._direction, points.shape)
        s = np.linalg.norm(flight, axis=1)
        return s, flight / np.where(s > 0.0, s, 1.0)[:, None]

    def draw(
        self, points: FloatArray, lengths: FloatArray, uniform: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Draw where the particles that decay at `points` were made.

        Returns
        -------
        way, directions
            s [cm] (n,), and unit directions (n, 3).
        ratio
            1 / density of the share of the source, (n,).
        spread
            Flux at the points over that of the table, (n,).
        """
        zero, one = np.zeros(len(points)), np.ones(len(points))
        nearer = self.way(points, zero)[0] - self.way(points, one)[0]
        # exp(-s/L) grows as exp(t u) along the source; u from the truncated exponential.
        t = nearer / lengths
        small = np.abs(t) < 1e-9
        rate = np.where(small, 1.0, t)
        # Measured from the end that is more probable, so that nothing overflows.
        reach = -np.expm1(-np.abs(rate))
        back = -np.log1p(-uniform * reach) / np.abs(rate)
        share = np.where(small, uniform, np.where(rate > 0.0, 1.0 - back, back))
        density = np.where(small, 1.0, np.abs(rate) * np.exp(-np.abs(rate) * back) / reach)
        way, directions = self.way(points, share)
        if self._parallel:
            return way, directions, 1.0 / density, one
        emission = self._first + share[:, None] * (self._last - self._first)
        reference = np.einsum("ij,ij->i", emission, emission)
        return way, directions, 1.0 / density, reference / way**2


class ArrivalInjector:
    """Draws weighted event trees of particles that arrive and decay.

    It has the methods of `siren_py.injection.injector.Injector` that `Simulation` and `Sample`
    use.

    Parameters
    ----------
    detector, fluxes, model, region, channel, beam_kind
        As for `Injector`; the fluxes are those of particles that decay.

    Raises
    ------
    GeometryError
        If the beam has no source, or the region reaches to it.
    ConfigError
        If no flux has the channel.
    NoRateError
        If nothing survives the way.
    KinematicsError
        If a flux has particles with less energy than their mass.
    """

    def __init__(
        self,
        detector: DetectorModel,
        fluxes: Sequence[FluxLike],
        model: ModelLike,
        region: str,
        channel: str | None,
        beam_kind: str = "parallel",
    ) -> None:
        self.driving = "random"
        self.detector, self.fluxes, self.model = detector, list(fluxes), model
        self.region = region
        self.signal = Signal.of(model, channel)
        self._source = Source(detector, beam_kind)
        self._region = detector.region(region)
        self.parts: tuple[str, ...] = ()
        self.invariants: list[str] = []
        self._masses = [float(model.particle_masses[int(f.pdg)]) for f in self.fluxes]
        for flux, mass in zip(self.fluxes, self._masses, strict=True):
            if energy_range(flux)[0] < mass * (1.0 - 1e-12) and hasattr(flux, "energy_range"):
                raise KinematicsError(
                    f"The flux {getattr(flux, 'name', flux.pdg)!r} has particles of "
                    f"{energy_range(flux)[0]:g} GeV, below their mass of {mass:g} GeV in the "
                    "model: it was made for another mass."
                )
        self._check_channels()
        low, high = self._region.bounds()
        corners = np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(-1, 3)
        ways = [self._source.way(corners, np.full(8, share))[0] for share in (0.0, 0.5, 1.0)]
        self._nearest = float(np.min(ways))
        if not self._nearest > 0.0:
            raise GeometryError(
                f"The region {region!r} of {detector.name!r} reaches {-self._nearest:.6g} cm "
                "behind the source of the beam: particles cannot arrive there."
            )
        self.energy = self._energy_proposal()
        # Growth and assembly know matter only for what comes out of the decays.
        matter = Matter.of(detector)
        self._materials = matter.materials
        self.growth = Growth(detector, model, matter)
        names = [c.decay.name for choices in self.signal.choices.values() for c in choices]
        self.processes = list(dict.fromkeys([PROCESS, *names, *self.growth.process_names]))
        self.assembler = Assembler(
            self.fluxes,
            np.asarray(detector.beam.direction, dtype=np.float64),
            np.zeros(0, dtype=np.int64),
            np.zeros(0),
            self.parts,
            self.processes,
            self.signal,
            self.growth,
        )

    def _check_channels(self) -> None:
        if not any(int(f.pdg) in self.signal.choices for f in self.fluxes):
            raise ConfigError(
                f"None of the fluxes has the decay {' or '.join(self.signal.channels)!r}: it is "
                f"that of particle {', '.join(map(str, self.signal.choices))}, and the fluxes are "
                f"of {', '.join(sorted({str(f.pdg) for f in self.fluxes}))}. A Dirac N and its "
                "antiparticle have opposite charges in their decays."
            )

    # ------------------------------------------------------------ preparation

    def _length(self, f: int, energy: FloatArray) -> FloatArray:
        """Decay length [cm] of the primaries of a flux, (n,); 0 if their decay does not count."""
        code, mass = int(self.fluxes[f].pdg), self._masses[f]
        if code not in self.signal.choices:
            return np.zeros(energy.size)
        p = np.sqrt(np.maximum((energy - mass) * (energy + mass), 0.0))
        return p / mass * self.signal.rest_length[code]

    def _chance(self, f: int, energy: FloatArray) -> FloatArray:
        """exp(-s/L)/L at the nearest point of the region [1/cm], (n,)."""
        length = self._length(f, energy)
        safe = np.where(length > 0.0, length, 1.0)
        return np.where(length > 0.0, np.exp(-self._nearest / safe) / safe, 0.0)

    def _cells(self, f: int) -> EnergyCells:
        """Cells of a flux, cut where the chance to arrive changes fast."""
        cells = EnergyCells.of(self.fluxes[f], self._masses[f])
        if cells.native or not cells.mass.size:
            return cells
        lows, highs, masses = [], [], []
        for low, high, mass in zip(cells.low, cells.high, cells.mass, strict=True):
            # What arrives with a chance below exp(-700) does not count.
            least = self._nearest / _DEEPEST
            depth = self._nearest / np.maximum(self._length(f, np.array([low, high])), least)
            parts = int(min(max(1.0, np.ceil((depth[0] - depth[1]) / _CHANGE)), _MOST_PARTS))
            edges = np.linspace(low, high, parts + 1)
            lows.append(edges[:-1])
            highs.append(edges[1:])
            masses.append(np.full(parts, mass / parts))
        return EnergyCells(
            np.concatenate(lows), np.concatenate(highs), np.concatenate(masses), native=False
        )

    def _energy_proposal(self) -> EnergyReactionProposal:
        cells = [self._cells(f) for f in range(len(self.fluxes))]
        rates = []
        for f, of_flux in enumerate(cells):
            # The mean of both ends and the middle: the chance is far from even in a cell of a
            # flux with its own sampling.
            ends = (of_flux.low, 0.5 * (of_flux.low + of_flux.high), of_flux.high)
            chance = sum((self._chance(f, e) for e in ends), np.zeros(of_flux.mass.size)) / 3.0
            rates.append((of_flux.mass * chance)[:, None])
        if not sum(float(r.sum()) for r in rates) > 0.0:
            raise NoRateError(
                f"No event is possible: in region {self.region!r} of {self.detector.name!r}, "
                f"{self._nearest / 100.0:.4g} m from the source, nothing arrives. The particle "
                "decays long before, or its flux has not enough energy."
            )
        reactions: Any = [_Open(mass) for mass in self._masses]
        return EnergyReactionProposal(self.fluxes, cells, reactions, rates)

    def names(self) -> dict[str, Any]:
        """Lists of names that the integer columns of the events refer to."""
        return {
            "volumes": list(self.detector.volume_names),
            "materials": list(self._materials),
            "regions": list(self._region.leaves),
            "parts": list(self.parts),
            "channels": list(self.signal.channels),
            "processes": self.processes,
            "targets": {},
        }

    # ------------------------------------------------------------ densities

    def density(self, table: EventTable, source: Any) -> FloatArray:
        """Generation density of this injector at events that `source` made, shape (n,).

        Factors that every such injector of the same model shares (the point of production, final
        states) are left out.

        Raises
        ------
        ConfigError
            If the events were not made by particles that arrive.
        """
        from siren_py.injection.injector import describe

        if not isinstance(source, ArrivalInjector):
            raise ConfigError(
                "Samples of particles that arrive cannot be combined with those of interactions."
            )
        own = [describe(f) for f in self.fluxes]
        numbers = [own.index(n) if n in own else -1 for n in map(describe, source.fluxes)]
        flux = np.array(numbers, dtype=np.int64)[table.events["flux"]]
        energy = np.asarray(table.events["primary_energy"], dtype=np.float64)
        reaction = np.zeros(len(table), dtype=np.int64)
        inside = self._region.inside(vertex_of(table, 1)[:, :3]).sum(axis=1)
        points = inside / self._region.solid_volume_sum
        return np.asarray(self.energy.density(flux, energy, reaction) * points)

    # ------------------------------------------------------------ chunks

    def driven(self, driving: str) -> ArrivalInjector:
        """Return the same injector, driven by one of `siren_py.driving.DRIVINGS`."""
        other = copy(self)
        other.driving = driving
        return other

    def chunk(self, seed: int, number: int, n: int, first: int) -> EventTable:
        """Draw one chunk; see `Injector.chunk`."""
        rngs = generators(self.driving, seed, number, n, _PURPOSES)
        batches: list[Batch] = []
        for f, attempt, energy, _, flux_factor, _ in self.energy.sample(n, rngs["energy"]):
            batch = self._place(f, attempt, energy, flux_factor, rngs)
            if len(batch):
                batches.append(batch)
        return self.assembler.assemble(batches, first, rngs, self.invariants)

    def _place(
        self,
        f: int,
        attempt: IntArray,
        energy: FloatArray,
        flux_factor: FloatArray,
        rngs: dict[str, np.random.Generator],
    ) -> Batch:
        n, flux = energy.size, self.fluxes[f]
        length = self._length(f, energy)
        points, _ = self._region.sample_solids(n, rows_of(rngs["line"], attempt))
        inside = self._region.inside(points).sum(axis=1)
        safe = np.where(length > 0.0, length, 1.0)
        uniform = rows_of(rngs["vertex"], attempt).random(n)
        way, directions, ratio, spread = self._source.draw(points, safe, uniform)
        arrived = (length > 0.0) & (inside > 0) & (way > 0.0)
        factors = {
            "factor_flux": flux_factor * spread,
            "factor_line": self._region.solid_volume_sum / np.maximum(inside, 1),
            "factor_matter": np.where(arrived, ratio * np.exp(-way / safe) / safe, 0.0),
        }
        product = np.prod(list(factors.values()), axis=0)
        # NaN must not be dropped here as if it were zero: it is caught where weights are formed.
        keep = np.flatnonzero(~(product == 0.0))
        polarization = np.zeros(n)
        if hasattr(flux, "polarization"):
            polarization = np.asarray(flux.polarization(energy), dtype=np.float64)
        mass = self._masses[f]
        p = np.sqrt(np.maximum((energy - mass) * (energy + mass), 0.0))
        momenta = np.concatenate([energy[:, None], p[:, None] * directions], axis=1)
        points, m = points[keep], keep.size
        nowhere = np.full(m, -1, dtype=np.int64)
        return Batch(
            flux=f,
            attempt=attempt[keep],
            energy=energy[keep],
            reaction=np.zeros(m, dtype=np.int64),
            pdg=np.full((m, 1), int(flux.pdg), dtype=np.int64),
            momenta=momenta[keep][:, None, :],
            slot=np.zeros(m, dtype=np.int64),
            polarization=(polarization[:, None] * directions)[keep],
            length=length[keep],
            neutrino=np.asarray(directions)[keep],
            vertex=points - way[keep][:, None] * directions[keep],
            decay=points,
            where={
                "volume": nowhere,
                "material": nowhere,
                "decay_volume": self.detector.locate_index(points)[0],
                "region": self._region.leaf_of(points),
            },
            factors={name: factor[keep] for name, factor in factors.items()},
            invariants={},
            process=PROCESS,
            part=nowhere,
            target=nowhere,
        )
