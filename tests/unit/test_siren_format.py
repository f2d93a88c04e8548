from __future__ import annotations

import math
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import siren_py as sp
from siren_py.errors import ConfigError, FormatError
from siren_py.io.siren_format import SirenFormatWarning, load_siren_detector

DATA = Path(__file__).resolve().parents[1] / "data" / "siren"
MATERIALS = "ROCK 2\n1000140280 0.467435\n1000080160 0.532565\nAIR 1\n1000070140 1.0\n"
BOX = "object box 0 0 0 0 0 0 1 2 3 block ROCK constant 2.5\n"


@pytest.fixture
def load(tmp_path):
    def read(densities=BOX, materials=MATERIALS, **options):
        (tmp_path / "densities.dat").write_bytes(densities.encode())
        (tmp_path / "materials.dat").write_bytes(materials.encode())
        return load_siren_detector(
            tmp_path / "densities.dat", tmp_path / "materials.dat", **options
        )

    return read


@pytest.fixture(scope="module")
def example():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SirenFormatWarning)  # two fiducial volumes
        return load_siren_detector(DATA / "densities.dat", DATA / "materials.dat")


def siren_lines():
    """Lines of siren_crossings.csv: {number: (start, direction, [(from, to, volume), ...])}."""
    found = {}
    for row in (DATA / "siren_crossings.csv").read_text().splitlines():
        if row.startswith("#"):
            continue
        words = row.split(",")
        numbers = np.array([float(w) for w in words[1:9]])
        one = found.setdefault(int(words[0]), (numbers[:3], numbers[3:6], []))
        one[2].append((numbers[6], numbers[7], words[9]))
    return found


# ----------------------------------------------------------------------------- what it means


def test_crossings_are_those_of_siren(example):
    lines = siren_lines()
    assert len(lines) == 70
    for start, direction, expected in lines.values():
        pieces = example.trace([start * 100.0], [direction])
        names = [pieces.volume_names[v] for v in pieces.volume]
        # SIREN also gives stretches of no density.
        assert names == [name for _, _, name in expected]
        both = np.column_stack([pieces.t_in, pieces.t_out]) / 100.0
        np.testing.assert_allclose(both, [e[:2] for e in expected], rtol=1e-9, atol=1e-9)


def test_volumes_keep_names_and_order(example):
    assert example.volume_names == (
        "rock", "hall", "block", "tube", "cone", "trd", "extr", "layered", "empty",
    )  # fmt: skip
    assert example.name == "siren"


def test_a_density_of_its_own_makes_a_material_of_its_own(example):
    assert {"IRON (7.0 g/cm3)", "IRON (7.87 g/cm3)", "WATER", "AIR"} <= set(example.material_names)
    assert example.volume("tube").material.density == 1.0
    assert example.volume("empty").material.density == 0.0


def test_profile_follows_the_polynomial(example):
    centre = np.array([[4.0, -3.0, 2.0]])
    model = load_siren_detector_quietly(frame="geometry")
    radii = np.array([0.0, 0.5, 1.0, 1.4])
    points = 100.0 * (centre + radii[:, None] * [[0.0, 0.6, 0.8]])
    np.testing.assert_allclose(model.density(points), 3.0 - 0.5 * radii + 0.1 * radii**2)
    start, end = points[0], points[3]
    depth = model.column_depth(start, end)
    r = 1.4
    np.testing.assert_allclose(depth, 100.0 * (3.0 * r - 0.25 * r**2 + 0.1 / 3.0 * r**3))


def load_siren_detector_quietly(**options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SirenFormatWarning)
        return load_siren_detector(DATA / "densities.dat", DATA / "materials.dat", **options)


def test_shells_have_the_mass_of_the_polynomial(example):
    model = load_siren_detector_quietly(shells=20)
    names = [name for name in model.volume_names if name.startswith("layered")]
    assert names == ["layered", *(f"layered:{k}" for k in range(1, 20))]
    model.arrays()  # the injection engine takes it
    mass = sum(mass.value for name, mass in model.masses().items() if name in names)
    r = 1.5
    expected = 4.0 * math.pi * (3.0 * r**3 / 3 - 0.5 * r**4 / 4 + 0.1 * r**5 / 5) * 1e6
    assert mass == pytest.approx(expected, rel=1e-10)


