from __future__ import annotations

import warnings
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import dblquad, quad

from siren_py import DipolePortal, Simulation
from siren_py.constants import ALPHA
from siren_py.errors import ConfigError, KinematicsError, UnknownNameError
from siren_py.experiments import liu2024, liu2024_compat, liu2024_inputs, liu2024_limits
from siren_py.experiments.liu2024 import LIU2024, PHYSICAL, STEPS, MassPoint, physical_at
from siren_py.experiments.liu2024_compat import CompatibilityWarning
from siren_py.experiments.liu2024_lines import (
    Matter,
    Window,
    boxes_on_lines,
    trace,
    upstream_of,
)
from siren_py.processes import DipoleUpscattering
from siren_py.resources import load_detector, load_script
from siren_py.sample import Sample

SCRIPT = load_script("nd280-siren")


@pytest.fixture(scope="module")
def point() -> MassPoint:
    return MassPoint(0.1, n=4000, seed=3)


# ---------------------------------------------------------------------- detector


def test_masses_and_depths_of_the_files() -> None:
    # Masses [t] and column depths [g/cm2] of SIREN's ND280-v1, computed apart from the boxes.
    model = load_detector("nd280-siren")
    masses = {name: one.value / 1e6 for name, one in model.masses().items()}
    for name, expected in (
        ("yoke", 850.0), ("coil", 26.23), ("p0d", 16.80), ("fgd1", 1.027), ("fgd2", 0.747),
        ("ecal-downstream", 6.50), ("ecal-side-1", 9.96), ("ecal-top", 15.97),
        ("p0d-ecal-top", 2.90),
    ):  # fmt: skip
        assert masses[name] == pytest.approx(expected, rel=2e-3), name
    layers = {k: v.value / 1e6 for k, v in model.mass_by_material(["p0d"]).items()}
    assert layers["lead"] == pytest.approx(3.47, rel=2e-3)
    assert layers["scintillator"] == pytest.approx(8.24, rel=2e-3)
    assert layers["water"] == pytest.approx(3.64, rel=2e-3)
    assert layers["brass"] == pytest.approx(1.45, rel=2e-3)
    assert model.column_depth([[0, 0, -1000]], [[0, 0, 260]])[0] == pytest.approx(417.0, rel=2e-3)
    rock = model.column_depth([[0, 0, -28400]], [[0, 0, -1850]])[0]
    assert rock == pytest.approx(77000.0, rel=1e-3)


def test_gas_and_regions() -> None:
    for version, gas, density in (
        ("nd280", "siren", 1.855e-3), ("nd280", "published", 1.738e-3),
        ("upgrade", "siren", 1.855), ("upgrade", "siren-v1", 1.855e-3),
    ):  # fmt: skip
        model = SCRIPT.build(version=version, gas=gas)
        where = model.region("tpc").sample(100, np.random.default_rng(1))
        volume, material = model.locate_index(where)
        assert {model.volume_names[v] for v in volume} == {f"tpc{i}-gas" for i in (1, 2, 3)}
        assert {model.materials[m].density for m in material} == {density}
        assert model.region("tpc").volume() == pytest.approx(3 * 1.70e2 * 1.96e2 * 0.563e2)
    upgrade = SCRIPT.build(version="upgrade")
    assert upgrade.region("ha-tpc").volume() == pytest.approx(2 * 159.0 * 27.0 * 171.0)


@pytest.mark.parametrize(
    ("option", "value", "changed"),
    [
        ("gas", "published", {"tpc1-gas", "tpc2-gas", "tpc3-gas"}),
        ("soil", "published", {"rock"}),
        ("rock", "published", {"rock", "hall", "pit"}),
    ],
)
def test_options_change_one_thing(option: str, value: str, changed: set[str]) -> None:
    old, new = SCRIPT.build(), SCRIPT.build(**{option: value})
    one = {n: (v.solid.volume(), [m.name for m in v.materials]) for n, v in old.volumes.items()}
    two = {n: (v.solid.volume(), [m.name for m in v.materials]) for n, v in new.volumes.items()}
    densities = {m.name: m.density for m in new.materials}
    moved = {m.name for m in old.materials if densities.get(m.name) != m.density}
    differ = {n for n in one.keys() | two.keys() if one.get(n) != two.get(n)}
    differ |= {n for n, (_, names) in one.items() if set(names) & moved}
    assert differ == changed


