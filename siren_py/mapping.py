"""Things with arrays, taken apart for a file and put together from it without copying the arrays.

The bytes of the arrays stand one after the other in the file; what they belong to is pickled
without them and kept elsewhere.
"""

from __future__ import annotations

import mmap
import os
import pickle
import weakref
from typing import Any, NamedTuple

_ALIGNED = 64
"""Arrays begin at multiples of this [bytes]."""
_MOST_MAPPED = 64
"""Things that stay in their files while they are used: each takes a file descriptor."""

# Mappings end whenever the garbage collector says so, in the midst of other calls.
_mapped: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()


class Layout(NamedTuple):
    """A thing without its arrays, and where they are."""

    head: bytes
    """The pickled thing without its arrays."""
    spans: tuple[tuple[int, int], ...]
    """Begin and length of each array in the file [bytes]."""

    @property
    def end(self) -> int:
        """Where the last array ends [bytes]."""
        return sum(self.spans[-1]) if self.spans else 0


def take_apart(thing: object, begin: int = 0) -> tuple[Layout, list[memoryview]]:
    """Return where the arrays of a thing come in a file from `begin` on, and their bytes."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
    views, spans = [buffer.raw() for buffer in buffers], []
    for view in views:
        begin = -(-begin // _ALIGNED) * _ALIGNED
        spans.append((begin, view.nbytes))
        begin += view.nbytes
    return Layout(head, tuple(spans)), views


def put_together(layout: Layout, descriptor: int) -> Any:
    """Return the thing whose arrays are in an open file; changes of them stay in this process.

    Raises
    ------
    OSError
        If the file cannot be read, or is too short.
    """
    end = layout.end
    if os.fstat(descriptor).st_size < end:
        raise OSError(f"the file has less than {end} bytes")
    data: mmap.mmap | bytearray
    if end > 0 and len(_mapped) < _MOST_MAPPED:
        # The mapping has a descriptor of its own, with the locks of the file, until it ends.
        data = mmap.mmap(descriptor, end, access=mmap.ACCESS_COPY)
        _mapped.add(data)
    else:
        data = bytearray(end)
        with open(descriptor, "rb", closefd=False) as file:
            file.seek(0)
            file.readinto(data)
    view = memoryview(data)
    return pickle.loads(layout.head, buffers=[view[b : b + n] for b, n in layout.spans])
