"""Scans with lines: what is needed where all events of a flux and region count alike.

Lines through all regions are drawn for a band of neighbouring couplings, and each is summed up
for every region and coupling of the band (`siren_py.injection.line_proposal`); vertices and decay
points are integrals, so that no weight is carried from one decay length to another. While a band
is too wide for its lines, as the first of them tell, it is cut in two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.errors import KinematicsError, NoRateError
from siren_py.injection.injector import Injector
from siren_py.injection.line_proposal import PURPOSES, LineMaker, supports
from siren_py.injection.line_rates import Point, Totals, new_totals
from siren_py.injection.signal import ModelLike, Signal
from siren_py.rng import stream
from siren_py.sample import Sample
from siren_py.scan_events import Request
from siren_py.scan_row import BARREN, FEWEST, Goal, ModelAt, Row, lifetime, longest_first
from siren_py.simulation import Simulation
from siren_py.weighting import exposure_by_flux

_PILOT = 2048
"""Lines from which it is seen how many a band needs."""

_CHUNK = 4096
"""Lines that are made at a time."""

_RESERVE = 1.1
"""More lines than the pilot asks for, in the mean: what it says of them has an error."""

_WIDTH = 30.0
"""Ratio of decay lengths over which a band reaches at first."""

_STEP = 6.0
"""Ratio of decay lengths between the components of a band's lines."""

_PROMPT = 0.1
"""Decay length [cm] below which one is as good as another for the lines."""

_FAR = 10.0
"""Sizes of the detector above which one decay length is as good as another for the lines."""

_WORTH = 4.0
"""A band is cut only if it needs so many times the lines of a pilot run."""

_UNEVEN = 3.0
"""Ratio of the lines that two couplings need from which on a narrower band may be better."""


@dataclass(frozen=True)
class LineRequest:
    """Regions in which all events of a flux count alike; each is a channel.

    Attributes
    ----------
    simulate
        Returns the simulation for a model and a region.
    regions
        Region of each channel.
    pot
        Protons on target, or a mapping by beam mode.
    """

    simulate: Callable[[ModelLike, str], Simulation]
    regions: Mapping[str, str]
    pot: float | Mapping[str, float]

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(self.regions)

    def row(self, model: ModelAt, couplings: FloatArray, goal: Goal) -> Row:
        """Compute expected events at one mass for all couplings."""
        models = [model(float(g)) for g in couplings]
        simulation = self._first(models)
        if simulation is None:
            return Row.empty(couplings.size, len(self.regions))
        if isinstance(simulation.injector, Injector) and supports(simulation.injector):
            maker = LineMaker(simulation.injector, list(self.regions.values()))
            exposure = exposure_by_flux(self.pot, simulation.names["fluxes"])
            point = _point(maker, simulation, models, exposure)
            if point is not None:
                return _Bands(maker, point, goal).row()
        return Row.joined(
            [
                request.row(model, couplings, goal._replace(seed=_mixed(goal.seed, number)))
                for number, request in enumerate(self._by_events())
            ]
        )

    def _first(self, models: Sequence[ModelLike]) -> Simulation | None:
        """Return the simulation of the first model and region in which something can happen.

        None if there is none: too heavy for the flux, or decayed long before.
        """
        order = longest_first(models)
        # What is impossible at the longest lifetime is so at all others.
        known = all(np.isfinite(lifetime(m)) for m in models)
        for j in order[:1] if known else order:
            for region in self.regions.values():
                try:
                    return self.simulate(models[j], region)
                except NoRateError:
                    continue
                except KinematicsError:
                    return None
        return None

    def _by_events(self) -> list[Request]:
        """Return requests for events that give the same, for models that lines do not know."""

        def accept(sample: Sample) -> FloatArray:
            exposure = exposure_by_flux(self.pot, sample.lookup["fluxes"])
            return np.asarray(exposure[sample["flux"]][None, :])

        return [
            Request(partial(self._simulate_in, region), accept, (channel,))
            for channel, region in self.regions.items()
        ]

    def _simulate_in(self, region: str, model: ModelLike) -> Simulation:
        return self.simulate(model, region)


def _point(
    maker: LineMaker, simulation: Simulation, models: Sequence[ModelLike], exposure: FloatArray
) -> Point | None:
    """Return how weights and decay lengths change with the coupling.

    None if cross sections do not change by a factor alone, or the models have not the same
    particles, processes and masses: then only the events themselves can tell.
    """
    injector = simulation.injector
    assert isinstance(injector, Injector)
    point = Point(*(np.zeros((len(maker.kinds), len(models))) for _ in range(2)))
    for j, model in enumerate(models):
        signal = Signal.of(model, simulation.decay)
        if signal.masses != injector.signal.masses:
            return None
        for i, kind in enumerate(maker.kinds):
            bound = injector.reactions[kind.flux].processes[kind.process]
            found = list(model.interactions(int(injector.fluxes[kind.flux].pdg)))
            names = [p.name for p in found]
            own = bound.interaction
            if len(found) != len(injector.reactions[kind.flux].processes) or own.name not in names:
                return None
            ratio = found[names.index(own.name)].proportion(own)
            if ratio is None:
                return None
            point.stretch[i, j] = 1.0
            point.factor[i, j] = exposure[kind.flux] * ratio
            if kind.particle:
                reference = injector.signal.rest_length[kind.particle]
                point.stretch[i, j] = signal.rest_length[kind.particle] / reference
                point.factor[i, j] *= signal.choices[kind.particle][0].factor
    return point


