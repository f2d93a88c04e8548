"""Counts and limits of arXiv:2412.15051, and what physics makes of them.

Numbers of the paper's authors (mingshauliu/Dipole-HNL-T2K on GitHub, stats/STATS_* and
main_plot/ConstraintFiles) are used as references here only. The one-dimensional estimates and the
line integral of this file share no geometry code or sampling with what they test.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from siren_py.constants import HBARC
from siren_py.experiments import liu2024_inputs
from siren_py.experiments.liu2024 import LIU2024, PHYSICAL, SLAB, MassPoint, detector
from siren_py.experiments.liu2024_compat import CompatibilityWarning
from siren_py.experiments.liu2024_limits import limit_line
from siren_py.processes import DipoleUpscattering

pytestmark = [pytest.mark.slow, pytest.mark.validation]

# Mass [MeV], coupling, decays of N in the three TPC boxes per 1e21 protons after efficiency: numu
# in neutrino mode, numubar in antineutrino mode.
GRID = (
    (10, 5e-08, 0.00012336, 0.00010747),
    (10, 1.3913e-07, 0.0075466, 0.0064428),
    (10, 3.8713e-07, 0.4524, 0.38623),
    (10, 1.0772e-06, 27.121, 23.154),
    (10, 2.9974e-06, 1625.8, 1388),
    (18.016, 8.3405e-08, 0.0081084, 0.0068082),
    (18.016, 2.3208e-07, 0.48609, 0.40817),
    (18.016, 6.4577e-07, 29.14, 24.469),
    (18.016, 1.7969e-06, 1746.8, 1466.8),
    (18.016, 5e-06, 1.0448e05, 87828),
    (32.459, 5e-08, 0.0080527, 0.0067107),
    (32.459, 1.3913e-07, 0.48262, 0.40245),
    (32.459, 3.8713e-07, 28.939, 24.116),
    (32.459, 1.0772e-06, 1735.1, 1446.3),
    (32.459, 2.9974e-06, 99543, 83524),
    (58.48, 8.3405e-08, 0.38353, 0.31997),
    (58.48, 2.3208e-07, 22.989, 19.179),
    (58.48, 6.4577e-07, 1376.3, 1151),
    (58.48, 1.7969e-06, 37453, 30132),
    (58.48, 5e-06, 1.1383e05, 78753),
    (105.36, 5e-08, 0.19115, 0.15272),
    (105.36, 1.3913e-07, 11.444, 9.1396),
    (105.36, 3.8713e-07, 641.41, 524.18),
    (105.36, 1.0772e-06, 5695.6, 4157.6),
    (105.36, 2.9974e-06, 20698, 15161),
    (189.82, 8.3405e-08, 3.5107, 2.5552),
    (189.82, 2.3208e-07, 123.04, 83.093),
    (189.82, 6.4577e-07, 437.36, 213.56),
    (189.82, 1.7969e-06, 4263.5, 3119.6),
    (189.82, 5e-06, 62725, 41462),
    (342, 5e-08, 0.81224, 0.39817),
    (342, 1.3913e-07, 14.392, 6.0339),
    (342, 3.8713e-07, 32.284, 14.738),
    (342, 1.0772e-06, 629.89, 307.32),
    (342, 2.9974e-06, 7067.5, 3219.5),
    (616.16, 8.3405e-08, 0.55376, 0.16801),
    (616.16, 2.3208e-07, 1.8424, 0.75907),
    (616.16, 6.4577e-07, 42.213, 14.318),
    (616.16, 1.7969e-06, 356.46, 119.03),
    (616.16, 5e-06, 2760.2, 920.35),
    (1110.1, 5e-08, 0.0063178, 0.0012693),
    (1110.1, 1.3913e-07, 0.12246, 0.031981),
    (1110.1, 3.8713e-07, 1.5555, 0.37039),
    (1110.1, 1.0772e-06, 11.524, 2.8915),
    (1110.1, 2.9974e-06, 89.254, 22.407),
)


@pytest.fixture(scope="module")
def counted() -> dict[tuple[float, float], tuple[np.ndarray, np.ndarray]]:
    """Ratio to the authors' counts and its error by mass and coupling, (modes,) each."""
    found = {}
    for mass in sorted({row[0] for row in GRID}):
        point = MassPoint(1e-3 * mass, n=40_000, seed=11)
        rows = [row for row in GRID if row[0] == mass]
        with pytest.warns(CompatibilityWarning):
            counts = point.counts(LIU2024, [row[1] for row in rows])
        scale = 1e21 / liu2024_inputs.published_branching_ratio(1e-3 * mass)
        for i, (_, d, *published) in enumerate(rows):
            reference = np.array(published)
            found[mass, d] = (
                counts.value[i] * scale / reference,
                counts.error[i] * scale / reference,
            )
    return found


