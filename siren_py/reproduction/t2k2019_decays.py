"""Decays of N in the TPCs of ND280 from siren_py alone, beside those of T2K's release of 2019.

N comes from the flux of neutrinos from kaons, which is known for neutrino mode, digitised: from
kaons that decay again (`siren_py.reproduction.kaon_rates.kaons`), or, for comparison,
scaled at equal energy. It flies
to the model of ND280 as the primary of a simulation and decays in the fiducial volumes of the
TPCs. Mixings are so small that all N arrive; then decays go as the product of two couplings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from siren_py._optional import import_optional
from siren_py._typing import FloatArray
from siren_py.io.hepdata import Column, DataTable
from siren_py.reproduction import kaon_rates as kaon
from siren_py.reproduction import plane
from siren_py.reproduction.result import Agreement, Context

QUICK_MASSES = (0.15, 0.25, 0.35, 0.46, 0.48)
"""Masses [GeV] of a quick run; a full one has those of the release."""
BEAM, POT = "fhc", 12.34e20
ATTEMPTS = 2000
SMALL = 1e-12
"""Squared mixing of the simulations: rates for couplings of one follow from its square."""

CHANNELS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "mu- pi+": ("mu- pi+", ("U_mu2",)),
    "e- pi+": ("e- pi+", ("U_e2",)),
    "mu+ pi-": ("mu+ pi-", ("U_mu2",)),
    "e+ pi-": ("e+ pi-", ("U_e2",)),
    "nu_e/tau mu+ mu-": ("nu mu+ mu-", ("U_e2", "U_tau2")),
    "nu_mu/tau e+ e-": ("nu e+ e-", ("U_mu2", "U_tau2")),
    "nu_mu mu+ mu-": ("nu mu+ mu-", ("U_mu2",)),
    "nu_e e+ e-": ("nu e+ e-", ("U_e2",)),
    "nu_e mu- e+": ("nu mu- e+", ("U_mu2",)),
    "nubar_mu mu- e+": ("nu mu- e+", ("U_e2",)),
    "nubar_e mu+ e-": ("nu e- mu+", ("U_mu2",)),
    "nu_mu mu+ e-": ("nu e- mu+", ("U_e2",)),
}
"""Decay in the release -> channel of siren_py and mixings of the decay, N being a Majorana."""

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "l- pi+": ("mu- pi+", "e- pi+"),
    "l+ pi-": ("mu+ pi-", "e+ pi-"),
    "nu e+ e-": ("nu_e e+ e-", "nu_mu/tau e+ e-"),
    "nu mu+ mu-": ("nu_mu mu+ mu-", "nu_e/tau mu+ mu-"),
    "nu e mu": ("nu_e mu- e+", "nubar_mu mu- e+", "nubar_e mu+ e-", "nu_mu mu+ e-"),
}
"""Decays that are compared together."""

TOLERANCE = 0.2
_WHY = (
    "20 %: the flux of neutrinos from kaons is digitised (a few per cent), and the kaons are taken "
    "to fly all at the off-axis angle, or at ND280 if neutrinos have too much energy for that."
)
SCATTERED = 0.485
"""Above this mass [GeV], that is at 0.49 GeV, T2K's numbers scatter."""
_SCATTER = (
    "At 0.49 GeV, 3 MeV from the threshold of K -> e N, T2K's numbers for different decays of the "
    "same N scatter by 6 %, as if few kaons had been drawn; and which kaons fly at ND280 decides."
)
_EXCHANGED = (
    "The rows for N -> l+ pi- fit if lepton and pion are exchanged in the width: (1 - y)^2 - x (1 "
    "+ y) instead of (1 - x)^2 - y (1 + x), x and y being the squared mass ratios of l and pi. "
    "Those for l- pi+ fit as they are, and a Majorana N decays to both charges alike: the "
    "exchange is most likely an oversight in the release."
)


@lru_cache(maxsize=1)
def _nd280() -> Any:
    from siren_py.resources import load_detector

    return load_detector("nd280")


def fluxes(lepton: str, mass: float, method: str) -> list[Any]:
    """Fluxes of Majorana N from K+ and K-, neutrino mode, for a mixing of `SMALL`.

    Parameters
    ----------
    lepton
        Lepton made with N, ``"e"`` or ``"mu"``.
    mass
        Mass of N [GeV].
    method
        ``"redecay"`` or ``"scaled"``.
    """
    from siren_py.flux.mesons import from_neutrino_flux, redecay, t2k_parent_flux

    found = []
    for name in ("K+", "K-"):
        options: dict[str, Any] = {"nature": "majorana", "name": f"{name} {method}"}
        if method == "redecay":
            found.append(redecay(kaon.kaons(name), lepton, mass, SMALL, mode=BEAM, **options))
        else:
            found.append(
                from_neutrino_flux(t2k_parent_flux(name), name, lepton, mass, SMALL, **options)
            )
    return found


