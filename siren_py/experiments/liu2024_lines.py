"""Lines of flight of N through boxes, and what the matter on them makes decay in the boxes.

An event of `siren_py.Simulation` is a line (energy, target, direction, place) with a vertex and a
decay point on it. Nothing but the last two depends on the coupling d, apart from d^2 in front, so
the lines of a few samples give the rate for every d,

    rate = sum over lines of  u Phi(E) d^2 W(L(d)),

with u the weight of the line at d = 1/GeV and flux 1, and W the integral over vertices and decay
points on the line, in closed form. The same lines serve other detectors (made of the same nuclides,
with the same boxes), other fluxes and other weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from siren_py._typing import BoolArray, FloatArray, IntArray
from siren_py.constants import HBARC
from siren_py.errors import ConfigError
from siren_py.flux import Flux
from siren_py.injection.injector import Injector
from siren_py.models import HNL_PDG, DipolePortal
from siren_py.sample import Sample
from siren_py.simulation import Simulation
from siren_py.tree import vertex_of

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel

ANCHORS = ((1e8, 0.35), (300.0, 0.3), (30.0, 0.2), (0.3, 0.15))
"""Decay lengths [cm] at 1 GeV of the samples that lines are taken from, with their shares: far
away the rock decides, then the detector, in the end the gas in the boxes."""

SAMPLED = {"pauli_blocking": False, "neutrons": True, "nucleon_form_factors": "kelly"}
"""Cross section that lines are drawn from: wherever that of a configuration is above zero, so is
this one."""

_MARGIN = 1.0  # cm beyond the last box, where nothing counts any more
_GONE = 60.0  # decay lengths after which nothing arrives: exp(-60) = 1e-26


@dataclass(frozen=True)
class Lines:
    """Lines of N of one mass.

    Attributes
    ----------
    mass
        Mass of N [GeV].
    energy
        Energy of the neutrino [GeV], (n,).
    reaction
        Index into `reactions`, (n,).
    reactions
        Pairs (nuclide, part).
    q2
        Momentum transfer [GeV2], (n,).
    momentum
        Momentum of N [GeV], (n,).
    origin, direction
        A point [cm] and the unit direction of each line, (n, 3).
    cosine
        Cosine of the angle between N and the beam, (n,).
    pair_cosine, opening_cosine
        Cosines between e+e- pair and beam, and between e+ and e-, (n,).
    weight
        Weight at d = 1/GeV per flux at the energy, (n,) [GeV cm4 x cm2]: times flux, d^2 and W
        [1/cm2] it is the expected number of decays, all channels.
    beam
        Direction of the beam, (3,).
    """

    mass: float
    energy: FloatArray
    reaction: IntArray
    reactions: tuple[tuple[str, str], ...]
    q2: FloatArray
    momentum: FloatArray
    origin: FloatArray
    direction: FloatArray
    cosine: FloatArray
    pair_cosine: FloatArray
    opening_cosine: FloatArray
    weight: FloatArray
    beam: FloatArray

    def __len__(self) -> int:
        return int(self.energy.size)

    def lengths(self, width: float) -> FloatArray:
        """Decay length [cm] of N for a total width [GeV], (n,)."""
        return self.momentum / self.mass * (HBARC / width)

    def take(self, which: BoolArray) -> Lines:
        """Return the lines `which`, a mask (n,)."""
        names = (
            "energy", "reaction", "q2", "momentum", "origin", "direction", "cosine",
            "pair_cosine", "opening_cosine", "weight",
        )  # fmt: skip
        return replace(self, **{name: getattr(self, name)[which] for name in names})


def draw_lines(
    detector: DetectorModel, region: str, mass: float, flux: Flux, n: int, seed: int
) -> Lines:
    """Draw lines through a region, from samples at the decay lengths of `ANCHORS`.

    Events that several samples could have made are weighted by the balance heuristic in energy
    and reaction (Veach and Guibas, SIGGRAPH 1995), whose weights sum to one; so every sum over the
    lines is without bias.

    Parameters
    ----------
    detector, region
        Where decays count.
    mass
        Mass of N [GeV].
    flux
        Flux that energies are drawn from. It has to be above zero wherever a flux is that the
        lines will be used for.
    n
        Number of attempts.
    seed
        Seed of the samples.
    """
    samples = []
    for number, (length, share) in enumerate(ANCHORS):
        model = DipolePortal(mass=mass, d_mu=coupling_for(mass, length), **SAMPLED)  # type: ignore[arg-type]
        simulation = Simulation(detector, flux, model, decay="nu e+ e-", region=region)
        # All that the sums over a line need is on it: none may be lost for an empty part.
        _whole_lines(simulation.injector)
        samples.append(simulation.run(max(2, round(share * n)), seed=seed + number, progress=False))
    couplings = [coupling_for(mass, length) for length, _ in ANCHORS]
    return _joined(mass, samples, couplings, flux)


def coupling_for(mass: float, length: float) -> float:
    """Coupling d [1/GeV] for which N of 1 GeV (or at rest, nearly) has a decay length [cm]."""
    width = max(1.0, 0.01 * mass) / mass * HBARC / length
    return float(np.sqrt(4.0 * np.pi * width / mass**3))


def _joined(
    mass: float, samples: Sequence[Sample], couplings: Sequence[float], flux: Flux
) -> Lines:
    reactions = _reactions(samples[0])
    columns: dict[str, list[FloatArray]] = {}
    for sample, coupling in zip(samples, couplings, strict=True):
        part = _of_sample(sample, coupling, flux, reactions)
        energy, reaction = part["energy"], part["reaction"].astype(np.int64)
        mixture = np.zeros(energy.size)
        for other in samples:
            mixture += other.n_attempts * _density(other, energy, reaction)
        part["weight"] *= _density(sample, energy, reaction) / mixture
        for name, column in part.items():
            columns.setdefault(name, []).append(column)
    joined = {name: np.concatenate(column) for name, column in columns.items()}
    beam = np.asarray(_injector(samples[0]).detector.beam.direction, dtype=np.float64)
    return Lines(mass=mass, reactions=reactions, beam=beam, **joined)  # type: ignore[arg-type]


def _injector(sample: Sample) -> Injector:
    if not isinstance(sample.injector, Injector):
        raise ConfigError(
            "Lines can be made of samples of this session in which N is made by upscattering; this "
            "one was read from a file, or is of another kind, and lacks the density of its lines."
        )
    return sample.injector


def _reactions(sample: Sample) -> tuple[tuple[str, str], ...]:
    """Pairs (nuclide, part) in the order of the injector, the same for all samples."""
    injector = _injector(sample)
    known = injector.reactions[0]
    return tuple(
        (injector.matter.nuclides[t], known.parts[p])
        for t, p in zip(known.nuclide, known.part, strict=True)
    )


def _density(sample: Sample, energy: FloatArray, reaction: IntArray) -> FloatArray:
    """Density of energy and reaction [1/GeV] that a sample was drawn with, (n,)."""
    proposal = _injector(sample).energy
    return proposal.density(np.zeros(energy.size, np.int64), energy, reaction)


def _of_sample(
    sample: Sample, coupling: float, flux: Flux, reactions: Sequence[tuple[str, str]]
) -> dict[str, FloatArray]:
    table = sample.table()
    events = table.events
    ended = np.flatnonzero(table.particles["end_vertex"] == 1)
    momentum = np.stack([table.particles[k][ended] for k in ("px", "py", "pz")], axis=1)
    if not (np.abs(table.particles["pdg"][ended]) == HNL_PDG).all():
        raise ConfigError("Lines can be made of events in which N is made and then decays.")
    size = np.linalg.norm(momentum, axis=1)
    direction = momentum / size[:, None]
    beam = np.asarray(_injector(sample).detector.beam.direction, dtype=np.float64)
    minus, plus = sample.momenta(11)[:, 1:], sample.momenta(-11)[:, 1:]
    energy = np.asarray(events["primary_energy"], dtype=np.float64)
    # What is left of the weight without W, flux, d^2 and branching ratio belongs to the line. It
    # is that of one attempt: the mixture of the samples divides by their numbers.
    strip = flux.density(energy) * coupling**2 * sample.n_attempts**-1
    strip = strip * events["factor_matter"] * events["factor_branching"]
    number = {key: i for i, key in enumerate(reactions)}
    targets, parts = sample.names("target"), sample.names("target_part")
    reaction = [number[str(t), str(p)] for t, p in zip(targets, parts, strict=True)]
    return {
        "reaction": np.array(reaction, dtype=np.int64),
        "energy": energy,
        "q2": np.asarray(events["q2"], dtype=np.float64),
        "momentum": size,
        "origin": vertex_of(table, 0)[:, :3],
        "direction": direction,
        "cosine": direction @ beam,
        "pair_cosine": _cosine(minus + plus, beam),
        "opening_cosine": _cosine(minus, plus),
        "weight": sample.weights / strip,
    }


def _whole_lines(injector: object) -> None:
    if isinstance(injector, Injector) and injector.aimed is not None:
        injector.aimed.surroundings = None


def _cosine(first: FloatArray, second: FloatArray) -> FloatArray:
    norm = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    product: FloatArray = (first * second).sum(axis=-1) / norm
    return product


# ---------------------------------------------------------------------- matter


Limits = tuple[FloatArray, FloatArray]
"""First and last coordinate on each line between which vertices count [cm], (n,) each."""


@dataclass(frozen=True)
class Window:
    """Where vertices were injected: a cylinder around the beam axis through the origin.

    Attributes
    ----------
    radius, endcap
        Radius, and how far the cylinder reaches beyond the origin [cm].
    multiple, longest
        The cylinder begins min(multiple x decay length, longest) [1, cm] before -endcap.
    """

    radius: float
    endcap: float
    multiple: float = 3.0
    longest: float = 28490.0

    def limits(self, lines: Lines, lengths: FloatArray) -> Limits:
        """Where lines are in the cylinder; `lengths` [cm] set its range, (n,)."""
        along = lines.direction @ lines.beam
        height = lines.origin @ lines.beam
        across = lines.direction - along[:, None] * lines.beam
        offset = lines.origin - height[:, None] * lines.beam
        a = np.einsum("ij,ij->i", across, across)
        b = np.einsum("ij,ij->i", across, offset)
        c = np.einsum("ij,ij->i", offset, offset) - self.radius**2
        root = b * b - a * c
        parallel = a < 1e-24
        reach = np.sqrt(np.maximum(root, 0.0))
        safe = np.where(parallel, 1.0, a)
        low = np.where(parallel, -np.inf, (-b - reach) / safe)
        high = np.where(parallel, np.inf, (-b + reach) / safe)
        missed = np.where(parallel, c > 0.0, root <= 0.0)
        # Lines against the beam have no part in what is reproduced.
        missed |= along <= 0.0
        safe = np.where(along > 0.0, along, 1.0)
        back = -self.endcap - np.minimum(self.multiple * lengths, self.longest)
        low = np.maximum(low, (back - height) / safe)
        high = np.minimum(high, (self.endcap - height) / safe)
        return low, np.where(missed, -np.inf, high)


def upstream_of(lines: Lines, z: float) -> Limits:
    """Limits to what lies before the plane at `z` [cm] along the beam, for lines along it."""
    along = lines.direction @ lines.beam
    forward = along > 0.0
    plane = (z - lines.origin @ lines.beam) / np.where(forward, along, 1.0)
    return np.full(len(lines), -np.inf), np.where(forward, plane, -np.inf)


@dataclass(frozen=True)
class Matter:
    """Targets on lines, with the boxes that count.

    One row per piece of a line in one material that has the line's target, and box that it can
    feed.

    Attributes
    ----------
    line, box
        Line and box of each row, (rows,).
    density
        Number density of the line's target [1/cm3], (rows,).
    start, end
        Ends of the piece along the line [cm], (rows,).
    near, far
        Where the line enters and leaves the box [cm], (rows,).
    boxes
        Names of the boxes.
    n
        Number of lines.
    """

    line: IntArray
    box: IntArray
    density: FloatArray
    start: FloatArray
    end: FloatArray
    near: FloatArray
    far: FloatArray
    boxes: tuple[str, ...]
    n: int

    def summed(self, rows: FloatArray, which: IntArray | None = None) -> FloatArray:
        """Sum rows (all, or those numbered `which`) per line and box, (n, boxes)."""
        cell = self._cell if which is None else self._cell[which]
        total = np.bincount(cell, rows, minlength=self.n * len(self.boxes))
        return total.reshape(self.n, len(self.boxes)).astype(np.float64)

    @cached_property
    def _cell(self) -> IntArray:
        return self.line * len(self.boxes) + self.box

    @cached_property
    def _before(self) -> IntArray:
        """Rows with a piece before the box."""
        return np.flatnonzero(self.start < self.near)

    @cached_property
    def _within_box(self) -> IntArray:
        """Rows with a piece in the box."""
        return np.flatnonzero(self.end > self.near)

    def _pieces(
        self, limits: Limits | None
    ) -> tuple[IntArray, FloatArray, FloatArray, IntArray, FloatArray, FloatArray]:
        """Pieces before the box (rows, lengths, distances to it) and in it (to its far side)."""
        before, within = self._before, self._within_box
        start, end = self.start[before], np.minimum(self.end[before], self.near[before])
        first, last = np.maximum(self.start[within], self.near[within]), self.end[within]
        if limits is not None:
            low, high = limits
            line = self.line[before]
            start, end = np.maximum(start, low[line]), np.minimum(end, high[line])
            line = self.line[within]
            first, last = np.maximum(first, low[line]), np.minimum(last, high[line])
        piece = np.maximum(end - start, 0.0)
        inner = np.maximum(last - first, 0.0)
        return before, piece, self.near[before] - end, within, inner, self.far[within] - last

    @cached_property
    def _chord(self) -> FloatArray:
        """Length in the box of each line and box, (n, boxes) [cm]; 0 where no row knows it."""
        chord = np.zeros(self.n * len(self.boxes))
        chord[self._cell] = self.far - self.near
        return chord.reshape(self.n, len(self.boxes))

    # -------------------------------------------------------------- integrals

    def decays(self, lengths: FloatArray, limits: Limits | None = None) -> FloatArray:
        """Targets per area, each with the chance of a decay in the box, (n, boxes) [1/cm2].

        W = int dx n(x) int_box dy exp(-(y - x)/L)/L, y > x.

        Parameters
        ----------
        lengths
            Decay lengths L [cm], (n,).
        limits
            Where on the line vertices count; None: everywhere.
        """
        before, piece, gap, within, inner, rest = self._pieces(limits)
        inverse = 1.0 / lengths[self.line[before]]
        near = np.flatnonzero((gap * inverse < _GONE) & (piece > 0.0))
        before, piece, gap, inverse = before[near], piece[near], gap[near], inverse[near]
        rows = self.density[before] * np.exp(-gap * inverse)
        rows *= -np.expm1(-piece * inverse) / inverse
        arriving = self.summed(rows, before)
        seen = arriving * -np.expm1(-self._chord / lengths[:, None])
        return seen + self._made_inside(lengths, within, inner, rest)

    def decays_without_survival(
        self, lengths: FloatArray, limits: Limits | None = None
    ) -> FloatArray:
        """As `decays`, but as if every N that points at a box arrived, (n, boxes) [1/cm2]."""
        before, piece, _, within, inner, rest = self._pieces(limits)
        made = self.summed(self.density[before] * piece, before)
        seen = made * -np.expm1(-self._chord / lengths[:, None])
        return seen + self._made_inside(lengths, within, inner, rest)

    def _made_inside(
        self, lengths: FloatArray, which: IntArray, piece: FloatArray, rest: FloatArray
    ) -> FloatArray:
        """Vertices in the box itself: int dx n (1 - exp(-(far - x)/L)), (n, boxes)."""
        length = lengths[self.line[which]]
        stayed = piece + length * np.exp(-rest / length) * np.expm1(-piece / length)
        # For L >> piece two nearly equal terms are left: of first order in 1/L.
        series = piece * (rest + 0.5 * piece) / length
        rows = np.where(rest + piece < 1e-5 * length, series, stayed)
        return self.summed(self.density[which] * rows, which)


def trace(lines: Lines, detector: DetectorModel, region: str) -> Matter:
    """Trace lines through a detector.

    Raises
    ------
    ConfigError
        If the detector has nuclides that the lines were not drawn for, or a box of the region is
        turned.
    """
    drawn = {name for name, _ in lines.reactions}
    extra = [name for name in detector.nuclides if name not in drawn]
    if extra:
        raise ConfigError(
            f"The lines were not drawn for {', '.join(extra)}, which {detector.name!r} has. Draw "
            "lines in a detector that has all nuclides of those they will be used in."
        )
    names, near, far = boxes_on_lines(lines, detector, region)
    last = np.where(far > near, far, -np.inf).max(axis=1)
    seen = np.isfinite(last)
    segments = detector.trace(
        lines.origin, lines.direction, -np.inf, np.where(seen, last + _MARGIN, 0.0)
    )
    table = _number_densities(detector, lines.reactions)
    line = segments.line
    density = table[segments.material, lines.reaction[line]]
    rows = np.flatnonzero((density > 0.0) & seen[line])
    row, box = np.nonzero(
        (far[line[rows]] > near[line[rows]]) & (segments.t_in[rows][:, None] < far[line[rows]])
    )
    rows = rows[row]
    line = line[rows]
    return Matter(
        line,
        box,
        density[rows],
        segments.t_in[rows],
        np.minimum(segments.t_out[rows], far[line, box]),
        near[line, box],
        far[line, box],
        names,
        len(lines),
    )


def boxes_on_lines(
    lines: Lines, detector: DetectorModel, region: str
) -> tuple[tuple[str, ...], FloatArray, FloatArray]:
    """Names of the boxes of a region and where lines enter and leave them, (n, boxes) [cm].

    Where a line misses a box, it leaves before it enters.
    """
    solids = detector.region(region).solids
    near = np.empty((len(lines), len(solids)))
    far = np.empty_like(near)
    with np.errstate(divide="ignore", invalid="ignore"):
        for i, solid in enumerate(solids):
            if type(solid.solid).__name__ != "Box" or solid.placement.is_rotated:
                raise ConfigError(f"The region {solid.name!r} must be a box along the axes.")
            lo, hi = solid.box()
            one = (lo - lines.origin) / lines.direction
            two = (hi - lines.origin) / lines.direction
            near[:, i] = np.fmin(one, two).max(axis=1)
            far[:, i] = np.fmax(one, two).min(axis=1)
    return tuple(solid.name for solid in solids), near, far


def _number_densities(detector: DetectorModel, reactions: Sequence[tuple[str, str]]) -> FloatArray:
    """Number density [1/cm3] of the target of each reaction in each material, (m, r)."""
    table = np.zeros((len(detector.materials), len(reactions)))
    for i, material in enumerate(detector.materials):
        densities = material.number_densities
        for j, (name, _) in enumerate(reactions):
            table[i, j] = densities.get(name, 0.0)
    return table
