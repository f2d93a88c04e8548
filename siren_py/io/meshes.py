"""Surfaces of a detector as GLB, for viewers, and STL, for CAD programs."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from siren_py._typing import PathLike
from siren_py.appearance import material_colours
from siren_py.errors import OutputError
from siren_py.geometry.booleans import mesh_of
from siren_py.io.files import complete_file

if TYPE_CHECKING:
    from trimesh import Scene, Trimesh

    from siren_py.detector import DetectorModel

_METRES_PER_CM = 0.01
_MM_PER_CM = 10.0
_DENSE = 8.0
_GAS = 0.05


def to_scene(
    detector: DetectorModel,
    *,
    volumes: str | Iterable[str] | None = None,
    sections: int = 48,
    scale: float = 1.0,
) -> Scene:
    """Return a `trimesh.Scene` with one mesh for each volume, by name, coloured by material.

    Each mesh is the whole surface of the solid: what later volumes displace is not cut away.

    Parameters
    ----------
    detector
        The detector.
    volumes
        Names or globs; all volumes if None.
    sections
        Sides per turn of round surfaces.
    scale
        Length of 1 cm in the unit of the scene.

    Raises
    ------
    OutputError
        If a solid has no surface: a user's class without ``mesh()``.
    UnknownNameError
        If a name matches no volume.
    """
    trimesh = import_module("trimesh")
    names = detector.volume_names if volumes is None else detector.matching_volumes(volumes)
    colours = _colours(detector)
    scene: Scene = trimesh.Scene()
    for name in names:
        volume = detector.volume(name)
        surface = _surface(volume.solid, sections, name)
        surface.apply_transform(_matrix(volume.placement, scale))
        material = volume.materials[0].name
        surface.visual = trimesh.visual.TextureVisuals(
            material=trimesh.visual.material.PBRMaterial(
                name=material,
                baseColorFactor=colours[material],
                alphaMode="BLEND",
                metallicFactor=0.0,
                roughnessFactor=0.8,
                doubleSided=True,
            )
        )
        scene.add_geometry(surface, node_name=name, geom_name=name)
    return scene


def to_glb(
    detector: DetectorModel,
    path: PathLike,
    *,
    volumes: str | Iterable[str] | None = None,
    sections: int = 48,
    overwrite: bool = True,
) -> None:
    """Write the surfaces of volumes as GLB (binary glTF 2.0), in metres, one node for each volume.

    The x, y and z axes are those of the detector; a viewer that takes y for upwards is right.

    Parameters
    ----------
    detector, volumes, sections
        As for `to_scene`.
    path
        The file, usually ``NAME.glb``.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written, or a solid has no surface.
    """
    scene: Any = to_scene(detector, volumes=volumes, sections=sections, scale=_METRES_PER_CM)
    data = scene.export(file_type="glb")
    with complete_file(path, overwrite=overwrite) as part:
        part.write_bytes(data)


def to_stl(
    detector: DetectorModel,
    path: PathLike,
    *,
    volumes: str | Iterable[str] | None = None,
    sections: int = 48,
    overwrite: bool = True,
) -> None:
    """Write the surfaces of volumes as one binary STL, in mm, as CAD programs expect.

    STL has neither names nor materials; give `volumes` to write parts to files of their own.

    Parameters
    ----------
    detector, path, volumes, sections, overwrite
        As for `to_glb`.

    Raises
    ------
    OutputError
        If the file cannot be written, or a solid has no surface.
    """
    names = detector.volume_names if volumes is None else detector.matching_volumes(volumes)
    surfaces = []
    for name in names:
        volume = detector.volume(name)
        surface = _surface(volume.solid, sections, name)
        surface.apply_transform(_matrix(volume.placement, _MM_PER_CM))
        surfaces.append(surface)
    joined = import_module("trimesh").util.concatenate(surfaces)
    data = joined.export(file_type="stl")
    with complete_file(path, overwrite=overwrite) as part:
        part.write_bytes(data)


def _surface(solid: Any, sections: int, name: str) -> Trimesh:
    try:
        return mesh_of(solid, sections).copy()
    except Exception as error:  # a user's mesh() may fail in any way; the volume must be named
        raise OutputError(f"Volume {name!r} cannot be drawn: {error}") from error


def _matrix(placement: Any, scale: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    matrix = np.eye(4)
    matrix[:3, :3] = placement.matrix * scale
    matrix[:3, 3] = placement.position * scale
    return matrix


def _colours(detector: DetectorModel) -> dict[str, list[int]]:
    """Return the colour of each material with an opacity: gases hardly seen, metals opaque."""
    colours = {}
    hues = material_colours(detector)
    for material in detector.materials:
        dense = min(1.0, material.density / _DENSE)
        opacity = 0.1 + 0.9 * dense if material.density > _GAS else 0.06
        rgb = (
            bytes.fromhex(hues[material.name].lstrip("#")) if material.name in hues else b"\xff" * 3
        )
        colours[material.name] = [*rgb[:3], round(255 * opacity)]
    return colours