def test_lead_keeps_the_masses_of_the_ecals() -> None:
    old, new = SCRIPT.build().masses(), SCRIPT.build(ecal="lead")
    for name, mass in new.masses().items():
        assert mass.value == pytest.approx(old[name].value, rel=1e-9)
    filling = new.volume("ecal-side-1").material
    assert filling is not None
    assert filling.element_fractions["Pb"] == pytest.approx(0.654, abs=1e-3)


def test_bedrock_begins_after_the_dump_and_ends_at_the_pit() -> None:
    model = SCRIPT.build(rock="published")
    segments = model.trace([[0.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]], -3e4, 0.0)
    rock = np.array(segments.volume_names)[segments.volume] == "rock"
    assert segments.t_in[rock].tolist() == [-16500.0]
    assert segments.t_out[rock].tolist() == [-875.0]


def test_unknown_choices_of_the_detector() -> None:
    with pytest.raises(UnknownNameError, match="published"):
        SCRIPT.build(gas="publishd")
    with pytest.raises(UnknownNameError, match="upgrade"):
        SCRIPT.build(version="upgraded")


# ---------------------------------------------------------------------- inputs


def test_published_branching_ratio() -> None:
    # 0.692 % against the right 0.585 % at 100 MeV; the difference is a constant.
    assert liu2024_inputs.published_branching_ratio(0.1) == pytest.approx(0.00692, rel=2e-3)
    for mass in (0.1, 0.5):
        model = DipolePortal(mass=mass, d_mu=1e-6)
        # Theirs is over the width to nu gamma; below the muon pair these two are all there is.
        right = model.width("nu e+ e-") / model.width("nu gamma")
        shift = liu2024_inputs.published_branching_ratio(mass) - right
        assert shift == pytest.approx(2 * np.log(2) * ALPHA / (3 * np.pi), rel=1e-3)
    with pytest.raises(KinematicsError):
        liu2024_inputs.published_branching_ratio(1e-3)


def test_efficiencies() -> None:
    published = liu2024_inputs.published_efficiency([0.01, 0.15, 0.35, 0.475, 2.0])
    assert published == pytest.approx([0.063, 0.063, 0.105, 0.071, 0.071], rel=1e-12)
    assert liu2024_inputs.official_efficiency(0.3, "fhc") == pytest.approx(0.102)
    assert liu2024_inputs.official_efficiency(0.05, "rhc") == pytest.approx(0.08318)
    assert len(liu2024_inputs.OFFICIAL_FHC) == len(liu2024_inputs.OFFICIAL_MASSES) == 36


def test_widths() -> None:
    model = DipolePortal(mass=0.3, d_mu=1e-6)
    assert liu2024_inputs.photon_width(0.3) * 1e-12 == pytest.approx(model.width("nu gamma"))
    assert liu2024_inputs.total_width(0.3) * 1e-12 == pytest.approx(model.width())


# ---------------------------------------------------------------------- integrals on a line


def one_piece(start: float, end: float, near: float, far: float, density: float = 2.0) -> Matter:
    return Matter(
        np.array([0]), np.array([0]), np.array([density]), np.array([start]), np.array([end]),
        np.array([near]), np.array([far]), ("box",), 1,
    )  # fmt: skip


@pytest.mark.parametrize("length", [0.5, 7.0, 300.0])
@pytest.mark.parametrize(("start", "end"), [(-30.0, -10.0), (-5.0, 4.0), (1.0, 8.0), (-3.0, 10.0)])
def test_integral_over_vertices_and_decays(start: float, end: float, length: float) -> None:
    near, far = 0.0, 10.0
    expected = 0.0
    for low, high in ((start, min(end, near)), (max(start, near), min(end, far))):
        if high > low:
            expected += dblquad(
                lambda y, x: 2.0 * np.exp(-(y - x) / length) / length,
                low, high, lambda x: max(x, near), lambda x: far, epsabs=1e-13,
            )[0]  # fmt: skip
    found = one_piece(start, end, near, far).decays(np.array([length]))
    assert found[0, 0] == pytest.approx(expected, rel=1e-7, abs=1e-13)