class _Bands:
    """The couplings of one mass, band by band."""

    def __init__(self, maker: LineMaker, point: Point, goal: Goal) -> None:
        self._maker, self._point, self._goal = maker, point, goal
        low, high = maker.bounds
        size = _FAR * float(np.linalg.norm(high - low))
        # What steers the lines; the first kind speaks for all.
        self._stretch = point.stretch[0]
        typical = maker.typical_length * self._stretch
        self._typical = np.clip(typical, _PROMPT, max(size, _PROMPT))
        self._order = np.argsort(-self._typical, kind="stable")
        self._row = Row.empty(typical.size, maker.regions)

    def row(self) -> Row:
        """Compute all bands."""
        band: list[int] = []
        for j in map(int, self._order):
            if band and self._typical[band[0]] > _WIDTH * self._typical[j]:
                self._band(band)
                band = []
            band.append(j)
        self._band(band)
        return self._row

    def _components(self, band: Sequence[int]) -> FloatArray:
        """Return the decay lengths over those of the model that the lines of a band are for."""
        logs = np.log(self._typical[band])
        count = 1 + int(np.ceil((logs[0] - logs[-1]) / np.log(_STEP) - 1e-9))
        wanted = np.linspace(logs[0], logs[-1], count) if count > 1 else logs[len(logs) // 2 :][:1]
        nearest = np.abs(logs[None, :] - wanted[:, None]).argmin(axis=1)
        return np.asarray(self._stretch[band][np.unique(nearest)])

    def _band(self, band: Sequence[int]) -> None:
        """Compute the couplings of a band together, or in parts where that is better."""
        precision, most = self._goal.precision, self._goal.max_attempts
        columns = np.array(band)
        point = Point(*(np.ascontiguousarray(table[:, columns]) for table in self._point))
        proposal = self._maker.mixture(self._components(band))
        if proposal is None:
            # Nothing can be made that would decay in a region: the rates stay zero.
            return
        seed = _mixed(self._goal.seed, band[0], band[-1], len(band))
        totals = new_totals(proposal.parts, len(band), self._maker.regions)
        done = number = 0
        need = np.full(len(band), float(_PILOT))
        while done < most and (need > done).any():
            target = min(int(np.ceil(done + _RESERVE * (need.max() - done))), most)
            while done < target:
                # As many lines of each part, two at least: one alone has no spread.
                size = proposal.parts * max(-(-min(_CHUNK, target - done) // proposal.parts), 2)
                rngs = {purpose: stream(seed, purpose, number) for purpose in PURPOSES}
                self._maker.add(proposal.draw(size, rngs), point, totals)
                done, number = done + size, number + 1
            need = _need(totals, done, precision)
            if number == 1 and len(band) > 1 and _too_wide(need):
                self._row.attempts += done
                self._band(band[: len(band) // 2])
                self._band(band[len(band) // 2 :])
                return
        self._row.attempts += done
        self._keep(columns, totals, done)
        late = [j for j, n in zip(band, need, strict=True) if n > done]
        if late and len(band) > 1:
            # They get lines of their own.
            parts = [late] if len(late) < len(band) else [band[::2], band[1::2]]
            for part in parts:
                self._band(part)

    def _keep(self, columns: IntArray, totals: Totals, n: int) -> None:
        """Write the results of a band of n lines."""
        row, sums = self._row, totals.sums.sum(axis=0)
        error = _error(totals, n)
        row.values[columns], row.errors[columns] = sums[:, :-1] / n, error[:, :-1]
        row.total_errors[columns] = error[:, -1]
        row.effective[columns] = n / (1.0 + _spread(totals, n)[:, -1])


def _error(totals: Totals, n: int) -> FloatArray:
    """Return the errors of the means over n lines, of which each part has as many, (k, R + 1).

    Where the squares are below the smallest number, the error is the mean itself.
    """
    each = n / len(totals.sums)
    variance = np.maximum(totals.squares - totals.sums**2 / each, 0.0).sum(axis=0)
    variance *= each / (each - 1.0)
    known = totals.squares.sum(axis=0) > 0.0
    return np.asarray(np.where(known, np.sqrt(variance), totals.sums.sum(axis=0)) / n)


def _spread(totals: Totals, n: int) -> FloatArray:
    """Return the relative variance of the weights of n lines, whatever their part, (k, R + 1)."""
    sums, squares = totals.sums.sum(axis=0), totals.squares.sum(axis=0)
    known = squares > 0.0
    mean = np.where(known, sums, 1.0) / n
    return np.asarray(np.where(known, squares / n / mean**2 - 1.0, np.inf))


def _need(totals: Totals, n: int, precision: float) -> FloatArray:
    """Return how many lines each coupling needs for the precision in all regions, (k,)."""
    known = totals.squares.sum(axis=0) > 0.0
    mean = np.where(known, totals.sums.sum(axis=0), 1.0) / n
    relative = _error(totals, n) / mean
    need = np.maximum(n * (relative / precision) ** 2, FEWEST * (1.0 + _spread(totals, n)))
    return np.asarray(np.where(known, need, float(BARREN))[:, :-1].max(axis=1))


def _too_wide(need: FloatArray) -> bool:
    """Say whether couplings ask for so different numbers of lines that they should part."""
    return bool(need.max() > max(_WORTH * _PILOT, _UNEVEN * need.min()))


def _mixed(seed: int, *numbers: int) -> int:
    """Seed of a part of what has a seed."""
    digest = hashlib.sha256(" ".join(map(str, (seed, *numbers))).encode()).digest()
    return int.from_bytes(digest[:8], "little")
