"""Borrowed arrays: the same memory without reference counts, for the inside of kernels.

numba counts the references of every array that a kernel hands to another one, with atomic
operations: for a tuple of arrays that is most of the cost of a short call, and threads that
share a detector wait for each other. A borrowed array has no counter. It is valid as long as
the array it was made from, so a kernel borrows its own arguments and never returns the result.
"""

from __future__ import annotations

from siren_py._numba import borrowed, inline_kernel
from siren_py.geometry.arrays import External, GeometryArrays, Scratch
from siren_py.geometry.line_tree import borrow_line_tree

__all__ = ["borrow_external", "borrow_geometry", "borrow_scratch", "borrowed"]


@inline_kernel
def borrow_geometry(geometry: GeometryArrays) -> GeometryArrays:
    """Return the arrays of a detector or a region without reference counts."""
    return GeometryArrays(
        borrowed(geometry.node_box),
        borrowed(geometry.node_link),
        borrow_line_tree(geometry.lines),
        borrowed(geometry.real),
        borrowed(geometry.integer),
        borrowed(geometry.stack),
        borrowed(geometry.stack_axis),
        borrowed(geometry.layer_edge),
        borrowed(geometry.layer_material),
        borrowed(geometry.layer_depth),
        borrowed(geometry.density),
        borrowed(geometry.data),
        borrowed(geometry.program),
    )


@inline_kernel
def borrow_external(external: External) -> External:
    """Return the intervals of solids without kernel without reference counts."""
    return External(borrowed(external.offsets), borrowed(external.t_in), borrowed(external.t_out))


@inline_kernel
def borrow_scratch(scratch: Scratch) -> Scratch:
    """Return buffers without reference counts."""
    return Scratch(
        borrowed(scratch.t_in),
        borrowed(scratch.t_out),
        borrowed(scratch.volume),
        borrowed(scratch.material),
        borrowed(scratch.enter_t),
        borrowed(scratch.leave_t),
        borrowed(scratch.enter_row),
        borrowed(scratch.open_t),
        borrowed(scratch.open_row),
        borrowed(scratch.near),
        borrowed(scratch.far),
        borrowed(scratch.todo),
        borrowed(scratch.visible_in),
        borrowed(scratch.visible_out),
        borrowed(scratch.visible_row),
        borrowed(scratch.pieces),
    )
