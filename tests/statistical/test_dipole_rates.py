"""Rates of dipole production and decay in ND280 against an integration that is done here.

R = sum over targets of  integral dE flux  integral dQ2 dsigma/dQ2  integral dphi/(2 pi)
    integral over the region d3y  integral ds exp(-s/L)/L n(y - s u),

with u the direction of N. The inner integral is exact from `DetectorModel.trace`; the others are
done with Sobol points on a grid that adapts itself to the integrand in every variable (Lepage,
J. Comput. Phys. 27, 192 (1978)). The cross section, its limits and the decay length are those of
the package; nothing of `siren_py.injection` is used.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import qmc

import siren_py as sp
from siren_py.nuclei import nuclide
from siren_py.processes import DipoleUpscattering

PROTON, NEUTRON = 0.93827208943, 0.93956542194
BINS = 160
NODES = 16


class LineIntegral:
    """Rate per POT in one box of a region.

    Parameters
    ----------
    detector, flux, model, channel
        As for a simulation; the flux is a histogram.
    leaf
        Name of a region that is one box along the axes.
    """

    def __init__(self, detector, flux, model, channel, leaf):
        self.detector, self.flux, self.model = detector, flux, model
        (d,) = {model.d_mu}
        self.process = DipoleUpscattering(model.mass, d)
        self.channel = channel
        self.low, self.high = detector.region(leaf).bounds()
        assert np.prod(self.high - self.low) == pytest.approx(detector.region(leaf).volume())
        self.beam = np.array(detector.beam.direction)
        side = np.cross(self.beam, [1.0, 0.0, 0.0])
        self.side = side / np.linalg.norm(side)
        self.up = np.cross(self.beam, self.side)
        self.reactions = self.process.reactions(detector.nuclides)
        self.masses = [
            {"coherent": nuclide(r.nuclide).mass, "proton": PROTON, "neutron": NEUTRON}[r.part]
            for r in self.reactions
        ]
        self.numbers = np.array(
            [
                [m.number_densities.get(r.nuclide, 0.0) for m in detector.materials]
                for r in self.reactions
            ]
        )

    def integrand(self, x, reaction):
        """Value at points x of the unit cube (n, 6), for reactions (n,): without 1/probability."""
        edges = np.asarray(self.flux.edges)
        mass = self.flux.values * np.diff(edges)
        cumulative = np.concatenate([[0.0], np.cumsum(mass)])
        goal = x[:, 0] * cumulative[-1]
        energy = np.interp(goal, cumulative, edges)
        value = np.zeros(len(x))
        direction = np.tile(self.beam, (len(x), 1))
        momentum = np.zeros(len(x))
        m = self.model.mass
        for r in np.unique(reaction):
            target = self.masses[r]
            mine = np.flatnonzero(
                (reaction == r) & (energy > (m + m * m / (2.0 * target)) * (1.0 + 1e-12))
            )
            if not mine.size:
                continue
            e = energy[mine]
            name, part = self.reactions[r]
            first, last = self.process.q2_range(e, name, part)
            # Beyond (2 GeV)^2 coherent, (5 GeV)^2 nucleon form factors are cut off.
            last = np.minimum(last, 4.0 if part == "coherent" else 25.0)
            ok = last > first
            mine, e, first, last = mine[ok], e[ok], first[ok], last[ok]
            q2, cross = self.scatter(x[mine, 1], e, first, last, name, part)
            out = e - q2 / (2.0 * target)  # energy of N: the recoil takes Q2/2M
            p = np.sqrt(np.maximum(out**2 - m**2, 0.0))
            cosine = np.clip((2.0 * e * out - m**2 - q2) / (2.0 * e * p), -1.0, 1.0)
            sine = np.sqrt(1.0 - cosine**2)
            phi = 2.0 * np.pi * x[mine, 2]
            direction[mine] = (
                cosine[:, None] * self.beam
                + (sine * np.cos(phi))[:, None] * self.side
                + (sine * np.sin(phi))[:, None] * self.up
            )
            value[mine] = cross
            momentum[mine] = p
        live = np.flatnonzero(value > 0.0)
        direction = direction[live]
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        length = self.model.decay_length(np.sqrt(momentum[live] ** 2 + m**2))
        points = self.low + x[live, 3:6] * (self.high - self.low)
        columns = np.zeros(live.size)
        for rows in np.array_split(np.arange(live.size), max(1, live.size // 8192)):
            trace = self.detector.trace(points[rows], direction[rows], t_max=0.0)
            line = trace.line
            size = length[rows][line]
            part = np.exp(trace.t_out / size) * -np.expm1(-(trace.t_out - trace.t_in) / size)
            part *= self.numbers[reaction[live[rows]][line], trace.material]
            columns[rows] = np.bincount(line, part, minlength=rows.size)
        result = np.zeros(len(x))
        result[live] = value[live] * columns
        return (
            result
            * cumulative[-1]
            * np.prod(self.high - self.low)
            * self.model.branching_ratio(self.channel)
        )

    def scatter(self, u, energy, first, last, name, part):
        """Q2 at the quantile u of a table made for each energy, and dsigma over its density."""
        log_range = np.log(last / first)[:, None]
        nodes = np.linspace(0.0, 1.0, NODES + 1)
        middle = first[:, None] * np.exp(0.5 * (nodes[1:] + nodes[:-1]) * log_range)
        height = self.process.differential(middle, energy[:, None], name, part) * middle
        height += 1e-3 * height.mean(axis=1, keepdims=True)
        cumulative = np.cumsum(height, axis=1) / height.sum(axis=1, keepdims=True)
        bin_ = np.minimum((cumulative <= u[:, None]).sum(axis=1), NODES - 1)
        rows = np.arange(u.size)
        share = height[rows, bin_] / height.sum(axis=1)
        below = cumulative[rows, bin_] - share
        where = (bin_ + (u - below) / share) / NODES
        q2 = first * np.exp(np.clip(where, 0.0, 1.0) * log_range[:, 0])
        density = share * NODES / (q2 * log_range[:, 0])
        return q2, self.process.differential(q2, energy, name, part) / density

    def start(self):
        """A first guess of the probability of each reaction, uniform grids."""
        edges, values = np.asarray(self.flux.edges), np.asarray(self.flux.values)
        energy = np.geomspace(0.3, edges[-1], 16)
        spectrum = np.interp(energy, 0.5 * (edges[1:] + edges[:-1]), values) * energy
        sigma = np.array([spectrum @ self.process.total(energy, *r) for r in self.reactions])
        u = qmc.Sobol(5, rng=np.random.default_rng(0)).random_base2(12)
        points = self.low + u[:, :3] * (self.high - self.low)
        # Half of the lines straight on, half at all angles that occur.
        angle, phi = np.maximum(2.0 * u[:, 3] - 1.0, 0.0) * 1.3, 2.0 * np.pi * u[:, 4]
        direction = (
            np.cos(angle)[:, None] * self.beam
            + (np.sin(angle) * np.cos(phi))[:, None] * self.side
            + (np.sin(angle) * np.sin(phi))[:, None] * self.up
        )
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        trace = self.detector.trace(points, direction, t_max=0.0)
        size = float(self.model.decay_length(max(2.0 * self.model.mass, 1.0)))
        part = np.exp(trace.t_out / size) * -np.expm1(-(trace.t_out - trace.t_in) / size)
        near = np.bincount(trace.material, part, minlength=len(self.detector.materials))
        weight = sigma * (self.numbers @ (near + 1e-2 * near.sum() / near.size))
        return weight / weight.sum(), np.tile(np.linspace(0.0, 1.0, BINS + 1), (6, 1))

    def evaluate(self, u, probability, grid):
        """Integrand over density at points u (n, 7) of the unit cube; bins and reactions."""
        cumulative = np.cumsum(probability)
        reaction = np.searchsorted(cumulative / cumulative[-1], u[:, 6], side="right")
        reaction = np.minimum(reaction, probability.size - 1)
        scaled = np.minimum(u[:, :6] * BINS, BINS * (1.0 - 1e-15))
        index = scaled.astype(int)
        columns = np.arange(6)
        left, right = grid[columns, index], grid[columns, index + 1]
        x = left + (scaled - index) * (right - left)
        density = probability[reaction] / np.prod((right - left) * BINS, axis=1)
        return self.integrand(x, reaction) * (1.0 / density), index, reaction

    def rate(self, log2_points=14, replicas=8, rounds=5, seed=1):
        """Return the rate per POT and its error from independent scramblings."""
        first, grid = self.start()
        probability = first.copy()
        for k in range(rounds):
            u = qmc.Sobol(7, rng=np.random.default_rng([seed, k])).random_base2(log2_points - 1)
            value, index, reaction = self.evaluate(u, probability, grid)
            size = np.sqrt(np.bincount(reaction, value**2, minlength=probability.size))
            count = np.maximum(np.bincount(reaction, minlength=probability.size), 1)
            wanted = size / np.sqrt(count) * probability
            # A reaction that was never drawn must keep its chance: it is not there for nothing.
            probability = 0.6 * wanted / wanted.sum() + 0.4 * first
            for axis in range(6):
                share = np.sqrt(np.bincount(index[:, axis], value**2, minlength=BINS))
                share = np.convolve(share, [0.2, 0.6, 0.2], mode="same")
                share = share / share.sum() + 0.15 / BINS
                steps = np.concatenate([[0.0], np.cumsum(share)])
                grid[axis] = np.interp(
                    np.linspace(0.0, steps[-1], BINS + 1), steps, grid[axis].copy()
                )
        means = []
        for k in range(replicas):
            sobol = qmc.Sobol(7, rng=np.random.default_rng([seed, 1000 + k]))
            means.append(
                self.evaluate(sobol.random_base2(log2_points), probability, grid)[0].mean()
            )
        return float(np.mean(means)), float(np.std(means, ddof=1) / np.sqrt(replicas))


DETECTORS = {
    "nd280": {
        "tpc1": ["tpc1"], "tpc2": ["tpc2"], "tpc3": ["tpc3"], "tpc": ["tpc1", "tpc2", "tpc3"],
        "fgd1": ["fgd1"], "fgd2": ["fgd2"], "p0d": ["p0d"],
    },
    "nd280-upgrade": {
        "tpc": ["tpc1", "tpc2", "tpc3"], "ha-tpc": ["ha-tpc1", "ha-tpc2"],
        "superfgd": ["superfgd"],
    },
}  # fmt: skip

POINTS = {
    "prompt": {"mass": 0.5, "d_mu": 3e-6},
    "middle": {"mass": 0.25, "d_mu": 3e-7},
    "long": {"mass": 0.1, "d_mu": 3.87e-8},
}
"""Decay lengths at 1 GeV: 4 mm, 7 m and 16 km."""


@cache
def detector_of(name):
    return sp.load_detector(name)


@cache
def flux_of():
    return sp.load_flux("t2k-nd280", mode="fhc", flavor="numu")


EFFORT = {"prompt": (15, 6), "middle": (14, 6), "long": (13, 4)}
"""Sobol points (a power of 2) and scramblings: thin plates need more at short decay lengths."""


@cache
def leaf_rate(detector, leaf, point):
    model = sp.DipolePortal(**POINTS[point])
    integral = LineIntegral(detector_of(detector), flux_of(), model, "nu e+ e-", leaf)
    log2_points, replicas = EFFORT[point]
    return integral.rate(log2_points, replicas)


def region_rate(detector, region, point):
    """Rate and error of a region: the sum over its boxes, which do not overlap."""
    rates = [leaf_rate(detector, leaf, point) for leaf in DETECTORS[detector][region]]
    return sum(v for v, _ in rates), float(np.sqrt(sum(e**2 for _, e in rates)))


QUICK = [("nd280", "tpc", "long"), ("nd280", "fgd1", "middle"), ("nd280", "tpc1", "prompt")]
ALL = [(d, region, point) for d in DETECTORS for region in DETECTORS[d] for point in POINTS]


def check(detector, region, point):
    expected, error = region_rate(detector, region, point)
    assert error < 0.005 * expected
    simulation = sp.Simulation(
        detector_of(detector),
        flux_of(),
        sp.DipolePortal(**POINTS[point]),
        decay="nu e+ e-",
        region=region,
    )
    n = 250_000 if point == "prompt" else 100_000
    estimate = simulation.run(n, seed=4, workers=2).expected()
    assert estimate.error < 0.004 * expected
    assert estimate.value == pytest.approx(expected, rel=0.01)
    # A handful of scramblings tells the error of the integral only roughly.
    error = max(error, 1e-3 * expected)
    assert abs(estimate.value - expected) < 3.0 * np.hypot(estimate.error, error)


@pytest.mark.parametrize(("detector", "region", "point"), QUICK)
def test_rate_is_the_line_integral(detector, region, point):
    check(detector, region, point)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("detector", "region", "point"), [case for case in ALL if case not in QUICK]
)
def test_rate_is_the_line_integral_everywhere(detector, region, point):
    check(detector, region, point)
