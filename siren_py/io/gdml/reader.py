"""From a GDML file to a `DetectorModel`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from siren_py._typing import PathLike
from siren_py.detector import DetectorModel
from siren_py.errors import FormatError, nearest_names
from siren_py.io.gdml.materials import Materials
from siren_py.io.gdml.scope import Budget, Scope
from siren_py.io.gdml.solids import Solids
from siren_py.io.gdml.structure import Logical, Placed, Structure, flatten
from siren_py.io.gdml.xml import Limits, Node, parse_xml

if TYPE_CHECKING:
    from siren_py.materials import Material

_PARTS = ("define", "materials", "solids", "structure", "userinfo", "setup", "extension")


def load_gdml(
    path: PathLike,
    *,
    name: str | None = None,
    setup: str | None = None,
    world: str | None = None,
    sensitive_regions: bool = True,
    limits: Limits | None = None,
) -> DetectorModel:
    """Read a detector from a GDML file.

    Every placed volume becomes a volume, the world first and mothers before their daughters, which
    displace them; names are paths, ``"World/Tank/Water"``, with ``"#2"``, ... where a path is there
    more than once. Lengths come out in cm, in the frame of the world.

    Read are: constants, variables, quantities, matrices, positions, rotations, expressions, loops;
    isotopes, elements and materials by fraction, by composite and simple ones, and the commonest of
    Geant4's own (``G4_AIR``); box, tube, cone, sphere, orb, trd, polycone, genericPolycone,
    polyhedra, xtru, tessellated, ellipsoid, elliptical tube, torus, trap, para, tet, flat arb8,
    union, subtraction, intersection and multiUnion; assemblies, replicas, and other files inside
    the folder of this one. Refused, with a text that says so, are entities, mirror images,
    divisions, parameterised volumes and other solids. Left out are optical properties, pressures
    and temperatures.

    An element given by Z and atomic mass is the natural one if the mass is that within 1 %, else
    the isotope of the nearest mass number.

    Parameters
    ----------
    path
        The file.
    name
        Name of the detector; by default that of the file.
    setup
        Which ``<setup>`` says what the world is; by default ``"Default"``, else the first.
    world
        Name of the volume that is the world, in place of `setup`.
    sensitive_regions
        Make a region of each sensitive detector (``auxiliary`` of the type ``SensDet``), the union
        of the solids of its volumes, daughters included.
    limits
        What the file may ask for at most; see `siren_py.io.gdml.xml.Limits`.

    Returns
    -------
    DetectorModel
        Volumes and regions; the beam is along z.

    Raises
    ------
    FormatError
        With file, line and element, if something is wrong or cannot be read.

    Examples
    --------
    >>> import siren_py as sp
    >>> sp.load_detector("miniboone").to_gdml("miniboone.gdml")
    >>> "World" in sp.load_gdml("miniboone.gdml").volume_names[0]
    True
    """
    allowed = limits or Limits()
    main = Path(path)
    files = _Files(main.resolve().parent, Budget(allowed))
    model = _File(main, files, ())
    top = model.structure.need(model.root, world) if world else model.world(setup)
    placed = flatten(top, allowed.max_volumes, allowed.max_depth)
    detector = DetectorModel(name or main.stem)
    materials = _distinct_materials(placed)
    for one in placed:
        if one.volume.solid is None or one.volume.material is None:  # never: flatten leaves them
            continue
        material = materials[id(one.volume.material)]
        detector.add(
            one.path, one.volume.solid, material, one.placement.position, one.placement.matrix
        )
    if sensitive_regions:
        _add_regions(detector, placed)
    return detector


class _Files:
    """The folder within which files may be read, and what was read of it."""

    def __init__(self, folder: Path, budget: Budget) -> None:
        self.folder = folder
        self.budget = budget
        self.read: dict[Path, _File] = {}


class _File:
    """One GDML file: its names are its own, as in Geant4."""

    def __init__(self, path: Path, files: _Files, above: tuple[Path, ...]) -> None:
        self.path = path
        self.files = files
        self.above = (*above, path.resolve())
        budget = files.budget
        self.root, size = parse_xml(path, budget.limits)
        budget.bytes += size
        if budget.bytes > budget.limits.max_bytes:
            raise FormatError(
                f"{path}: the files together have more than {budget.limits.max_bytes} bytes; raise "
                "max_bytes if that is right."
            )
        if self.root.tag != "gdml":
            raise self.root.fault("the outermost element must be <gdml>; is this a GDML file?")
        scope = Scope(budget)
        self.scope = scope
        materials, solids = Materials(scope), Solids(scope)
        self.structure = Structure(scope, materials, solids, self._include)
        self.setups: dict[str, Node] = {}
        for part in self.root.children:
            if part.tag == "define":
                scope.define(part)
            elif part.tag == "materials":
                materials.read(part)
            elif part.tag == "solids":
                solids.read(part)
            elif part.tag == "structure":
                self.structure.read(part)
            elif part.tag == "setup":
                self.setups.setdefault(part.attributes.get("name", ""), part)
            elif part.tag not in _PARTS:
                raise part.fault(f"this is no part of a GDML file; parts are {', '.join(_PARTS)}.")

    def world(self, setup: str | None) -> Logical:
        """Return the volume that a setup names."""
        if not self.setups:
            raise self.root.fault(
                'there is no <setup>; write <setup name="Default" version="1.0"><world ref="..."/>'
                "</setup>, or name the volume with world=."
            )
        if setup is None:
            chosen = self.setups.get("Default", next(iter(self.setups.values())))
        elif setup in self.setups:
            chosen = self.setups[setup]
        else:
            close = nearest_names(setup, self.setups) or list(self.setups)
            raise self.root.fault(f"there is no setup {setup!r}; there is {', '.join(close)}.")
        node = chosen.need("world")
        return self.structure.need(node, self.scope.name(node, "ref"))

    def _include(self, node: Node) -> Logical:
        name = node.get("name")
        target = _inside(node, self.path.resolve().parent, name, self.files.folder)
        if target in self.above:
            raise node.fault(f"the file {name!r} reads itself, through {len(self.above)} files.")
        if target not in self.files.read:
            limit = self.files.budget.limits.max_files
            if len(self.files.read) >= limit or len(self.above) > 20:
                raise node.fault(f"more than {limit} files, or files nested more than 20 deep.")
            self.files.read[target] = _File(target, self.files, self.above)
        file = self.files.read[target]
        volume = node.attributes.get("volname", "")
        return file.structure.need(node, volume) if volume else file.world(None)


def _inside(node: Node, here: Path, name: str, folder: Path) -> Path:
    """Return the path of a file named in a file, which must lie in the folder of the main file."""
    advice = "Put it in the folder of the main file, or below it, and name it relative to this one."
    if "://" in name or name.startswith(("file:", "/", "\\", "~")) or Path(name).is_absolute():
        raise node.fault(f"{name!r} is not a relative path. {advice}")
    if "\0" in name:
        raise node.fault("the name of the file has a NUL in it.")
    try:
        target = (here / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise node.fault(f"{name!r} cannot be followed: {error}.") from None
    # resolve() has followed links: a link that leads outside is outside.
    if os.path.commonpath([target, folder]) != str(folder):
        raise node.fault(f"{name!r} lies outside of {folder}. {advice}")
    if not target.is_file():
        raise node.fault(f"there is no file {name!r}.")
    return target


def _distinct_materials(placed: list[Placed]) -> dict[int, Material]:
    """Return the material to use for each material object, such that names are unique.

    Files that are read from files may each define "Steel", the same or not.
    """
    by_name: dict[str, list[Material]] = {}
    chosen: dict[int, Material] = {}
    for one in placed:
        material = one.volume.material
        if material is None or id(material) in chosen:
            continue
        same = by_name.setdefault(material.name, [])
        match = next((known for known in same if _alike(known, material)), None)
        if match is None:
            same.append(material)
            match = material
            if len(same) > 1:
                match = _renamed(material, f"{material.name}#{len(same)}")
                same[-1] = match
        chosen[id(material)] = match
    return chosen


def _alike(a: Material, b: Material) -> bool:
    return a.density == b.density and a.mass_fractions == b.mass_fractions


def _renamed(material: Material, name: str) -> Material:
    from siren_py.materials import Material as Kind

    return Kind(name, material.mass_fractions, material.density)


def _add_regions(detector: DetectorModel, placed: list[Placed]) -> None:
    members: dict[str, list[Placed]] = {}
    for one in placed:
        if one.volume.sensitive:
            members.setdefault(one.volume.sensitive, []).append(one)
    for label, group in members.items():
        names = []
        for one in group:
            if one.volume.solid is None:  # never: flatten leaves assemblies out
                continue
            region = label if len(group) == 1 else f"{label}:{one.path}"
            detector.add_region(
                region, one.volume.solid, one.placement.position, one.placement.matrix
            )
            names.append(region)
        if len(names) > 1:
            detector.add_region(label, names)
