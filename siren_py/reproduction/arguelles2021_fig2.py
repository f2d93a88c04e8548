"""N from kaons at ND280, mixing with and without a dipole; arXiv:2109.03831, Fig. 2.

K -> mu N makes N by |U_mu|^2; N decays to nu e+ e- by mixing, and by its dipole mu_tr = 1e-6/GeV,
which is d = 5e-7/GeV in the convention of siren_py; the limit is where 2.3 selected decays are
expected. Sizes, exposure and efficiency are those of the paper and of the program that its authors
have made public. They take for the N of momentum p the flux of neutrinos from kaons at the energy
E = p, times |U_mu|^2 rho; what kaons that decay again give instead is drawn as a second line.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.io.hepdata import Column, DataTable
from siren_py.published import load_curve, load_table
from siren_py.reproduction import plane
from siren_py.reproduction.kaon_rates import (
    D_MU,
    EXPOSURE,
    KAONS,
    LEVEL,
    METHODS,
    ND280,
    OFF_AXIS,
    PARTS,
    STEP,
    decays,
    efficiency,
    spectrum,
    upper_limit,
)
from siren_py.reproduction.result import Agreement, Context, Reproduction

NAME = "arguelles2021-fig2"
TITLE = "ND280: limits on |U_mu|^2 with and without a dipole, N from kaons"
CITATION = (
    "C. A. Arguelles, N. Foppiani, M. Hostert, Phys. Rev. D 105, 095006 (2022), arXiv:2109.03831"
)

FULL = 10.7  # the exposure that T2K hopes for, over that of 2019

LIFETIMES = (
    (0.02, 1e-14, D_MU, 4.122e-6),
    (0.1009, 1e-14, D_MU, 3.199e-8),
    (0.2481, 1e-14, D_MU, 2.152e-9),
    (0.02, 1e-9, 0.0, 8.002e6),
    (0.1009, 1e-9, 0.0, 2442.0),
    (0.3511, 1e-9, 0.0, 0.3616),
)
"""Mass [GeV], |U_mu|^2, d [1/GeV], lifetime [s] in the authors' tables of events."""

GRIDS = {"with dipole": ("arguelles2021-dipole-events", D_MU),
         "without dipole": ("arguelles2021-mixing-events", 0.0)}  # fmt: skip
BANDS = ((0.02, 0.14), (0.14, 0.2), (0.2, 0.4))
LINE_MASSES = (0.021, 0.03, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.22, 0.25)
NEAR_END = 0.38  # GeV, 8 MeV below the threshold of K -> mu N

TOLERANCE = 0.2
_WHY_GRID = (
    "20 %: the flux is digitised, and N that hardly survive depend on the lifetime exponentially. "
    "Points with 0.001 to 1e6 events."
)
_WHY_LINE = "20 %: the published line is read off the figure; N is linear in |U|^2 at a fixed d."
_WHY_CONTOUR = "20 %, as for the events; the line is the contour of the authors' grid at 2.3."
_WHY_TIME = "1 %: the same formulae; 4 times shorter if mu_tr itself were d."


# ----------------------------------------------------------------------------------- the run


def run(context: Context) -> Reproduction:
    """Compute lines and grids, draw them, compare."""
    step = 4 if context.quick else 1
    masses = np.unique(np.concatenate([_grid_masses(step), [*LINE_MASSES, NEAR_END]]))
    configuration = {
        "d_mu_per_GeV": D_MU,
        "events_at_limit": LEVEL,
        "pot": dict(EXPOSURE),
        "area_cm2": ND280.area,
        "length_cm": ND280.length,
        "distance_cm": ND280.distance,
        "off_axis_rad": OFF_AXIS,
        "kaons": KAONS,
        "methods": dict(METHODS),
        "nature": "dirac",
        "masses_GeV": masses.tolist(),
        "step_GeV": STEP,
        "parts": PARTS,
        "efficiency": efficiency(masses).tolist(),
    }
    lines = context.cached_arrays("lines", configuration, lambda: _lines(masses))
    grids = {}
    for words, (name, d) in GRIDS.items():
        grids[words] = context.cached_arrays(
            f"grid-{words.replace(' ', '-')}",
            {**configuration, "grid": name, "every": step},
            partial(_grid, name, d, step),
        )
    contours = {words: _contour(grid) for words, grid in grids.items()}
    return Reproduction(
        tables=[_lines_table(masses, lines), *(_grid_table(w, g) for w, g in grids.items())],
        figures={
            "limits-with-dipole": _figure_with(masses, lines, contours["with dipole"]),
            "limits-without-dipole": _figure_without(masses, lines, contours["without dipole"]),
        },
        agreement=[
            *_lifetime_rows(),
            *(row for words, grid in grids.items() for row in _grid_rows(words, grid)),
            *_line_rows(masses, lines),
            *(r for w, c in contours.items() for r in _contour_rows(w, masses, lines, c)),
        ],
        configuration=configuration,
        notes=_notes(masses, lines),
    )


