"""Stacks of layers: hundreds of plates that are one volume.

A stack is a solid that is cut by planes across a local axis, each layer with a material of its
own. Tracing finds the first layer by bisection and then visits the layers that the line really
crosses, so the number of layers costs nothing by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from siren_py._typing import FloatArray
from siren_py.errors import GeometryError
from siren_py.geometry.solids import Box, Solid, check_axis, positive

if TYPE_CHECKING:
    from siren_py.materials import Material

    Layer: TypeAlias = tuple[float, Material]

_THICKNESS_TOLERANCE = 1e-9

# Faces are sums of many thicknesses: what rounding makes of equal ones, relative to coordinates.
_SAME_THICKNESS = 1e-14


class Pattern:
    """A sequence of layers that can be repeated and joined.

    Parameters
    ----------
    layers
        Pairs (thickness [cm], material), in ascending order along the axis of the stack.

    Raises
    ------
    GeometryError
        If there is no layer, or one has no positive thickness or no material.

    Examples
    --------
    >>> from siren_py import Material
    >>> from siren_py.geometry import Pattern
    >>> lead = Material.from_element("Pb", density=11.35)
    >>> steel = Material.from_element("Fe", density=7.87)
    >>> pattern = Pattern([(0.45, lead), (3.9, steel)]) * 7 + Pattern([(2.0, steel)])
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        self._layers: list[Layer] = []
        for index, layer in enumerate(layers):
            try:
                thickness, material = layer
                density = material.density
            except (TypeError, ValueError, AttributeError) as error:
                raise GeometryError(
                    f"Layer {index} must be a pair (thickness [cm], Material); it is {layer!r}."
                ) from error
            if not density >= 0.0:
                raise GeometryError(f"Layer {index}: its material has density {density!r}.")
            self._layers.append((positive(thickness, f"Layer {index}: thickness"), material))
        if not self._layers:
            raise GeometryError("A pattern needs at least one layer (thickness [cm], Material).")

    def __add__(self, other: Pattern) -> Pattern:
        return Pattern([*self, *other])

    def __mul__(self, repeat: int) -> Pattern:
        if not isinstance(repeat, (int, np.integer)) or repeat < 1:
            raise GeometryError(f"A pattern is repeated 1, 2, ... times, not {repeat!r} times.")
        return Pattern(self._layers * int(repeat))

    __rmul__ = __mul__

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def reversed(self) -> Pattern:
        """Return the pattern with its layers in the opposite order."""
        return Pattern(self._layers[::-1])

    @property
    def thickness(self) -> float:
        """Sum of the thicknesses [cm]."""
        return float(sum(thickness for thickness, _ in self._layers))

    @property
    def areal_density(self) -> float:
        """Sum of thickness times density [g/cm2]."""
        return float(sum(thickness * material.density for thickness, material in self._layers))

    def __repr__(self) -> str:
        return f"Pattern({len(self)} layers, {self.thickness:.6g} cm)"


