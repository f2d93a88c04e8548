"""What one GDML file defines: numbers, positions, rotations; and how attributes are evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from siren_py._typing import FloatArray
from siren_py.geometry.placement import rotation_matrix
from siren_py.io.gdml.expressions import ExpressionError, Names, dimension, evaluate
from siren_py.io.gdml.xml import Limits, Node

CM_PER_MM = 0.1
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_MAX_NAME = 1000


class Budget:
    """Counts what all files of a geometry ask for together, and stops what has no end."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.nodes = 0
        self.bytes = 0

    def repeat(self, node: Node) -> None:
        """Count an element that a loop repeats."""
        self.nodes += 1
        if self.nodes > self.limits.max_nodes:
            raise node.fault(
                f"the loops repeat more than {self.limits.max_nodes} elements; check their limits, "
                "or raise max_nodes."
            )


class Scope:
    """Names of one file.

    Attributes
    ----------
    names
        Constants, variables and quantities, in the units of `expressions`.
    positions
        By name, (3,) [mm].
    rotations
        By name, angles about x, y and z, (3,) [rad].
    scales
        By name, (3,).
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.names = Names()
        self.positions: dict[str, FloatArray] = {}
        self.rotations: dict[str, FloatArray] = {}
        self.scales: dict[str, FloatArray] = {}

    def number(self, node: Node, key: str, default: float | None = None) -> float:
        """Return the value of an attribute, without the unit beside it."""
        if default is not None and key not in node.attributes:
            return default
        return self.value(node, node.get(key), key)

    def value(self, node: Node, text: str, what: str) -> float:
        """Return the value of an expression of an element."""
        try:
            return evaluate(text, self.names)
        except ExpressionError as error:
            raise node.fault(f"{what}={text[:60]!r}: {error}") from None

    def unit(self, node: Node, key: str, default: str) -> float:
        """Return the value of a unit attribute, e.g. ``lunit="cm"``, of the kind of the default."""
        text = node.attributes.get(key, "") or default
        kind, wanted = dimension(text), dimension(default)
        if wanted is not None and kind is not None and kind != wanted:
            raise node.fault(f"{key}={text!r} is no unit for this; write e.g. {key}={default!r}.")
        value = self.value(node, text, key)
        if value <= 0.0:
            raise node.fault(f"the unit {key}={text!r} is not positive.")
        return value

    def length(self, node: Node, key: str, default: float | None = None) -> float:
        """Return a length [cm] in units of ``lunit``."""
        return self.number(node, key, default) * self.unit(node, "lunit", "mm") * CM_PER_MM

    def angle(self, node: Node, key: str, default: float | None = None) -> float:
        """Return an angle [rad] in units of ``aunit``; the default is in rad."""
        if default is not None and key not in node.attributes:
            return default
        return self.number(node, key) * self.unit(node, "aunit", "rad")

    def integer(self, node: Node, key: str, default: int | None = None) -> int:
        """Return a whole number."""
        value = self.number(node, key, default)
        if value != int(value):
            raise node.fault(f"{key} is {value:g}; it must be a whole number.")
        return int(value)

    def vector(self, node: Node, unit: str, default: float = 0.0) -> FloatArray:
        """Return x, y and z of an element, (3,), times its unit."""
        size = self.unit(node, "unit", unit)
        return np.array([self.number(node, key, default) for key in "xyz"]) * size

    def name(self, node: Node, key: str = "name") -> str:
        """Return a name; ``"a[i]"`` is ``"a_2"`` where i is 3."""
        return self.resolved(node, node.get(key))

    def resolved(self, node: Node, text: str) -> str:
        """Return a name with the indices in its brackets put in, less one, as Geant4 does."""
        if len(text) > _MAX_NAME:
            raise node.fault(f"the name {text[:40]!r}... has {len(text)} letters.")
        if "[" not in text:
            return text

        def index(match: re.Match[str]) -> str:
            values = (self.value(node, part, "index") for part in match[1].split(","))
            return "_" + "_".join(f"{value - 1.0:.0f}" for value in values)

        return _BRACKET.sub(index, text)

    def placement(self, node: Node, prefix: str = "") -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return position [cm], rotation matrix M and scale of an element.

        M = R_z(c) R_y(b) R_x(a) for the angles a, b, c about x, y, z: that is how Geant4 builds a
        matrix from them (G4GDMLRead::GetRotationMatrix). What it is used for differs: M moves the
        second solid of a boolean, M^-1 a physical volume.
        """
        position = self._vector(node, prefix + "position", self.positions, "mm")
        angles = self._vector(node, prefix + "rotation", self.rotations, "rad")
        scale = self._vector(node, prefix + "scale", self.scales, "none", 1.0)
        return position * CM_PER_MM, euler_matrix(angles), scale

    def _vector(
        self,
        node: Node,
        tag: str,
        known: dict[str, FloatArray],
        unit: str,
        default: float = 0.0,
    ) -> FloatArray:
        child = node.find(tag, tag + "ref")
        if child is None:
            return np.full(3, default)
        if child.tag == tag:
            return self.vector(child, unit, default)
        name = self.name(child, "ref")
        if name not in known:
            raise child.fault(f"there is no {tag} {name!r} in <define>.")
        return known[name]

    def define(self, node: Node) -> None:
        """Read a ``<define>`` element."""
        for child in self.expanded(node):
            self._define(child)

    def _define(self, node: Node) -> None:
        kind = node.tag
        if kind in ("constant", "variable"):
            self.names.values[self.name(node)] = self.number(node, "value")
        elif kind == "expression":
            self.names.values[self.name(node)] = self.value(node, node.text.strip(), "text")
        elif kind == "quantity":
            value = self.number(node, "value") * self.unit(node, "unit", "none")
            self.names.values[self.name(node)] = value
        elif kind == "position":
            self.positions[self.name(node)] = self.vector(node, "mm")
        elif kind == "rotation":
            self.rotations[self.name(node)] = self.vector(node, "rad")
        elif kind == "scale":
            self.scales[self.name(node)] = self.vector(node, "none", 1.0)
        elif kind == "matrix":
            columns = self.integer(node, "coldim")
            values = [self.value(node, word, "values") for word in node.get("values").split()]
            if columns < 1 or not values or len(values) % columns:
                raise node.fault(f"{len(values)} values do not fill rows of {columns} columns.")
            self.names.matrices[self.name(node)] = (columns, values)
        else:
            raise node.fault("this is no element of <define>.")

    def expanded(self, node: Node, depth: int = 0) -> Iterator[Node]:
        """Return the children of an element; those of a ``<loop>`` as often as it says.

        They are yielded one after the other, with the variable of the loop set meanwhile.
        """
        for child in node.children:
            if child.tag != "loop":
                yield child
                continue
            yield from self._loop(child, depth)

    def _loop(self, node: Node, depth: int) -> Iterator[Node]:
        if depth > 10:
            raise node.fault("loops are nested more than 10 deep.")
        variable = node.get("for")
        if variable not in self.names.values:
            raise node.fault(
                f'there is no variable {variable!r}; write <variable name="{variable}" value="0"/> '
                "in <define>."
            )
        # Geant4 starts from the attribute, or from the value of the variable.
        start = self.number(node, "from", self.names.values[variable])
        stop, step = self.number(node, "to"), self.number(node, "step", 1.0)
        if step <= 0.0:
            raise node.fault(f"step is {step:g}; it must be positive.")
        # Counted beforehand: a loop without body must not run for years.
        if (stop - start) / step > self.budget.limits.max_nodes:
            raise node.fault(f"the loop runs {(stop - start) / step:.3g} times; that is too often.")
        value = start
        while value <= stop:
            self.names.values[variable] = value
            self.budget.repeat(node)
            for child in self.expanded(node, depth + 1):
                self.budget.repeat(child)
                yield child
            value += step


def euler_matrix(angles: FloatArray) -> FloatArray:
    """Return M = R_z(c) R_y(b) R_x(a), (3, 3), for angles (a, b, c) [rad]."""
    from scipy.spatial.transform import Rotation

    if not np.any(angles):
        return np.eye(3)
    return rotation_matrix(Rotation.from_euler("xyz", angles))
