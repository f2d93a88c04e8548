"""Cross-sections show what is there, where it is; all plots have units and leave settings alone."""

from __future__ import annotations

import re
import sys
import types

import numpy as np
import pytest

import siren_py as sp
from siren_py._optional import MissingDependencyError, import_optional
from siren_py.appearance import core_box, families, material_colours, site_volumes
from siren_py.errors import ConfigError, UnknownNameError
from siren_py.geometry import Box, Cylinder, LayerStack, Sphere
from siren_py.material_library import AIR, ALUMINIUM, LEAD, SCINTILLATOR, WATER
from siren_py.plot import plot_style
from siren_py.plot.models import maths, widths_of
from siren_py.plot.style import pyplot_in_use, symbol
from siren_py.plot.variables import DERIVED
from siren_py.slices import slice_values


@pytest.fixture
def detector():
    model = sp.DetectorModel("toy")
    model.add("hall", Box(5000, 5000, 5000), AIR)
    model.add("tank", Cylinder(100, 400), WATER)
    model.add("frame", Box(20, 20, 20), ALUMINIUM.with_density(1.0), at=(50, 0, 0))
    model.add_stack("calo", LayerStack(200, 200, [(1, LEAD), (3, SCINTILLATOR)], repeat=5),
                    at=(0, 0, 300))  # fmt: skip
    model.add_region("fiducial", Cylinder(80, 380))
    model.add_region("ball", Sphere(60), at=(0, 0, 60))
    return model


def test_a_slice_integrates_to_the_exact_areas(detector):
    names = detector.material_names
    shares = np.eye(len(names) + 1)
    image, volume = slice_values(detector, "x", 0.0, (-400, 400, -200, 200), (200, 400), shares)
    assert image.sum(axis=2) == pytest.approx(1.0)
    cell = 2.0 * 2.0
    area = dict(zip(names, image[..., :-1].sum(axis=(0, 1)) * cell, strict=True))
    assert area["water"] == pytest.approx(200 * 400, rel=1e-3)
    assert area["lead"] == pytest.approx(5 * 1 * 200, rel=1e-3)
    assert area["polystyrene scintillator"] == pytest.approx(5 * 3 * 200, rel=1e-3)
    assert set(np.unique(volume)) == {0, 1, 3}
    # Row and column: y and z, from below and from upstream.
    assert volume[100, 200] == 1
    assert volume[100, 350] == 3
    assert volume[10, 350] == 0


def test_vacuum_is_the_last_value():
    model = sp.DetectorModel("toy")
    model.add("box", Box(10, 10, 10), LEAD)
    image, volume = slice_values(
        model, "z", 0.0, (-10, 10, -10, 10), (20, 20), np.array([[1.0], [0.25]])
    )
    assert image[0, 0, 0] == 0.25
    assert image[10, 10, 0] == 1.0
    assert (volume == -1).sum() == 300


def test_colours(detector):
    colours = material_colours(detector)
    assert len(set(colours.values())) == len(colours)
    luminance = [
        sum(w * int(f.colour[i : i + 2], 16) for w, i in ((0.3, 1), (0.59, 3), (0.11, 5)))
        for f in families(detector)
    ]
    assert luminance[0] > 230  # air
    assert luminance[-1] < 60  # lead
    detector.add("b", Box(1, 1, 1), sp.Material.from_element("Al", density=2.0, name="Al 2"))
    assert ("aluminium", "Al 2") in [f.materials for f in families(detector)]


def test_more_materials_than_colours():
    model = sp.DetectorModel("toy")
    for k in range(40):
        fractions = {"Fe": 0.01 * (k + 1), "Pb": 1 - 0.01 * (k + 1)}
        model.add(f"b{k}", Box(1, 1, 1), sp.Material(f"m{k}", fractions, 9.0), at=(2 * k, 0, 0))
    assert len(material_colours(model)) == 40
    assert all(c.startswith("#") and len(c) == 7 for c in material_colours(model).values())


def test_the_surroundings_are_left_out(detector):
    assert site_volumes(detector) == {"hall"}
    lo, hi = core_box(detector, margin=0.0)
    assert lo == pytest.approx([-100, -100, -200])
    assert hi == pytest.approx([100, 100, 310])


