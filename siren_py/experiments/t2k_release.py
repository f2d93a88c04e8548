"""T2K's search for heavy neutrinos of 2019: its data release, and the limits that follow from it.

The release gives, for 24 modes of production (K -> l N) and decay, both beam modes and 36 masses,
the decays of N in the TPCs if all couplings are one, and the fraction of them that each of ten
channels selects. With real couplings the events in channel c are

    N_c = sum over modes m of (U_a^2 V_m^2) decays_m efficiency_mc,

U_a the coupling in the production and V_m^2 that in the decay: U_e^2, U_mu^2,
(U_e^2 + U_tau^2)/2 or (U_mu^2 + U_tau^2)/2. Each decay and channel counts within one beam mode.

Source: T2K, Phys. Rev. D 100, 052006 (2019), arXiv:1902.07598, and its data release.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import NamedTuple, NoReturn

import numpy as np
from scipy import integrate, optimize, special

from siren_py._typing import ArrayLike, FloatArray
from siren_py.analysis import Analysis, Request, Signal
from siren_py.channel import Channel
from siren_py.errors import ConfigError, unknown_name
from siren_py.estimate import Estimate
from siren_py.sample import Sample

SOURCE = "T2K, Phys. Rev. D 100, 052006 (2019), arXiv:1902.07598, and its data release"
EXPOSURE: Mapping[str, float] = {"fhc": 12.34e20, "rhc": 6.29e20}
"""Protons on target by beam mode, runs 2 to 8 (T2K 2019)."""
FLUX_ERROR = 0.15
"""Relative error of the flux of N from kaons, common to all modes (T2K 2019)."""

BEAMS = ("fhc", "rhc")
SELECTIONS = ("mu pi", "e- pi+", "e+ pi-", "mu+ mu-", "e+ e-")
MIXINGS = ("ue2", "umu2", "utau2")


class Mode(NamedTuple):
    """One mode of production and decay."""

    production: str
    """Lepton of K -> lepton N: ``"e"`` or ``"mu"``."""
    decay: str
    """Decay of N."""
    coupling: str
    """Coupling of the decay: ``"e"``, ``"mu"``, ``"e+tau"`` or ``"mu+tau"``."""


@dataclass(frozen=True, eq=False)
class Release:
    """The numbers of the release.

    Attributes
    ----------
    masses
        Masses of N [GeV], (36,).
    modes
        The 24 modes.
    decays
        Decays in the TPCs for couplings of one, (24 modes, 2 beams, 36 masses).
    efficiencies
        Selected fraction, (24 modes, 5 selections, 2 beams, 36 masses); 0 where a mode is closed.
    background, background_error, observed
        Expected background, its error and observed events, (2 beams, 5 selections).
    """

    masses: FloatArray
    modes: tuple[Mode, ...]
    decays: FloatArray
    efficiencies: FloatArray
    background: FloatArray
    background_error: FloatArray
    observed: FloatArray

    def mass_index(self, mass: float) -> int:
        """Return the index of a mass [GeV] of the table.

        Raises
        ------
        ConfigError
            If the release has no such mass: it is not interpolated, since modes open in between.
        """
        index = int(np.argmin(np.abs(self.masses - mass)))
        if not abs(self.masses[index] - mass) < 1e-6:
            raise ConfigError(
                f"The T2K release of 2019 has masses from {self.masses[0]:g} to "
                f"{self.masses[-1]:g} GeV in steps of 0.01 GeV; {mass:g} GeV is not among them. "
                f"The nearest is {self.masses[index]:g} GeV."
            )
        return index

    def couplings(self, ue2: ArrayLike, umu2: ArrayLike, utau2: ArrayLike) -> FloatArray:
        """Return the product of couplings of each mode, (..., 24)."""
        e, mu, tau = np.broadcast_arrays(*(np.asarray(u, np.float64) for u in (ue2, umu2, utau2)))
        if not all((np.isfinite(u) & (u >= 0.0)).all() for u in (e, mu, tau)):
            raise ConfigError(
                f"Squared mixings must be finite and not negative; got U_e^2 = {ue2!r}, "
                f"U_mu^2 = {umu2!r}, U_tau^2 = {utau2!r}."
            )
        made = {"e": e, "mu": mu}
        lost = {"e": e, "mu": mu, "e+tau": (e + tau) / 2, "mu+tau": (mu + tau) / 2}
        return np.stack([made[m.production] * lost[m.coupling] for m in self.modes], axis=-1)

    def expected(
        self, mass: float, ue2: ArrayLike = 0.0, umu2: ArrayLike = 0.0, utau2: ArrayLike = 0.0
    ) -> FloatArray:
        """Expected signal in the ten channels, shape (..., 10).

        Parameters
        ----------
        mass
            Mass of N [GeV], one of `masses`.
        ue2, umu2, utau2
            Squared mixings, of one shape or broadcast together.

        Returns
        -------
        ndarray
            Events: the five `SELECTIONS` in neutrino mode, then in antineutrino mode.

        Raises
        ------
        ConfigError
            If the mass is not in the table, or a mixing is negative or not finite.
        """
        k = self.mass_index(mass)
        unit = np.einsum("mb,msb->mbs", self.decays[:, :, k], self.efficiencies[:, :, :, k])
        events: FloatArray = self.couplings(ue2, umu2, utau2) @ unit.reshape(len(self.modes), -1)
        return events

    def limit(self, mass: float, mixing: str, *, cl: float = 0.9, flux_error: float = 0.0) -> float:
        """Upper limit on one squared mixing, the others zero, from all ten channels.

        Nothing was observed, so that the likelihood is exp(-N) whatever the background. N goes as
        U^4; with a flat prior in U^2 the limit is erfinv(cl)/sqrt(N(U^2 = 1)) (T2K 2019, Bayesian,
        there with the errors of flux and efficiencies).

        Parameters
        ----------
        mass
            Mass of N [GeV], one of `masses`.
        mixing
            ``"ue2"``, ``"umu2"`` or ``"utau2"``.
        cl
            Credibility.
        flux_error
            Relative error of the flux, Gaussian; T2K's is `FLUX_ERROR`.

        Returns
        -------
        float
            The limit; infinite if there is no sensitivity.

        Raises
        ------
        UnknownNameError
            If there is no such mixing.

        Examples
        --------
        >>> round(release().limit(0.3, "umu2") * 1e9, 2)
        2.73
        """
        if mixing not in MIXINGS:
            raise unknown_name("mixing", mixing, MIXINGS)
        if self.observed.any():
            raise ConfigError("This closed form is for an observation of nothing.")
        events = float(self.expected(mass, **{mixing: 1.0}).sum())
        return _root_of_ratio(upper_events(cl, flux_error, "sqrt"), events)

    def single_limit(
        self,
        mass: float,
        production: str,
        coupling: str,
        *,
        cl: float = 0.9,
        flux_error: float = FLUX_ERROR,
    ) -> float:
        """Upper limit on the coupling of one mode of production and decay alone.

        N -> l pi for the couplings ``"e"`` and ``"mu"``, N -> nu mu mu for ``"e+tau"``, in the
        channels meant for them; flat prior in the number of events. This is method C of T2K 2019.

        Returns
        -------
        float
            Limit on U_a U_b, a the lepton of the production; for ``"e+tau"`` on
            U_a sqrt((U_e^2 + U_tau^2)/2). Infinite if there is no sensitivity.
        """
        wanted = {"e": ("e- pi+", "e+ pi-"), "mu": ("mu- pi+", "mu+ pi-"),
                  "e+tau": ("nu_e/tau mu+ mu-",)}  # fmt: skip
        channels = {"e": (1, 2), "mu": (0,), "e+tau": (3,)}
        if coupling not in wanted:
            raise unknown_name("coupling of a single mode", coupling, wanted)
        k = self.mass_index(mass)
        events = 0.0
        for i, mode in enumerate(self.modes):
            if mode.production == production and mode.decay in wanted[coupling]:
                chosen = self.efficiencies[i, channels[coupling], :, k]
                events += float((self.decays[i, :, k] * chosen).sum())
        return _root_of_ratio(upper_events(cl, flux_error, "linear"), events)


def upper_events(cl: float, flux_error: float, prior: str) -> float:
    """Upper limit on the expected events when none is observed, Bayesian.

    Parameters
    ----------
    cl
        Credibility.
    flux_error
        Relative error of the signal, Gaussian cut off at zero, marginalised; up to 0.3.
    prior
        ``"linear"``: flat in the events N; ``"sqrt"``: flat in sqrt(N), that is in U^2 for
        N ~ U^4. Without an error these give -ln(1 - cl) and erfinv(cl)^2.

    Raises
    ------
    UnknownNameError
        If there is no such prior.
    ConfigError
        If `cl` or `flux_error` is out of range.

    Examples
    --------
    >>> round(upper_events(0.9, 0.0, "linear"), 4), round(upper_events(0.9, 0.0, "sqrt"), 4)
    (2.3026, 1.3528)
    """
    powers = {"linear": 1.0, "sqrt": 0.5}
    if prior not in powers:
        raise unknown_name("prior", prior, powers)
    if not 0.0 < cl < 1.0 or not 0.0 <= flux_error <= 0.3:
        # Beyond, a flux near zero explains an empty detector: the limit is one on the prior.
        raise ConfigError(
            f"The level must lie between 0 and 1 and the flux error between 0 and 0.3; they are "
            f"{cl} and {flux_error}."
        )
    if flux_error == 0.0:
        exact = -np.log1p(-cl) if prior == "linear" else special.erfinv(cl) ** 2
        return float(exact)
    d, power = flux_error, powers[prior]

    def posterior(t: float) -> float:
        # exp(-x f) averaged over the Gaussian of f > 0, with x = t^(1/power).
        x = t ** (1.0 / power)
        log = special.log_ndtr((1.0 - d * d * x) / d) - special.log_ndtr(1.0 / d)
        return float(np.exp(-x + 0.5 * (d * x) ** 2 + log))

    # Beyond x = 60 nothing is left but the unphysical tail of fluxes near zero.
    end = 60.0**power
    total = integrate.quad(posterior, 0.0, end, epsabs=0.0, epsrel=1e-9, limit=200)[0]

    def excess(t: float) -> float:
        return float(integrate.quad(posterior, 0.0, t, epsabs=0.0, epsrel=1e-9)[0]) - cl * total

    limit = float(optimize.brentq(excess, 1e-6, end, xtol=1e-9))
    return float(limit ** (1.0 / power))


def _root_of_ratio(limit: float, events: float) -> float:
    return float(np.sqrt(limit / events)) if events > 0.0 else float("inf")


@lru_cache(maxsize=1)
def release() -> Release:
    """Return the release, read from the tables of the package."""
    header, rows = _table("t2k2019_decays.csv")
    masses = np.array([float(m) for m in header[5:]]) / 1000.0
    count = 1 + max(int(row[0]) for row in rows)
    modes: dict[int, Mode] = {}
    decays = np.zeros((count, len(BEAMS), masses.size))
    for number, production, decay, coupling, beam, *values in rows:
        modes[int(number)] = Mode(production, decay, coupling)
        decays[int(number), BEAMS.index(beam)] = [float(v) for v in values]
    efficiencies = np.zeros((count, len(SELECTIONS), len(BEAMS), masses.size))
    for number, selection, beam, *values in _table("t2k2019_efficiencies.csv")[1]:
        place = int(number), SELECTIONS.index(selection), BEAMS.index(beam)
        efficiencies[place] = [float(v) for v in values]
    counts = np.zeros((3, len(BEAMS), len(SELECTIONS)))
    for selection, beam, *values in _table("t2k2019_counts.csv")[1]:
        counts[:, BEAMS.index(beam), SELECTIONS.index(selection)] = [float(v) for v in values]
    for array in (masses, decays, efficiencies, counts):
        array.flags.writeable = False
    named = tuple(modes[i] for i in range(count))
    return Release(masses, named, decays, efficiencies, *counts)


def _table(name: str) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a table of the package."""
    text = resources.files("siren_py").joinpath("experiments", "data", name).read_text("utf-8")
    header, *rows = csv.reader(line for line in text.splitlines() if not line.startswith("#"))
    return header, rows