def test_integral_for_long_and_short_decay_lengths() -> None:
    piece = one_piece(-30.0, 10.0, 0.0, 10.0)
    # Stable: each vertex sees what is left of the box, 30 x 10 + 10^2/2.
    assert piece.decays(np.array([1e12]))[0, 0] == pytest.approx(2.0 * 350.0 / 1e12, rel=1e-5)
    # Prompt: what is made in the box decays there.
    assert piece.decays(np.array([1e-6]))[0, 0] == pytest.approx(20.0, rel=1e-6)


def test_no_survival_is_the_physical_weight_without_one_factor() -> None:
    thin = one_piece(-40.0, -40.0 + 1e-9, 0.0, 10.0)
    length = np.array([4.0])
    ratio = thin.decays_without_survival(length) / thin.decays(length)
    assert ratio[0, 0] == pytest.approx(np.exp(40.0 / 4.0), rel=1e-6)


def test_limits_cut_what_lies_outside() -> None:
    piece, length = one_piece(-30.0, 8.0, 0.0, 10.0), np.array([5.0])
    limits = (np.array([-4.0]), np.array([6.0]))
    assert piece.decays(length, limits) == pytest.approx(
        one_piece(-4.0, 6.0, 0.0, 10.0).decays(length), rel=1e-12
    )
    assert piece.decays_without_survival(length, limits) == pytest.approx(
        one_piece(-4.0, 6.0, 0.0, 10.0).decays_without_survival(length), rel=1e-12
    )


def test_window_is_a_cylinder(point: MassPoint) -> None:
    lines = point.lines(as_built=False)
    window = Window(380.0, 380.0)
    lengths = np.full(len(lines), 1000.0)
    low, high = window.limits(lines, lengths)
    inside = high > low
    assert inside.mean() > 0.5
    for end in (low, high):
        at = (lines.origin + end[:, None] * lines.direction)[inside]
        radius, z = np.hypot(at[:, 0], at[:, 1]), at[:, 2]
        assert (radius <= 380.0 * (1 + 1e-9)).all()
        assert (z >= -380.0 - 3000.0 - 1e-6).all()
        assert (z <= 380.0 + 1e-6).all()
        on_face = np.isclose(z, -3380.0) | np.isclose(z, 380.0) | np.isclose(radius, 380.0)
        assert on_face.all()


def test_upstream_of_a_plane(point: MassPoint) -> None:
    lines = point.lines(as_built=False)
    _, high = upstream_of(lines, -1000.0)
    forward = np.isfinite(high)
    at = lines.origin + np.where(forward, high, 0.0)[:, None] * lines.direction
    assert at[forward, 2] == pytest.approx(-1000.0)


def test_foreign_nuclides_are_refused(point: MassPoint) -> None:
    with pytest.raises(ConfigError, match="Pb207"):
        trace(point.lines(as_built=False), load_detector("nd280"), "tpc")


# ---------------------------------------------------------------------- compatibility weights


def test_every_unphysical_weight_warns(point: MassPoint) -> None:
    lines = point.lines(as_built=False)
    matter = trace(lines, load_detector("nd280-siren"), "tpc")
    with pytest.warns(CompatibilityWarning, match="survives"):
        liu2024_compat.without_survival(matter, lines.lengths(1e-18))
    with pytest.warns(CompatibilityWarning, match="Jacobian"):
        liu2024_compat.too_forward_q2(lines)
    with pytest.warns(CompatibilityWarning, match="liu2024"):
        point.counts("liu2024", [1e-6])


def test_the_default_is_physical_and_silent(point: MassPoint) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        default = point.counts(couplings=[1e-6])
        assert default.value == pytest.approx(point.counts("physical", [1e-6]).value, rel=1e-12)
    assert liu2024.Configuration() == PHYSICAL
    assert PHYSICAL.unphysical == ()