def test_shells_of_a_box_are_intersections(load):
    line = "object box 0 0 0 0 0 0 2 2 2 b ROCK radial_polynomial 0.5 0 0 2 1.0 1.0\n"
    exact, cut = load(line), load(line, shells=200)
    rng = np.random.default_rng(0)
    starts, ends = rng.uniform(-100.0, 100.0, (2, 50, 3))
    np.testing.assert_allclose(
        cut.column_depth(starts, ends), exact.column_depth(starts, ends), rtol=5e-3
    )


def test_fiducial_lines_become_regions_and_the_last_is_that_of_siren(example):
    assert list(example.regions) == ["fiducial-1", "fiducial"]
    assert example.region("fiducial-1").contains([[0.0, 0.0, 199.0]]).all()
    # The last one is given in the frame of the objects, where it is inside the block.
    model = load_siren_detector_quietly(frame="geometry")
    points = model.region("fiducial").sample(100, rng=1)
    assert set(model.locate(points)) == {"block"}
    points = example.region("fiducial").sample(100, rng=1)
    assert set(example.locate(points)) == {"block"}


def test_frames_differ_by_the_place_of_the_detector(example):
    geometry = load_siren_detector_quietly(frame="geometry")
    np.testing.assert_allclose(geometry.volume("block").at, [100.0, 200.0, 300.0])
    first = np.linalg.norm(example.volume("block").at - example.volume("tube").at)
    second = np.linalg.norm(geometry.volume("block").at - geometry.volume("tube").at)
    assert first == pytest.approx(second, rel=1e-14)


def test_angles_are_intrinsic_zxz(load):
    # Half a turn about z, a quarter turn about x: the long side comes to lie along y.
    angles = f"{math.pi} {math.pi / 2} 0"
    model = load(f"object box 0 0 0 {angles} 1 2 6 b ROCK constant 1\n")
    lo, hi = model.bounds()
    np.testing.assert_allclose(hi - lo, [100.0, 600.0, 200.0])


def test_trapezoids_have_half_lengths(load):
    model = load("object trd 0 0 0 0 0 0 1 2 3 5 8 t ROCK constant 1\n")
    lo, hi = model.bounds()
    np.testing.assert_allclose(hi - lo, [400.0, 1000.0, 1600.0])
    assert list(model.locate([[120, 0, -400], [130, 0, -400], [0, 340, -400]])) == ["t", "", "t"]


def test_public_name():
    assert sp.load_siren_detector is load_siren_detector


# ----------------------------------------------------------------------------- silent traps

OBJECT_TRAPS = {
    "left over": BOX.replace("2.5", "2.5 77"),
    "takes box": BOX.replace("box", "boxes"),
    "takes constant": BOX.replace("constant", "constantly"),
    "is no statement": BOX + "objekt box 0 0 0 0 0 0 1 1 1 c ROCK constant 1\n",
    "exchanges them": "object cylinder 0 0 0 0 0 0 1 2 3 c ROCK constant 1\n",
    "like a liquid": BOX.replace("ROCK constant 2.5", "AIR constant 1.2"),
    "already placed": BOX + "detector 0 0 0\ndetector 1 0 0\n",
}


@pytest.mark.parametrize("text", OBJECT_TRAPS)
def test_traps_in_densities(load, text):
    with pytest.raises(FormatError, match=r"densities\.dat, line \d+: .*" + text):
        load(OBJECT_TRAPS[text])
    with pytest.warns(SirenFormatWarning, match=text):
        load(OBJECT_TRAPS[text], strict=False)


def test_what_siren_does_with_traps_in_densities(load):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SirenFormatWarning)
        swapped = load(OBJECT_TRAPS["exchanges them"], strict=False).volume("c").solid
        assert (swapped.radius, swapped.inner_radius) == (200.0, 100.0)
        assert len(load(OBJECT_TRAPS["is no statement"], strict=False)) == 1
        moved = load(OBJECT_TRAPS["already placed"], strict=False)
        np.testing.assert_allclose(moved.volume("block").at, [-100.0, 0.0, 0.0])