@pytest.mark.parametrize("by", ["material", "density"])
@pytest.mark.parametrize("axes", ["x", "xz", "xzy"])
def test_figures(detector, tmp_path, by, axes):
    pytest.importorskip("matplotlib")
    figure = detector.draw(by=by, axes=axes, pixels=200)
    assert len(figure.axes) >= len(axes) + 1
    side = figure.axes[0]
    assert (side.get_xlabel(), side.get_ylabel()) == ("z [m]", "y [m]")
    assert side.get_title().startswith("x = ")
    assert side.get_aspect() == 1.0
    assert {text.get_text() for text in side.texts} == {"fiducial", "ball"}
    # One scale in all panels: inches per metre.
    scales = []
    for ax in figure.axes[: len(axes)]:
        width = ax.get_position().width * figure.get_size_inches()[0]
        scales.append(width / np.diff(ax.get_xlim())[0])
    assert scales == pytest.approx([scales[0]] * len(scales))
    figure.savefig(tmp_path / "a.png", dpi=50)


def test_the_legend_names_what_is_cut(detector):
    pytest.importorskip("matplotlib")
    figure = detector.draw(axes="z", at=(0, 0, 100), pixels=200)
    labels = [text.get_text() for text in figure.axes[-1].get_legend().get_texts()]
    assert [label.split(",")[0] for label in labels] == ["air", "water"]


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_files(detector, tmp_path, ending):
    pytest.importorskip("matplotlib")
    file = detector.show(tmp_path / f"a.{ending}", axes="x", pixels=150)
    first = file.read_bytes()
    heads = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
    assert first.startswith(heads[ending])


