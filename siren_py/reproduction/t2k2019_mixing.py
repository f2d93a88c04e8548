"""Heavy neutrinos from kaons in T2K: decays, and limits on mixings; PRD 100, 052006 (2019).

Decays in the TPCs and efficiencies are those of T2K's data release; the limits follow from them by
the counting of siren_py: a flat prior in |U|^2 for all ten channels together, a flat prior in the
number of events for single modes (method C of the paper), 15 % error of the flux in both. The
decays themselves are compared with those of siren_py's own flux, geometry and widths
(`siren_py.reproduction.t2k2019_decays`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from siren_py._typing import FloatArray
from siren_py.io.hepdata import Column, DataTable
from siren_py.published import load_curve
from siren_py.reproduction import kaon_rates, plane, t2k2019_decays
from siren_py.reproduction.result import Agreement, Context, Reproduction

NAME = "t2k2019-mixing"
TITLE = "T2K 2019: decays of heavy neutrinos from kaons, limits on mixings"
CITATION = "T2K, Phys. Rev. D 100, 052006 (2019), arXiv:1902.07598"

COMBINED = {"ue2": ("|U_e|^2", "Ue2"), "umu2": ("|U_mu|^2", "Umu2")}
"""Mixing -> in words, and on the axis."""

SINGLE = {
    "uee": ("e", "e", "K -> e N, N -> e pi"),
    "uemu": ("e", "mu", "K -> e N, N -> mu pi"),
    "umue": ("mu", "e", "K -> mu N, N -> e pi"),
    "umumu": ("mu", "mu", "K -> mu N, N -> mu pi"),
    "uemix": ("e", "e+tau", "K -> e N, N -> nu mu mu"),
}
"""Quantity -> lepton of the production, coupling of the decay, in words."""

TOLERANCE = 0.03
_WHY = (
    "3 %: T2K samples with Markov chains and includes the errors of the efficiencies, which are "
    "left out here."
)
# These break the sequence of T2K's own limits, while the decays of the release run smoothly.
SCATTERED = (0.23, 0.31, 0.32, 0.34, 0.35)
_SCATTER = (
    "At these masses T2K's limit stands 4 to 8 % above a smooth line through its neighbours, while "
    "the decays and efficiencies of the release run smoothly: most likely scatter of the chains."
)


def run(context: Context) -> Reproduction:
    """Compute the limits from the release and the decays without it, draw them, compare."""
    from siren_py.experiments.t2k_release import FLUX_ERROR, SOURCE, release

    masses = release().masses
    combined = {
        mixing: np.array([release().limit(float(m), mixing, flux_error=FLUX_ERROR) for m in masses])
        for mixing in COMBINED
    }
    single = {
        quantity: np.array([release().single_limit(float(m), made, lost) for m in masses])
        for quantity, (made, lost, _words) in SINGLE.items()
    }
    found = {f"t2k2019-{mixing}": limits for mixing, limits in combined.items()}
    found |= {f"t2k2019-{quantity}-c": limits for quantity, limits in single.items()}
    own = t2k2019_decays.rates(context)
    return Reproduction(
        tables=[
            _limits_table(masses, combined, single),
            *_events_tables(masses),
            t2k2019_decays.data_table(own),
        ],
        figures={
            "limits-combined": _combined_figure(masses, combined),
            "limits-single": _single_figure(masses, single),
            "decays": t2k2019_decays.figure(own),
        },
        agreement=[
            *(row for name, limits in found.items() for row in _rows(name, masses, limits)),
            *t2k2019_decays.rows(own),
        ],
        configuration={
            "release": SOURCE,
            "flux_error": FLUX_ERROR,
            "credibility": 0.9,
            "prior": {"combined": "flat in |U|^2", "single": "flat in the number of events"},
            "decays": {
                "masses_GeV": own["mass"].tolist(),
                "attempts": t2k2019_decays.ATTEMPTS,
                "beam": t2k2019_decays.BEAM,
                "pot": t2k2019_decays.POT,
                "detector": "nd280",
                "region": "tpc",
                "nature": "majorana",
                "kaons": kaon_rates.KAONS,
            },
        },
        notes=(
            "Limits are made from T2K's decays and efficiencies: what is reproduced is the step "
            "from them to the limits. The decays are compared with siren_py's own apart from "
            "that, in neutrino mode: for antineutrino mode no flux by parent is known.",
            "Fluxes scaled at equal energy, as in arXiv:2109.03831, give fewer decays: 0.8 of "
            "T2K's at 0.15 GeV, 0.2 at 0.3 GeV, 0.03 at 0.38 GeV (crosses in the figure).",
            "Marginalised limits are not reproduced: they need the paper's priors in all three "
            "mixings.",
            "For K -> e N, N -> nu mu mu the published |U_e| sqrt(|U_e|^2 + |U_tau|^2) fits if "
            "the sum is halved, as the couplings of the release are.",
        ),
    )


def _rows(name: str, masses: FloatArray, limits: FloatArray) -> list[Agreement]:
    """Smallest and largest ratio over the masses, those that scatter apart."""
    curve = load_curve(name)
    # A step of 10 MeV is exact in the release, not in floating point.
    known = np.isclose(masses[:, None], curve.x[None, :], rtol=1e-6).any(axis=1)
    known &= np.isfinite(limits)
    ratio = limits[known] / curve.at(np.clip(masses[known], curve.x[0], curve.x[-1]))
    scattered = np.isclose(masses[known][:, None], SCATTERED).any(axis=1) & (name == "t2k2019-ue2")
    rows = []
    for which, words, reason in (
        (~scattered, f"{int(np.sum(~scattered))} masses", ""),
        (scattered, ", ".join(f"{1000 * m:.0f}" for m in SCATTERED) + " MeV", _SCATTER),
    ):
        if not which.any():
            continue
        rows += [
            Agreement(
                quantity=f"{curve.title}: {side} ratio, {words}",
                published=1.0,
                ours=float(value),
                tolerance=TOLERANCE,
                comment=_WHY,
                deviation=reason,
            )
            for side, value in (
                ("smallest", ratio[which].min()),
                ("largest", ratio[which].max()),
            )
        ]
    return rows


def _no_value(limits: FloatArray) -> list[float]:
    return [float(x) for x in np.where(np.isfinite(limits), limits, np.nan)]


def _limits_table(
    masses: FloatArray, combined: dict[str, FloatArray], single: dict[str, FloatArray]
) -> DataTable:
    columns = [Column("mass of N", masses.tolist(), "GeV", independent=True)]
    level = {"CL": "90 %"}
    for mixing, limits in combined.items():
        words = COMBINED[mixing][0]
        columns.append(Column(f"limit on {words}", _no_value(limits), qualifiers=level))
        columns.append(_published(f"t2k2019-{mixing}", masses, f"limit on {words}, published"))
    for quantity, limits in single.items():
        words = SINGLE[quantity][2]
        columns.append(Column(f"limit from {words}", _no_value(limits), qualifiers=level))
        columns.append(
            _published(f"t2k2019-{quantity}-c", masses, f"limit from {words}, published")
        )
    return DataTable(
        "limits",
        "Upper limits at 90 % on squared mixings, other mixings zero, and on products of mixings "
        "from single modes (method C)",
        columns,
    )


def _published(name: str, masses: FloatArray, words: str) -> Column:
    curve = load_curve(name)
    inside = np.isclose(masses[:, None], curve.x[None, :], rtol=1e-6).any(axis=1)
    values = np.full(len(masses), np.nan)
    values[inside] = curve.at(np.clip(masses[inside], curve.x[0], curve.x[-1]))
    return Column(words, values.tolist(), qualifiers={"CL": "90 %", "source": curve.citation})


def _events_tables(masses: FloatArray) -> list[DataTable]:
    """Decays by mode, and selected events by channel for |U_e|^2 or |U_mu|^2 of 1e-9."""
    from siren_py.experiments.t2k_release import BEAMS, SELECTIONS, release

    first = Column("mass of N", masses.tolist(), "GeV", independent=True)
    decays = [first]
    for number, mode in enumerate(release().modes):
        for b, beam in enumerate(BEAMS):
            words = f"K -> {mode.production} N, N -> {mode.decay}, {mode.coupling}, {beam}"
            decays.append(Column(words, release().decays[number, b].tolist()))
    events = [first]
    for mixing in ("ue2", "umu2"):
        expected = np.array([release().expected(float(m), **{mixing: 1e-9}) for m in masses])
        names = [f"{selection} {beam}" for beam in BEAMS for selection in SELECTIONS]
        for name, values in zip(names, expected.T, strict=True):
            events.append(Column(f"{name}, {COMBINED[mixing][0]} = 1e-9", values.tolist()))
    return [
        DataTable("decays", "Decays in the TPCs for couplings of one, by mode", decays),
        DataTable("events", "Expected events in the ten channels", events),
    ]


def _combined_figure(masses: FloatArray, combined: dict[str, FloatArray]) -> Any:
    figure, ax = plane.new_plane(
        "Ue2", mass=(0.135, 0.5), range_=(4e-10, 2e-6), title="T2K 2019: all channels, 90 %"
    )
    ax.set_xscale("linear")
    ax.set_ylabel(r"mixing $|U_e|^2$ or $|U_\mu|^2$")
    for (mixing, limits), colour, published in zip(
        combined.items(), ("blue", "vermilion"), ("sky", "orange"), strict=True
    ):
        words = COMBINED[mixing][0].replace("U_mu", r"U_\mu")
        plane.draw_published(
            ax, f"t2k2019-{mixing}", colour=published, dashes="dashed",
            label=f"${words}$, published",
        )  # fmt: skip
        plane.draw_own(
            ax, masses, _no_value(limits), label=f"${words}$, siren_py", colour=colour,
            dashes="dotted",
        )  # fmt: skip
    plane.add_legend(ax)
    return figure


def _single_figure(masses: FloatArray, single: dict[str, FloatArray]) -> Any:
    figure, ax = plane.new_plane(
        "Ue2", mass=(0.135, 0.5), range_=(4e-10, 2e-5), title="T2K 2019: single modes, 90 %"
    )
    ax.set_xscale("linear")
    ax.set_ylabel("product of mixings")
    colours = ("blue", "green", "orange", "vermilion", "purple")
    for (quantity, limits), colour in zip(single.items(), colours, strict=True):
        first = quantity == "uee"
        plane.draw_own(ax, masses, _no_value(limits), label=_arrows(quantity), colour=colour)
        exact = load_curve(f"t2k2019-{quantity}-c")
        ax.plot(
            exact.x, exact.y, ls="", marker="o", ms=4.5, mfc="white", mec=plane.COLOURS[colour],
            label="published, method C" if first else "_", zorder=6,
        )  # fmt: skip
        plane.draw_published(
            ax, f"t2k2019-{quantity}-a", colour=colour, dashes="dotted", shade=False,
            label="published, method A" if first else "",
        )  # fmt: skip
    plane.add_legend(ax)
    return figure


def _arrows(quantity: str) -> str:
    words = SINGLE[quantity][2].replace("->", r"\to").replace(",", r",\ ")
    for letter in ("mu", "nu", "pi"):
        words = words.replace(letter, rf"\{letter}")
    return f"${words}$"