MATERIAL_TRAPS = {
    "'ROCK' has no number of components": "ROCK # rock\n1000140280 0.5\n1000080160 0.5\n",
    "belongs": "ROCK two\n1000140280 0.5\n1000080160 0.5\n",
    "says fewer components": "ROCK 1\n1000140280 1.0\n1000080160 0.5\n",
    "sum to 0.9": "ROCK 2\n1000140280 0.4\n1000080160 0.5\n",
    "no mass fraction": "ROCK 2\n1000140280 0.5\n1000080160\n",
    "not read by SIREN": "ROCK 1\n1000140280 1.0 2.0\n",
    "twice": "ROCK 2\n1000140280 0.5\n1000140280 1.0\n",
    "already defined": "ROCK 1\n1000140280 1.0\nROCK 1\n1000080160 1.0\n",
    "takes the line for a comment": " AIR 1\nROCK 1\n1000140280 1.0\n",
    "no nuclide": "ROCK 2\n1000141990 0.5\n1000080160 0.5\n",
    "lines end with CR": "ROCK 1\r\n1000140280 1.0\r\n",
}


@pytest.mark.parametrize("text", MATERIAL_TRAPS)
def test_traps_in_materials(load, text):
    with pytest.raises(FormatError, match=r"materials\.dat, line \d+: .*" + re.escape(text)):
        load(materials=MATERIAL_TRAPS[text])
    with pytest.warns(SirenFormatWarning, match=re.escape(text)):
        load(materials=MATERIAL_TRAPS[text], strict=False)


@pytest.mark.parametrize(
    ("text", "fractions"),
    [
        # As siren 0.1.0 was seen to read these files.
        ("'ROCK' has no number of components", {}),
        ("says fewer components", {"Si28": 1.0}),
        ("sum to 0.9", {"Si28": 0.4, "O16": 0.5}),
        ("no mass fraction", {"Si28": 0.5, "O16": 0.5}),
        ("twice", {"Si28": 1.0}),
        ("already defined", {"O16": 1.0}),
        ("no nuclide", {"O16": 0.5}),
    ],
)
def test_what_siren_does_with_traps_in_materials(load, text, fractions):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SirenFormatWarning)
        model = load(materials=MATERIAL_TRAPS[text], strict=False)
    material = model.volume("block").material
    assert material.mass_fractions == pytest.approx(fractions)
    assert material.density == 2.5  # the mass is that of the object in any case
    assert model.column_depth([[0, 0, -200.0]], [[0, 0, 200.0]])[0] == pytest.approx(750.0)


def test_a_missing_count_repeats_that_of_the_material_before(load):
    materials = "AIR 1\n1000070140 1.0\nROCK\n1000140280 1.0\n"
    with pytest.warns(SirenFormatWarning, match="next 1 lines"):
        model = load(materials=materials, strict=False)
    assert model.volume("block").material.mass_fractions == {"Si28": 1.0}


def test_rounded_fractions_are_a_warning_and_kept(load):
    materials = "ROCK 2\n1000140280 0.4674\n1000080160 0.5320\n"
    with pytest.warns(SirenFormatWarning, match="sum to 0.9994"):
        model = load(materials=materials)
    assert sum(model.volume("block").material.mass_fractions.values()) == pytest.approx(0.9994)


def test_all_traps_are_listed_in_one_error(load):
    with pytest.raises(FormatError) as caught:
        load(OBJECT_TRAPS["left over"], MATERIAL_TRAPS["sum to 0.9"])
    assert str(caught.value).startswith("2 faults")
    assert "materials.dat, line 1" in str(caught.value)
    assert "densities.dat, line 1" in str(caught.value)


def test_isotopes_without_a_name_in_siren_are_told_and_kept(load):
    with pytest.warns(SirenFormatWarning, match="no name for Zn64"):
        model = load(materials="ROCK 1\n1000300640 1.0\n")
    assert model.nuclides == ("Zn64",)


def test_concave_polygons_are_told_and_taken_as_drawn(load):
    corners = "6  0 0  2 0  2 1  1 1  1 2  0 2"
    line = f"object extr 0 0 0 0 0 0 {corners} 2 0 0 0 1 1 0 0 1 ell ROCK constant 1\n"
    with pytest.warns(SirenFormatWarning, match="not convex"):
        model = load(line)
    assert model.volume("ell").solid.volume() == pytest.approx(3e6)


# ----------------------------------------------------------------------------- no meaning at all