def test_errors(detector, tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(UnknownNameError, match="axis"):
        detector.draw(axes="w")
    with pytest.raises(UnknownNameError, match="colour"):
        detector.draw(by="densities")
    with pytest.raises(UnknownNameError, match="fiducial"):
        detector.draw(regions=["fiducal"], pixels=50)
    with pytest.raises(ConfigError, match="at must be a point"):
        detector.draw(at=(0, 0))
    with pytest.raises(ConfigError, match="window"):
        detector.draw(window=((0, 0, 0), (1, 1, -1)))
    with pytest.raises(ConfigError, match=r"\.html"):
        detector.show(tmp_path / "a.jpeg")


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "siren-py\[plot\]"'):
        import_optional("matplotlib.figure", "plot", "Cross-sections")
    assert issubclass(MissingDependencyError, ImportError)
    assert import_optional("json", "plot", "Nothing").__name__ == "json"


# ------------------------------------------------------------------ all plots of all objects

PLAIN = {
    "decay channel", "weight / mean weight", "events stored per bin", "material", "channel",
    "polarisation along z", "expected events", "expected events, a", "coupling",
}  # fmt: skip
"""Labels of axes without unit."""


@pytest.fixture(scope="module")
def things():
    flux = sp.Flux.from_histogram(pdg=14, edges=[0.3, 1, 3], values=[2e-8, 1e-8], mode="fhc")
    model = sp.DipolePortal(mass=0.3, d_mu=1e-6)
    detector = sp.DetectorModel("toy")
    detector.add("tank", Cylinder(100, 400), WATER)
    detector.add_region("fiducial", Cylinder(80, 380))
    simulation = sp.Simulation(detector, flux, model, decay="nu e+ e-")
    masses, couplings = np.geomspace(0.05, 0.5, 5), np.geomspace(1e-8, 1e-5, 7)
    values = 1e14 * couplings[None, :, None] ** 2 / masses[:, None, None]
    scan = sp.Scan(
        masses, couplings, ("a",), values, 0.01 * values, np.ones((5, 7)), np.ones(5),
        {"coupling": "d_mu", "pot": 1e21},
    )  # fmt: skip
    limit = sp.Limit(
        masses, couplings, scan.total, scan.total_error, "d_mu", 0.9, "cls", "toy",
        {"minus1": 0.8 * scan.total, "plus1": 1.2 * scan.total},
    )  # fmt: skip
    return {
        "flux": flux,
        "points": sp.Flux.from_points(pdg=-14, energies=[0, 1, 3], values=[0, 2e-8, 0]),
        "line": sp.Flux.monoenergetic(pdg=12, energy=1.0),
        "model": model,
        "mixing": sp.MassMixing(mass=0.25, U_mu2=1e-9),
        "own": sp.Model({}, {5914: model.decays(5914)}, {5914: 0.3}),
        "detector": detector,
        "sample": simulation.run(3000, seed=1, progress=False),
        "scan": scan,
        "limit": limit,
    }


def energy_over_mass(sample):
    return sample["primary_energy"] / 0.3


PLOTS = {
    "flux": lambda t: t["flux"].plot(),
    "points": lambda t: t["points"].plot(),
    "line": lambda t: t["line"].plot(),
    "flux twice": lambda t: t["flux"].peek(),
    "model": lambda t: t["model"].plot(),
    "models": lambda t: t["model"].peek(),
    "mixing": lambda t: t["mixing"].peek(),
    "own model": lambda t: t["own"].peek(),
    "slice": lambda t: t["detector"].plot("z", pixels=60),
    "slices": lambda t: t["detector"].peek(pixels=60),
    "density": lambda t: t["detector"].draw(pixels=60, by="density", sample=t["sample"]),
    "energy": lambda t: t["sample"].plot("visible_energy", bins=7, pot=1e21),
    "by": lambda t: t["sample"].plot("beam_angle", by="target_part", pot={"fhc": 1e21}),
    "plain": lambda t: t["sample"].plot("polarization_z"),
    "column": lambda t: t["sample"].plot("factor_line"),
    "bars": lambda t: t["sample"].plot("material"),
    "own": lambda t: t["sample"].plot(energy_over_mass, words="E / m", unit="1"),
    "sample": lambda t: t["sample"].peek(1e21),
    "scan": lambda t: t["scan"].plot(),
    "channel": lambda t: t["scan"].plot(channel="a"),
    "limit": lambda t: t["limit"].plot(),
}


@pytest.fixture(autouse=True)
def no_pyplot(monkeypatch):
    """Other tests may have loaded pyplot, which would then keep all figures."""
    monkeypatch.setattr("siren_py.plot.style.pyplot_in_use", lambda: False)


def all_axes(drawn):
    first = np.ravel(drawn)[0]
    return getattr(first, "figure", first).axes


@pytest.mark.parametrize("name", PLOTS)
def test_every_axis_has_a_unit(things, name, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    before = dict(matplotlib.rcParams)
    axes = all_axes(PLOTS[name](things))
    assert dict(matplotlib.rcParams) == before
    for ax in axes:
        if not ax.axison:
            continue
        # A colour bar has one axis that is labelled.
        is_bar = ax.get_label() == "<colorbar>"
        labels = [label for label in (ax.get_xlabel(), ax.get_ylabel()) if label or not is_bar]
        assert labels, name
        for label in labels:
            assert label in PLAIN or re.search(r"\[.+\]", label), f"{name}: {label!r}"
    axes[0].figure.savefig(tmp_path / "a.png", dpi=40)


def test_two_fluxes_in_one_plot(things):
    pytest.importorskip("matplotlib")
    ax = things["flux"].plot()
    assert type(ax.figure).__name__ == "Figure"
    assert things["points"].plot(ax) is ax
    assert len(ax.get_legend().get_texts()) == 2


def test_figures_are_those_of_pyplot_where_it_is_in_use(things, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr("siren_py.plot.style.pyplot_in_use", lambda: True)
    before = pyplot.get_fignums()
    ax = things["flux"].plot()
    assert pyplot.fignum_exists(ax.figure.number)
    pyplot.close(ax.figure)
    assert pyplot.get_fignums() == before


def test_whether_pyplot_is_in_use(monkeypatch):
    shell = types.SimpleNamespace(get_ipython=lambda: None)
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    monkeypatch.setitem(sys.modules, "IPython", shell)
    assert not pyplot_in_use()
    shell.get_ipython = object
    assert pyplot_in_use()


def test_histograms_of_samples_hold_the_expected_events(things):
    pytest.importorskip("matplotlib")
    sample = things["sample"]
    edges = np.linspace(0.0, 3.0, 7)
    ax = sample.plot("primary_energy", bins=edges, pot=1e21)
    values, drawn, _ = ax.patches[0].get_data()
    assert drawn == pytest.approx(edges)
    expected, _ = np.histogram(sample["primary_energy"], edges, weights=sample.weights * 1e21)
    assert values == pytest.approx(expected)
    assert values.sum() == pytest.approx(sample.expected(1e21).value)
    # The bars are the errors of the sums: of a single bin, that of the whole sample.
    ax = sample.plot("primary_energy", bins=[0.0, 3.0], pot=1e21)
    (bar,) = ax.collections[0].get_segments()
    assert 0.5 * (bar[1, 1] - bar[0, 1]) == pytest.approx(sample.expected(1e21).error)


def test_what_is_not_shown_is_told(things):
    pytest.importorskip("matplotlib")
    sample = things["sample"]
    ax = sample.plot("primary_energy", bins=[0.0, 1.0])
    inside = sample.weights[sample["primary_energy"] < 1.0].sum() / sample.weights.sum()
    assert ax.get_title(loc="right") == f"{1.0 - inside:.2%} of the events not shown"
    ax = sample.plot("primary_energy", bins=[0.0, 3.0])
    assert ax.get_title(loc="right") == ""


def test_groups_add_up(things):
    pytest.importorskip("matplotlib")
    sample = things["sample"]
    ax = sample.plot("primary_energy", by="target_part", bins=[0.0, 3.0])
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == list(sample.by("target_part"))
    tops = [patch.get_data()[0][0] for patch in ax.patches]
    assert tops[len(names) - 1] == pytest.approx(sample.expected().value)
    assert tops[0] == pytest.approx(sample.by("target_part")[names[0]].value)


def test_what_is_visible_is_what_the_decay_makes(things):
    sample = things["sample"]
    visible = DERIVED["visible_energy"].values(sample)
    pair = sample.momenta(11) + sample.momenta(-11)
    assert visible == pytest.approx(pair[:, 0])
    mass = np.sqrt(pair[:, 0] ** 2 - (pair[:, 1:] ** 2).sum(axis=1))
    assert DERIVED["visible_mass"].values(sample) == pytest.approx(mass, rel=1e-6)
    cosine = pair[:, 3] / np.linalg.norm(pair[:, 1:], axis=1)
    assert np.cos(DERIVED["beam_angle"].values(sample)) == pytest.approx(cosine)
    assert DERIVED["decay_z"].values(sample) == pytest.approx(sample.vertices(1)[:, 2])


def test_branching_ratios(things):
    model = things["model"]
    ratios = {channel: width / model.width() for _, channel, width in widths_of(model)}
    assert set(ratios) == set(model.channels)
    for channel, ratio in ratios.items():
        assert ratio == pytest.approx(model.branching_ratio(channel))


def test_errors_of_plots(things):
    pytest.importorskip("matplotlib")
    sample = things["sample"]
    with pytest.raises(UnknownNameError, match="visible_energy"):
        sample.plot("visible_enery")
    with pytest.raises(ConfigError, match="rise"):
        sample.plot("primary_energy", bins=[1.0, 0.0])
    with pytest.raises(ConfigError, match="one number per event"):
        sample.plot(lambda s: np.zeros(3))
    with pytest.raises(ConfigError, match="no events"):
        sample.select(lambda s: np.zeros(len(s), bool)).peek()
    with pytest.raises(UnknownNameError, match="channel"):
        things["scan"].plot(channel="b")
    with pytest.raises(ConfigError, match="decays"):
        sp.Model({}).plot()
    with pytest.raises(ConfigError, match="single energy"):
        things["line"].peek()
    with pytest.raises(UnknownNameError, match="axis"):
        things["detector"].plot("w")


def test_the_style_of_ones_own_plots():
    matplotlib = pytest.importorskip("matplotlib")
    before = matplotlib.rcParams["font.size"]
    with plot_style(font_size=14):
        assert matplotlib.rcParams["font.size"] == 14
        assert matplotlib.rcParams["xtick.direction"] == "in"
    assert matplotlib.rcParams["font.size"] == before
    assert symbol("d_mu") == r"$d_{\mu}$"
    assert symbol("U_tau2") == r"$|U_{\tau4}|^2$"
    assert symbol("g") == "g"
    assert maths("nu e+ e-") == r"$\nu\,e^+\,e^-$"
    assert maths("own 5$") == r"own 5\$"


def test_bands_reach_as_far_as_their_edges(things):
    """Half and twice the exclusion, which goes as the square: the band ends at d / sqrt(2)."""
    pytest.importorskip("matplotlib")
    m, d = np.geomspace(0.1, 1.0, 5), np.geomspace(1e-8, 1e-4, 9)
    exclusion = np.broadcast_to((d / 1e-6) ** 2, (5, 9)).copy()
    bands = {"minus1": 0.5 * exclusion, "plus1": 2.0 * exclusion}
    limit = sp.Limit(m, d, exclusion, 0.0 * exclusion, "d_mu", 0.9, "cls", "toy", bands)
    (band,) = limit.plot().collections
    points = np.concatenate([path.vertices for path in band.get_paths()])
    assert points[:, 1].min() == pytest.approx(1e-6 / np.sqrt(2.0), rel=0.01)
    assert points[:, 1].max() == pytest.approx(1e-6 * np.sqrt(2.0), rel=0.01)
    assert points[:, 0].min() == pytest.approx(0.1)