@pytest.mark.parametrize(("target", "part"), [("Si28", "coherent"), ("Pb208", "proton")])
def test_mean_inverse_q2(target: str, part: str) -> None:
    process = DipoleUpscattering(0.1, 1.0, **liu2024_compat.CROSS_SECTIONS["darknews"])  # type: ignore[arg-type]
    for energy in (0.13, 0.6, 5.0):
        low, high = (float(x) for x in process.q2_range(energy, target, part))
        high = min(high, 4.0 if part == "coherent" else 25.0)

        def integrand(u: float, power: int, e: float) -> float:
            return float(np.exp(u * power) * process.differential(np.exp(u), e, target, part))

        ends = (np.log(low), np.log(high))
        zeroth, first = (
            quad(integrand, *ends, args=(power, energy), limit=400, epsrel=1e-9, epsabs=0.0)[0]
            for power in (0, 1)
        )
        found = liu2024_compat._mean_inverse_q2(
            process, np.array([0.12, energy, 20.0]), target, part
        )[1]
        assert found == pytest.approx(zeroth / first, rel=5e-3)


def test_forward_q2_does_not_change_totals() -> None:
    lines = MassPoint(0.1, n=40_000, seed=4).lines(as_built=False)
    factor = liu2024_compat.forward_factor(lines, "unblocked")
    # Lines are as dense as their chord in the boxes is long; with it their weights add up to a
    # total cross section.
    _, near, far = boxes_on_lines(lines, load_detector("nd280-siren"), "tpc")
    share = lines.weight * np.maximum(far - near, 0.0).sum(axis=1)
    share *= liu2024_inputs.sampling_flux().density(lines.energy)
    mine = np.array([part == "coherent" for _, part in lines.reactions])[lines.reaction]
    share, factor = share[mine], factor[mine]
    mean = (share * factor).sum() / share.sum()
    error = np.sqrt((share**2 * (factor - mean) ** 2).sum()) / share.sum()
    assert error < 0.06
    assert mean == pytest.approx(1.0, abs=4 * error)


def test_cross_sections(point: MassPoint) -> None:
    lines = point.lines(as_built=False)
    parts = np.array([part for _, part in lines.reactions])[lines.reaction]
    free = np.array([name for name, _ in lines.reactions])[lines.reaction] == "H1"
    darknews = liu2024_compat.cross_section_factor(lines, "darknews")
    physical = liu2024_compat.cross_section_factor(lines, "physical")
    unblocked = liu2024_compat.cross_section_factor(lines, "unblocked")
    assert (darknews[parts == "coherent"] == 1.0).all()
    assert (darknews[parts == "neutron"] == 0.0).all()
    assert unblocked == pytest.approx(1.0)
    assert (physical <= 1.0 + 1e-12).all()
    assert (physical[(parts == "proton") & ~free] < 0.9).any()
    assert physical[free] == pytest.approx(1.0)


# ---------------------------------------------------------------------- configurations


def test_steps_lead_from_the_published_to_the_physical_configuration() -> None:
    one = LIU2024
    for changes in STEPS.values():
        before, one = one, replace(one, **changes)  # type: ignore[arg-type]
        assert one != before
        assert len(changes) == 1
    assert replace(one, name="physical") == PHYSICAL
    named = {key for changes in STEPS.values() for key in changes}
    assert named == {f.name for f in fields(PHYSICAL)} - {"name"}


def test_what_a_configuration_refuses() -> None:
    with pytest.raises(UnknownNameError, match="darknews"):
        replace(PHYSICAL, cross_section="darknew")
    with pytest.raises(ConfigError, match="level"):
        replace(PHYSICAL, level=0.0)
    with pytest.raises(UnknownNameError, match="liu2024"):
        liu2024.configuration("liu2042")
    with pytest.raises(UnknownNameError, match="upgrade"):
        MassPoint(0.1, "nd281")
    with pytest.raises(ConfigError, match="positive"):
        MassPoint(0.1, n=100).counts(couplings=[-1e-6])