FAULTS = {
    "the line ends where": (BOX.replace(" 2.5", ""), MATERIALS),
    "a number with a decimal point": (BOX.replace("1 2 3", "1 2"), MATERIALS),
    "must be positive": (BOX.replace("1 2 3", "1 -2 3"), MATERIALS),
    "negative density": (BOX.replace("2.5", "-2.5"), MATERIALS),
    "there is no shape 'bax'": (BOX.replace("box", "bax"), MATERIALS),
    "there is no density distribution": (BOX.replace("constant", "linear"), MATERIALS),
    "Did you mean 'ROCK'": (BOX.replace("ROCK", "ROK"), MATERIALS),
    "already an object": (BOX + BOX, MATERIALS),
    "'1,5' stands where": (BOX.replace("1 2 3", "1,5 2 3"), MATERIALS),
    "'nan' stands where": (BOX.replace("1 2 3", "nan 2 3"), MATERIALS),
    "'1e999' stands where": (BOX.replace("1 2 3", "1e999 2 3"), MATERIALS),
    "not ASCII": (BOX.replace("1 2 3", "1\u00a02 3"), MATERIALS),
    "no object": ("# nothing\n", MATERIALS),
    "is not valid": (
        "object extr 0 0 0 0 0 0 4 0 0 1 1 1 0 0 1 2 0 0 0 1 1 0 0 1 x ROCK constant 1\n",
        MATERIALS,
    ),
    "must ascend": (
        "object extr 0 0 0 0 0 0 3 0 0 1 0 0 1 2 1 0 0 1 0 0 0 1 x ROCK constant 1\n",
        MATERIALS,
    ),
    "whole number": (
        "object extr 0 0 0 0 0 0 3.5 0 0 1 0 0 1 2 0 0 0 1 1 0 0 1 x ROCK constant 1\n",
        MATERIALS,
    ),
    "sinks to": ("object sphere 0 0 0 0 0 0 9 x ROCK radial_polynomial 0 0 0 2 1 -1\n", MATERIALS),
    "the file ends after 1": (BOX, "ROCK 2\n1000140280 1.0\n"),
    "is no PDG code": (BOX, "ROCK 2\n1000140280 1.0\nAIR 1\n1000070140 1.0\n"),
    "is no mass fraction": (BOX, "ROCK 1\n1000140280 all\n"),
    "negative mass fraction": (BOX, "ROCK 2\n1000140280 1.5\n1000080160 -0.5\n"),
    "whatever is in its memory": (BOX, "ROCK\n1000140280 1.0\n"),
    "cannot have 0 components": (BOX, "ROCK 0\n"),
    "binary data": (BOX, "ROCK\0"),
}


@pytest.mark.filterwarnings("ignore::siren_py.io.siren_format.SirenFormatWarning")
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("text", FAULTS)
def test_faults(load, text, strict):
    with pytest.raises(FormatError, match=r"\.dat, line \d+: .*" + re.escape(text)):
        load(*FAULTS[text], strict=strict)


def test_garbage_is_refused_quickly(load):
    with pytest.raises(FormatError, match="hardly a SIREN file"):
        load("lorem ipsum\n" * 1_000_000)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (BOX.replace("1 2 3", "1 2"), "object box x y z alpha beta gamma dx dy dz NAME MATERIAL"),
        ("object sphere 0 0 0 0 0 0\n", "object sphere x y z alpha beta gamma R NAME"),
        ("object\n", "object SHAPE x y z alpha beta gamma SIZES NAME"),
        (BOX + "fiducial cylinder 0 0 0 0 0 0 1\n", "gamma Router Rinner length."),
    ],
)
def test_what_to_write_instead(load, text, form):
    with pytest.raises(FormatError, match="Write: " + re.escape(form) + "|" + re.escape(form)):
        load(text)


@pytest.mark.parametrize(
    ("text", "materials"),
    [(BOX.replace("1 2 3", "9" * 1_000_000), MATERIALS), (BOX, "ROCK " + "9" * 1_000_000 + "\n")],
)
def test_errors_stay_short_whatever_the_file_holds(load, text, materials):
    with pytest.raises(FormatError) as caught:
        load(text, materials)
    assert len(str(caught.value)) < 2000


def test_large_files_are_not_read(load):
    with pytest.raises(FormatError, match="max_bytes"):
        load(BOX * 100, max_bytes=1000)


def test_missing_file(tmp_path):
    with pytest.raises(FormatError, match="no such file"):
        load_siren_detector(tmp_path / "a.dat", tmp_path / "b.dat")


@pytest.mark.parametrize("options", [{"frame": "beam"}, {"shells": 0}, {"shells": 1.5}])
def test_options(load, options):
    with pytest.raises(ConfigError):
        load(**options)
