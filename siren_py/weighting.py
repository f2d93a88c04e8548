"""Weights: the expected number of events per proton on target, kept factor by factor.

With N attempts, an event's weight is

    w = (physical density) / (N x generation density) = product of its factors / N,

where both densities are taken in the same variables. Each factor is the ratio for one step of
the event, so that the product can be read and checked; nothing is cancelled between steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.errors import ConfigError, WeightError, unknown_name
from siren_py.estimate import Estimate
from siren_py.replicas import Replicas
from siren_py.tree import EventTable

FACTORS: Mapping[str, tuple[str, str]] = {
    "factor_flux": (
        "1/(cm2 POT)",
        "flux at the primary's energy over the density that the energy was drawn from",
    ),
    "factor_reaction": ("1", "1 / probability with which this target and part was drawn"),
    "factor_interaction": (
        "cm2",
        "differential cross section over the density of the final state; its mean is the total",
    ),
    "factor_line": ("cm2", "1 / density of lines per area across their direction"),
    "factor_matter": (
        "1/cm2",
        "targets per area on the line, each with the chance that the particle made there "
        "survives to the region and decays in it; of a part of the line, over its chance",
    ),
    "factor_branching": ("1", "branching ratio of the decay channel over its drawn probability"),
    "factor_final_state": ("1", "density of the decays' final states over the drawn density"),
    "factor_combination": ("1", "share of this sample's proposal among the combined samples"),
}
"""Unit and meaning of the factors, in the order in which they are multiplied."""

ARRIVAL_FACTORS: Mapping[str, tuple[str, str]] = {
    "factor_flux": (
        "1/(cm2 POT)",
        "flux at the decay, without decays, over the density that the energy was drawn from",
    ),
    "factor_interaction": ("1", "nothing is struck"),
    "factor_line": ("cm3", "1 / density of decay points"),
    "factor_matter": (
        "1/cm",
        "chance per length that the particle survives from the source to the decay point and "
        "decays there, exp(-s/L)/L, over the density that its point of production was drawn from",
    ),
}
"""Unit and meaning of factors for a particle that was made at the source of the beam."""


def product_of_factors(table: EventTable) -> FloatArray:
    """Multiply the factors of each event: the weight of a run with a single attempt, shape (n,).

    Raises
    ------
    WeightError
        If a factor is NaN, infinite or negative; the text names event and factor.
    """
    product = np.ones(len(table))
    if not product.size:
        return product
    lowest = np.inf
    with np.errstate(all="ignore"):
        for name in FACTORS:
            lowest = np.minimum(lowest, table.events[name].min())
            product *= table.events[name]
    # NaN fails both comparisons, and what is infinite makes the product so.
    if not (lowest >= 0.0 and product.max() < np.inf):
        raise _bad_factor(table, product)
    return product


def _bad_factor(table: EventTable, product: FloatArray) -> WeightError:
    """Return the error that names the first factor that is NaN, infinite or negative."""
    found = "product of the factors", product
    for name in FACTORS:
        factor = table.events[name]
        if not (np.isfinite(factor) & (factor >= 0.0)).all():
            found = f"factor {name!r}", factor
            break
    what, values = found
    bad = int(np.flatnonzero(~(np.isfinite(values) & (values >= 0.0)))[0])
    return WeightError(
        f"The {what} of event {int(table.events['event'][bad])} is {values[bad]!r}. A weight must "
        "be finite and not negative; the process that made this event is at fault. Look at the "
        "event's other columns, e.g. its target and energy, and test that process alone."
    )


def exposure_by_flux(
    pot: float | Mapping[str, float], fluxes: list[dict[str, object]]
) -> FloatArray:
    """Return the protons on target that belong to each flux, shape (number of fluxes,).

    Parameters
    ----------
    pot
        One number for all, or a number per beam mode (``{"fhc": 1.2e21, "rhc": 6e20}``) or per
        flux name.
    fluxes
        Descriptions of the fluxes with their ``name`` and ``mode``.

    Raises
    ------
    ConfigError
        If an exposure is negative or not finite, or if a flux has none.
    UnknownNameError
        If a key is neither a beam mode nor a flux name of the sample.
    """
    if not isinstance(pot, Mapping):
        values = np.full(len(fluxes), float(pot))
    else:
        known = {str(f["mode"]) for f in fluxes if f.get("mode")} | {str(f["name"]) for f in fluxes}
        for key in pot:
            if key not in known:
                raise unknown_name("beam mode or flux", key, known)
        values = np.empty(len(fluxes))
        for i, flux in enumerate(fluxes):
            keys = [k for k in (str(flux["name"]), str(flux.get("mode"))) if k in pot]
            if not keys:
                raise ConfigError(
                    f"No exposure is given for the flux {flux['name']!r} "
                    f"(mode {flux.get('mode')!r}). Give one under either name, e.g. "
                    f"pot={{{str(flux.get('mode'))!r}: 1e21}}."
                )
            values[i] = float(pot[keys[0]])
    if not (np.isfinite(values) & (values >= 0.0)).all():
        raise ConfigError(f"Protons on target must be finite and not negative; got {pot!r}.")
    return values


def run_of(table: EventTable) -> IntArray | None:
    """Return the run that each event of a combined sample is from, (n,); None for one run."""
    run = table.events.get("run")
    return None if run is None else run.astype(np.int64)


class Sums:
    """Running sums of weights, in total or per category, over the tables of a sample.

    Parameters
    ----------
    attempts
        Number of attempts of each run that the sample was combined from; one entry for a single
        run.
    n_categories
        Number of categories; 1 for a plain sum.
    replicas
        Chunks whose spread is the error; None if all attempts are independent.
    """

    def __init__(
        self, attempts: IntArray, n_categories: int = 1, replicas: Replicas | None = None
    ) -> None:
        self._attempts, self._replicas = attempts, replicas
        if replicas is not None:
            self._chunks = np.zeros((n_categories, int(replicas.starts[-1])))
            self._rest = np.zeros((2, n_categories, attempts.size))
        self._sums = np.zeros((n_categories, attempts.size))
        self._squares = np.zeros((n_categories, attempts.size))
        self.count = np.zeros(n_categories, dtype=np.int64)

    def scaled(self, factor: float, attempts: IntArray) -> Sums:
        """Return the same sums with all weights times `factor`, for other numbers of attempts."""
        result = Sums(attempts, self.count.size)
        result._sums = self._sums * factor
        result._squares = self._squares * factor**2
        result.count = self.count.copy()
        return result

    @property
    def weight(self) -> FloatArray:
        """Sum of the weights of each category."""
        return np.asarray(self._sums.sum(axis=1))

    def add(
        self,
        weights: FloatArray,
        category: IntArray | None = None,
        run: IntArray | None = None,
        event: IntArray | None = None,
    ) -> None:
        """Add the weights, each to its category and run (to the first where none are given).

        `event` are the numbers of the attempts, needed where chunks are replicas.
        """
        if self._replicas is not None:
            self._add_replicas(self._replicas, weights, category, run, event)
        size = self._sums.size
        index = np.zeros(weights.size, dtype=np.int64)
        if category is not None:
            index += category
        self.count += np.bincount(index, minlength=self.count.size)
        index *= self._attempts.size
        if run is not None:
            index += run
        shape = self._sums.shape
        self._sums += np.bincount(index, weights, minlength=size).reshape(shape)
        self._squares += np.bincount(index, np.square(weights), minlength=size).reshape(shape)

    def _add_replicas(
        self,
        replicas: Replicas,
        weights: FloatArray,
        category: IntArray | None,
        run: IntArray | None,
        event: IntArray | None,
    ) -> None:
        if event is None:
            raise ValueError("Where chunks are replicas, the number of each attempt is needed.")
        replica = replicas.of_events(event, run)
        row = np.zeros(weights.size, dtype=np.int64) if category is None else category
        column = np.zeros(weights.size, dtype=np.int64) if run is None else run
        whole, rest = replica >= 0, replica < 0
        np.add.at(self._chunks, (row[whole], replica[whole]), weights[whole])
        for power, sums in enumerate(self._rest, start=1):
            np.add.at(sums, (row[rest], column[rest]), weights[rest] ** power)

    def estimate(self, category: int = 0) -> Estimate:
        """Return the sum and its statistical error, attempts without an event included.

        The sum over a run is N times the mean of N independent attempts, so its variance is
        N/(N-1) [sum w^2 - (sum w)^2/N]; those of several runs add up. For replicas see
        `siren_py.replicas`.
        """
        sums, squares, n = self._sums[category], self._squares[category], self._attempts
        value = float(sums.sum())
        if (n < 2).any():
            return Estimate(value, value)
        variance = (squares - sums**2 / n) * n / (n - 1)
        if self._replicas is not None:
            variance = self._of_replicas(self._replicas, category, variance)
        return Estimate(value, float(np.sqrt(np.maximum(variance, 0.0).sum())))

    def _of_replicas(self, replicas: Replicas, category: int, variance: FloatArray) -> FloatArray:
        """Put the variance from the spread of replicas where a run has some, (runs,)."""
        result = np.maximum(variance, 0.0)
        for run, numbers in enumerate(replicas.numbers):
            if not numbers.size:
                continue
            result[run] = replicas.variance(self._chunks[category], run)
            rest, square = self._rest[:, category, run]
            m = replicas.rest_size[run]
            if m > 1:
                result[run] += max(square - rest**2 / m, 0.0) * m / (m - 1)
            else:
                result[run] += rest**2
        return result

    def by_name(self, names: Sequence[str]) -> dict[str, Estimate]:
        """Return the estimates of the categories that have events, the largest first."""
        found = [i for i in range(len(names)) if self.count[i]]
        found.sort(key=lambda i: -self.weight[i])
        return {names[i]: self.estimate(i) for i in found}

    @property
    def effective_size(self) -> float:
        """(sum w)^2 / sum w^2 over all categories: events of equal weight worth the same."""
        square = float(self._squares.sum())
        return float(self._sums.sum()) ** 2 / square if square > 0.0 else 0.0