def expected(lepton: str, mass: float, decay: str, method: str, context: Context) -> FloatArray:
    """Decays in the TPCs for couplings of one, and their statistical error; shape (2,)."""
    from siren_py.models_mixing import MassMixing
    from siren_py.simulation import Simulation

    channel, mixings = CHANNELS[decay]
    model = MassMixing(mass, nature="majorana", **dict.fromkeys(mixings, SMALL))
    simulation = Simulation(
        _nd280(), fluxes(lepton, mass, method), model, decay=channel, region="tpc"
    )
    found = simulation.run(
        ATTEMPTS, seed=context.seed, workers=context.workers, progress=False
    ).expected(POT)
    return np.array([found.value, found.error]) / SMALL**2


def rates(context: Context) -> dict[str, FloatArray]:
    """Decays of all modes at all masses.

    Returns
    -------
    dict
        ``"mass"`` (n,), ``"published"``, ``"redecay"`` and ``"error"`` (24 modes, n), NaN where a
        mode is closed, and ``"scaled"`` (2, n), the ratio scaled/redecay for K -> e N and mu N.
    """
    from siren_py.experiments.t2k_release import BEAMS, release

    table = release()
    masses = np.array(QUICK_MASSES) if context.quick else table.masses
    columns = []
    for mass in masses:
        k = table.mass_index(float(mass))
        published = table.decays[:, BEAMS.index(BEAM), k]
        columns.append(
            context.cached_arrays(
                f"decays-{1000 * mass:.0f}",
                {
                    "mass": float(mass),
                    "attempts": ATTEMPTS,
                    "pot": POT,
                    "open": (published > 0.0).tolist(),
                },
                partial(_column, float(mass), published, context),
            )
        )
    found = {
        key: np.stack([column[key] for column in columns], axis=-1)
        for key in ("published", "redecay", "error", "scaled")
    }
    return {"mass": masses, **found}


def _column(mass: float, published: FloatArray, context: Context) -> dict[str, FloatArray]:
    from siren_py.experiments.t2k_release import release

    modes = release().modes
    ours, errors, scaled = np.full(len(modes), np.nan), np.full(len(modes), np.nan), [np.nan] * 2
    for number, mode in enumerate(modes):
        if published[number] <= 0.0:
            continue
        ours[number], errors[number] = expected(
            mode.production, mass, mode.decay, "redecay", context
        )
        side = ("e", "mu").index(mode.production)
        if not np.isfinite(scaled[side]):
            # All N arrive: the ratio of both fluxes is the same for all decays.
            other = expected(mode.production, mass, mode.decay, "scaled", context)[0]
            scaled[side] = float(other / ours[number])
    return {
        "published": np.where(published > 0.0, published, np.nan),
        "redecay": ours,
        "error": errors,
        "scaled": np.array(scaled),
    }


def exchange_factor(mass: FloatArray, lepton: str) -> FloatArray:
    """Width of N -> l pi with lepton and pion exchanged in the bracket, over the right one."""
    from siren_py.particles import mass as particle_mass

    x = (particle_mass({"e": 11, "mu": 13}[lepton]) / mass) ** 2
    y = (particle_mass(211) / mass) ** 2
    return np.asarray(((1.0 - y) ** 2 - x * (1.0 + y)) / ((1.0 - x) ** 2 - y * (1.0 + x)))


# ----------------------------------------------------------------------------------- comparison


def rows(found: Mapping[str, FloatArray]) -> list[Agreement]:
    """Smallest and largest ratio by family of decays and production."""
    from siren_py.experiments.t2k_release import release

    modes = release().modes
    masses = found["mass"]
    ratio = found["redecay"] / found["published"]
    last = masses > SCATTERED
    result = []
    for lepton in ("mu", "e"):
        for family, decays in FAMILIES.items():
            chosen = [
                i for i, m in enumerate(modes) if m.production == lepton and m.decay in decays
            ]
            words = f"decays in the TPCs, K -> {lepton} N, N -> {family}"
            values = ratio[chosen]
            if family == "l+ pi-":
                result += _extremes(words, values[:, ~last], _EXCHANGED)
                factor = [exchange_factor(masses, modes[i].coupling) for i in chosen]
                words, values = f"{words}, lepton and pion exchanged", values * np.array(factor)
            result += _extremes(words, values[:, ~last], "")
            if lepton == "e" and last.any():
                result += _extremes(f"{words}, 0.49 GeV", values[:, last], _SCATTER)
    return result


