"""Meshes: against the solids they tessellate, files, damaged files, and Embree."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from siren_py.detector import DetectorModel
from siren_py.errors import FormatError, GeometryError
from siren_py.geometry import (
    Box,
    Cylinder,
    Difference,
    Mesh,
    Polyhedra,
    Polyhedron,
    Prism,
    Sphere,
    Torus,
    Trapezoid,
    mesh_embree,
)
from siren_py.materials import Material

LEAD = Material.from_element("Pb", density=11.35)
STEPPED = Prism([(0, 0), (4, 0), (4, 4), (2, 1), (0, 4)], sections=[(0, 0, 0, 1), (2, 1, 0, 0.5)])
FLAT = [
    Box(2, 3, 4),
    Trapezoid(2, 4, 3, 1, 4),
    STEPPED,
    Polyhedra(5, [-2, 0, 2], [2, 1, 2], [0.5, 0.5, 1.0]),
    Polyhedron(np.random.default_rng(1).normal(size=(4, 3)) * 3),
]


def random_lines(solid, n, seed):
    rng = np.random.default_rng(seed)
    lo, hi = solid.bounds()
    aim = rng.uniform(lo, hi, (n, 3))
    directions = rng.normal(size=(n, 3))
    directions[: n // 4] = np.eye(3)[rng.integers(0, 3, n // 4)]
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    return aim - 50.0 * directions, directions


@pytest.mark.parametrize("solid", FLAT, ids=lambda solid: type(solid).__name__)
def test_meshes_of_flat_solids_have_the_same_intervals(solid):
    mesh = Mesh.of(solid)
    assert mesh.volume() == pytest.approx(solid.volume(), rel=1e-12)
    assert abs(mesh.volume_error) < 1e-12
    origins, directions = random_lines(solid, 3000, 2)
    a, b = mesh.intervals(origins, directions), solid.intervals(origins, directions)
    line_a = np.repeat(np.arange(3000), np.diff(a.offsets))
    line_b = np.repeat(np.arange(3000), np.diff(b.offsets))
    chord_a = np.bincount(line_a, a.t_out - a.t_in, minlength=3000)
    chord_b = np.bincount(line_b, b.t_out - b.t_in, minlength=3000)
    np.testing.assert_allclose(chord_a, chord_b, atol=1e-8)
    points = np.random.default_rng(3).uniform(*solid.bounds(), (3000, 3))
    assert np.array_equal(mesh.contains(points), solid.contains(points))
    sampled = mesh.sample(2000, 1)
    assert solid.contains(sampled).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 4, 7]))
def test_lines_through_vertices_and_edges_are_closed(seed, sections):
    # Lines from corner to corner and along edges: entries and exits still match, and the chords
    # are those of the convex body.
    rng = np.random.default_rng(seed)
    solid = Polyhedra(sections, [-1, 1], [1, 1])
    mesh = Mesh.of(solid)
    n = 200
    first, second = (mesh.vertices[rng.integers(0, len(mesh.vertices), n)] for _ in range(2))
    middle = 0.5 * (mesh.vertices[mesh.faces[:, 0]] + mesh.vertices[mesh.faces[:, 1]])
    second[::2] = middle[rng.integers(0, len(middle), len(second[::2]))]
    different = np.any(first != second, axis=1)
    directions = (second - first)[different]
    origins = first[different] - 5.0 * directions
    offsets, t_in, t_out = mesh.intervals(origins, directions)
    assert np.all(np.diff(offsets) <= 1)
    points = (
        origins[np.diff(offsets) == 1]
        + (0.5 * (t_in + t_out))[:, None] * (directions[np.diff(offsets) == 1])
    )
    np.testing.assert_array_less(points.max(axis=0), solid.bounds()[1] + 1e-9)
    # A chord through the inside is never lost.
    through = solid.contains(origins + 5.5 * directions) & solid.contains(
        origins + 5.25 * directions
    )
    inner = 0.5 * (first + second)[different]
    deep = np.linalg.norm(inner[:, :2], axis=1) < 0.3
    assert np.all(np.diff(offsets)[through & deep & (np.abs(inner[:, 2]) < 0.9)] == 1)


def test_round_solids_report_the_error_of_their_volume():
    errors = []
    for sections in (16, 32, 64, 128):
        mesh = Mesh.of(Torus(3, 1), sections)
        assert mesh.volume() == pytest.approx(Torus(3, 1).volume() * (1 + mesh.volume_error))
        errors.append(mesh.volume_error)
    assert all(-0.1 < error < 0.0 for error in errors)
    # second order in the number of sides
    np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 4.0, rtol=0.03)


def test_voids_and_several_bodies():
    shell = trimesh.util.concatenate(
        [Sphere(2).mesh(32), trimesh.Trimesh(Sphere(1).mesh(32).vertices,
                                              Sphere(1).mesh(32).faces[:, ::-1], process=False)]
    )  # fmt: skip
    mesh = Mesh(shell)
    assert mesh.volume() == pytest.approx(Mesh.of(Sphere(2, 1), 32).volume())
    found = mesh.intervals([-9.0, 0.01, 0.02], [1, 0, 0])
    assert len(found.t_in) == 2
    assert not mesh.contains([0, 0, 0])[0]
    # two balls side by side, and overlapping: the union counts
    for distance, pieces in ((5.0, 2), (1.0, 1)):
        other = Sphere(2).mesh(32)
        other.apply_translation([distance, 0, 0])
        both = Mesh(trimesh.util.concatenate([Sphere(2).mesh(32), other]))
        assert len(both.intervals([-9.0, 0.01, 0.02], [1, 0, 0]).t_in) == pieces


def test_inside_out_meshes_are_turned():
    surface = Box(1, 2, 3).mesh()
    surface.faces = surface.faces[:, ::-1]
    assert Mesh(surface).volume() == pytest.approx(6.0)
    mixed = Box(1, 2, 3).mesh()
    faces = np.array(mixed.faces)
    faces[::3] = faces[::3, ::-1]
    assert Mesh(trimesh.Trimesh(mixed.vertices, faces, process=False)).volume() == pytest.approx(
        6.0
    )


@pytest.mark.parametrize("kind", ["stl", "obj", "ply", "glb"])
def test_files(tmp_path, kind):
    path = tmp_path / f"part.{kind}"
    STEPPED.mesh().export(path)
    mesh = Mesh(path, scale=0.1)
    # STL and GLB hold single precision.
    assert mesh.volume() == pytest.approx(1e-3 * STEPPED.volume(), rel=1e-6)
    np.testing.assert_allclose(mesh.bounds(), 0.1 * np.array(STEPPED.bounds()), atol=1e-7)
    assert path.name in repr(mesh)


def test_text_stl(tmp_path):
    path = tmp_path / "part.stl"
    path.write_text(trimesh.exchange.stl.export_stl_ascii(Box(1, 2, 3).mesh()))
    assert Mesh(str(path)).volume() == pytest.approx(6.0)


@pytest.mark.parametrize("kind", ["stl", "obj", "ply", "glb"])
@pytest.mark.parametrize("content", ["random", "zeros", "empty", "text", "cut"])
def test_damaged_files_are_one_clear_error_and_no_hang(tmp_path, kind, content):
    path = tmp_path / f"part.{kind}"
    size = 20_000_000
    if content == "random":
        block = np.random.default_rng(1).bytes(1_000_000)
        path.write_bytes(block * (size // len(block)))
    elif content == "zeros":
        path.write_bytes(b"\0" * size)
    elif content == "text":
        path.write_bytes(b"lorem ipsum dolor sit amet\n" * (size // 27))
    elif content == "cut":
        Sphere(1).mesh().export(path)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2 + 1])
    else:
        path.write_bytes(b"")
    start = time.perf_counter()
    with pytest.raises((FormatError, GeometryError), match=f"part.{kind}"):
        Mesh(path)
    assert time.perf_counter() - start < 5.0


def test_no_other_file_is_opened(tmp_path, monkeypatch):
    (tmp_path / "secret.mtl").write_text("newmtl a\nmap_Kd /etc/hostname\n")
    path = tmp_path / "part.obj"
    Box(1, 2, 3).mesh().export(path)
    path.write_text(f"mtllib {tmp_path}/secret.mtl\nusemtl a\n" + path.read_text())
    opened = []
    monkeypatch.setattr(
        "trimesh.resolvers.FilePathResolver.get", lambda _self, name: opened.append(name)
    )
    assert Mesh(path).volume() == pytest.approx(6.0)
    assert opened == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("part.obj", "v 0 0 0\n" * 1000, "has 0 faces"),
        ("part.obj", "v 0 0 0\n" + "f 1 1 1\n" * 5_000_001, "5000001 faces"),
        ("part.ply", "ply\nformat ascii 1.0\nelement face 99999999\nend_header\n", "99999999"),
    ],
)
def test_faces_are_counted_before_a_file_is_read(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(FormatError, match=message):
        Mesh(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "part.stl")
    with pytest.raises(FormatError, match="is no file"):
        Mesh(tmp_path / "part.stl")


def test_files_that_cannot_be_meshes(tmp_path):
    with pytest.raises(FormatError, match="No such file"):
        Mesh(tmp_path / "none.stl")
    (tmp_path / "part.step").write_text("ISO-10303-21;")
    with pytest.raises(FormatError, match=r"\.stl, \.obj, \.glb, \.ply"):
        Mesh(tmp_path / "part.step")


def test_open_and_empty_surfaces_are_refused():
    surface = Sphere(1).mesh(16)
    open_one = trimesh.Trimesh(surface.vertices, surface.faces[1:], process=False)
    with pytest.raises(GeometryError, match="not closed: 3 of"):
        Mesh(open_one, name="hull")
    with pytest.raises(GeometryError, match="'hull'"):
        Mesh(open_one, name="hull")
    with pytest.raises(GeometryError, match="triangles"):
        Mesh(trimesh.Trimesh())
    with pytest.raises(GeometryError, match=r"must be a trimesh\.Trimesh"):
        Mesh(17)
    with pytest.raises(GeometryError, match="scale"):
        Mesh(surface, scale=0.0)
    with pytest.raises(GeometryError, match="engine"):
        Mesh(surface, engine="optix")
    doubled = trimesh.Trimesh(
        surface.vertices, np.concatenate([surface.faces, surface.faces[:, ::-1]]), process=False
    )
    with pytest.raises(GeometryError, match="no volume"):
        Mesh(doubled)
    broken = surface.copy()
    broken.vertices[3] = np.nan
    with pytest.raises(GeometryError, match="NaN"):
        Mesh(broken)


def test_meshes_in_a_detector_and_in_booleans():
    detector = DetectorModel("part")
    detector.add("mesh", Mesh.of(STEPPED), LEAD, at=(1, 2, 3))
    plain = DetectorModel("part")
    plain.add("prism", STEPPED, LEAD, at=(1, 2, 3))
    rng = np.random.default_rng(5)
    starts, ends = rng.uniform(-9, 9, (2, 1000, 3))
    np.testing.assert_allclose(
        detector.column_depth(starts, ends), plain.column_depth(starts, ends), atol=1e-7
    )
    assert detector.masses()["mesh"] == pytest.approx((11.35 * STEPPED.volume(), 0.0))
    drilled = Difference(Mesh.of(Box(4, 4, 4)), Cylinder(1, 9))
    reference = Difference(Box(4, 4, 4), Cylinder(1, 9))
    origins, directions = random_lines(reference, 2000, 8)
    a, b = drilled.intervals(origins, directions), reference.intervals(origins, directions)
    assert np.sum(a.t_out - a.t_in) == pytest.approx(np.sum(b.t_out - b.t_in), rel=1e-12)


def test_large_meshes_are_built_and_traced_in_seconds():
    start = time.perf_counter()
    mesh = Mesh.of(Torus(3, 1), 300)
    assert len(mesh.faces) == 180_000
    origins, directions = random_lines(mesh, 20_000, 1)
    chords = mesh.intervals(origins, directions)
    exact = Torus(3, 1).intervals(origins, directions)
    assert time.perf_counter() - start < 20.0
    assert np.sum(chords.t_out - chords.t_in) == pytest.approx(
        np.sum(exact.t_out - exact.t_in), rel=5e-4
    )


def test_far_origins():
    mesh, box = Mesh.of(Box(2, 3, 4)), Box(2, 3, 4)
    origins, directions = random_lines(box, 500, 4)
    far = mesh.intervals(origins - 1e8 * directions, directions)
    near = box.intervals(origins, directions)
    assert np.sum(far.t_out - far.t_in) == pytest.approx(np.sum(near.t_out - near.t_in), rel=1e-7)


def test_embree_needs_embreex():
    if mesh_embree.is_available():
        pytest.skip("embreex is installed")
    with pytest.raises(GeometryError, match=r"siren-py\[fast\]"):
        Mesh(Box(1, 1, 1).mesh(), engine="embree")


@pytest.mark.parametrize("solid", [*FLAT, Torus(3, 1)], ids=lambda solid: type(solid).__name__)
def test_embree_gives_the_intervals_of_the_kernel(solid):
    pytest.importorskip("embreex")
    kernel = Mesh.of(solid, 48)
    embree = Mesh(kernel.mesh(), engine="embree")
    origins, directions = random_lines(solid, 20_000, 6)
    for shift in (0.0, 6e4):  # cm: single precision would have lost a plate of 0.1 mm
        start = origins - shift * directions
        a, b = kernel.intervals(start, directions), embree.intervals(start, directions)
        chords = []
        for found in (a, b):
            line = np.repeat(np.arange(len(start)), np.diff(found.offsets))
            chords.append(np.bincount(line, found.t_out - found.t_in, minlength=len(start)))
        # A line that grazes an edge may have a chord of the size of single precision, or none.
        np.testing.assert_allclose(chords[0], chords[1], atol=1e-4)
        assert np.mean(np.abs(chords[0] - chords[1]) > 1e-8) < 1e-4


def test_embree_repairs_lines_through_edges():
    pytest.importorskip("embreex")
    mesh = Mesh(Box(2, 2, 2).mesh(), engine="embree")
    corners = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), float).reshape(3, 8).T
    found = mesh.intervals(5.0 * corners, -corners)
    assert np.array_equal(np.diff(found.offsets), np.ones(8))
    np.testing.assert_allclose(found.t_out - found.t_in, 2.0, atol=1e-12)
