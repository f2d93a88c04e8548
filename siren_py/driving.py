"""What drives a run: pseudo-random numbers, or scrambled Sobol nets, one per chunk.

A net of n = 2^m points in d dimensions (Sobol 1967, with the direction numbers of Joe and Kuo,
SIAM J. Sci. Comput. 30, 2635 (2008)) fills the unit cube more evenly than n random points. Each
chunk gets a net of its own, scrambled by random lower triangular matrices over the bits and a
random shift (Matousek, J. Complexity 14, 527 (1998)): every single point is then uniform in the
cube, so that no expectation changes, and the nets of different chunks are independent, so that
the spread of their sums is the error (Owen, J. Complexity 14, 466 (1998)).

A point belongs to one attempt, all of it. Numbers whose count is not known in advance
(rejection, processes and solids of a user's own, what follows the decay) are pseudo-random.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.errors import unknown_name
from siren_py.rng import stream

__all__ = ["COLUMNS", "DRIVINGS", "NetGenerator", "generators", "scrambled_net"]

DRIVINGS = ("random", "sobol")
"""What `siren_py.Simulation.run` can be driven by."""

COLUMNS: Mapping[str, tuple[int, int]] = {
    "energy": (0, 2),
    "scattering": (2, 4),
    "line": (4, 11),
    "vertex": (11, 15),
}
"""Dimensions of the net that serve each purpose, from the first to before the second."""

_DIMENSIONS = 15

_POLYNOMIALS = (
    (1, 0, (1,)),
    (2, 1, (1, 3)),
    (3, 1, (1, 3, 1)),
    (3, 2, (1, 1, 1)),
    (4, 1, (1, 1, 3, 3)),
    (4, 4, (1, 3, 5, 13)),
    (5, 2, (1, 1, 5, 5, 17)),
    (5, 4, (1, 1, 5, 5, 5)),
    (5, 7, (1, 1, 7, 11, 19)),
    (5, 11, (1, 1, 5, 1, 1)),
    (5, 13, (1, 1, 1, 3, 11)),
    (5, 14, (1, 3, 5, 5, 31)),
    (6, 1, (1, 3, 3, 9, 7, 49)),
    (6, 13, (1, 1, 1, 15, 21, 21)),
)
"""Degree, coefficients and first numbers of the dimensions after the first (Joe and Kuo 2008)."""

_BITS = 53
"""Bits of a number: those of a double between 0 and 1, as `Generator.random` has them."""

_BY_ROW = frozenset(
    {
        "siren_py.geometry.solids.Box",
        "siren_py.geometry.solids.Sphere",
        "siren_py.geometry.solids.Cylinder",
        "siren_py.geometry.solids.RegularPrism",
        "siren_py.processes.dipole_tables.BoundDipole",
    }
)
"""Classes, not those derived from them, that make their i-th draw from the i-th row of one
array of random numbers. All others may reject, and what is left would no longer be even."""


def check_driving(driving: object) -> str:
    """Return `driving`, the name of a driving.

    Raises
    ------
    UnknownNameError
        If it is none of `DRIVINGS`.
    """
    if not isinstance(driving, str) or driving not in DRIVINGS:
        raise unknown_name("driving", str(driving), DRIVINGS)
    return driving


def direction_numbers(bits: int) -> IntArray:
    """Return the direction numbers of the Sobol sequence, (dimensions, bits), as whole numbers.

    The k-th is what a point is changed by, bit by bit, where bit k of its index is set; numbers
    are to be divided by 2^bits.
    """
    result = np.empty((_DIMENSIONS, bits), dtype=np.int64)
    result[0] = 1 << np.arange(bits - 1, -1, -1)
    for row, (degree, coefficients, first) in zip(result[1:], _POLYNOMIALS, strict=True):
        m = list(first)
        while len(m) < bits:
            following = m[-degree] ^ (m[-degree] << degree)
            for i in range(1, degree):
                if coefficients >> (degree - 1 - i) & 1:
                    following ^= m[-i] << i
            m.append(following)
        row[:] = [value << (bits - 1 - k) for k, value in enumerate(m[:bits])]
    return result


def scrambled_net(n: int, rng: np.random.Generator) -> FloatArray:
    """Return the first n points of a scrambled Sobol sequence, (dimensions, n), in [0, 1).

    Parameters
    ----------
    n
        Number of points; powers of two are the most even.
    rng
        Source of the scrambling.

    Returns
    -------
    numpy.ndarray
        Coordinates by dimension, (dimensions, n); each column is a point.

    Examples
    --------
    >>> net = scrambled_net(8, np.random.default_rng(1))
    >>> net.shape
    (15, 8)

    Each dimension has one point in each eighth:

    >>> sorted((8 * net[0]).astype(int).tolist())
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    bits = max(1, int(n - 1).bit_length())
    place = np.arange(bits - 1, -1, -1)
    # Digits of the direction numbers, the leading one first: (dimensions, digit, k).
    digits = (direction_numbers(bits)[:, None, :] >> place[:, None]) & 1
    matrix = np.tril(rng.integers(0, 2, size=(_DIMENSIONS, _BITS, bits)), -1)
    matrix += np.eye(_BITS, bits, dtype=np.int64)
    scrambled = (matrix @ digits) & 1
    weight = np.int64(1) << np.arange(_BITS - 1, -1, -1, dtype=np.int64)
    steps = np.einsum("i,dik->dk", weight, scrambled)
    net = np.empty((_DIMENSIONS, 1 << bits), dtype=np.int64)
    net[:, 0] = rng.integers(0, 1 << _BITS, size=_DIMENSIONS)
    for k in range(bits):
        net[:, 1 << k : 2 << k] = net[:, : 1 << k] ^ steps[:, k : k + 1]
    return np.asarray(net[:, :n] * 0.5**_BITS)