def long_or_prompt(mass: float, d: float) -> bool:
    """Whether N of 1 GeV comes from all of the bedrock (3 L > 284.9 m) or the detector alone."""
    length = 1e3 / mass * HBARC / (liu2024_inputs.photon_width(1e-3 * mass) * d**2) / 100.0
    return length > 95.0 or length < 0.2


# Above 1 GeV the counts differ by 15 %, at 2 GeV by factors: far above what the limit is about.
BELOW_1_GEV = [row for row in GRID if row[0] < 1000.0]


# At this one mass the authors have 6 % more antineutrinos at all couplings, not so at the masses
# next to it: their cross section, tabulated mass by mass, is the likely cause.
ANTINEUTRINOS = {616.16: 0.09}


@pytest.mark.parametrize("row", BELOW_1_GEV, ids=lambda row: f"{row[0]}-{row[1]}")
def test_event_grid(row: tuple[float, ...], counted: dict) -> None:
    # Beyond the tolerance only what the statistics of the lines allows; that of the grid, from
    # weights as uneven as these, is unknown.
    ratio, error = counted[row[0], row[1]]
    tolerance = np.full(2, 0.05 if long_or_prompt(row[0], row[1]) else 0.25)
    tolerance[1] = max(tolerance[1], ANTINEUTRINOS.get(row[0], 0.0))
    assert (np.abs(ratio - 1.0) < tolerance + 2.5 * error).all(), (ratio, error)


def test_event_grid_has_no_overall_shift(counted: dict) -> None:
    ratios = np.array([counted[row[0], row[1]][0] for row in BELOW_1_GEV])
    assert ratios.mean() == pytest.approx(1.0, abs=0.03)
    assert ratios.std() < 0.06


# Mass [MeV], coupling of the red line.
RED = (
    (20, 9.23e-7), (50, 4.08e-7), (100, 2.58e-7), (150, 2.39e-7), (200, 2.46e-7), (250, 3.75e-7),
    (300, 5.17e-7), (400, 6.48e-7), (500, 7.90e-7), (600, 9.44e-7), (700, 1.21e-6), (800, 1.56e-6),
)  # fmt: skip


def test_red_line_of_fig_4() -> None:
    masses = [1e-3 * m for m, _ in RED]
    with pytest.warns(CompatibilityWarning):
        line = limit_line("liu2024", masses, grid="10x10", n=40_000, seed=11)
    for (mass, published), found in zip(RED, line.lower, strict=True):
        assert found == pytest.approx(published, rel=0.05 if mass >= 300 else 0.25), mass


# Mass [MeV], d for 1.353 and for 2.996 events: one-dimensional estimates along the beam, with the
# same matter.
SLAB_ESTIMATE = (
    (10, 2.15e-6, 2.63e-6), (20, 1.05e-6, 1.29e-6), (50, 4.58e-7, 5.70e-7), (75, 3.44e-7, 4.42e-7),
    (100, 3.07e-7, 4.28e-7), (150, 4.30e-7, 8.63e-7), (200, 7.09e-7, 1.17e-6),
    (300, 1.84e-5, 2.74e-5), (400, 2.74e-5, 4.07e-5), (600, 5.92e-5, 8.81e-5),
)  # fmt: skip


@pytest.mark.parametrize(("column", "level"), [(1, 1.353), (2, 2.996)])
def test_physical_limit_and_slab_estimate(column: int, level: float) -> None:
    line = limit_line(SLAB, [1e-3 * row[0] for row in SLAB_ESTIMATE], level=level, seed=11)
    for row, found in zip(SLAB_ESTIMATE, line.lower, strict=True):
        # 20 % is allowed; the estimate turns out to be good to 5 %.
        assert found == pytest.approx(row[column], rel=0.05), row[0]


def test_the_bump_is_gone() -> None:
    line = limit_line("physical", [0.1, 0.5], seed=11)
    # 500 MeV at d = 1.4e-6, where MiniBooNE has its point, is far from excluded.
    assert line.lower[1] > 2e-5
    assert 5e-7 < line.lower[0] < 1e-6


# ---------------------------------------------------------------------- line integral


