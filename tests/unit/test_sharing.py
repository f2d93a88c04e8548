"""Things in shared memory: the same bits, no copy, never overwritten, nothing left behind."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import pickle
import platform
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from siren_py import mapping
from siren_py.runs import heap, sharing
from siren_py.runs.sharing import Gone, borrow, lend, show_presence, watch

pytestmark = pytest.mark.skipif(not sharing.CAN_LEND, reason="no shared files in memory here")

SIZE = 20_000


class Keeper:
    """Somebody who wants freed memory to be kept."""


@pytest.fixture
def keeper():
    someone = Keeper()
    heap.keep_freed_memory(someone)
    return [someone]


def thing(first=0.0):
    return {"a": np.arange(first, first + SIZE), "b": np.arange(3, dtype=np.int32), "c": "text"}


def descriptors():
    """Return the number of files in memory that this process has open."""
    gc.collect()
    links = []
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # that of the folder itself
            links.append(path.readlink().name)
    return sum("memfd:siren_py" in link for link in links)


def assert_same(found, expected):
    assert list(found) == list(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)
        if isinstance(value, np.ndarray):
            assert found[key].dtype == value.dtype


def test_what_is_lent_is_found_under_its_address():
    lent = lend(thing())
    message = pickle.dumps(lent)
    assert len(message) < 2000
    found = pickle.loads(message)
    assert_same(found, thing())
    assert found["a"].ctypes.data % 64 == 0
    assert_same(borrow(lent.address), thing())


def test_small_things_are_not_worth_it():
    assert lend(np.zeros(10)) is None
    lent = lend(np.zeros(10), 0)
    np.testing.assert_array_equal(borrow(lent.address), np.zeros(10))


def test_changes_stay_with_the_borrower():
    lent = lend(thing())
    one, other = borrow(lent.address), borrow(lent.address)
    one["a"][:] = -1.0
    assert_same(other, thing())


def test_memory_is_used_again_but_never_under_a_reader(keeper):
    lent = lend(thing())
    number = lent.address.descriptor
    kept, address = borrow(lent.address), lent.address
    del lent
    # Somebody reads: another file is taken.
    others = [lend(thing(1.0))]
    assert others[0].address.descriptor != number
    assert_same(kept, thing())
    del kept
    others.append(lend(thing(2.0)))
    assert others[1].address.descriptor == number
    # The old address is not that of the new thing.
    assert isinstance(borrow(address), Gone)
    assert_same(borrow(others[1].address), thing(2.0))


def test_an_address_may_lead_to_anything(tmp_path):
    lent = lend(thing())
    for number in (0, 1, 2, 10**6):
        assert isinstance(borrow(lent.address._replace(descriptor=number)), Gone)
    assert isinstance(borrow(lent.address._replace(process=2**22 + 1)), Gone)
    os.mkfifo(tmp_path / "pipe")
    pipe = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert isinstance(borrow(lent.address._replace(descriptor=pipe)), Gone)
    os.close(pipe)


def test_nothing_stays_open(keeper):
    before = descriptors()
    for left in (sharing._SPARE, 0):
        lent = [lend(thing(i)) for i in range(2 * sharing._SPARE)]
        found = [borrow(x.address) for x in lent]
        del found
        # Without anybody who wants it kept, nothing is kept.
        if not left:
            keeper.clear()
            sharing.free_spare()
        del lent
        assert descriptors() == before + left


def test_many_borrowed_things_are_copied():
    before = descriptors()
    lent = lend(thing())
    found = [borrow(lent.address) for _ in range(mapping._MOST_MAPPED + 20)]
    assert descriptors() <= before + mapping._MOST_MAPPED + 1
    found[-1]["a"][0] = 5.0
    for x in found[:-1]:
        assert_same(x, thing())


def test_without_memory_the_thing_itself_is_sent(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = descriptors()
    monkeypatch.setattr(os, "pwrite", full)
    assert lend(thing()) is None
    assert descriptors() == before
    monkeypatch.setattr(os, "memfd_create", full)
    assert lend(thing()) is None


def test_without_descriptors_nothing_is_borrowed(monkeypatch):
    lent = lend(thing())
    monkeypatch.setattr(sharing, "CAN_LEND", False)
    assert isinstance(borrow(lent.address), Gone)
    assert lend(thing()) is None


LENDER = """
import os, pickle, sys
import numpy as np
from siren_py.runs.sharing import lend
lent = lend(np.arange(100_000))
sys.stdout.buffer.write(pickle.dumps(lent))
sys.stdout.flush()
os.close(1)
sys.stdin.read()
"""


def test_what_was_borrowed_outlives_a_killed_lender():
    lender = subprocess.Popen(
        [sys.executable, "-c", LENDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with lender:
        message = lender.stdout.read()
        found = pickle.loads(message)
        os.kill(lender.pid, signal.SIGKILL)
        lender.wait()
    np.testing.assert_array_equal(found, np.arange(100_000))
    assert isinstance(pickle.loads(message), Gone)


PRESENT = """
import os, pickle, sys
from siren_py.runs.sharing import show_presence
presence = show_presence()
sys.stdout.buffer.write(pickle.dumps(presence.address))
sys.stdout.flush()
os.close(1)
if sys.stdin.read(1) == "e":
    presence.end()
    sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["it ends", "its process is killed"])