def _extremes(words: str, ratio: FloatArray, reason: str) -> list[Agreement]:
    values = ratio[np.isfinite(ratio)]
    return [
        Agreement(
            quantity=f"{words}: {side} ratio, {values.size} numbers",
            published=1.0,
            ours=float(value),
            tolerance=TOLERANCE,
            comment=_WHY,
            deviation=reason,
        )
        for side, value in (("smallest", values.min()), ("largest", values.max()))
    ]


# ----------------------------------------------------------------------------------- output


def _numbers(values: FloatArray) -> list[float]:
    return [float(x) for x in values]


def data_table(found: Mapping[str, FloatArray]) -> DataTable:
    """Our decays and those of the release, by mode."""
    from siren_py.experiments.t2k_release import release

    columns = [Column("mass of N", _numbers(found["mass"]), "GeV", independent=True)]
    for number, mode in enumerate(release().modes):
        words = f"K -> {mode.production} N, N -> {mode.decay}"
        scaled = found["scaled"][("e", "mu").index(mode.production)]
        columns += [
            Column(f"{words}, published", _numbers(found["published"][number])),
            Column(f"{words}, kaons decay again", _numbers(found["redecay"][number])),
            Column(f"{words}, flux scaled", _numbers(found["redecay"][number] * scaled)),
        ]
    return DataTable(
        "decays-siren-py",
        "Decays in the TPCs for couplings of one, neutrino mode, 12.34e20 protons on target: those "
        "of T2K and those of siren_py's own flux, geometry and decays",
        columns,
    )


_SHOWN: Sequence[tuple[str, str, str]] = (
    ("mu", "e- pi+", "blue"),
    ("mu", "mu- pi+", "green"),
    ("mu", "nu_e e+ e-", "orange"),
    ("mu", "nu_e mu- e+", "sky"),
    ("e", "e- pi+", "vermilion"),
    ("e", "nu_mu mu+ mu-", "purple"),
)


def figure(found: Mapping[str, FloatArray]) -> Any:
    """Decays over the mass, and below our numbers divided by those of T2K."""
    from siren_py.experiments.t2k_release import BEAMS, release

    table = release()
    figures = import_optional("matplotlib.figure", "plot", "Figures")
    drawing = figures.Figure(figsize=(8.8, 7.0), layout="constrained")
    top, bottom = drawing.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    masses = found["mass"]
    for production, decay, colour in _SHOWN:
        number = next(
            i for i, m in enumerate(table.modes) if (m.production, m.decay) == (production, decay)
        )
        paint = plane.COLOURS[colour]
        words = rf"$K \to {_tex(production)} N,\ N \to {_tex(decay)}$"
        all_ = table.decays[number, BEAMS.index(BEAM)]
        shown = all_ > 0.0
        top.plot(table.masses[shown], all_[shown], color=paint, lw=1.4, label=words)
        ours = found["redecay"][number]
        scaled = found["scaled"][("e", "mu").index(production)]
        top.plot(masses, ours, ls="", marker="o", ms=5, mfc="white", mec=paint, zorder=5)
        top.plot(masses, ours * scaled, ls="", marker="x", ms=5, color=paint, zorder=4)
        ratio = ours / found["published"][number]
        bottom.plot(masses, ratio, color=paint, marker="o", ms=5, mfc="white", lw=1.2)
        bottom.plot(masses, ratio * scaled, color=paint, marker="x", ms=5, lw=0.7, ls="dotted")
    for words, marker in (("siren_py, kaons decay again", "o"), ("siren_py, flux scaled", "x")):
        top.plot([], [], ls="", marker=marker, color="black", mfc="white", label=words)
    top.plot([], [], color="black", lw=1.4, label="lines: T2K 2019")
    top.set(yscale="log", ylabel=r"decays in the TPCs, $|U|^2 = 1$", ylim=(1e12, 1e19))
    top.set_title("Decays of N in the TPCs, neutrino mode, 12.34e20 POT", fontsize="medium")
    bottom.axhspan(1.0 - TOLERANCE, 1.0 + TOLERANCE, color=plane.COLOURS["grey"], alpha=0.25, lw=0)
    bottom.axhline(1.0, color="black", lw=0.8)
    bottom.set(ylim=(0.0, 1.4), xlim=(0.135, 0.495), ylabel="siren_py / T2K")
    bottom.set_xlabel(plane.AXIS_LABELS["mass"])
    for ax in (top, bottom):
        ax.tick_params(which="both", direction="in", top=True, right=True)
    plane.add_legend(top)
    return drawing


def _tex(decay: str) -> str:
    words = decay.replace("nu_e", r"\nu").replace("nu_mu", r"\nu").split()
    names = {"pi": r"\pi", "mu": r"\mu", "e": "e"}
    return " ".join(
        names.get(w.rstrip("+-"), w) + (f"^{w[-1]}" if w[-1] in "+-" else "") for w in words
    )