def test_single_changes_go_the_right_way(point: MassPoint) -> None:
    d = np.array([1e-6])  # at 100 MeV lengths of a few ten metres: the bedrock is far away

    def total(**changes: object) -> float:
        one = replace(LIU2024, **changes)  # type: ignore[arg-type]
        return float(point.counts(one, d, warn=False).value.sum())

    base = total()
    assert total(survival=True) < 0.8 * base
    assert total(forward_q2=False) < 0.9 * base
    assert total(min_cosine=0.992) > base
    assert total(branching_ratio="tree") / base == pytest.approx(0.00581 / 0.00692, rel=5e-3)
    assert total(wrong_sign=True) > base
    assert total(window=False) > base
    assert total(soil="published") / base == pytest.approx(2.15 / 2.9, rel=0.05)


def test_counts_are_those_of_a_simulation() -> None:
    # The same physics, vertices drawn one by one by the engine.
    choice = replace(
        PHYSICAL, detector="siren", gas="siren-v1", ecal="plastic", rock="siren", soil="siren",
        cut_on="N", min_cosine=-1.0, wrong_sign=False, efficiency="published",
    )  # fmt: skip
    mass = 0.25
    point = MassPoint(mass, n=20_000, seed=5)
    flux = liu2024_inputs.fluxes()["fhc", "numu"]
    for d in (2e-7, 2e-6):
        value, squares, _ = point.by_box(choice, [d])
        model = DipolePortal(mass=mass, d_mu=d)
        simulation = Simulation("nd280-siren", flux, model, decay="nu e+ e-", region="tpc")
        expected = simulation.run(20_000, seed=6, progress=False).expected()
        scale = float(liu2024_inputs.published_efficiency(mass))
        error = np.hypot(np.sqrt(squares[0, 0]), scale * expected.error)
        assert value[0, :, 0].sum() == pytest.approx(scale * expected.value, abs=4 * error)
        assert error < 0.03 * scale * expected.value


# ---------------------------------------------------------------------- events


def test_physical_at_another_coupling() -> None:
    def run(d: float, seed: int) -> Sample:
        model = DipolePortal(mass=0.1, d_mu=d)
        return Simulation(
            "nd280-siren", "t2k-nd280:fhc:numu", model, decay="nu e+ e-", region="tpc"
        ).run(20_000, seed=seed, progress=False)

    near, far = run(5e-7, 1), run(1e-6, 2)
    assert physical_at(near, 5e-7) == pytest.approx(near.weights, rel=1e-12)
    moved = physical_at(near, 1e-6)
    expected = far.expected()
    error = np.hypot(np.sqrt((moved**2).sum()), expected.error)
    assert moved.sum() == pytest.approx(expected.value, abs=4 * error)
    assert error < 0.05 * expected.value


def test_physical_at_wants_a_single_coupling() -> None:
    model = DipolePortal(mass=0.1, d_mu=1e-6, d_e=1e-6)
    sample = Simulation(
        "nd280-siren", "t2k-nd280:fhc:numu", model, decay="nu e+ e-", region="tpc"
    ).run(100, seed=1, progress=False)
    with pytest.raises(ConfigError, match="d_e"):
        physical_at(sample, 2e-6)


# ---------------------------------------------------------------------- limits


def test_crossings() -> None:
    d = np.geomspace(1e-8, 1e-4, 41)
    assert liu2024_limits.crossings(d, (d / 1e-6) ** 4, 1.0)[0] == pytest.approx(1e-6)
    island = np.minimum((d / 1e-7) ** 4, (1e-6 / d) ** 2)
    lower, upper = liu2024_limits.crossings(d, island, 1.0)
    assert (lower, upper) == pytest.approx((1e-7, 1e-6))
    assert np.isnan(liu2024_limits.crossings(d, island, 1e6)).all()
    assert np.isnan(liu2024_limits.crossings(d, np.zeros(41), 1.0)).all()


