"""Scans: values of single simulations, errors as promised, interruption, one or two workers."""

from __future__ import annotations

import numpy as np
import pytest

import siren_py as sp
from siren_py import errors
from siren_py.geometry import Box
from siren_py.scan import Request, Scan, scan

MASSES = [0.05, 0.2]
COUPLINGS = np.geomspace(1e-7, 1e-4, 7)


@pytest.fixture(scope="module")
def detector():
    model = sp.DetectorModel("bench")
    model.add("iron", Box(50.0, 50.0, 20.0), sp.Material.from_element("Fe", density=7.87))
    model.add("gas", Box(50.0, 50.0, 30.0), sp.Material.from_element("Ar", density=1.7e-3),
              at=(0, 0, 26))  # fmt: skip
    model.add_region("box", Box(40.0, 40.0, 20.0), at=(0, 0, 30))
    return model


@pytest.fixture(scope="module")
def fluxes():
    return [
        sp.Flux.from_histogram(pdg=14, edges=[0.3, 2.0], values=[1e-8], name="a", mode="fhc"),
        sp.Flux.from_histogram(pdg=-14, edges=[0.3, 2.0], values=[5e-9], name="b", mode="rhc"),
    ]


def by_mode(sample):
    """Ten neutrinos' worth of events for one antineutrino's."""
    return np.array([1e20 * (sample["flux"] == 0), 1e19 * (sample["flux"] == 1)])


@pytest.fixture(scope="module")
def request_(detector, fluxes):
    def simulate(model):
        return sp.Simulation(detector, fluxes, model, decay="nu e+ e-", region="box")

    return Request(simulate, by_mode, ("nu", "nubar"))


def dipole(mass, coupling):
    return sp.DipolePortal(mass=mass, d_mu=coupling)


def test_points_are_those_of_single_simulations(request_):
    result = scan([request_], dipole, MASSES, COUPLINGS, precision=0.02)
    assert result.values.shape == (2, 7, 2)
    assert (result.total_error <= 0.025 * result.total).all()
    assert (result.effective > 50).all()
    for i, j in ((0, 0), (0, 4), (1, 2), (1, 6)):
        sample = request_.simulate(dipole(MASSES[i], COUPLINGS[j])).run(20_000, seed=5)
        for channel, (name, pot) in enumerate((("a:fhc:numu", 1e20), ("b:rhc:numubar", 1e19))):
            single = sample.by("flux")[name]
            difference = result.values[i, j, channel] - pot * single.value
            sigma = np.hypot(result.errors[i, j, channel], pot * single.error)
            assert abs(difference) < 3.8 * sigma


def test_workers_and_neighbours_do_not_matter(request_):
    both = scan([request_], dipole, MASSES, COUPLINGS, precision=0.05, workers=2)
    alone = scan([request_], dipole, MASSES[1:], COUPLINGS, precision=0.05)
    np.testing.assert_array_equal(both.values[1], alone.values[0])
    np.testing.assert_array_equal(both.errors[1], alone.errors[0])


def test_an_interrupted_scan_goes_on(request_, tmp_path):
    path = tmp_path / "scan.npz"
    options = {"precision": 0.05, "path": path, "configuration": {"what": "test"}}

    def stop(done, total):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan([request_], dipole, MASSES, COUPLINGS, progress=stop, **options)
    assert Scan.load(path).finished.tolist() == [True, False]
    calls = []

    def counted(model):
        calls.append(model.mass)
        return request_.simulate(model)

    counting = Request(counted, by_mode, ("nu", "nubar"))
    resumed = scan([counting], dipole, MASSES, COUPLINGS, **options)
    assert set(calls) == {0.2}
    whole = scan([request_], dipole, MASSES, COUPLINGS, precision=0.05)
    np.testing.assert_array_equal(resumed.values, whole.values)
    with pytest.raises(errors.ConfigError, match="another scan"):
        scan([request_], dipole, MASSES, COUPLINGS[:3], **options)
    path.write_bytes(b"garbage")
    with pytest.raises(errors.FormatError, match=r"scan\.npz"):
        scan([request_], dipole, MASSES, COUPLINGS, **options)


def test_a_mass_above_threshold_has_no_events(request_):
    result = scan([request_], dipole, [0.2, 5.0], [1e-6], precision=0.1)
    assert result.total[0, 0] > 0.0
    assert result.total[1, 0] == 0.0
    assert result.total_error[1, 0] == 0.0


def test_a_limit_on_attempts_is_told_by_the_error(request_):
    result = scan([request_], dipole, [0.2], [1e-6], precision=1e-4, max_attempts=20_000)
    assert result.attempts[0] == 2 * 16384
    assert result.total_error[0, 0] > 1e-4 * result.total[0, 0]


