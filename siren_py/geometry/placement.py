"""Where a solid stands: a rotation followed by a translation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from siren_py._typing import ArrayLike, FloatArray
from siren_py.errors import GeometryError

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

    RotationLike: TypeAlias = Rotation | ArrayLike | None
else:
    RotationLike: TypeAlias = Any

# A matrix that differs from a signed permutation by less than this is meant to be one:
# Rotation.from_euler("y", 90, degrees=True) leaves entries of 2e-16.
_EXACT = 1e-12
_ORTHOGONAL = 1e-9


def vector3(values: ArrayLike, what: str) -> FloatArray:
    """Return three finite floats, or say what is wrong with them.

    Raises
    ------
    GeometryError
        If there are not three of them or one is not finite.
    """
    try:
        vector = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GeometryError(f"{what} must be three numbers; it is {values!r}.") from error
    if vector.shape != (3,) or not np.all(np.isfinite(vector)):
        raise GeometryError(f"{what} must be three finite numbers; it is {values!r}.")
    return vector


def rotation_matrix(rotation: RotationLike, what: str = "rotation") -> FloatArray:
    """Return the (3, 3) matrix of a rotation, exact for multiples of 90 degrees.

    Parameters
    ----------
    rotation
        A `scipy.spatial.transform.Rotation`, a proper orthogonal (3, 3) matrix, or None.
    what
        Name for error texts.

    Raises
    ------
    GeometryError
        If it is no rotation: wrong shape, not orthogonal within 1e-9, or a mirror image.
    """
    if rotation is None:
        return np.eye(3)
    as_matrix = getattr(rotation, "as_matrix", None)
    try:
        matrix = np.array(as_matrix() if as_matrix is not None else rotation, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GeometryError(
            f"{what} must be a scipy Rotation, a (3, 3) matrix or None; it is {rotation!r}."
        ) from error
    if matrix.shape != (3, 3):
        raise GeometryError(
            f"{what} must be one rotation; its matrix has shape {matrix.shape} instead of (3, 3)."
        )
    worst = float(np.abs(matrix @ matrix.T - np.eye(3)).max())
    if not worst <= _ORTHOGONAL:
        raise GeometryError(
            f"{what} is not a rotation: R R^T differs from 1 by {worst:.3g}. "
            "Use scipy.spatial.transform.Rotation to build it."
        )
    if np.linalg.det(matrix) < 0.0:
        raise GeometryError(f"{what} is a mirror image (its determinant is -1), not a rotation.")
    rounded = np.round(matrix)
    if np.abs(matrix - rounded).max() < _EXACT:
        matrix = rounded + 0.0  # no negative zeros
    return np.ascontiguousarray(matrix)


@dataclass(frozen=True, eq=False)
class Placement:
    """A rotation R followed by a translation to `position`: x = R x_local + position.

    Attributes
    ----------
    position
        Where the origin of the solid goes, (3,) [cm].
    matrix
        R, (3, 3).

    Examples
    --------
    >>> from scipy.spatial.transform import Rotation
    >>> from siren_py.geometry import Placement
    >>> place = Placement.of(at=(0, 0, 10), rotation=Rotation.from_euler("z", 90, degrees=True))
    >>> place.to_detector([[1.0, 0.0, 0.0]]).round(9).tolist()
    [[0.0, 1.0, 10.0]]
    """

    position: FloatArray
    matrix: FloatArray

    @classmethod
    def of(cls, at: ArrayLike = (0.0, 0.0, 0.0), rotation: RotationLike = None) -> Placement:
        """Build a placement from what a user gives; see `rotation_matrix`.

        Parameters
        ----------
        at
            Where the origin of the solid goes [cm], (3,).
        rotation
            scipy Rotation, (3, 3) matrix, or None.
        """
        return cls(vector3(at, "The position (at=)"), rotation_matrix(rotation, "rotation="))

    @property
    def is_rotated(self) -> bool:
        """Whether R differs from 1."""
        return not np.array_equal(self.matrix, np.eye(3))

    @property
    def is_axis_aligned(self) -> bool:
        """Whether R turns axes into axes (multiples of 90 degrees)."""
        return bool(np.all((self.matrix == 0.0) | (np.abs(self.matrix) == 1.0)))

    def __matmul__(self, inner: Placement) -> Placement:
        """Return the placement of what stands at `inner` in a frame that stands at this one."""
        return Placement(
            self.matrix @ inner.position + self.position,
            # Through the check: a product of many rotations stays one, and 90 degrees exact.
            rotation_matrix(self.matrix @ inner.matrix),
        )

    def to_local(self, points: FloatArray) -> FloatArray:
        """Turn points (n, 3) of the detector frame into the frame of the solid: R^T (x - t)."""
        local: FloatArray = (points - self.position) @ self.matrix
        return local

    def directions_to_local(self, directions: FloatArray) -> FloatArray:
        """Turn directions (n, 3) into the frame of the solid."""
        local: FloatArray = directions @ self.matrix
        return local

    def to_detector(self, points: FloatArray) -> FloatArray:
        """Turn points (n, 3) of the frame of the solid into the detector frame."""
        placed: FloatArray = points @ self.matrix.T + self.position
        return placed

    def box(self, lo: FloatArray, hi: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the axis-aligned box (lo, hi) around a placed local box."""
        middle = self.to_detector(0.5 * (lo + hi))
        half = np.abs(self.matrix) @ (0.5 * (hi - lo))
        return middle - half, middle + half
