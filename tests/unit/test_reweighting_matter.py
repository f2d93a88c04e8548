"""Samples reweighted to other matter in the same volumes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

import siren_py as sp
from siren_py import errors
from siren_py.geometry import Box, LayerStack, Mesh, Sphere
from siren_py.other_matter import same_place
from siren_py.processes.base import Reaction

WATER = sp.Material.from_formula("H2O", density=1.0, name="water")


def rock(density=2.2, formula="SiO2"):
    return sp.Material.from_formula(formula, density=density, name="rock")


def steel(chromium=0.2, density=7.9):
    parts = {"Fe": 1.0 - chromium, "Cr": chromium}
    return sp.Material.from_mass_fractions("steel", parts, density=density)


def detector(filling=None, metal=None, water=WATER, layers=(2.0, 3.0), region=40.0, name="bench",
             direction=(0.0, 0.0, 1.0), order=1, ball=6.0):  # fmt: skip
    model = sp.DetectorModel(name)
    filling, metal = filling or rock(), metal or steel()
    volumes = [
        lambda: model.add("rock", Box(60.0, 60.0, 400.0), filling, at=(0, 0, -300)),
        lambda: model.add_stack(
            "stack", LayerStack(50.0, 50.0, list(zip(layers, (metal, water), strict=True)), 4)
        ),
        lambda: model.add("ball", Sphere(ball), metal, at=(5.0, 0.0, -40.0)),
    ]
    for add in volumes[::order]:
        add()
    model.add_region("box", Box(40.0, 40.0, region), at=(0, 0, 35))
    model.set_beam(direction, distance=1e5)
    return model


def flux(values=(1e-8, 1e-8)):
    return sp.Flux.from_histogram(pdg=14, edges=[0.3, 1.0, 2.0], values=values, name="a")


def run(where=None, seed=1, n=20_000, d=3e-6, spectrum=None, **options):
    model = sp.DipolePortal(mass=0.2, d_mu=d)
    options = {"decay": "nu e+ e-", "region": "box"} | options
    return sp.Simulation(
        where or detector(), spectrum or flux(), options.pop("model", model), **options
    ).run(n, seed=seed)


@pytest.fixture(scope="module")
def sample():
    return run()


def agree(first, second, sigma=3.0):
    (a, e), (b, f) = first.expected(), second.expected()
    assert abs(a - b) < sigma * np.hypot(e, f), (a, e, b, f)


def test_each_weight_changes_by_the_density_of_its_target(sample):
    other = sample.reweight(detector=detector(rock(2.75), steel(0.1, 8.0)))
    target, material = sample.names("target"), sample.names("material")
    silicate = material == "rock"
    iron = np.char.startswith(target.astype(str), "Fe") & (material == "steel")
    chromium = np.char.startswith(target.astype(str), "Cr") & (material == "steel")
    water = material == "water"
    assert min(silicate.sum(), iron.sum(), chromium.sum(), water.sum()) > 50
    ratio = other.weights / sample.weights
    np.testing.assert_allclose(ratio[silicate], 2.75 / 2.2, rtol=1e-12)
    np.testing.assert_allclose(ratio[iron], 0.9 * 8.0 / (0.8 * 7.9), rtol=1e-12)
    np.testing.assert_allclose(ratio[chromium], 0.1 * 8.0 / (0.2 * 7.9), rtol=1e-12)
    np.testing.assert_allclose(ratio[water], 1.0, rtol=1e-12)
    np.testing.assert_array_equal(other["factor_line"], sample["factor_line"])
    np.testing.assert_array_equal(other["decay_length"], sample["decay_length"])


@pytest.mark.parametrize("proposal", ["aimed", "forward"])
def test_the_expectation_is_that_of_the_other_detector(proposal):
    other = detector(rock(3.0), steel(0.02, 7.0))
    first = run(proposal=proposal).reweight(detector=other)
    second = run(other, seed=2, proposal=proposal)
    agree(first, second)
    before, after = first.by("material"), second.by("material")
    assert set(before) == set(after)
    for name, estimate in before.items():
        error = np.hypot(estimate.error, after[name].error)
        assert abs(estimate.value - after[name].value) < 3.5 * error, name


def test_matter_may_be_exchanged_between_volumes():
    """Rock and water both hold oxygen, steel and the other materials share nothing."""
    mixture = sp.Material.from_mass_fractions(
        "mixture", {"O": 0.5, "Si": 0.3, "H": 0.05, "Fe": 0.1, "Cr": 0.05}, density=3.0
    )
    everywhere = run(detector(mixture, mixture, mixture))
    other = detector()
    agree(everywhere.reweight(detector=other), run(other, seed=2))
    there = everywhere.reweight(detector=other)
    assert set(there.by("material")) == {"rock", "steel", "water"}
    assert (there.weights == 0.0).any()  # silicon in what is steel now


def test_all_changes_at_once_are_those_one_after_another(sample):
    other, spectrum = detector(rock(2.6)), flux((2e-8, 5e-9))
    both = sample.reweight(detector=other, d_mu=4e-6, flux=spectrum)
    steps = sample.reweight(flux=spectrum).reweight(d_mu=4e-6).reweight(detector=other)
    np.testing.assert_allclose(both.weights, steps.weights, rtol=1e-12)
    agree(both, run(other, seed=2, d=4e-6, spectrum=spectrum))
    back = both.reweight(detector=detector(), d_mu=3e-6, flux=flux())
    np.testing.assert_allclose(back.weights, sample.weights, rtol=1e-12)


def test_what_it_says_of_itself(sample):
    silt = sp.Material.from_formula("SiO2", density=1.8, name="silt")
    other = sample.reweight(detector=detector(silt, name="silted"))
    assert other.provenance["configuration"]["detector"]["name"] == "silted"
    assert other.provenance["generated_with"]["detector"]["name"] == "bench"
    assert "silt" in other.by("material")
    assert "rock" not in other.by("material")
    number = int(np.flatnonzero(other.names("material") == "silt")[0])
    explanation = other.explain(number)
    assert "silt" in explanation.facts["target"]
    product = np.prod([value for value, _, _ in explanation.factors.values()])
    assert product / other.n_attempts == pytest.approx(other.weights[number], rel=1e-12)
    assert explanation.factors["factor_matter"][0] == pytest.approx(
        sample.explain(number).factors["factor_matter"][0] * 1.8 / 2.2, rel=1e-12
    )
    cut = other.select(lambda s: s["primary_energy"] > 1.0)
    assert cut.detector is other.detector


def test_samples_driven_by_nets_stay_so():
    sim = sp.Simulation(
        detector(), flux(), sp.DipolePortal(mass=0.2, d_mu=3e-6), decay="nu e+ e-", region="box"
    )
    sobol = sim.run(4 * 16384, seed=1, driving="sobol").reweight(detector=detector(rock(3.0)))
    assert sobol.replicas is not None
    agree(sobol, run(detector(rock(3.0)), seed=2))


def test_a_sample_from_a_file_finds_the_script_of_its_detector(tmp_path, sample):
    built = sp.load_detector("nd280")
    sim = sp.Simulation(
        built, "t2k-nd280:fhc:numu", sp.DipolePortal(mass=0.1, d_mu=1e-6), region="tpc"
    )
    sim.run(500, seed=1, output=tmp_path / "a.root")
    read = sp.read_root(tmp_path / "a.root")
    same = read.reweight(detector="nd280")
    np.testing.assert_allclose(same.weights, read.weights, rtol=1e-12)
    sample.to_root(tmp_path / "b.root")
    with pytest.raises(errors.ConfigError, match="does not hold its detector"):
        sp.read_root(tmp_path / "b.root").reweight(detector=detector())


# ---------------------------------------------------------------- what is refused


def refused(sample, words, **changes):
    with pytest.raises(errors.ConfigError, match=words):
        sample.reweight(detector=detector(**changes))


def test_a_target_that_is_new(sample):
    refused(sample, "rock.*Ca40", filling=rock(formula="CaCO3"))
    refused(sample, "stack.*O16", metal=WATER)


def test_targets_without_a_reaction_may_be_new(toy):
    class OnSilicon(toy.Straight):
        def reactions(self, nuclides):
            return [Reaction(name, "all") for name in nuclides if name == "Si28"]

    sample = run(model=toy.Model(50.0, OnSilicon()), decay="nu gamma", n=2000)
    glass = sp.Material.from_mass_fractions("glass", {"Si": 0.3, "Ca": 0.7}, density=2.5)
    ratio = sample.reweight(detector=detector(glass)).weights / sample.weights
    silicate = sample.lookup["materials"].index("rock")
    share = glass.mass_fractions["Si28"] * 2.5 / (rock().mass_fractions["Si28"] * 2.2)
    np.testing.assert_allclose(ratio[sample["material"] == silicate], share, rtol=1e-6)


def test_other_shapes_and_places(sample):
    refused(sample, "ball.*shape or place", ball=9.0)
    refused(sample, "stack", layers=(3.0, 2.0))
    refused(sample, "region", region=42.0)
    refused(sample, "direction", direction=(0.1, 0.0, 1.0))
    refused(sample, "their order", order=-1)
    more = detector()
    more.add("extra", Box(1.0, 1.0, 1.0), WATER, at=(0, 0, 100.0))
    with pytest.raises(errors.ConfigError, match="extra"):
        sample.reweight(detector=more)


def test_layers_of_a_stack_may_move_where_all_hold_the_same_targets():
    thin = steel(0.1)
    thick = sp.Material.from_mass_fractions("alloy", {"Fe": 0.5, "Cr": 0.5}, density=7.0)
    sample = run(detector(metal=thin, water=thick), n=5_000)
    other = sample.reweight(detector=detector(metal=thin, water=thick, layers=(3.0, 2.0)))
    agree(other, run(detector(metal=thin, water=thick, layers=(3.0, 2.0)), seed=2))


def test_combined_samples_have_no_detector(sample):
    both = sp.combine([sample, run(seed=2)])
    with pytest.raises(errors.ConfigError, match="does not hold its detector"):
        both.reweight(detector=detector())


def test_a_volume_that_grows_into_vacuum_is_refused(sample):
    """No vertex could tell: there are none in the vacuum."""
    assert (sample.reweight(detector=detector(ball=6.0)).weights == sample.weights).all()
    refused(sample, "ball", ball=6.0 + 1e-6)


def test_solids_without_numbers_are_compared_by_their_points():
    def placed(*extents):
        mesh = Mesh(trimesh.creation.box(extents))
        model = sp.DetectorModel("m")
        model.add("m", mesh, WATER)
        return model.placed()[0]

    assert same_place(placed(1.0, 2.0, 3.0), placed(1.0, 2.0, 3.0))
    assert not same_place(placed(1.0, 2.0, 3.0), placed(1.0, 2.0, 3.1))


def test_a_vertex_that_is_elsewhere_is_refused(sample):
    """The shapes of its volumes agree, but the vertices of the file do not."""
    moved = sample.select(lambda s: s["primary_energy"] > 0.0)
    table = next(moved.tables())
    table.vertices["x"][0] += 1e3
    with pytest.raises(errors.ConfigError, match="vacuum"):
        moved.reweight(detector=detector())
    table.vertices["x"][0] -= 1e3


def test_particles_that_may_interact_on_their_way_out_are_refused(toy):
    class Converting(toy.Model):
        followed = (22,)

        def interactions(self, pdg):
            return super().interactions(14 if pdg == 22 else pdg)

    sample = run(model=Converting(50.0), decay="nu gamma", n=500)
    with pytest.raises(errors.ConfigError, match="interact with matter after"):
        sample.reweight(detector=detector(rock(2.5)))


def test_what_arrives_does_not_care_for_matter():
    spectrum = sp.Flux.from_histogram(
        pdg=5914, edges=[0.3, 2.0], values=[1e-8], name="N", any_pdg=True
    )
    sample = run(spectrum=spectrum, d=1e-6, n=500)
    other = sample.reweight(detector=detector(rock(formula="CaCO3")))
    np.testing.assert_array_equal(other.weights, sample.weights)
    assert (other["material"] == -1).all()