def line_integral(mass: float, d: float, rng: np.random.Generator) -> np.ndarray:
    """Decays per proton in the three boxes (numu, neutrino mode), (3,).

    Quadrature over energy and ln Q2; azimuth and place at random. The integral over vertices is
    done back from decay points, so neither the boxes' chords nor their closed forms are used.
    """
    flux = liu2024_inputs.fluxes()["fhc", "numu"]
    model = detector(SLAB.geometry("nd280"))
    process = DipoleUpscattering(mass, d)
    width = liu2024_inputs.total_width(mass) * d**2
    centres = np.array([[0.0, 0.0, z] for z in (-37.5, 99.0, 235.5)])
    half = np.array([85.0, 98.0, 28.15])
    energy = np.exp(np.linspace(np.log(max(mass * 1.02, 0.06)), np.log(20.0), 121))
    energy = np.sqrt(energy[1:] * energy[:-1])
    step = np.log(20.0 / max(mass * 1.02, 0.06)) / 120
    total = np.zeros(3)
    densities = np.array(
        [[m.number_densities.get(n, 0.0) for n in model.nuclides] for m in model.materials]
    )
    for k, name in enumerate(model.nuclides):
        if densities[:, k].max() * 1e-24 < 1e-9:
            continue
        for part in ("coherent", "proton", "neutron"):
            low, high = process.q2_range(energy, name, part)
            open_ = np.flatnonzero(high > low)
            if not open_.size:
                continue
            e = energy[open_]
            low, high = np.log(low[open_]), np.log(np.minimum(high[open_], 25.0))
            nodes = 20
            u = (
                low[:, None]
                + (np.arange(nodes) + rng.random((e.size, nodes))) / nodes * (high - low)[:, None]
            )
            q2, ee = np.exp(u).ravel(), np.repeat(e, nodes)
            weight = (
                process.differential(q2, ee, name, part) * q2 * np.repeat(high - low, nodes) / nodes
            )
            weight *= flux.density(ee) * ee * step
            keep = weight > 1e-7 * weight.max()
            q2, ee, weight = q2[keep], ee[keep], weight[keep]
            target = float(process._one(name, part).mass[0])
            e_n = ee - q2 / (2.0 * target)
            p_n = np.sqrt(e_n**2 - mass**2)
            cosine = (2.0 * ee * e_n - mass**2 - q2) / (2.0 * ee * p_n)
            sine, phi = np.sqrt(np.maximum(1.0 - cosine**2, 0.0)), 2 * np.pi * rng.random(q2.size)
            n = np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=1)
            lengths = p_n / mass * HBARC / width
            for b, centre in enumerate(centres):
                point = centre + half * rng.uniform(-1.0, 1.0, n.shape)
                # Back from a decay point: the integral over vertices of n exp(-s/L)/L.
                back = model.trace(point, -n, 0.0, 3.5e4)
                density = densities[back.material, k]
                length = lengths[back.line]
                chance = np.exp(-back.t_in / length) - np.exp(-back.t_out / length)
                column = np.bincount(back.line, density * chance, minlength=q2.size)
                total[b] += (weight * column).sum() * 8.0 * half.prod()
    return total


@pytest.mark.parametrize(("mass", "d"), [(0.05, 1e-6), (0.15, 6e-7), (0.4, 8e-7)])
def test_rates_are_line_integrals(mass: float, d: float) -> None:
    choice = replace(
        PHYSICAL, detector="siren", ecal="plastic", rock="siren", soil="siren", cut_on="N",
        min_cosine=-1.0, wrong_sign=False, efficiency="published",
    )  # fmt: skip
    integrals = np.array([line_integral(mass, d, np.random.default_rng(k)) for k in range(5)])
    expected, spread = integrals.mean(axis=0), integrals.sum(axis=1).std(ddof=1)
    assert spread / np.sqrt(5.0) < 0.004 * expected.sum()
    values, squares = [], []
    for seed in (12, 212):
        value, square, _ = MassPoint(mass, n=100_000, seed=seed).by_box(choice, [d])
        values.append(value[0, :, 0])
        squares.append(square[0, 0])
    scale = liu2024_inputs.branching_ratio(mass)
    scale *= float(liu2024_inputs.published_efficiency(mass))
    found = np.mean(values, axis=0) / scale
    assert np.sqrt(np.sum(squares)) / 2.0 / scale < 0.006 * found.sum()
    assert found.sum() == pytest.approx(expected.sum(), rel=0.01)
    assert found == pytest.approx(expected, rel=0.02)