def test_statistic_and_backgrounds() -> None:
    assert liu2024_limits.equivalent_signal(1.353, 0.0) == 1.353
    s = np.array([0.5, 2.0, 9.0])
    b = 0.6
    log_likelihood = s - b * np.log((s + b) / b)
    assert liu2024_limits.equivalent_signal(s, b) == pytest.approx(log_likelihood)
    with pytest.raises(ConfigError, match="background"):
        liu2024_limits.equivalent_signal(s, -1.0)
    published = {t[:2]: t[3] for t in liu2024_limits.backgrounds("t2k-ii", True)[4:]}
    right = {t[:2]: t[3] for t in liu2024_limits.backgrounds("t2k-ii", False)[4:]}
    assert published["upgrade", "fhc"] == pytest.approx(6.1, rel=2e-3)
    assert published["upgrade", "rhc"] == pytest.approx(0.17, rel=0.03)
    assert right["upgrade", "rhc"] == pytest.approx(0.34, rel=0.01)
    for exposure, total in (("t2k-2019", 12.34e20), ("nd280", 19.7e20), ("t2k-ii", 1e22)):
        terms = liu2024_limits.backgrounds(exposure, True)
        assert sum(t[2] for t in terms if t[1] == "fhc") == pytest.approx(total)
    with pytest.raises(UnknownNameError, match="t2k-ii"):
        liu2024_limits.backgrounds("t2k-iii", True)


def test_counts_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    couplings = np.array([5e-7, 1e-6])
    point = MassPoint(0.1, n=300, seed=1)
    first = liu2024_limits.counts_of(point, PHYSICAL, couplings, tmp_path)
    (path,) = tmp_path.iterdir()

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("counted again")

    monkeypatch.setattr(MassPoint, "counts", fail)
    again = liu2024_limits.counts_of(point, replace(PHYSICAL, level=9.0), couplings, tmp_path)
    assert (again.value == first.value).all()
    with pytest.raises(AssertionError, match="again"):
        liu2024_limits.counts_of(point, replace(PHYSICAL, soil="siren"), couplings, tmp_path)
    path.write_text('{"key": "another"}')
    with pytest.raises(AssertionError, match="again"):
        liu2024_limits.counts_of(point, PHYSICAL, couplings, tmp_path)


def test_limit_does_not_depend_on_workers_or_interruption(tmp_path: Path) -> None:
    masses = [0.05, 0.1]
    one = liu2024_limits.limit_line(masses=masses, n=300)
    liu2024_limits.limit_line(masses=masses[:1], n=300, folder=tmp_path)
    two = liu2024_limits.limit_line(masses=masses, n=300, folder=tmp_path, workers=2)
    assert one.lower.tolist() == two.lower.tolist()
    assert "physical" in one.table()
    with pytest.raises(ConfigError, match="positive"):
        liu2024_limits.limit_line(masses=[-0.1])
    with pytest.raises(UnknownNameError, match="10x10"):
        liu2024_limits.limit_line(grid="10x11")


def test_published_grid_is_exact_at_its_points() -> None:
    nodes, couplings = liu2024_limits.GRID_MASSES, liu2024_limits.GRID_COUPLINGS
    table = np.random.default_rng(1).random((10, 10)) + 0.1
    found, _ = liu2024_limits._between(nodes, couplings, table, nodes)
    assert found == pytest.approx(table)
    middle, _ = liu2024_limits._between(nodes, couplings, table, np.sqrt(nodes[:1] * nodes[1:2]))
    assert middle[0] == pytest.approx(np.sqrt(table[0] * table[1]))
    with pytest.raises(ConfigError, match="grid goes"):
        liu2024_limits._between(nodes, couplings, table, np.array([3.0]))


def test_ladder(tmp_path: Path) -> None:
    with pytest.warns(CompatibilityWarning):
        found = liu2024_limits.ladder(
            [0.1], steps=["survival", "statistic 1.353 to 3.0"], n=1000, folder=tmp_path
        )
    assert found.steps == ("liu2024", "survival", "statistic 1.353 to 3.0")
    assert found.alone[0] == found.together[0]
    assert found.together[1] == found.alone[1] > found.alone[0]
    assert found.together[2] > found.together[1]
    assert "survival" in found.table("alone")
    with pytest.raises(UnknownNameError, match="survival"):
        liu2024_limits.ladder([0.1], steps=["survive"])
    pytest.importorskip("matplotlib")
    axes = found.plot()
    assert len(axes.lines) == 3