class NetGenerator(np.random.Generator):
    """A generator whose `random` hands out the columns of a net, row by row.

    A call for one number (or k numbers) for each row takes the next column (or k columns). All
    other calls, and those beyond the last column, are pseudo-random. Only code that makes its
    i-th event from its i-th row may be given one.

    Parameters
    ----------
    source
        Generator of what is pseudo-random.
    net
        Columns, (d, all rows), from `scrambled_net`.
    rows
        The rows that this generator serves; None for all.
    parent
        The generator that this one serves some rows of; None for one that stands by itself.

    Examples
    --------
    >>> net = scrambled_net(4, np.random.default_rng(1))
    >>> rng = NetGenerator(np.random.default_rng(2), net)
    >>> bool((rng.random(4) == net[0]).all())
    True
    >>> bool((rng.random((4, 2)) == net[1:3].T).all())
    True
    >>> part = rng.of_rows(np.array([0, 2]))
    >>> bool((part.random(2) == net[3, [0, 2]]).all())
    True
    """

    def __init__(
        self,
        source: np.random.Generator,
        net: FloatArray,
        rows: IntArray | None = None,
        parent: NetGenerator | None = None,
    ) -> None:
        super().__init__(source.bit_generator)
        self._net, self._rows, self._parent = net, rows, parent
        self._next: int = 0 if parent is None else parent._next
        self._used = self._next
        self._size = net.shape[1] if rows is None else rows.size

    def random(self, size: Any = None, *args: Any, **options: Any) -> Any:
        """Return uniform numbers of the shape `size`; from the net where they are one per row.

        With further arguments (`args` and `options` of `numpy.random.Generator.random`) the
        numbers are pseudo-random.
        """
        shape = (size,) if isinstance(size, int | np.integer) else size
        if shape and shape[0] == self._size and not args and not options:
            start = max(self._next, self._used)
            end = start + int(np.prod(shape[1:]))
            if end <= len(self._net):
                self._next = end
                self._mark(end)
                part = self._net[start:end]
                part = part if self._rows is None else part[:, self._rows]
                return np.ascontiguousarray(part.T).reshape(shape)
        return super().random(size, *args, **options)

    def _mark(self, end: int) -> None:
        """Note that the columns before `end` are used, here and where this generator is from."""
        self._used = max(self._used, end)
        if self._parent is not None:
            self._parent._mark(end)

    def of_rows(self, rows: IntArray) -> NetGenerator:
        """Return the generator of some of the rows, from the next column on.

        Several parts without a row in common take the same columns.
        """
        chosen = rows if self._rows is None else self._rows[rows]
        return NetGenerator(self, self._net, np.asarray(chosen, dtype=np.int64), self)

    def without_net(self) -> np.random.Generator:
        """Return the generator of the pseudo-random numbers alone."""
        return np.random.Generator(self.bit_generator)


def rows_of(rng: np.random.Generator, rows: IntArray, drawer: object = None) -> np.random.Generator:
    """Return the generator for some of the attempts that `rng` is for.

    Parameters
    ----------
    rng
        Any generator; one without a net is returned as it is.
    rows
        Which attempts, counted among those of `rng`.
    drawer
        The process or solid that will draw from it; pseudo-random numbers for all of whom it is
        not known that they make their i-th draw from the i-th row.
    """
    if not isinstance(rng, NetGenerator):
        return rng
    kind = type(drawer)
    if drawer is not None and f"{kind.__module__}.{kind.__qualname__}" not in _BY_ROW:
        return rng.without_net()
    return rng.of_rows(rows)


def without_net(rng: np.random.Generator) -> np.random.Generator:
    """Return the generator of pseudo-random numbers of `rng`."""
    return rng.without_net() if isinstance(rng, NetGenerator) else rng


def generators(
    driving: str, seed: int, chunk: int, n: int, purposes: tuple[str, ...]
) -> dict[str, np.random.Generator]:
    """Return the generators of a chunk of `n` attempts by purpose.

    Parameters
    ----------
    driving
        One of `DRIVINGS`.
    seed, chunk
        Keys of the streams; see `siren_py.rng.stream`.
    n
        Attempts.
    purposes
        What numbers are needed for; those in `COLUMNS` can come from a net.

    Returns
    -------
    dict
        A `NetGenerator` for each purpose in `COLUMNS` if the driving is ``"sobol"``; for all
        others a `numpy.random.Generator`.

    Examples
    --------
    >>> found = generators("sobol", seed=1, chunk=0, n=1024, purposes=("energy", "decay"))
    >>> {purpose: type(rng).__name__ for purpose, rng in found.items()}
    {'energy': 'NetGenerator', 'decay': 'Generator'}
    """
    rngs = {purpose: stream(seed, purpose, chunk) for purpose in purposes}
    if driving == "sobol":
        net = scrambled_net(n, stream(seed, "sobol", chunk))
        for purpose in set(purposes) & set(COLUMNS):
            first, end = COLUMNS[purpose]
            rngs[purpose] = NetGenerator(rngs[purpose], net[first:end])
    return rngs