@dataclass(frozen=True, init=False, eq=False)
class LayerStack:
    """A box (or another solid) cut in layers.

    Parameters
    ----------
    dx, dy
        Full widths [cm] along the two other axes, in the order x, y, z: x and y for axis "z",
        x and z for axis "y", y and z for axis "x".
    layers
        A `Pattern` or pairs (thickness [cm], material), ascending along the axis.
    repeat
        How often the layers are repeated.
    axis
        The local axis that the layers follow: "x", "y" or "z".

    Attributes
    ----------
    solid
        The outline.
    axis
        The local axis that the layers follow.
    edges
        Local coordinates of the faces of the layers, (layers + 1,) ascending [cm]; neighbours
        of equal material are joined.
    materials
        Material of each layer.

    Examples
    --------
    >>> from siren_py import Material
    >>> from siren_py.geometry import LayerStack
    >>> lead = Material.from_element("Pb", density=11.35)
    >>> plastic = Material.from_formula("C8H8", density=1.06)
    >>> stack = LayerStack(100.0, 100.0, [(0.2, lead), (1.0, plastic)], repeat=30)
    >>> len(stack.materials), float(stack.edges[-1] - stack.edges[0])
    (60, 36.0)
    """

    solid: Solid
    axis: str
    edges: FloatArray = field(repr=False)
    materials: tuple[Material, ...] = field(repr=False)

    def __init__(
        self,
        dx: float,
        dy: float,
        layers: Pattern | Sequence[Layer],
        repeat: int = 1,
        axis: str = "z",
    ) -> None:
        check_axis(axis, "LayerStack")
        pattern = _pattern(layers, repeat)
        widths = [positive(dx, "LayerStack: dx"), positive(dy, "LayerStack: dy")]
        widths.insert("xyz".index(axis), pattern.thickness)
        self._fill(Box(*widths), pattern, axis)

    @classmethod
    def inside(
        cls,
        solid: Solid,
        layers: Pattern | Sequence[Layer],
        repeat: int = 1,
        axis: str = "z",
    ) -> LayerStack:
        """Cut any solid, e.g. a hexagonal prism, in layers that fill its length exactly.

        Parameters
        ----------
        solid
            Any solid.
        layers
            A `Pattern` or pairs (thickness [cm], material), ascending along the axis.
        repeat
            How often the layers are repeated.
        axis
            The local axis that the layers follow: "x", "y" or "z".

        Raises
        ------
        GeometryError
            If the layers together differ from the length of the solid by more than 1e-9 of it.
        """
        check_axis(axis, "LayerStack")
        pattern = _pattern(layers, repeat)
        lo, hi = solid.bounds()
        length = float((hi - lo)["xyz".index(axis)])
        if abs(pattern.thickness - length) > _THICKNESS_TOLERANCE * length:
            raise GeometryError(
                f"The layers are {pattern.thickness!r} cm thick together, but the solid is "
                f"{length!r} cm long along {axis}: they differ by {pattern.thickness - length:.3g} "
                "cm. Add a layer of what fills the rest, or change the length of the solid."
            )
        stack = cls.__new__(cls)
        stack._fill(solid, pattern, axis)
        return stack

    def _fill(self, solid: Solid, pattern: Pattern, axis: str) -> None:
        faces = [0.0]
        materials: list[Material] = []
        for thickness, material in pattern:
            if materials and materials[-1] == material:
                faces[-1] += thickness
            else:
                faces.append(faces[-1] + thickness)
                materials.append(material)
        lo, hi = solid.bounds()
        index = "xyz".index(axis)
        edges = np.array(faces) + float(lo[index])
        edges[-1] = float(hi[index])
        object.__setattr__(self, "solid", solid)
        object.__setattr__(self, "axis", axis)
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "materials", tuple(materials))

    @property
    def thickness(self) -> float:
        """Total thickness along the axis [cm]."""
        return float(self.edges[-1] - self.edges[0])

    def layer_at(self, coordinates: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Return the layer index for local coordinates along the axis, (n,) [cm]."""
        index = np.searchsorted(self.edges, coordinates, side="right") - 1
        return np.clip(index, 0, len(self.materials) - 1)


def repeated_layers(edges: FloatArray, materials: Sequence[int]) -> tuple[int, int, int]:
    """Find the longest run of layers that repeats a pattern.

    Returns
    -------
    first, period, repeats : int
        The first layer of the run, the layers of the pattern and how often it comes; 0, 0, 0 if
        no pattern comes at least three times. Thicknesses agree to rounding.
    """
    widths = np.diff(edges)
    kinds = np.asarray(materials)
    same = _SAME_THICKNESS * float(np.abs(edges).max())
    best = (0, 0, 0)
    for period in range(1, len(kinds) // 3 + 1):
        alike = (kinds[period:] == kinds[:-period]) & (
            np.abs(widths[period:] - widths[:-period]) <= same
        )
        # Runs of layers each of which equals the one a period later.
        bounds = np.flatnonzero(np.diff(np.concatenate([[False], alike, [False]])))
        for start, stop in bounds.reshape(-1, 2).tolist():
            repeats = (stop - start) // period + 1
            # What remains to be visited is one period and the layers outside of the run.
            if repeats >= 3 and (repeats - 1) * period > max(best[2] - 1, 0) * best[1]:
                best = (start, period, repeats)
    return best


def _pattern(layers: Pattern | Sequence[Layer], repeat: int) -> Pattern:
    pattern = layers if isinstance(layers, Pattern) else Pattern(layers)
    return pattern if repeat == 1 else pattern * repeat