def _grid_masses(every: int) -> FloatArray:
    """Masses of the authors' grids [GeV] at which kaons make N."""
    from siren_py.processes.meson_production import heaviest

    masses = np.unique(load_table(GRIDS["with dipole"][0])["mass"])
    return np.asarray(masses[masses < heaviest("mu")][::every])


def _key(words: str, method: str) -> str:
    return f"{words.replace(' ', '_')}_{method}"


def _lines(masses: FloatArray) -> dict[str, FloatArray]:
    """Limits by grid and method; NaN where there is none."""
    found: dict[str, FloatArray] = {}
    for words, (_name, d) in GRIDS.items():
        for method in METHODS:
            found[_key(words, method)] = np.array(
                [
                    upper_limit(float(m), d, spectrum(float(m), method), float(efficiency(m)))
                    for m in masses
                ]
            )
    return found


def _grid(name: str, d_mu: float, every: int) -> dict[str, FloatArray]:
    """Events at the points of a grid of the authors, by the paper's method and the correct one."""
    table = load_table(name)
    chosen = np.isin(table["mass"], _grid_masses(every))
    grid = {key: table[key][chosen] for key in ("mass", "Umu2", "events")}
    for method in ("momentum", "redecay"):
        events = np.zeros(grid["mass"].size)
        for mass in np.unique(grid["mass"]):
            here = grid["mass"] == mass
            m = float(mass)
            events[here] = decays(m, grid["Umu2"][here], d_mu, spectrum(m, method))
            events[here] *= float(efficiency(m))
        grid[method] = events
    return grid


