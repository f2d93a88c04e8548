"""Worker processes of one machine: started, fed through pipes, replaced when they die.

They are plain child processes rather than those of `multiprocessing`, which would run the
user's main script again in each of them.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Any

from siren_py.errors import WorkerError
from siren_py.runs.chunks import Chunk
from siren_py.runs.sharing import CAN_LEND, Gone, lend
from siren_py.spilling import Overflow, Spilled, no_overflow, try_to_spill

if TYPE_CHECKING:
    from siren_py.runs.sharing import Lent
    from siren_py.runs.transport import Parcel
    from siren_py.tree import EventTable

_LENGTH = struct.Struct("<Q")
_LOSSES = 3
"""Workers that one chunk may cost before the run gives up."""
_PATIENCE = 10.0
"""Time that a worker gets to finish its chunk when it is no longer wanted [s]."""


class WorkerPool:
    """Processes that make chunks of one run, for as many threads as there are processes.

    Parameters
    ----------
    parcel
        The injector.
    seed
        Seed of the run.
    workers
        Number of processes.
    overflow
        Says where they shall write their tables.
    """

    def __init__(
        self, parcel: Parcel, seed: int, workers: int, overflow: Overflow = no_overflow
    ) -> None:
        self._setup, self._overflow = (parcel, seed), overflow
        self._idle: SimpleQueue[subprocess.Popen[bytes] | None] = SimpleQueue()
        self._all: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._shares = CAN_LEND
        for _ in range(workers):
            self._idle.put(None)  # started by the thread that needs it first

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        for process in list(self._all):
            self._end(process)

    @property
    def processes(self) -> list[int]:
        """Ids of the processes that run."""
        return [process.pid for process in list(self._all)]

    def chunk(self, chunk: Chunk) -> EventTable | Spilled:
        """Make a chunk in an idle process.

        Raises
        ------
        WorkerError
            If several processes in turn are lost over this chunk.
        """
        process = self._idle.get()
        try:
            for _ in range(_LOSSES):
                process = process or self._start()
                try:
                    _send(process.stdin, (chunk, self._shares, self._overflow()))
                    answer: Any = _receive(process.stdout)
                    if isinstance(answer, Gone):
                        self._shares = False
                        _send(process.stdin, (chunk, False, None))
                        answer = _receive(process.stdout)
                except (EOFError, OSError):
                    self._end(process)
                    code, process = process.returncode, None
                    continue
                if isinstance(answer, BaseException):
                    raise answer
                table: EventTable | Spilled = answer
                return table
        finally:
            self._idle.put(process)
        raise WorkerError(
            f"{_LOSSES} worker processes in turn were lost over chunk {chunk.number} (exit code "
            f"{code}; -9 is a kill, often for want of memory). Use fewer workers, or threads."
        )

    def _start(self) -> subprocess.Popen[bytes]:
        serve = "from siren_py.runs.worker import serve; serve()"
        code = f"import sys; sys.path[:] = {sys.path!r}; {serve}"
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C is for the run, which then ends its workers in good order.
            start_new_session=True,
        )
        with self._lock:
            self._all.add(process)
        with contextlib.suppress(OSError):  # noticed when the answer does not come
            _send(process.stdin, self._setup)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._all.discard(process)
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def serve() -> None:
    """Make chunks until nobody asks for more: the main loop of a worker process."""
    from siren_py.runs.heap import keep_freed_memory
    from siren_py.runs.transport import injector_of, make_chunk, portable

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = sys.stdin.buffer
    # What a detector's script prints must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with contextlib.suppress(EOFError, OSError):
        parcel, seed = _receive(requests)
        keep_freed_memory(threading.main_thread())
        while True:
            chunk, shares, folder = _receive(requests)
            answer: EventTable | Spilled | Lent | BaseException
            try:
                injector = injector_of(parcel.digest, lambda: parcel)
                table = make_chunk(injector, seed, chunk)
                # What is lent lives until the next request: by then it is taken up.
                answer = try_to_spill(table, folder) or (lend(table) if shares else None) or table
            except Exception as error:
                answer = portable(error)
            _send(answers, answer)
    # Buffers of a pipe that nobody reads cannot be flushed, and need not be.
    os._exit(0)


def _send(stream: IO[bytes] | None, message: object) -> None:
    assert stream is not None
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def _receive(stream: IO[bytes] | None) -> Any:
    assert stream is not None
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    return pickle.loads(_exactly(stream, length))


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data