class ReleaseAnalysis(Analysis):
    """An analysis whose signal comes from the release instead of a simulation."""

    def expected(
        self, mass: float, ue2: ArrayLike = 0.0, umu2: ArrayLike = 0.0, utau2: ArrayLike = 0.0
    ) -> FloatArray:
        """Expected signal events of all channels, (..., 10); see `Release.expected`."""
        return release().expected(mass, ue2, umu2, utau2)

    def tabulated_signal(self, model: object) -> FloatArray:
        """Expected signal of a `MassMixing` model without dipole, (10,).

        Raises
        ------
        ConfigError
            If it is another model, or its mass is not one of the release.
        """
        from siren_py.models_mixing import MassMixing

        if not isinstance(model, MassMixing) or any((model.d_e, model.d_mu, model.d_tau)):
            raise ConfigError(
                f"The analysis {self.name!r} is of mass mixing alone; give it a "
                f"siren_py.MassMixing without dipole instead of {model!r}."
            )
        return release().expected(model.mass, model.U_e2, model.U_mu2, model.U_tau2)

    def requests(self) -> list[Request]:
        """Nothing has to be simulated."""
        return []

    def signal(self, samples: Sample | Iterable[Sample] | Mapping[str, Sample]) -> Signal:
        """Refuse: the efficiencies belong to the decays of the release."""
        del samples
        self._refuse()

    def efficiency_errors(
        self, samples: Sample | Iterable[Sample] | Mapping[str, Sample]
    ) -> FloatArray:
        """Refuse: the release's covariance of efficiencies is not included."""
        del samples
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ConfigError(
            f"The analysis {self.name!r} takes its signal from T2K's release, not from samples: "
            "use analysis.expected(mass, ue2=..., umu2=...)."
        )


def mixing_2019() -> ReleaseAnalysis:
    """T2K's search of 2019 for N from kaons, mixing with e, mu and tau: ten channels.

    The signal is that of the release, for the 36 masses from 0.14 to 0.49 GeV; see
    `ReleaseAnalysis.expected`.
    """
    data = release()
    channels = [
        Channel(
            name=f"{selection} {beam}",
            region="tpc",
            decay=None,
            fluxes=(),
            exposure={beam: EXPOSURE[beam]},
            observed=float(data.observed[b, s]),
            background=Estimate(float(data.background[b, s]), float(data.background_error[b, s])),
        )
        for b, beam in enumerate(BEAMS)
        for s, selection in enumerate(SELECTIONS)
    ]
    return ReleaseAnalysis(
        "t2k-2019-mixing",
        "nd280",
        tuple(channels),
        {"flux": FLUX_ERROR},
        statistic="bayesian-sqrt",
        cl=0.9,
        source=SOURCE,
        notes=(
            "Signal from the release: 36 masses, not interpolated.",
            "The covariance of the efficiencies (240 x 240 per mass) is not included.",
        ),
    )