def test_records(request_, tmp_path):
    result = scan([request_], dipole, [0.2], COUPLINGS[:2], precision=0.1)
    events = result.to_awkward()
    assert events["mass"].tolist() == [0.2] * 4
    assert events["coupling"].tolist() == np.repeat(COUPLINGS[:2], 2).tolist()
    assert events["channel"].tolist() == ["nu", "nubar"] * 2
    table = result.to_numpy()
    np.testing.assert_array_equal(table["expected"], result.values.ravel())
    np.testing.assert_array_equal(table["error"], result.errors.ravel())
    np.testing.assert_array_equal(table["effective"], np.repeat(result.effective.ravel(), 2))
    assert set(table["attempts"]) == {int(result.attempts[0])}
    for name in table.dtype.names:
        assert events[name].tolist() == table[name].tolist()
    nu = table[table["channel"] == "nu"]
    assert nu["expected"].tolist() == result.values[0, :, 0].tolist()
    assert result.to_dict()["channels"] == ["nu", "nubar"]
    result.save(tmp_path / "a.npz")
    np.testing.assert_array_equal(Scan.load(tmp_path / "a.npz").values, result.values)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"masses": [0.2, 0.1]}, "increasing"),
        ({"couplings": [-1e-6]}, "positive"),
        ({"precision": 0.0}, "precision"),
        ({"requests": []}, "at least one"),
    ],
)
def test_what_makes_no_sense(request_, changes, text):
    options = {"requests": [request_], "masses": [0.1], "couplings": [1e-6]} | changes
    with pytest.raises(errors.ConfigError, match=text):
        scan(options["requests"], dipole, options["masses"], options["couplings"],
             precision=options.get("precision", 0.1))  # fmt: skip


def test_an_acceptance_of_the_wrong_shape(request_):
    wrong = Request(request_.simulate, lambda s: np.ones(len(s)), ("nu", "nubar"))
    with pytest.raises(errors.ConfigError, match="channels by events"):
        scan([wrong], dipole, [0.2], [1e-6])


def test_the_front_door(detector, fluxes, request_):
    sim = sp.Simulation(detector, fluxes, dipole(0.1, 1e-6), decay="nu e+ e-", region="box")
    pot = {"fhc": 1e20, "rhc": 1e19}
    result = sim.scan(MASSES, COUPLINGS, pot=pot, precision=0.02)
    assert (result.total_error <= 0.02 * result.total).all()
    assert (result.effective > 50).all()
    # Lines, and events that are reweighted.
    same = scan([request_], dipole, MASSES, COUPLINGS, precision=0.02)
    difference = result.total - same.total
    assert (abs(difference) < 3.8 * np.hypot(result.total_error, same.total_error)).all()
    # A cut needs events, also one that everything passes.
    every = sim.scan([0.2], COUPLINGS, pot=pot, precision=0.05, cut=lambda s: s["flux"] >= 0)
    events = scan([request_], dipole, [0.2], COUPLINGS, precision=0.05)
    np.testing.assert_allclose(every.total, events.total, rtol=1e-12)
    some = sim.scan([0.2], [1e-6], pot=pot, cut=lambda s: s["primary_energy"] > 1.0)
    assert 0.0 < some.total[0, 0] < result.total[1, 2]
    with pytest.raises(errors.ConfigError, match="no parameter 'U_mu2'"):
        sim.scan([0.2], [1e-6], coupling="U_mu2")


def test_nothing_accepted_is_found_out_soon(request_):
    nothing = Request(request_.simulate, lambda s: np.zeros((2, len(s))), ("nu", "nubar"))
    result = scan([nothing], dipole, [0.2], COUPLINGS)
    assert (result.total == 0.0).all()
    assert result.attempts[0] <= len(COUPLINGS) * 4 * 16384


def test_each_region_has_the_precision():
    model = sp.DipolePortal(mass=0.1, d_mu=1e-7)
    sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, decay="nu e+ e-", region="tpc")
    grid = {"masses": [0.1], "couplings": [1e-7, 1e-6], "pot": 1e21, "progress": False}
    each = sim.scan(**grid, regions=("tpc1", "tpc2", "tpc3"), precision=0.02)
    assert each.channels == ("tpc1", "tpc2", "tpc3")
    assert (each.errors <= 0.02 * each.values).all()
    together = sim.scan(**grid, precision=0.02)
    difference = each.total - together.total
    assert (abs(difference) < 4.0 * np.hypot(each.total_error, together.total_error)).all()
    assert (each.total_error < each.errors.sum(axis=2)).all()
    with pytest.raises(errors.UnknownNameError, match="tpc1"):
        sim.scan(**grid, regions=("tpc9",))
