"""Ways to draw events that differ in variance only: same expectation, honest errors."""

from __future__ import annotations

import numpy as np
import pytest

import siren_py as sp
from siren_py.geometry import Box, Cylinder
from siren_py.injection.placement import AimedPlacement, ForwardPlacement
from siren_py.injection.rays import ParallelRays
from siren_py.simulation import CHUNK_SIZE
from siren_py.weighting import Sums, product_of_factors


def detector():
    model = sp.DetectorModel("bench")
    model.add("rock", Box(100.0, 100.0, 300.0), sp.Material.from_formula("SiO2", density=2.2),
              at=(0, 0, -200))  # fmt: skip
    model.add("iron", Box(80.0, 80.0, 20.0), sp.Material.from_element("Fe", density=7.87))
    model.add("plate", Box(60.0, 60.0, 0.1), sp.Material.from_element("Pb", density=11.35),
              at=(0, 0, 60))  # fmt: skip
    model.add_region("box", Box(60.0, 60.0, 40.0), at=(0, 0, 60))
    model.add_region("can", Cylinder(radius=25.0, length=30.0), at=(5.0, 0, 70))
    model.add_region("both", ["box", "can"])
    return model


def simulation(region="both", d=3e-6, **options):
    flux = sp.Flux.from_histogram(pdg=14, edges=[0.3, 1.0, 2.0], values=[1e-8, 5e-9], name="a")
    return sp.Simulation(
        detector(), flux, sp.DipolePortal(mass=0.2, d_mu=d), decay="nu e+ e-", region=region,
        **options,
    )  # fmt: skip


def even(injector):
    """Take the importance of energy and target away: flux times cross section times density."""
    density = injector.matter.density.mean(axis=1)
    injector.energy = injector._energy_proposal(
        lambda nuclide, angles, length: np.broadcast_arrays(density[nuclide], length)[0],
        injector.bare_rates(),
    )


def without(step, d):
    """Return an injector that lacks what `step` says."""
    aimed = step.startswith("aimed")
    injector = simulation(d=d, proposal="aimed" if aimed else "forward").injector
    where, beam = injector.detector, np.array([0.0, 0.0, 1.0])
    if "energy" in step:
        even(injector)
    if "vertex" in step:
        rays = ParallelRays(where, "both", beam)
        injector._placer = ForwardPlacement(where, "both", injector.matter, rays, importance=False)
    if "volumes" in step:
        injector._placer = AimedPlacement(where, "both", injector.matter, beam)
    return injector.driven("sobol" if "sobol" in step else "random")


def rate(injector, chunks):
    sums = Sums(np.array([chunks * CHUNK_SIZE]))
    for number in range(chunks):
        weights = product_of_factors(injector.chunk(11, number, CHUNK_SIZE, 0))
        sums.add(weights / (chunks * CHUNK_SIZE))
    return sums.estimate()


STEPS = (
    "forward without energy and vertex",
    "forward without vertex",
    "forward without energy",
    "forward",
    "aimed without energy and volumes",
    "aimed without volumes",
    "aimed without energy",
    "aimed sobol",
)


@pytest.mark.parametrize("d", [6e-7, 3e-6])
@pytest.mark.parametrize("step", STEPS)
def test_no_step_changes_the_expectation(step, d):
    """Within 3.5 standard errors; 16 comparisons with fixed seeds.

    The decay lengths (0.17 m and 4.3 m at 1 GeV) are such that no step lives on a few rare events.
    """
    value, error = rate(without(step, d), 4)
    expected = simulation(d=d).run(8 * CHUNK_SIZE, seed=2).expected()
    assert error < 0.05 * value
    assert abs(value - expected.value) < 3.5 * np.hypot(error, expected.error)


def test_importance_and_aiming_are_worth_it():
    """What each step is there for, in relative error per attempt."""
    found = {step: rate(without(step, 3e-6), 2) for step in (*STEPS[:6], "aimed")}
    relative = {step: e.error / e.value for step, e in found.items()}
    assert relative["forward"] < relative["forward without vertex"]
    assert relative["aimed"] < 0.5 * relative["aimed without energy and volumes"]
    assert relative["aimed"] < 0.5 * relative["forward"]


@pytest.mark.slow
@pytest.mark.parametrize("count", [4, 8])
def test_errors_from_nets_hold_what_they_say(count):
    """Of many short runs 68.3 % lie within their error of the mean of all, within 3 sigma."""
    chunks = 256
    sim = simulation("box")
    runs = [
        sim.run(chunks * CHUNK_SIZE, seed=5, driving="sobol", chunks=(first, first + count))
        for first in range(0, chunks, count)
    ]
    cuts = (None, lambda s: s["primary_energy"] > 0.9, lambda s: s.names("material") == "Pb")
    for cut in cuts:
        estimates = [r.expected(cut=cut) for r in runs]
        value = np.array([e.value for e in estimates])
        error = np.array([e.error for e in estimates])
        # The run is a part of the mean: its distance is smaller by sqrt(1 - 1/n).
        distance = np.abs(value - value.mean()) / np.sqrt(1.0 - 1.0 / value.size)
        inside = np.mean(distance < error)
        assert abs(inside - 0.6827) < 3.0 * np.sqrt(0.6827 * 0.3173 / value.size)


@pytest.mark.slow
def test_nets_and_random_numbers_agree_at_high_precision():
    """A hundred chunks each: within 3 standard errors, those of the nets being smaller."""
    n = 100 * CHUNK_SIZE
    sim = simulation()
    random, sobol = (sim.run(n, seed=8, driving=name) for name in ("random", "sobol"))
    for cut in (None, lambda s: s["primary_energy"] > 0.9):
        (a, e), (b, f) = random.expected(cut=cut), sobol.expected(cut=cut)
        assert abs(a - b) < 3.0 * np.hypot(e, f)
        assert f < e
    names = set(random.by("material"))
    for name in names:
        (a, e), (b, f) = random.by("material")[name], sobol.by("material")[name]
        assert abs(a - b) < 3.5 * np.hypot(e, f), name
