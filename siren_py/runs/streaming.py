"""Streaming: events that go straight into their ROOT file, without a folder of finished chunks."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from siren_py.io.root import RootReader, steps, write_root
from siren_py.sample import Sample
from siren_py.store import TableStore


@contextmanager
def noted_interrupts() -> Iterator[threading.Event]:
    """Note the first interrupt in an event, to be looked at between chunks; the second one raises.

    A file that is being written is whole between chunks only. Outside the main thread, where
    interrupts never arrive, nothing is noted.
    """
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        if noted.is_set() and callable(before):
            before(number, frame)
        noted.set()

    if callable(before):  # a background job that ignores interrupts goes on doing so
        signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        if callable(before):
            signal.signal(signal.SIGINT, before)


def write_part(file: Path, sample: Sample, path: Path) -> None:
    """Write the events of a file under the number of attempts that were made in truth.

    Parameters
    ----------
    file
        ROOT file of a run that was interrupted; its weights are for all attempts wanted.
    sample
        A sample with the true number of attempts and the provenance, of any events.
    path
        ROOT file to write.
    """
    reader = RootReader(file)
    store = TableStore()
    for start, stop in steps(reader.n_entries):
        store.append_later(stop - start, partial(reader.table, start, stop))
    made = Sample(store, sample.n_attempts, sample.lookup, sample.provenance)
    write_root(made, path, progress=False)
