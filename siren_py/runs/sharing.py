"""Tables in memory that the processes of one machine share: they pass no pipe and no socket.

A process lends a thing: it writes its arrays into a file without a name that exists in memory only
(`os.memfd_create`, Linux), and others map that file. What says where it is has a few hundred
bytes and may take any way. Nothing has to be cleaned up, however processes end: such memory
goes with the last process that has it open.

Whoever maps it holds a lock on the file for as long as an array of it lives, and the lender
writes into a file again only if nobody holds that lock. So memory is used over and over, and a
borrowed array never changes under its reader. A file that its owner keeps locked shows that the
owner is still there: whoever waits for the lock sees it end.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from siren_py.mapping import Layout, put_together, take_apart
from siren_py.runs.heap import is_kept

try:
    import fcntl
except ImportError:  # Windows; nothing is lent there
    fcntl = None  # type: ignore[assignment]

CAN_LEND = fcntl is not None and hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir()
"""Whether this system has what lending needs."""

_SMALLEST = 2**16
"""What is smaller is not worth it [bytes]."""
_SPARE = 16
"""Files that are kept for the next things where freed memory is wanted to be kept."""
_TAG = 16
_NOTHING = Layout(b"", ())


class Address(NamedTuple):
    """Where a thing is that a process of this machine lends."""

    process: int
    descriptor: int
    tag: bytes
    """First bytes of the file; it has others as soon as it holds something else."""
    layout: Layout
    """The thing without its arrays, and where they are."""

    @property
    def path(self) -> str:
        """Name under which the system shows the file to other processes."""
        return f"/proc/{self.process}/fd/{self.descriptor}"


class Gone:
    """What is found instead of a thing that is not lent any more, or not to this process."""


class Lent:
    """A thing that other processes may borrow as long as this object lives.

    Pickled it is its address, and unpickled the thing itself, or `Gone`.
    """

    def __init__(self, descriptor: int, tag: bytes, layout: Layout):
        self.address = Address(os.getpid(), descriptor, tag, layout)
        self._finalizer = weakref.finalize(self, _take_back, descriptor)
        self._finalizer.atexit = False

    def end(self) -> None:
        """End the loan before this object ends; what was borrowed stays as it is."""
        self._finalizer()

    def __reduce__(self) -> tuple[Callable[[Address], Any], tuple[Address]]:
        return borrow, (self.address,)


# Things end whenever the garbage collector says so, in the midst of other calls: no lock may be
# needed for it, and single operations of a deque need none.
_spare: deque[int] = deque()


def lend(thing: object, smallest: int = _SMALLEST) -> Lent | None:
    """Put a thing with arrays where other processes of this machine find it.

    Parameters
    ----------
    thing
        Any thing that can be pickled.
    smallest
        Size of the arrays from which on it is worth it [bytes].

    Returns
    -------
    Lent or None
        None if it is small, or if this system or its memory does not allow it: then the thing
        itself has to be sent.
    """
    if not CAN_LEND:
        return None
    layout, views = take_apart(thing, begin=_TAG)
    if sum(view.nbytes for view in views) < max(smallest, 1):
        return None
    tag = secrets.token_bytes(_TAG)
    descriptor = _filled_file(tag, views, layout)
    if descriptor is None:
        return None
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return Lent(descriptor, tag, layout)


def _filled_file(tag: bytes, views: list[memoryview], layout: Layout) -> int | None:
    """Write a tag and arrays into a file, which is still locked; None if that is not possible."""
    try:
        descriptor = _free_file()
    except OSError:
        return None
    try:
        _write(descriptor, memoryview(tag), 0)
        for view, (begin, _) in zip(views, layout.spans, strict=True):
            _write(descriptor, view, begin)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _free_file() -> int:
    """Return the descriptor of a file that nobody looks into, locked against those who may."""
    for _ in range(len(_spare)):
        with contextlib.suppress(IndexError):  # another thread has taken it
            descriptor = _spare.popleft()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _spare.append(descriptor)
            else:
                return descriptor
    descriptor = os.memfd_create("siren_py")
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _write(descriptor: int, data: memoryview, begin: int) -> None:
    while data.nbytes:
        written = os.pwrite(descriptor, data, begin)
        data, begin = data[written:], begin + written


def _take_back(descriptor: int) -> None:
    _spare.append(descriptor)
    free_spare(_SPARE if is_kept() else 0)


def free_spare(kept: int = 0) -> None:
    """Give memory that waits for the next things back to the system, but for `kept` of them."""
    with contextlib.suppress(IndexError):
        while len(_spare) > kept:
            os.close(_spare.popleft())


def borrow(address: Address) -> Any:
    """Return what is lent at an address; `Gone` if it is not there any more, or out of reach.

    Its arrays are the lender's memory. Changes stay in this process.
    """
    try:
        descriptor = _open(address)
    except OSError:
        return Gone()
    try:
        return put_together(address.layout, descriptor)
    except OSError:
        return Gone()
    finally:
        os.close(descriptor)


def _open(address: Address, hold: bool = True) -> int:
    """Open the file at an address and lock it; OSError if it is not the one that is meant."""
    if not CAN_LEND:
        raise OSError("this system has no shared files in memory")
    # By number it may be anything by now: it must not block, nor become a terminal.
    descriptor = os.open(address.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if hold:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if os.pread(descriptor, _TAG, 0) != address.tag:
            raise FileNotFoundError(f"{address.path} holds something else")
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class Presence:
    """Something that others see end: with `end`, with this object, or with this process."""

    def __init__(self, descriptor: int, tag: bytes):
        self.address = Address(os.getpid(), descriptor, tag, _NOTHING)
        self._finalizer = weakref.finalize(self, _leave, descriptor)
        self._finalizer.atexit = False

    def end(self) -> None:
        """Be gone."""
        self._finalizer()


def _leave(descriptor: int) -> None:
    # A child of this process may have the file open, too.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def show_presence() -> Presence | None:
    """Be present, for other processes of this machine; None if this system does not allow it."""
    if not CAN_LEND:
        return None
    tag = secrets.token_bytes(_TAG)
    descriptor = _filled_file(tag, [], _NOTHING)
    return None if descriptor is None else Presence(descriptor, tag)


def watch(address: Address, then: Callable[[], object]) -> bool:
    """Call a function, in a thread of its own, when the presence at an address ends.

    Returns
    -------
    bool
        False, and nothing is called, if nobody is seen there from this process.
    """
    try:
        descriptor = _open(address, hold=False)
    except OSError:
        return False
    threading.Thread(target=_wait, args=(descriptor, then), name="siren_py", daemon=True).start()
    return True


def _wait(descriptor: int, then: Callable[[], object]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
        then()