def _contour(grid: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Masses and |U_mu|^2 at which the authors' grid first reaches `LEVEL`."""
    masses, limits = [], []
    for mass in np.unique(grid["mass"]):
        here = grid["mass"] == mass
        order = np.argsort(grid["Umu2"][here])
        u2, events = grid["Umu2"][here][order], grid["events"][here][order]
        first = int(np.argmax(events >= LEVEL))
        if first == 0:
            continue
        step = slice(first - 1, first + 1)
        masses.append(float(mass))
        logs = np.log(np.maximum(events[step], 1e-300))
        limits.append(float(np.exp(np.interp(np.log(LEVEL), logs, np.log(u2[step])))))
    return np.array(masses), np.array(limits)


# ----------------------------------------------------------------------------------- comparison


def _lifetime_rows() -> list[Agreement]:
    from siren_py.models_mixing import MassMixing

    return [
        Agreement(
            quantity=f"lifetime of N, m = {mass:g} GeV, |U_mu|^2 = {u2:g}, d = {d:g}/GeV",
            published=seconds,
            ours=MassMixing(mass, U_mu2=u2, d_mu=d).lifetime * 1e-9,
            tolerance=0.01,
            unit="s",
            comment=_WHY_TIME if d else "1 %: the same formulae, for a Dirac N.",
        )
        for mass, u2, d, seconds in LIFETIMES
    ]


def _grid_rows(words: str, grid: Mapping[str, FloatArray]) -> list[Agreement]:
    rows = []
    counted = (grid["events"] >= 1e-3) & (grid["events"] <= 1e6)
    for low, high in BANDS:
        here = counted & (grid["mass"] >= low) & (grid["mass"] < high)
        if not here.any():
            continue
        ratio = grid["momentum"][here] / grid["events"][here]
        for side, value in (("smallest", ratio.min()), ("largest", ratio.max())):
            rows.append(
                Agreement(
                    quantity=f"events {words}, {side} ratio, {low:g} <= m < {high:g} GeV, "
                    f"{here.sum()} points",
                    published=1.0,
                    ours=float(value),
                    tolerance=TOLERANCE,
                    comment=_WHY_GRID,
                )
            )
    return rows


def _row(words: str, mass: float, published: float, ours: float, why: str) -> Agreement:
    return Agreement(
        quantity=f"|U_mu|^2 {words}, m = {mass:g} GeV",
        published=float(published),
        ours=float(ours),
        tolerance=TOLERANCE,
        comment=why,
    )


def _line_rows(masses: FloatArray, lines: Mapping[str, FloatArray]) -> list[Agreement]:
    curve = load_curve("arguelles2021-dipole-2019")
    limits = lines[_key("with dipole", "momentum")]
    return [
        _row("with dipole, line of Fig. 2", m, curve.edges(m)[0], limits[masses == m][0], _WHY_LINE)
        for m in LINE_MASSES
    ]


def _contour_rows(
    words: str,
    masses: FloatArray,
    lines: Mapping[str, FloatArray],
    contour: tuple[FloatArray, FloatArray],
) -> list[Agreement]:
    """Smallest and largest ratio to the contour of the authors' grid, at its masses."""
    ours = lines[_key(words, "momentum")][np.isin(masses, contour[0])]
    ratio = ours / contour[1]
    return [
        Agreement(
            quantity=f"|U_mu|^2 {words}, contour of the grid, {side} ratio, {ratio.size} masses",
            published=1.0,
            ours=float(value),
            tolerance=TOLERANCE,
            comment=_WHY_CONTOUR,
        )
        for side, value in (("smallest", ratio.min()), ("largest", ratio.max()))
    ]


def _notes(masses: FloatArray, lines: Mapping[str, FloatArray]) -> list[str]:
    at = 0.1
    arriving, eff = spectrum(at, "momentum"), float(efficiency(at))
    other = upper_limit(at, 2.0 * D_MU, arriving, eff) / upper_limit(at, D_MU, arriving, eff)
    dipole = lines[_key("with dipole", "redecay")] / lines[_key("with dipole", "momentum")]
    plain = lines[_key("without dipole", "redecay")] / lines[_key("without dipole", "momentum")]

    def ratio(values: FloatArray, mass: float) -> str:
        return f"{float(values[masses == mass][0]):.3g}"

    return [
        "mu_tr = 1e-6/GeV is d = 5e-7/GeV: that gives the lifetimes of the authors' tables. With "
        f"d = 1e-6/GeV the limit at 0.1 GeV would be {other:.3g} times as large.",
        "The authors take the flux of neutrinos at E = p_N, the momentum of N, not its energy.",
        "Efficiency: T2K's for K -> mu N, N -> nu_mu e e, all five channels together, although the "
        "search is one for e+ e-; below 0.14 GeV, where T2K gives none, a straight line is "
        f"continued: {float(efficiency(0.1)):.3f} at 0.1 and {float(efficiency(0.02)):.3f} at 0.02 "
        f"GeV, instead of {float(efficiency(0.14)):.3f} at 0.14 GeV.",
        "The flux of kaons in neutrino mode is taken for both modes.",
        "With kaons that decay again the limit with dipole is "
        f"{ratio(dipole, 0.1)}, {ratio(dipole, 0.16)} and {ratio(dipole, 0.2)} times that of the "
        "paper's method at 0.1, 0.16 and 0.2 GeV, without dipole "
        f"{ratio(plain, 0.1)}, {ratio(plain, 0.25)} and {ratio(plain, NEAR_END)} times at 0.1, "
        "0.25 and 0.38 GeV: slow N go into a narrower cone than neutrinos, and decay in the TPCs "
        "more often.",
        "Which kaons make N that outlive the way is not known from a flux of neutrinos: the black "
        "line with dipole above 0.19 GeV depends on the angles of those of many GeV.",
    ]


# ----------------------------------------------------------------------------------- output


def _finite(values: ArrayLike) -> list[float]:
    array = np.asarray(values, dtype=np.float64)
    return [float(x) for x in np.where(np.isfinite(array), array, np.nan)]


def _lines_table(masses: FloatArray, lines: Mapping[str, FloatArray]) -> DataTable:
    columns = [Column("mass of N", masses.tolist(), "GeV", independent=True)]
    for words in GRIDS:
        for method, how in METHODS.items():
            columns.append(
                Column(
                    f"limit on |U_mu|^2 {words}, {how}",
                    _finite(lines[_key(words, method)]),
                    qualifiers={"CL": "90 %"},
                )
            )
    curve = load_curve("arguelles2021-dipole-2019")
    inside = (masses >= curve.x.min()) & (masses <= curve.x.max())
    published = np.full(masses.size, np.nan)
    published[inside] = [next(iter(curve.edges(float(m))), np.nan) for m in masses[inside]]
    columns.append(Column("limit on |U_mu|^2 with dipole, published", _finite(published)))
    columns.append(Column("efficiency", efficiency(masses).tolist()))
    return DataTable(
        "limits",
        "|U_mu|^2 at which 2.3 decays of N to nu e+ e- are selected in ND280, 18.63e20 protons on "
        "target, with a dipole of d = 5e-7/GeV and without",
        columns,
        location="Fig. 2",
    )


def _grid_table(words: str, grid: Mapping[str, FloatArray]) -> DataTable:
    return DataTable(
        f"events-{words.replace(' ', '-')}",
        f"Selected decays of N to nu e+ e- in ND280 {words}, 18.63e20 protons on target",
        [
            Column("mass of N", grid["mass"].tolist(), "GeV", independent=True),
            Column("|U_mu|^2", grid["Umu2"].tolist(), independent=True),
            Column("events, published", grid["events"].tolist()),
            Column(f"events, {METHODS['momentum']}", grid["momentum"].tolist()),
            Column(f"events, {METHODS['redecay']}", grid["redecay"].tolist()),
        ],
    )


def name_masses(ax: Any) -> None:
    """Write a few masses below an axis of one decade and a half, where powers would overlap."""
    shown = (0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3)
    low, high = ax.get_xlim()
    ticks = [m for m in shown if low <= m <= high]
    ax.set_xticks(ticks, [f"{m:g}" for m in ticks])
    ax.set_xticks([], minor=True)


def _figure_with(
    masses: FloatArray,
    lines: Mapping[str, FloatArray],
    contour: tuple[FloatArray, FloatArray],
) -> Any:
    figure, ax = plane.new_plane(
        "Umu2", mass=(0.02, 0.3), range_=(1e-12, 1e-6), size=(9.0, 5.2),
        title=r"ND280, mixing and dipole, $d = 5\times10^{-7}$/GeV, 90 %",
    )  # fmt: skip
    name_masses(ax)
    for name, colour, dashes, shade in (
        ("arguelles2021-dipole-2019", "sky", "dashed", True),
        ("arguelles2021-dipole-full", "green", "dashdot", False),
        ("arguelles2021-dipole-ps191", "grey", "dotted", False),
        ("arguelles2021-dipole-microboone", "grey", "dashed", False),
    ):
        plane.draw_published(ax, name, colour=colour, dashes=dashes, shade=shade)
    ax.plot(
        *contour, ls="", marker="o", ms=4, mfc="white", mec=plane.COLOURS["blue"], zorder=6,
        label="authors' grid of events, 2.3",
    )  # fmt: skip
    ours = lines[_key("with dipole", "momentum")]
    plane.draw_own(ax, masses, ours, label="siren_py, method of the paper")
    plane.draw_own(
        ax, masses, lines[_key("with dipole", "redecay")], colour="black",
        label="siren_py, kaons decay again",
    )  # fmt: skip
    plane.draw_own(
        ax, masses, ours / FULL, colour="purple", dashes="dotted",
        label="siren_py, method of the paper,\n10.7 times the exposure",
    )  # fmt: skip
    plane.add_legend(ax)
    return figure


def _figure_without(
    masses: FloatArray,
    lines: Mapping[str, FloatArray],
    contour: tuple[FloatArray, FloatArray],
) -> Any:
    figure, ax = plane.new_plane(
        "Umu2", mass=(0.02, 0.4), range_=(1e-9, 1e-2), size=(9.0, 5.2),
        title=r"ND280, mixing alone, $N \to \nu e^+e^-$, 90 %",
    )  # fmt: skip
    name_masses(ax)
    ax.plot(
        *contour, ls="", marker="o", ms=4, mfc="white", mec=plane.COLOURS["blue"], zorder=6,
        label="authors' grid of events, 2.3",
    )  # fmt: skip
    plane.draw_own(
        ax, masses, lines[_key("without dipole", "momentum")], label="siren_py, method of the paper"
    )
    plane.draw_own(
        ax, masses, lines[_key("without dipole", "redecay")], colour="black",
        label="siren_py, kaons decay again",
    )  # fmt: skip
    plane.draw_published(
        ax, "t2k2019-umu2", colour="orange", label="T2K 2019, all channels,\npublished"
    )
    plane.add_legend(ax)
    return figure
