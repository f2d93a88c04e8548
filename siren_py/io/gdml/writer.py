"""From a `DetectorModel` to a GDML file that Geant4 reads."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from siren_py._typing import PathLike
from siren_py.errors import OutputError
from siren_py.geometry.placement import Placement
from siren_py.io.files import complete_file
from siren_py.io.gdml.forms import Form, Forms, Names, add_placement, composed, inverted, number
from siren_py.io.gdml.hierarchy import WORLD, Item, hierarchy
from siren_py.materials import Material
from siren_py.nuclei import natural_isotopes, nuclide

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel

_SCHEMA = "http://service-spi.web.cern.ch/service-spi/app/releases/GDML/schema/gdml.xsd"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_VACUUM_DENSITY = 1e-25
"""Density of G4_Galactic [g/cm3]; Geant4 has no matter without density."""
_NATURAL = 1e-9


def to_gdml(detector: DetectorModel, path: PathLike, *, overwrite: bool = True) -> None:
    """Write a detector as GDML.

    The order of the elements is that of Geant4's schema, names are unique identifiers, lengths are
    in cm and angles in rad, numbers have all their digits. Volumes are put inside each other as
    Geant4 wants it: each in the latest one that contains it; where a volume overlaps an earlier one
    otherwise, it is subtracted from that. The world is the first volume, if that is a box about the
    origin around all others, else a box of vacuum; its frame is that of the detector. Layers of
    stacks become volumes. Regions and the beam have no place in GDML and are left out.

    Parameters
    ----------
    detector
        The detector.
    path
        The file, usually ``NAME.gdml``.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written, or GDML has no words for a solid or a density.
    """
    document = _Document(detector)
    indent(document.root, space="  ")
    with complete_file(path, overwrite=overwrite) as part:
        ElementTree(document.root).write(part, encoding="utf-8", xml_declaration=True)


class _Document:
    def __init__(self, detector: DetectorModel) -> None:
        self.names = names = Names()
        self.root = Element(
            "gdml", {"xmlns:xsi": _INSTANCE, "xsi:noNamespaceSchemaLocation": _SCHEMA}
        )
        define = SubElement(self.root, "define")
        self.materials = SubElement(self.root, "materials")
        solids = SubElement(self.root, "solids")
        self.structure = SubElement(self.root, "structure")
        self.forms = Forms(define, solids, names)
        self._isotopes: dict[str, str] = {}
        self._elements: dict[tuple[str, tuple[tuple[str, float], ...]], str] = {}
        self._material_names: dict[str, str] = {}
        self._vacuum_name = ""
        world, matter, self.items = hierarchy(detector)
        self._shapes: dict[int, Form] = {}
        self._children: dict[int, list[int]] = {}
        for k, item in enumerate(self.items):
            if not item.hidden:
                self._children.setdefault(item.parent, []).append(k)
        filling = self._vacuum() if matter is None else self._material(matter)
        self._volumes: dict[int, str] = {}
        # Geant4 wants a volume before it is placed, so daughters are written before mothers.
        for k in self._daughters_first():
            self._volumes[k] = self._volume(k)
        self._world_name = "World" if matter is None else self.items[0].name
        name = names.new(self._world_name)
        volume = SubElement(self.structure, "volume", {"name": name})
        SubElement(volume, "materialref", {"ref": filling})
        SubElement(volume, "solidref", {"ref": self.forms.form(world).name})
        self._place(volume, self._children.get(WORLD, []), Placement.of())
        setup = SubElement(self.root, "setup", {"name": names.new("Default"), "version": "1.0"})
        SubElement(setup, "world", {"ref": name})

    def _daughters_first(self) -> list[int]:
        # A daughter is always later in the list than its mother.
        return [k for k in reversed(range(len(self.items))) if not self.items[k].hidden]

    def _shape(self, index: int) -> Form:
        """Return the GDML solid of a volume with everything cut out of it."""
        if index not in self._shapes:
            item = self.items[index]
            form = self.forms.form(item.solid)
            for later in item.cut:
                other = self.items[later]
                place = composed(inverted(item.placement), other.placement)
                form = self.forms.boolean("subtraction", form, self.forms.form(other.solid), place)
            self._shapes[index] = form
        return self._shapes[index]

    def _frame(self, index: int) -> Placement:
        """Return the placement of the GDML solid of a volume in the frame of the detector."""
        return composed(self.items[index].placement, self._shape(index).placement)

    def _volume(self, index: int) -> str:
        item: Item = self.items[index]
        name = self.names.new(f"volume_{item.name}")
        material, shape = self._material(item.material), self._shape(index)
        volume = SubElement(self.structure, "volume", {"name": name})
        SubElement(volume, "materialref", {"ref": material})
        SubElement(volume, "solidref", {"ref": shape.name})
        self._place(volume, self._children.get(index, []), self._frame(index))
        return name

    def _place(self, volume: Element, children: list[int], frame: Placement) -> None:
        for k in children:
            item = self.items[k]
            above = self._world_name if item.parent == WORLD else self.items[item.parent].name
            # Read from GDML, names are paths; reading puts the path in front again.
            name = self.names.new(item.name.removeprefix(f"{above}/"))
            physical = SubElement(volume, "physvol", {"name": name})
            SubElement(physical, "volumeref", {"ref": self._volumes[k]})
            relative = composed(inverted(frame), self._frame(k))
            # The rotation of a physical volume is passive, the inverse of how the solid turns.
            add_placement(physical, relative, relative.matrix.T, self.names)

    # ------------------------------------------------------------------ materials

    def _vacuum(self) -> str:
        if self._vacuum_name:
            return self._vacuum_name
        name = self.names.new("Vacuum")
        material = SubElement(self.materials, "material", {"name": name, "Z": "1"})
        SubElement(material, "D", {"value": number(_VACUUM_DENSITY), "unit": "g/cm3"})
        SubElement(material, "atom", {"value": "1.008", "unit": "g/mole"})
        self._vacuum_name = name
        return name

    def _material(self, material: Material) -> str:
        fractions = material.mass_fractions
        if not fractions and material.density > 0.0:
            raise OutputError(
                f"Material {material.name!r} has mass but no composition, which GDML cannot say."
            )
        if not fractions:
            return self._vacuum()
        if material.name not in self._material_names:
            parts: dict[str, dict[str, float]] = {}
            for name, w in fractions.items():
                parts.setdefault(nuclide(name).symbol, {})[name] = w
            total = sum(fractions.values())
            elements = [
                (self._element(symbol, isotopes), sum(isotopes.values()) / total)
                for symbol, isotopes in parts.items()
            ]
            identifier = self.names.new(material.name)
            element = SubElement(self.materials, "material", {"name": identifier})
            SubElement(element, "D", {"value": number(material.density), "unit": "g/cm3"})
            for name, w in elements:
                SubElement(element, "fraction", {"n": number(w), "ref": name})
            self._material_names[material.name] = identifier
        return self._material_names[material.name]

    def _element(self, symbol: str, masses: dict[str, float]) -> str:
        """Return an element with the isotopes that a material has of it, given by mass."""
        atoms = {name: w / nuclide(name).atomic_mass for name, w in masses.items()}
        total = sum(atoms.values())
        shares = {name: n / total for name, n in atoms.items()}
        natural = _natural(symbol)
        if shares.keys() == natural.keys() and all(
            abs(shares[name] - natural[name]) < _NATURAL for name in shares
        ):
            shares = natural
        key = (symbol, tuple(shares.items()))
        if key not in self._elements:
            isotopes = [(self._isotope(name), share) for name, share in shares.items()]
            identifier = self.names.new(f"element_{symbol}")
            attributes = {"name": identifier, "formula": symbol}
            element = SubElement(self.materials, "element", attributes)
            for isotope, share in isotopes:
                SubElement(element, "fraction", {"n": number(share), "ref": isotope})
            self._elements[key] = identifier
        return self._elements[key]

    def _isotope(self, name: str) -> str:
        if name not in self._isotopes:
            part = nuclide(name)
            identifier = self.names.new(f"isotope_{name}")
            attributes = {"name": identifier, "Z": str(part.Z), "N": str(part.A)}
            isotope = SubElement(self.materials, "isotope", attributes)
            SubElement(isotope, "atom", {"value": number(part.atomic_mass), "unit": "g/mole"})
            self._isotopes[name] = identifier
        return self._isotopes[name]


def _natural(symbol: str) -> dict[str, float]:
    from siren_py.errors import UnknownNameError

    try:
        return natural_isotopes(symbol)
    except UnknownNameError:
        return {}
