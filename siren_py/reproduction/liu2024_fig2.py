"""Maps of where N are made and where they decay in ND280, arXiv:2412.15051, Fig. 2.

Upscattering of the FHC numu flux in ND280 and the ground around it, decays to nu e+ e- in the
fiducial volumes of the three TPCs, for a dipole of 3.87e-7/GeV and three masses of the authors'
grid. Maps are expected events per area, projected along x and along y, for the exposure of the
analysis of 2019. N are weighted with their survival between production and detector, which is why
the maps for heavier N show the neighbourhood of the TPCs and little else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._optional import import_optional
from siren_py._typing import FloatArray
from siren_py.io.hepdata import Column, DataTable
from siren_py.published import load_table
from siren_py.reproduction.result import Agreement, Context, Reproduction

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel

NAME = "liu2024-fig2"
TITLE = "Where heavy neutral leptons are made and decay in ND280"
CITATION = "M. Liu et al., arXiv:2412.15051"

DETECTOR, FLUX, REGION, DECAY = "nd280", "t2k-nd280:fhc:numu", "tpc", "nu e+ e-"
COUPLING = 3.87e-7  # 1/GeV
MASSES = (0.10536, 0.34200, 0.61616)  # GeV, points of the authors' grid
POT = 12.34e20
EVENTS, QUICK_EVENTS = 300_000, 16_384
GROUND = "soil"  # the volume of the detector that is bedrock

# Across the page and up: z with y (seen from the side) and z with x (seen from above) [cm].
VIEWS = {"side": ("x", 2, 1), "top": ("y", 2, 0)}
NEAR = ((-450.0, 420.0), (-345.0, 345.0))
BIN = 15.0  # cm, of the maps near the detector
FAR = ((-18_000.0, 600.0), (-1800.0, 1800.0))
FAR_BINS = (93, 36)

_SHARE = (
    "3 %: at this mass N live so long that nearly all matter upstream counts alike; bedrock is "
    "155 m of 2.15 g/cm3 here and 273 m of 2.9 g/cm3 there, and the width there is half of ours."
)
_NO_SURVIVAL = (
    "The published grid lacks the survival of N between production and detector and has half the "
    "width, so N from bedrock count although they decay before they arrive."
)


def run(context: Context) -> Reproduction:
    """Simulate the three masses, draw the maps, compare the share of bedrock."""
    from siren_py.resources import detector_provenance, load_detector

    detector = load_detector(DETECTOR)
    events = QUICK_EVENTS if context.quick else EVENTS
    configuration = {
        "detector": detector_provenance(detector),
        "flux": FLUX,
        "region": REGION,
        "decay": DECAY,
        "d_mu": COUPLING,
        "events": events,
        "pot": POT,
        "near": [*NEAR, BIN],
        "far": [*FAR, *FAR_BINS],
    }
    found = {
        mass: context.cached_arrays(
            f"maps-{1000 * mass:.0f}",
            {**configuration, "mass": mass},
            lambda mass=mass: _simulate(detector, mass, events, context),  # type: ignore[misc]
        )
        for mass in MASSES
    }
    return Reproduction(
        tables=[*_tables(found), _origin_table(found)],
        figures={f"maps-{view}": _figure(detector, found, view) for view in VIEWS},
        agreement=_agreement(found),
        configuration={**configuration, "masses": list(MASSES)},
        notes=(
            "The figure itself is not available as numbers; what is compared is the share of "
            "N that come from bedrock, from the authors' event grid (earlier version).",
        ),
    )


# ----------------------------------------------------------------------------------- numbers


def _simulate(
    detector: DetectorModel, mass: float, events: int, context: Context
) -> dict[str, Any]:
    from siren_py.models import DipolePortal
    from siren_py.simulation import Simulation

    model = DipolePortal(mass=mass, d_mu=COUPLING)
    simulation = Simulation(detector, FLUX, model, decay=DECAY, region=REGION)
    sample = simulation.run(
        events, seed=context.seed, workers=context.workers, progress=context.progress
    )
    weights = sample.weights_at(POT)
    places = {"made": sample.vertices(0)[:, :3], "decay": sample.vertices(1)[:, :3]}
    found: dict[str, Any] = {}
    for view, (_axis, across, up) in VIEWS.items():
        for what, points in places.items():
            found[f"{view}_{what}"] = _map(points, weights, across, up, _near_edges())
        found[f"{view}_far"] = _map(places["made"], weights, across, up, _far_edges())
    total = sample.expected(POT)
    by_volume = sample.by("volume", POT)
    ground = by_volume[GROUND]
    share = ground.value / total.value
    # The two sums share their events: error of a share p of weighted events.
    inside = sample.names("volume") == GROUND
    spread = np.sqrt(np.sum((weights * (inside - share)) ** 2)) / total.value
    z = np.sort(places["made"][:, 2])
    sums = np.cumsum(weights[np.argsort(places["made"][:, 2])])
    found |= {
        "total": list(total),
        "ground": [share, float(spread)],
        "z_quantiles": np.interp([0.05, 0.5, 0.95], sums / sums[-1], z),
        "volumes": np.array(list(by_volume), dtype=np.str_),
        "volume_events": [[e.value, e.error] for e in by_volume.values()],
    }
    return found


def _near_edges() -> list[FloatArray]:
    return [np.arange(low, high + 0.5 * BIN, BIN) for low, high in NEAR]


def _far_edges() -> list[FloatArray]:
    return [np.linspace(*ends, n + 1) for ends, n in zip(FAR, FAR_BINS, strict=True)]


def _map(
    points: FloatArray, weights: FloatArray, across: int, up: int, edges: list[FloatArray]
) -> FloatArray:
    """Expected events per area [1/m2]; rows go up the page."""
    counts, _, _ = np.histogram2d(points[:, up], points[:, across], edges[::-1], weights=weights)
    area = np.outer(np.diff(edges[1]), np.diff(edges[0])) / 1e4
    return np.asarray(counts / area)


# ----------------------------------------------------------------------------------- comparison


def _agreement(found: dict[float, dict[str, Any]]) -> list[Agreement]:
    table = load_table("liu2024-grid-older")
    near = np.abs(table["d_mu"] / COUPLING - 1.0) < 0.01
    rows = []
    for mass, numbers in found.items():
        at = near & (np.abs(table["mass"] / mass - 1.0) < 0.01)
        if not at.any():  # only every second point of the grid is at hand
            continue
        sums = {
            part: sum(float(table[f"{part}{k}_nu"][at][0]) for k in (1, 2, 3))
            for part in ("all", "rock")
        }
        share, error = (float(x) for x in numbers["ground"])
        rows.append(
            Agreement(
                quantity=f"share of N made in bedrock, m = {mass:g} GeV, d = {COUPLING:g}/GeV",
                published=sums["rock"] / sums["all"],
                ours=share,
                error=error,
                tolerance=0.03,
                comment=_SHARE if mass < 0.2 else "",
                deviation="" if mass < 0.2 else _NO_SURVIVAL,
            )
        )
    return rows


# ----------------------------------------------------------------------------------- output


def _tables(found: dict[float, dict[str, Any]]) -> list[DataTable]:
    tables = []
    z, up = (0.5 * (e[1:] + e[:-1]) / 100.0 for e in _near_edges())
    grid_up, grid_z = np.meshgrid(up, z, indexing="ij")
    for view, (_axis, _across, coordinate) in VIEWS.items():
        columns = [
            Column("z", grid_z.ravel().tolist(), "m", independent=True),
            Column("xyz"[coordinate], grid_up.ravel().tolist(), "m", independent=True),
        ]
        for mass, numbers in found.items():
            for what, words in (("made", "N made"), ("decay", "N decayed")):
                columns.append(
                    Column(
                        f"{words}, m = {mass:g} GeV",
                        numbers[f"{view}_{what}"].ravel().tolist(),
                        "1/m2",
                        qualifiers={"d_mu [1/GeV]": COUPLING, "POT": POT, "flux": FLUX},
                    )
                )
        tables.append(
            DataTable(
                f"maps-{view}",
                f"Expected events per area near ND280, seen from the {view}, for {POT:g} protons "
                f"on target; middles of bins of {BIN / 100:g} m",
                columns,
                location="Fig. 2",
            )
        )
    return tables


def _origin_table(found: dict[float, dict[str, Any]]) -> DataTable:
    masses, volumes, values, errors = [], [], [], []
    for mass, numbers in found.items():
        for name, (value, error) in list(
            zip(numbers["volumes"], numbers["volume_events"], strict=True)
        )[:12]:
            masses.append(mass)
            volumes.append(str(name))
            values.append(float(value))
            errors.append(float(error))
    return DataTable(
        "origin",
        f"Volumes in which most N are made that decay to e+ e- in the TPCs, for {POT:g} protons "
        "on target",
        [
            Column("mass of N", masses, "GeV", independent=True),
            Column("volume", volumes, independent=True),
            Column("expected events", values, errors={"stat": errors}),
        ],
        location="Fig. 2",
    )


def _figure(detector: DetectorModel, found: dict[float, dict[str, Any]], view: str) -> Any:
    figures = import_optional("matplotlib.figure", "plot", "Figures")
    figure = figures.Figure(figsize=(13.6, 10.0), layout="constrained")
    cells = figure.subplots(len(found), 3, width_ratios=(1.15, 1.0, 1.0))
    for row, (mass, numbers) in enumerate(found.items()):
        total, error = numbers["total"]
        z = numbers["z_quantiles"] / 100.0
        words = f"$m_N$ = {1000 * mass:.0f} MeV: {total:.3g} ± {error:.1g} events"
        _far_panel(figure, cells[row, 0], numbers[f"{view}_far"], view)
        cells[row, 0].set_title(f"made, {words}", fontsize=9)
        _near_panel(figure, cells[row, 1], detector, numbers[f"{view}_made"], view)
        cells[row, 1].set_title(
            f"made near ND280; 90 % at z = {z[0]:.3g} to {z[2]:.3g} m", fontsize=9
        )
        _near_panel(figure, cells[row, 2], detector, numbers[f"{view}_decay"], view, linear=True)
        cells[row, 2].set_title("decayed to $\\nu e^+ e^-$ in the TPCs", fontsize=9)
    figure.suptitle(
        f"ND280 from the {view}, $d_\\mu$ = {COUPLING:g} GeV$^{{-1}}$, T2K FHC $\\nu_\\mu$, "
        f"{POT:g} protons on target",
        fontsize="medium",
    )
    return figure


def _far_panel(figure: Any, ax: Any, density: FloatArray, view: str) -> None:
    colors = import_optional("matplotlib.colors", "plot", "Figures")
    patches = import_optional("matplotlib.patches", "plot", "Figures")
    edges = [e / 100.0 for e in _far_edges()]
    mesh = ax.pcolormesh(
        *edges, _masked(density), cmap="viridis", norm=_norm(colors, density), rasterized=True
    )
    low, high = np.array(NEAR).T / 100.0
    ax.add_patch(
        patches.Rectangle(low, *(high - low), fill=False, edgecolor="black", lw=0.9, label="ND280")
    )
    ax.set(xlabel="z [m]", ylabel=f"{'xyz'[VIEWS[view][2]]} [m]", facecolor="#f2f2f2")
    ax.legend(loc="upper left", fontsize=7, frameon=False)
    figure.colorbar(mesh, ax=ax, label="events / m$^2$", pad=0.02)


def _near_panel(
    figure: Any,
    ax: Any,
    detector: DetectorModel,
    density: FloatArray,
    view: str,
    linear: bool = False,
) -> None:
    from siren_py.plot import draw_slice

    colors = import_optional("matplotlib.colors", "plot", "Figures")
    axis, _across, _up = VIEWS[view]
    (left, right), (bottom, top) = NEAR
    draw_slice(
        detector, axis, 20.0, window=(left, right, bottom, top), regions=False, ax=ax, pixels=700,
        unit="m",
    )  # fmt: skip
    # Matter as pale outlines behind the map.
    ax.add_patch(_veil(left, right, bottom, top))
    edges = [e / 100.0 for e in _near_edges()]
    mesh = ax.pcolormesh(
        *edges, _masked(density), cmap="viridis", alpha=0.72, zorder=1.5, rasterized=True,
        norm=colors.Normalize(0.0) if linear else _norm(colors, density),
    )  # fmt: skip
    for name in ("tpc1", "tpc2", "tpc3"):
        lo, hi = (v / 100.0 for v in detector.region(name).bounds())
        c = VIEWS[view][2]
        ax.plot(
            [lo[2], hi[2], hi[2], lo[2], lo[2]], [lo[c], lo[c], hi[c], hi[c], lo[c]],
            color="black", lw=1.0, ls=(0, (4, 2)), zorder=3,
        )  # fmt: skip
    ax.set_title("")
    bar = figure.colorbar(mesh, ax=ax, label="events / m$^2$", pad=0.02, shrink=0.8)
    bar.solids.set_alpha(1.0)


def _veil(left: float, right: float, bottom: float, top: float) -> Any:
    patches = import_optional("matplotlib.patches", "plot", "Figures")
    size = ((right - left) / 100.0, (top - bottom) / 100.0)
    return patches.Rectangle(
        (left / 100.0, bottom / 100.0), *size, facecolor="white", alpha=0.72, lw=0.0, zorder=1
    )


def _masked(density: FloatArray) -> Any:
    return np.ma.masked_equal(density, 0.0)


def _norm(colors: Any, density: FloatArray) -> Any:
    """Four decades below the largest bin: what is below is one event in ten thousand."""
    largest = float(density.max())
    return colors.LogNorm(1e-4 * largest, largest, clip=True)
