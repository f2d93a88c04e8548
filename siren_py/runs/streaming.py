"""Streaming: events that go straight into their ROOT file, without a folder of finished chunks."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from siren_py.io.root import RootReader, write_root
from siren_py.sample import Sample


@contextmanager
def noted_interrupts() -> Iterator[threading.Event]:
    """Note the first interrupt in an event, to be looked at between chunks; the second one raises.

    A file that is being written is whole between chunks only. Outside the main thread, where
    interrupts never arrive, nothing is noted.
    """
    noted = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    # A background job that ignores interrupts goes on doing so.
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        if noted.is_set():
            before(number, frame)
        noted.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
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
    store = RootReader(file).store()
    made = Sample(store, sample.n_attempts, sample.lookup, sample.provenance)
    write_root(made, path, progress=False)
