"""Counting channels: where decays count, at which exposure, after which cuts and efficiency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from siren_py._typing import BoolArray, FloatArray
from siren_py.efficiency import Efficiency
from siren_py.errors import ConfigError
from siren_py.estimate import Estimate
from siren_py.selection import Cut, CutFlow, CutLike, as_cut, evaluate_cut
from siren_py.weighting import Sums, exposure_by_flux

if TYPE_CHECKING:
    from siren_py.sample import Sample
    from siren_py.simulation import FluxSpec

NO_BACKGROUND = Estimate(0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Channel:
    """One counting channel of an analysis.

    Parameters
    ----------
    name
        Name, unique within the analysis.
    region
        Region of the detector in which the decay has to lie.
    decay
        Final state, e.g. ``"nu e+ e-"``, or None for all.
    fluxes
        Names of fluxes such as ``"t2k-nd280:fhc:numu"``, or fluxes; wrong-sign ones included.
    exposure
        Protons on target by beam mode; the modes of all fluxes have to be among them.
    cuts
        Cuts in the order of their application.
    efficiency
        What detection leaves of the events that pass the cuts: a number, an `Efficiency`, or one of
        either for each beam mode.
    observed
        Number of observed events; None for a projection.
    background
        Expected background and its standard error.

    Raises
    ------
    ConfigError
        If a number is negative or not finite, or a mode of a flux has no exposure or efficiency.

    Examples
    --------
    >>> import siren_py as sp
    >>> channel = sp.Channel(
    ...     name="pairs",
    ...     region="tpc",
    ...     decay="nu e+ e-",
    ...     fluxes="t2k-nd280:fhc:numu",
    ...     exposure={"fhc": 12.34e20},
    ...     observed=0,
    ...     background=(0.56, 0.24),
    ... )
    >>> channel.background.value
    0.56
    """

    name: str
    region: str
    decay: str | None
    fluxes: tuple[FluxSpec, ...]
    exposure: Mapping[str, float]
    cuts: tuple[CutLike, ...] = ()
    efficiency: float | Efficiency | Mapping[str, float | Efficiency] = 1.0
    observed: float | None = None
    background: Estimate = NO_BACKGROUND

    def __post_init__(self) -> None:
        if isinstance(self.fluxes, str) or not isinstance(self.fluxes, Iterable):
            object.__setattr__(self, "fluxes", (self.fluxes,))
        object.__setattr__(self, "fluxes", tuple(self.fluxes))
        object.__setattr__(self, "cuts", tuple(as_cut(cut) for cut in self.cuts))
        object.__setattr__(self, "background", Estimate(*self.background))
        numbers = [*self.exposure.values(), *self.background]
        numbers += [] if self.observed is None else [self.observed]
        if not all(np.isfinite(number) and number >= 0.0 for number in numbers):
            raise ConfigError(
                f"The channel {self.name!r} needs exposures, background, its error and observed "
                f"events that are finite and not negative; it has {dict(self.exposure)}, "
                f"{self.background} and {self.observed}."
            )
        by_mode = self.efficiency if isinstance(self.efficiency, Mapping) else {"": self.efficiency}
        for number in by_mode.values():
            if not isinstance(number, Efficiency) and not 0.0 <= number <= 1.0:
                raise ConfigError(
                    f"The efficiency of the channel {self.name!r} must lie between 0 and 1; it is "
                    f"{number!r}."
                )
        if isinstance(self.efficiency, Mapping):
            for mode in self.exposure:
                if mode not in self.efficiency:
                    raise ConfigError(
                        f"The channel {self.name!r} has an exposure in the mode {mode!r} but no "
                        f"efficiency for it, only for {', '.join(self.efficiency)}."
                    )

    def exposure_of(self, sample: Sample) -> dict[str, float]:
        """Return protons on target by name of the sample's fluxes; 0 for those not in the channel.

        Raises
        ------
        ConfigError
            If a flux of the channel is of a beam mode without exposure.
        """
        modes = {str(f["name"]): str(f.get("mode")) for f in sample.lookup["fluxes"]}
        wanted = set(self.flux_names)
        for name in wanted & set(modes):
            if modes[name] not in self.exposure:
                raise ConfigError(
                    f"The channel {self.name!r} has no exposure for the beam mode {modes[name]!r} "
                    f"of its flux {name!r}; it has {', '.join(self.exposure)}."
                )
        return {n: float(self.exposure[m]) if n in wanted else 0.0 for n, m in modes.items()}

    @cached_property
    def flux_names(self) -> tuple[str, ...]:
        """Names of the single fluxes: ``NAME:MODE:FLAVOR`` for each flavour."""
        from siren_py.simulation import flux_names_and_modes

        return tuple(name for name, _ in flux_names_and_modes(list(self.fluxes)))

    def cut_flow(self, sample: Sample) -> CutFlow:
        """Apply the cuts one after another, at the channel's exposure and before efficiency.

        Parameters
        ----------
        sample
            Events made with the region, decay and fluxes of the channel.
        """
        pot = self.exposure_of(sample)
        own = sample.select(Cut("fluxes of the channel", lambda s: s.weights_at(pot) > 0.0))
        return own.cut_flow(self.cuts, pot)

    def expected(self, sample: Sample) -> Expected:
        """Expected signal events from one sample; see `siren_py.analysis.Analysis.signal`."""
        pot = self.exposure_of(sample)
        total, by_efficiency = Sums(sample.attempts, replicas=sample.replicas), 0.0
        for portion in sample.portions():
            weights, errors = self._weights(portion, pot)
            total.add(weights, run=portion.runs, event=portion["event"])
            by_efficiency += float(errors.sum())
        return Expected(total.estimate(), by_efficiency)

    def event_weights(self, sample: Sample) -> FloatArray:
        """What each event adds to the expected signal, (n,): 0 if it does not pass.

        Weight, exposure, cuts and efficiency together; for histograms of what is left.

        Parameters
        ----------
        sample
            Events made with the region, decay and fluxes of the channel.
        """
        return sample.weights * self.acceptance(sample)

    def acceptance(self, sample: Sample) -> FloatArray:
        """What each event counts for, (n,): protons on target times cuts times efficiency.

        It does not depend on the weights, so it serves samples that are weighted anew.

        Parameters
        ----------
        sample
            Events made with the region, decay and fluxes of the channel.
        """
        pot = self.exposure_of(sample)
        return np.concatenate([self._accepted(p, pot)[0] for p in sample.portions()])

    def _weights(self, portion: Sample, pot: Mapping[str, float]) -> tuple[FloatArray, FloatArray]:
        """Return weights with cuts and efficiency, and their errors from the efficiency."""
        weights = portion.weights
        value, error = self._accepted(portion, pot)
        return weights * value, weights * error

    def _accepted(self, portion: Sample, pot: Mapping[str, float]) -> tuple[FloatArray, FloatArray]:
        """Return exposure times cuts times efficiency, and the error of the latter."""
        exposure = exposure_by_flux(pot, portion.lookup["fluxes"])[portion["flux"]]
        mask = exposure > 0.0
        for cut in self.cuts:
            mask &= evaluate_cut(as_cut(cut), portion)
        # The efficiency is asked for what passes only: elsewhere it need not be known.
        value, error = np.zeros(len(portion)), np.zeros(len(portion))
        parts: Iterable[tuple[BoolArray, float | Efficiency]]
        if isinstance(self.efficiency, Mapping):
            modes = np.array([str(f.get("mode")) for f in portion.lookup["fluxes"]])
            of_event = modes[portion["flux"]]
            parts = [(mask & (of_event == mode), e) for mode, e in self.efficiency.items()]
        else:
            parts = [(mask, self.efficiency)]
        for chosen, efficiency in parts:
            if not isinstance(efficiency, Efficiency):
                value[chosen] = efficiency
            elif chosen.any():
                value[chosen], error[chosen] = efficiency.of(_kept(portion, chosen))
        return exposure * value, exposure * error

    def to_dict(self) -> dict[str, Any]:
        """Return the channel as plain data, for lists and files."""
        given = self.efficiency if isinstance(self.efficiency, Mapping) else {"": self.efficiency}
        words = [
            " ".join(filter(None, (m, e.describe() if isinstance(e, Efficiency) else f"{e:g}")))
            for m, e in given.items()
        ]
        return {
            "region": self.region,
            "decay": self.decay,
            "fluxes": list(self.flux_names) if self.fluxes else [],
            "exposure": dict(self.exposure),
            "cuts": [as_cut(cut).name for cut in self.cuts],
            "efficiency": "; ".join(words),
            "observed": self.observed,
            "background": list(self.background),
        }


class Expected(NamedTuple):
    """Expected events of one channel."""

    estimate: Estimate
    """Value and statistical error of the simulation."""
    efficiency_error: float
    """Error that the efficiency brings, as a number of events."""


def _kept(sample: Sample, mask: BoolArray) -> Sample:
    return sample.select(Cut("kept", lambda _: mask))
