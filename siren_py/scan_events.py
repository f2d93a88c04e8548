"""Scans with events: what is needed where each event counts by itself, for a cut or an efficiency.

Events are made for a few couplings per mass, the anchors, and reweighted exactly to the others
(`siren_py.reweighting`). Anchors are visited from the longest lifetime to the shortest: in this
direction the weights stay bounded. A point whose error is larger than asked for becomes an
anchor itself, so that no point lives on a few lucky events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import ConfigError, KinematicsError, NoRateError
from siren_py.injection.signal import ModelLike
from siren_py.reweighting import Flights
from siren_py.runs.chunks import CHUNK_SIZE
from siren_py.sample import Sample
from siren_py.scan_row import BARREN, FEWEST, Goal, ModelAt, Row, lifetime, longest_first
from siren_py.simulation import Simulation
from siren_py.store import TableStore
from siren_py.tree import EventTable
from siren_py.weighting import Sums, product_of_factors

Acceptance = Callable[[Sample], FloatArray]
"""Turns a sample into what each event counts for in each channel, (channels, events): exposure
of its flux times efficiency, zero where it is cut."""

LONGEST_REACH = 16.0
"""Largest ratio of decay lengths over which an anchor's events are used."""

_MARGIN = 0.5
"""An anchor goes on to this part of the precision while others gain by it: setting up a new one
costs as much as a chunk of events."""


@dataclass(frozen=True)
class Request:
    """One simulation of a scan and the channels that it feeds.

    Attributes
    ----------
    simulate
        Returns the simulation for a model.
    acceptance
        What each of its events counts for in each channel.
    channels
        Names of these channels.
    """

    simulate: Callable[[ModelLike], Simulation]
    acceptance: Acceptance
    channels: tuple[str, ...]

    def row(self, model: ModelAt, couplings: FloatArray, goal: Goal) -> Row:
        """Compute expected events at one mass for all couplings."""
        return _row(self, model, couplings, goal)


def _row(request: Request, model: ModelAt, couplings: FloatArray, goal: Goal) -> Row:
    shape = (couplings.size, len(request.channels))
    row = Row.empty(*shape)
    models = [model(float(g)) for g in couplings]
    order = longest_first(models)
    done = np.zeros(couplings.size, dtype=np.bool_)
    for number, anchor in enumerate(order):
        if done[anchor]:
            continue
        ahead = [
            int(j) for j in order[number:]
            if not done[j] and lifetime(models[anchor]) <= LONGEST_REACH * lifetime(models[j])
        ]  # fmt: skip
        try:
            simulation = request.simulate(models[anchor])
        except (NoRateError, KinematicsError):
            # Impossible: too heavy for the flux, or decayed long before. The rate is zero.
            done[anchor] = True
            continue
        sums, attempts = _anchor(
            simulation, request, models[anchor], [models[j] for j in ahead], goal,
            (goal.seed + int(anchor)) % 2**63,
        )  # fmt: skip
        row.attempts += attempts
        # Where no event is accepted none will be: what is cut does not depend on the coupling.
        barren = sums[0].whole.weight[0] == 0.0
        for j, own in zip(ahead, sums, strict=True):
            if j == anchor or barren or own.is_precise(goal.precision):
                done[j] = True
                estimates = [own.channels.estimate(c) for c in range(shape[1])]
                row.values[j] = [e.value for e in estimates]
                row.errors[j] = [e.error for e in estimates]
                row.total_errors[j] = own.whole.estimate().error
                row.effective[j] = own.whole.effective_size
    return row


@dataclass
class _Sums:
    """Sums of one coupling, by channel and in total."""

    channels: Sums
    whole: Sums

    @classmethod
    def empty(cls, channels: int) -> _Sums:
        unknown = np.zeros(1, dtype=np.int64)
        return cls(Sums(unknown, channels), Sums(unknown))

    def add(self, weights: FloatArray, accepted: FloatArray) -> None:
        """Add the events of a chunk: weights (n,), acceptance (channels, n)."""
        for c, row in enumerate(accepted):
            self.channels.add(weights * row, np.full(weights.size, c, dtype=np.int64))
        self.whole.add(weights * accepted.sum(axis=0))

    def per_attempt(self, attempts: int) -> _Sums:
        """Return the sums of w/N for N attempts, which is only known at the end."""
        n = np.array([attempts], dtype=np.int64)
        return _Sums(self.channels.scaled(1.0 / attempts, n), self.whole.scaled(1.0 / attempts, n))

    def is_precise(self, precision: float) -> bool:
        """Whether the total has this relative error, from enough events to believe it."""
        total = self.whole.estimate()
        return total.error <= precision * total.value and self.whole.effective_size > FEWEST


def _anchor(
    simulation: Simulation,
    request: Request,
    own: ModelLike,
    models: Sequence[ModelLike],
    goal: Goal,
    seed: int,
) -> tuple[list[_Sums], int]:
    """Simulate at one coupling until it is precise; sum for this and the other models."""
    sums = [_Sums.empty(len(request.channels)) for _ in models]
    attempts, number = 0, 0
    while attempts < goal.max_attempts:
        table = simulation.injector.chunk(seed, number, CHUNK_SIZE, attempts)
        attempts += CHUNK_SIZE
        number += 1
        sample = _sample(simulation, table)
        accepted = np.asarray(request.acceptance(sample), np.float64)
        if accepted.shape != (len(request.channels), len(table)):
            raise ConfigError(
                f"The acceptance must have the shape ({len(request.channels)}, {len(table)}), "
                f"channels by events; it has {accepted.shape}."
            )
        flights = Flights(sample, table, own)
        weights = product_of_factors(table)
        for total, model in zip(sums, models, strict=True):
            total.add(weights * flights.ratios(model), accepted)
        reached = sums[0].per_attempt(attempts)
        if reached.is_precise(goal.precision) and (
            reached.is_precise(_MARGIN * goal.precision)
            or all(s.per_attempt(attempts).is_precise(goal.precision) for s in sums[1:])
        ):
            break
        if attempts >= BARREN and reached.whole.weight[0] == 0.0:
            break
    return [s.per_attempt(attempts) for s in sums], attempts


def _sample(simulation: Simulation, table: EventTable) -> Sample:
    store = TableStore()
    store.append(table)
    return Sample(
        store, CHUNK_SIZE, simulation.names, simulation.provenance(0, CHUNK_SIZE),
        simulation.injector,
    )  # fmt: skip