def test_a_presence_is_watched_from_another_process(how):
    ended = threading.Event()
    with subprocess.Popen(
        [sys.executable, "-c", PRESENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        address = pickle.loads(other.stdout.read())
        assert watch(address, ended.set)
        assert not ended.wait(0.3)
        if how == "it ends":
            other.stdin.write(b"e")
            other.stdin.flush()
        else:
            other.kill()
        assert ended.wait(30.0)
        other.kill()
    assert not watch(address, ended.set)


def test_a_presence_goes_with_its_object():
    before, ended = descriptors(), threading.Event()
    presence = show_presence()
    address = presence.address
    assert watch(address, ended.set)
    assert not ended.wait(0.1)
    del presence
    gc.collect()
    assert ended.wait(30.0)
    assert not watch(address, ended.set)
    assert descriptors() == before


def test_nobody_is_present_at_another_address():
    presence = show_presence()
    other = lend(thing())
    for address in (
        presence.address._replace(tag=b"x" * 16),
        presence.address._replace(descriptor=other.address.descriptor),
        presence.address._replace(process=2**22 + 1),
    ):
        assert not watch(address, pytest.fail)
    ended = threading.Event()
    assert watch(presence.address, ended.set)
    presence.end()
    assert ended.wait(30.0)


def test_nobody_is_present_without_memory(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = descriptors()
    monkeypatch.setattr(os, "pwrite", full)
    assert show_presence() is None
    assert descriptors() == before
    monkeypatch.setattr(os, "memfd_create", full)
    assert show_presence() is None
    monkeypatch.setattr(sharing, "CAN_LEND", False)
    assert show_presence() is None


FAULTS = """
import resource, weakref
import numpy as np
from siren_py.runs import heap

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        [np.ones(20_000) for _ in range(50)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

class User:
    pass

user = User()
first = faults()
heap.keep_freed_memory(user)
faults()
print(first, faults(), end=" ")
del user
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not the C library of GNU")
@pytest.mark.parametrize("own", [False, True])
def test_freed_memory_is_kept_while_somebody_wants_it(own):
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}
    if own:  # somebody knows what he wants
        environment["MALLOC_MMAP_THRESHOLD_"] = "131072"
    answer = subprocess.run(
        [sys.executable, "-c", FAULTS], env=environment, check=True, capture_output=True, text=True
    )
    before, kept, after = map(int, answer.stdout.split())
    # Each of the thousand arrays takes memory anew; in how many steps is up to the system.
    assert min(before, after) >= 1000
    assert after > 0.8 * before
    assert kept > 0.8 * before if own else kept < 0.1 * before
