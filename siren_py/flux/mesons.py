"""Heavy neutral leptons N from decays of pions and kaons, as fluxes at the detector.

Two ways lead from mesons to N:

* `from_neutrino_flux` takes the flux of neutrinos from the same meson and multiplies it with
  U^2 rho at equal energy. This is what arXiv:2109.03831 and arXiv:2412.15051 do; it has the right
  number of decays, but neither the energy that N has nor that it is more collimated than a
  neutrino.
* `redecay` lets a sample of mesons decay again, with the exact kinematics of the two bodies and
  the solid angle towards the detector. Where no sample of mesons is published, `effective_parents`
  finds one that makes a given flux of neutrinos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.errors import ConfigError, KinematicsError, unknown_name
from siren_py.flux.base import Flux
from siren_py.flux.heavy import HeavyNeutrinoFlux
from siren_py.flux.library import load_flux
from siren_py.flux.points import PointsFlux
from siren_py.flux.spectra import HistogramFlux
from siren_py.particles import PDG
from siren_py.particles import mass as particle_mass
from siren_py.particles import name as particle_name
from siren_py.processes import meson_production as production
from siren_py.processes.dipole_decay import NATURES

_STEP = 1.02
"""Largest ratio of the energies of a bin where a flux of points becomes a histogram."""

_BINS = 160
_NODES = 4000

_T2K_TABLES = {"K+": ("numu", "numu-kaon"), "K-": ("numubar", "numubar-kaon"),
               "pi+": ("numu", "numu-pion"), "pi-": ("numubar", "numubar-pion")}  # fmt: skip


def _pdg(parent: int, nature: str) -> int:
    """Code of the N that a meson makes: its antiparticle comes from negative mesons."""
    if nature not in NATURES:
        raise unknown_name("nature", nature, NATURES)
    return int(PDG.HNL) if parent > 0 or nature == "majorana" else -int(PDG.HNL)


def _check_mixing(mixing: float) -> float:
    if not 0.0 < mixing <= 1.0:
        raise ConfigError(
            f"U2, the squared mixing, must be above 0 and at most 1; it is {mixing!r}."
        )
    return float(mixing)


def _label(parent: int, lepton: str) -> str:
    return f"{particle_name(parent)} to {lepton} N"


def _as_histogram(flux: Flux) -> tuple[FloatArray, FloatArray]:
    """Edges [GeV] and values of a flux; of a flux of points in narrow bins."""
    if isinstance(flux, HistogramFlux):
        return flux.edges, flux.values
    if not isinstance(flux, PointsFlux):
        raise ConfigError(
            f"A flux of N is made from a histogram or a table of points, not from {flux!r}."
        )
    edges = [flux.energies[:1]]
    for low, high in zip(flux.energies[:-1], flux.energies[1:], strict=True):
        parts = max(1, int(np.ceil(np.log(high / max(low, 1e-3)) / np.log(_STEP))))
        edges.append(np.linspace(low, high, parts + 1)[1:])
    joined = np.concatenate(edges)
    # Between two points the flux is straight: its mean in a bin is that at the middle.
    return joined, flux.density(0.5 * (joined[1:] + joined[:-1]))


def from_neutrino_flux(
    flux: Flux,
    parent: str | int,
    lepton: str,
    mass: float,
    U2: float,
    *,
    nature: str = "dirac",
    name: str | None = None,
) -> HeavyNeutrinoFlux:
    """Scale the flux of neutrinos from a meson to a flux of N, energy by energy.

    phi_N(E) = |U_l|^2 rho phi_nu(E) above the mass of N, where rho is
    `siren_py.processes.meson_production.phase_space_ratio`. An approximation: it ignores that N
    has another energy than the neutrino of the same meson would have, and goes into a narrower
    cone. Neutrinos of three-body decays of the meson in `flux` are scaled with the others. The
    polarisation is the mean helicity in the rest frame of the meson.

    Parameters
    ----------
    flux
        Flux of the neutrinos that come from this meson: numu or nue for a positive one.
    parent
        ``"K+"``, ``"K-"``, ``"pi+"`` or ``"pi-"``.
    lepton
        Lepton made with N, ``"e"`` or ``"mu"``; the neutrinos may be of the other flavour.
    mass
        Mass of N [GeV].
    U2
        |U_l4|^2 of the production.
    nature
        "dirac", or "majorana": then both charges of mesons make the same particle.
    name
        Name; the default says what was done.

    Raises
    ------
    KinematicsError
        If the decay is closed, or the flux ends below the mass.
    ConfigError
        If flux and meson have opposite signs, or U2 is out of range.

    Examples
    --------
    >>> kaons = t2k_parent_flux("K+")
    >>> flux = from_neutrino_flux(kaons, "K+", "mu", mass=0.3, U2=1e-9)
    >>> print(f"{flux.integral:.3g} /cm2/POT, P = {flux.mean_polarization:.3f}")
    3.54e-18 /cm2/POT, P = 0.546
    """
    code = production.parent_code(parent)
    if flux.pdg * code < 0 or abs(flux.pdg) not in (12, 14):
        raise ConfigError(
            f"{particle_name(code)} makes {'neutrinos' if code > 0 else 'antineutrinos'} of the "
            f"flavours e and mu; the flux {flux!r} is of another particle."
        )
    if not mass < production.heaviest(lepton, code):
        raise production.closed(mass, lepton, code)
    reference = "e" if abs(flux.pdg) == 12 else "mu"
    rho = production.phase_space_ratio(mass, lepton, code, relative_to=reference)
    edges, values = _as_histogram(flux)
    if edges[-1] <= mass:
        raise KinematicsError(
            f"The flux {flux!r} ends at {edges[-1]:g} GeV, below the mass of N, {mass:g} GeV."
        )
    first = int(np.searchsorted(edges, mass, side="right"))
    if first > 0:
        edges = np.concatenate([[mass], edges[first:]])
        values = values[first - 1 :]
    return HeavyNeutrinoFlux(
        _pdg(code, nature),
        edges,
        values * (_check_mixing(U2) * rho),
        name or f"{_label(code, lepton)}, scaled",
        flux.mode,
        {
            "method": "neutrino flux x U2 x rho at equal energy",
            "parent": particle_name(code), "lepton": lepton, "mass": float(mass), "U2": float(U2),
            "rho": rho, "neutrino_flux": flux.to_dict(),
        },
        np.full(values.size, production.helicity(mass, lepton, code)),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Parents:
    """Mesons at the points where they decay.

    Attributes
    ----------
    pdg
        PDG code of all of them: 321, -321, 211 or -211.
    momenta
        Momenta [GeV], (n, 3).
    positions
        Points of decay [cm], (n, 3).
    weights
        Decays per proton on target, whatever the channel, (n,).

    Raises
    ------
    ConfigError
        If shapes do not fit, a number is not finite or a weight is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from siren_py.flux.mesons import Parents
    >>> momenta, points = np.array([[0.0, 0.0, 2.0]]), np.array([[0.0, 0.0, -1e4]])
    >>> kaons = Parents(321, momenta, points, np.array([1e-3]))
    >>> float(kaons.weights.sum())
    0.001
    """

    pdg: int
    momenta: FloatArray
    positions: FloatArray
    weights: FloatArray

    def __post_init__(self) -> None:
        production.parent_code(self.pdg)
        n = len(self.weights)
        for key, shape in (("momenta", (n, 3)), ("positions", (n, 3)), ("weights", (n,))):
            array = np.asarray(getattr(self, key), dtype=np.float64)
            if array.shape != shape or not np.isfinite(array).all():
                raise ConfigError(
                    f"{key} of parents must be finite numbers of shape {shape}; the shape is "
                    f"{array.shape}."
                )
            object.__setattr__(self, key, array)
        if not (self.weights >= 0.0).all() or not self.weights.any():
            raise ConfigError("The weights of parents must not be negative, nor all zero.")


def redecay(
    parents: Parents,
    lepton: str,
    mass: float,
    U2: float,
    *,
    at: ArrayLike = (0.0, 0.0, 0.0),
    edges: ArrayLike | None = None,
    nature: str = "dirac",
    name: str | None = None,
    mode: str | None = None,
) -> HeavyNeutrinoFlux:
    """Let mesons decay to N again and return the flux of N at a point.

    Every meson decays evenly in its rest frame; N is aimed at the point: at this angle to the
    meson the kinematics have one solution, or two if N is slower than the meson (the second one
    was emitted backwards), or none. Each adds, at its energy,

        w BR(P -> l N) / (4 pi) x dOmega*/dOmega / r^2      [1/(cm2 POT)],

    with r from the decay to the point; see `siren_py.processes.meson_production.towards`. The
    polarisation of a bin is the weighted mean of the part along the flight: a helicity is not the
    same in the frames of the meson and of the laboratory, and N that was emitted backwards has
    the opposite one.

    Parameters
    ----------
    parents
        The mesons.
    lepton, mass, U2, nature, name
        As for `from_neutrino_flux`. A mass of 0 gives the flux of neutrinos for U2 = 1.
    at
        The point [cm] in the frame of the parents: the origin of the detector frame.
    edges
        Edges of the bins [GeV]; by default 160 between the extremes, even in the logarithm.
    mode
        Mode of the beam.

    Returns
    -------
    HeavyNeutrinoFlux
        Flux of N [1/(GeV cm2 POT)] with its mean helicity per bin.

    Raises
    ------
    KinematicsError
        If the decay is closed, or no meson can send N to the point.
    ConfigError
        If U2 is out of range, or `edges` leave out a part of the flux.

    Examples
    --------
    >>> from siren_py.flux.mesons import effective_parents, redecay, t2k_parent_flux
    >>> kaons = effective_parents(t2k_parent_flux("K+"), "K+", angle=0.03564, outside="zero")
    >>> flux = redecay(kaons, "mu", mass=0.3, U2=1e-9, mode="fhc")
    >>> flux.pdg
    5914
    """
    code = parents.pdg
    if not mass < production.heaviest(lepton, code):
        raise production.closed(mass, lepton, code)
    way = np.asarray(at, dtype=np.float64) - parents.positions
    distance = np.linalg.norm(way, axis=1)
    if not (distance > 0.0).all():
        raise ConfigError("A parent decays at the very point at which the flux is asked for.")
    p = np.linalg.norm(parents.momenta, axis=1)
    moving = p > 0.0
    cosine = np.einsum("ij,ij->i", parents.momenta, way) / (np.where(moving, p, 1.0) * distance)
    momenta, solid, along = production.towards(
        mass, lepton, code, p, np.clip(np.where(moving, cosine, 1.0), -1.0, 1.0)
    )
    ratio = production.BRANCHING_RATIOS[abs(code), "mu"]
    ratio *= production.phase_space_ratio(mass, lepton, code, relative_to="mu")
    share = _check_mixing(U2) * ratio * parents.weights / (4.0 * np.pi * distance**2)
    weight = np.where(solid > 0.0, share * solid, 0.0).ravel()
    if not np.isfinite(weight).all():
        raise KinematicsError(
            "A meson sends N to the point at the very edge of its cone, where the flux is "
            "infinite; move the point a little."
        )
    energy = np.hypot(momenta, mass).ravel()
    kept = weight > 0.0
    if not kept.any():
        raise KinematicsError(
            f"None of the {p.size} mesons can send an N of {mass:g} GeV to the point: all have it "
            "outside of their cones."
        )
    weight, energy, along_kept = weight[kept], energy[kept], along.ravel()[kept]
    bins = _bins(energy, mass) if edges is None else np.asarray(edges, dtype=np.float64)
    outside = weight[(energy < bins[0]) | (energy >= bins[-1])].sum() / weight.sum()
    if outside > 1e-12:
        raise ConfigError(
            f"A part of {outside:.3g} of the flux is outside of the bins given, {bins[0]:g} to "
            f"{bins[-1]:g} GeV; N has {energy.min():g} to {energy.max():g} GeV."
        )
    width = np.diff(bins)
    sums, squares, spins = (
        np.histogram(energy, bins, weights=w)[0] for w in (weight, weight**2, weight * along_kept)
    )
    helicity = production.helicity(mass, lepton, code)
    polarization = helicity * spins / np.where(sums > 0.0, sums, 1.0)
    return HeavyNeutrinoFlux(
        _pdg(code, nature),
        bins,
        sums / width,
        name or f"{_label(code, lepton)}, redecay",
        mode,
        {
            "method": "two-body decay of parents towards the detector",
            "parent": particle_name(code), "lepton": lepton, "mass": float(mass), "U2": float(U2),
            "n_parents": int(p.size),
        },
        np.clip(polarization, -1.0, 1.0),
        np.sqrt(squares) / width,
    )  # fmt: skip


def _bins(energy: FloatArray, mass: float) -> FloatArray:
    """Edges that hold all energies, (bins + 1,) [GeV], even in the logarithm."""
    low, high = float(energy.min()), float(energy.max())
    low, high = max(low * (1.0 - 1e-6), mass), high * (1.0 + 1e-6)
    return np.geomspace(low, high, _BINS + 1)


def effective_parents(
    flux: Flux,
    parent: str | int,
    *,
    angle: ArrayLike = 0.0,
    distance: float = 1e4,
    outside: str = "refuse",
) -> Parents:
    """Return mesons that make a given flux of muon neutrinos by P -> mu nu at the origin.

    The mesons decay at (0, 0, -distance) and fly at one angle to the line of sight, that of the
    beam: focused mesons are nearly parallel. Then E_nu = E* m_P/(E_P - p_P cos(angle)) gives the
    momentum of the meson for each energy of the neutrino (the lower one of two), and the flux
    gives their number. Neutrinos above E*/sin(angle) must have come from mesons at smaller
    angles; these are taken to fly straight at the detector. The spread of the mesons in angle,
    which no flux of neutrinos tells, is thereby neglected; so is that 5 % of the neutrinos from
    charged kaons, mostly soft ones, come from decays to three bodies.

    Parameters
    ----------
    flux
        Flux of muon neutrinos from this meson.
    parent
        ``"K+"``, ``"K-"``, ``"pi+"`` or ``"pi-"``.
    angle
        Angle between mesons and line of sight [rad], e.g. the off-axis angle of the detector; of
        several angles each makes the same share of the flux.
    distance
        Of the decays from the origin [cm]; the flux of N does not depend on it.
    outside
        Neutrinos below E* (0.2355 GeV for kaons) were emitted at large angles to their mesons and
        are not described: ``"refuse"`` raises an error, ``"zero"`` leaves them out.

    Returns
    -------
    Parents
        The mesons.

    Raises
    ------
    KinematicsError
        If neutrinos have energies that cannot be, and `outside` is ``"refuse"``.
    ConfigError
        If flux and meson do not fit, or an argument is out of range.

    Examples
    --------
    >>> from siren_py.flux.mesons import effective_parents, redecay, t2k_parent_flux
    >>> kaons = effective_parents(t2k_parent_flux("K+"), "K+", angle=0.03564, outside="zero")
    >>> kaons.pdg
    321
    """
    code = production.parent_code(parent)
    if flux.pdg * code < 0 or abs(flux.pdg) != 14:
        raise ConfigError(
            f"Parents {particle_name(code)} are found from the flux of muon "
            f"{'neutrinos' if code > 0 else 'antineutrinos'}, not from {flux!r}."
        )
    angles = np.atleast_1d(np.asarray(angle, dtype=np.float64))
    if not (angles.ndim == 1 and ((angles >= 0.0) & (angles < 0.5 * np.pi)).all()):
        raise ConfigError(f"Angles must be numbers in [0, pi/2); they are {angle!r}.")
    if not 0.0 < distance < np.inf:
        raise ConfigError(f"The distance of parents must be positive; it is {distance!r} cm.")
    if outside not in ("refuse", "zero"):
        raise unknown_name("way to treat what is outside", outside, ("refuse", "zero"))
    meson = particle_mass(code)
    star = production.rest_frame_energy(0.0, "mu", code)
    low, high = flux.energy_range
    lost = 1.0 - flux.integral_between(max(star, low), high) / flux.integral
    if lost > 1e-9 and outside == "refuse":
        raise KinematicsError(
            f"{lost:.2%} of the flux {flux!r} is below {star:.4g} GeV, where no "
            f"{particle_name(code)} that flies to the detector sends neutrinos. Pass "
            "outside='zero' to leave it out."
        )
    edges = np.geomspace(max(star, low), high, _NODES + 1)
    fluence = np.array(_cell_integrals(flux, edges))
    energy = np.sqrt(edges[1:] * edges[:-1])
    # E_P - p_P c = k: the lower root of p^2 s^2 - 2 k c p + m^2 - k^2 = 0, as product over sum.
    k = np.tile(star * meson / energy, angles.size)
    wanted = np.repeat(np.sin(angles), energy.size)
    sine = np.where(wanted <= k / meson, wanted, 0.0)
    cosine = np.sqrt((1.0 - sine) * (1.0 + sine))
    root = np.sqrt(np.maximum((k - meson * sine) * (k + meson * sine), 0.0))
    p = (meson - k) * (meson + k) / (k * cosine + root)
    solid = production.towards(0.0, "mu", code, p, cosine)[1][0]
    ratio = production.BRANCHING_RATIOS[abs(code), "mu"]
    share = np.tile(fluence / angles.size, angles.size)
    weights = share * 4.0 * np.pi * distance**2 / (ratio * solid)
    momenta = p[:, None] * np.stack([sine, np.zeros(p.size), cosine], axis=1)
    positions = np.broadcast_to([0.0, 0.0, -distance], momenta.shape)
    kept = weights > 0.0
    return Parents(code, momenta[kept], positions[kept], weights[kept])


def _cell_integrals(flux: Flux, edges: Sequence[float] | FloatArray) -> list[float]:
    return [flux.integral_between(float(low), float(high)) for low, high in pairwise(edges)]


def t2k_parent_flux(parent: str, mode: str = "fhc") -> PointsFlux:
    """Return the T2K flux at ND280 of muon neutrinos from one meson, digitised.

    Parameters
    ----------
    parent
        ``"K+"`` and ``"pi+"`` (numu), ``"K-"`` and ``"pi-"`` (numubar).
    mode
        ``"fhc"``: the only one for which the flux by parent is known.

    Returns
    -------
    PointsFlux
        The flux [1/(GeV cm2 POT)].

    Raises
    ------
    ConfigError
        If the mode is another one.
    UnknownNameError
        If there is no such parent.

    Examples
    --------
    >>> from siren_py.flux.mesons import t2k_parent_flux
    >>> t2k_parent_flux("K-").flavor
    'numubar'
    """
    if parent not in _T2K_TABLES:
        raise unknown_name("parent with a T2K flux", parent, _T2K_TABLES)
    if mode.casefold() != "fhc":
        raise ConfigError(
            f"The T2K flux by parent is known for mode 'fhc' only, not for {mode!r}: T2K has not "
            "published it. To estimate another one, scale that of 'fhc' yourself, "
            "e.g. t2k_parent_flux('K-').scaled(...), and say so."
        )
    flavor, table = _T2K_TABLES[parent]
    flux = load_flux("t2k-nd280-parents", mode="fhc", flavor=flavor, table=table, below="zero")
    if not isinstance(flux, PointsFlux):
        raise ConfigError("The flux t2k-nd280-parents must be tables of points.")
    return flux
