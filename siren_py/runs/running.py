"""Running: from the chunks of a simulation to a sample, in memory or in a file.

Without a file or a checkpoint the tables go into the store of the sample. With one, each
finished chunk is written into a folder before the next is counted, the sample reads them from
there, and the ROOT file is written from it chunk by chunk: memory does not grow. With a file and
`checkpoint=False` they go straight into the file (see `siren_py.runs.streaming`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from siren_py._typing import PathLike
from siren_py.driving import check_driving
from siren_py.errors import ConfigError, FormatError, OutputError
from siren_py.io.files import check_writable
from siren_py.io.formats import check_root_name
from siren_py.parallel import check_workers
from siren_py.progress import ProgressLike, progress_bar
from siren_py.runs.backends import check_backend, tables_in_order
from siren_py.runs.checkpoint import Checkpoint, Part, part_of, stored_seed
from siren_py.runs.chunks import Chunk, attempts_in, check_chunks, chunks_of
from siren_py.sample import Sample
from siren_py.spilling import Overflow, Spilled, no_overflow
from siren_py.store import TableStore
from siren_py.tree import EventTable
from siren_py.weighting import product_of_factors

if TYPE_CHECKING:
    from siren_py.simulation import Simulation

_PROBE_ATTEMPTS, _PROBE_CHUNK = 256, 2**62
"""Attempts, and a chunk that no run has, of the events that tell configurations apart."""

_DIGITS = 1e6
"""The probe compares weights to a millionth: the last bits of a logarithm may differ between
machines, and their events are still those of the same run."""


def fingerprint(simulation: Simulation) -> str:
    """Return a hash that tells apart runs whose events must not be mixed.

    It is made of the configuration, the names that the integer columns refer to, the version of
    siren_py, and the weights of a few events. The last tell of what has no place in the
    configuration: the volumes of a detector that was built by hand, a flux or a process of a
    user's own class. A change that touches one event in a thousand escapes it.
    """
    from siren_py import __version__

    table = simulation.injector.chunk(0, _PROBE_CHUNK, _PROBE_ATTEMPTS, 0)
    weight = product_of_factors(table)
    rounded = np.rint(np.log(weight[weight > 0.0]) * _DIGITS).astype(np.int64)
    record = {
        "siren_py": __version__,
        "configuration": simulation.configuration,
        "names": simulation.names,
        "invariants": simulation.injector.invariants,
        "events": np.asarray(table.events["event"]).tolist(),
        "weights": rounded.tolist(),
    }
    return hashlib.sha256(json.dumps(record, default=_plain).encode()).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    # What cannot be written to a file must not keep a run in memory from starting.
    return type(value).__name__


@dataclass(frozen=True)
class Request:
    """What `Simulation.run` is asked for."""

    n: int
    seed: int | None = None
    workers: int = 1
    backend: Any = "threads"
    output: PathLike | None = None
    checkpoint: PathLike | Literal[False] | None = None
    resume: bool = False
    chunks: tuple[int, int] | None = None
    progress: ProgressLike = None
    driving: str = "random"

    def check(self) -> range:
        """Return the numbers of the chunks to make.

        Raises
        ------
        ConfigError, OutputError
            If the request makes no sense, or the output cannot be written.
        """
        n = self.n
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 1:
            raise ConfigError(f"The number of attempts must be a positive integer; it is {n!r}.")
        check_workers(self.workers)
        check_backend(self.backend)
        check_driving(self.driving)
        if self.output is not None:
            check_root_name(self.output)
            check_writable(self.output)
        if self.checkpoint is False and (self.resume or self.output is None):
            raise ConfigError(
                "Without a checkpoint events go straight into the output: give an output "
                "(output=, --output), and no resume."
            )
        if self.resume and self.folder is None:
            raise ConfigError(
                "A run is resumed from its finished chunks: give the output (output=, --output) or "
                "the checkpoint that it was started with."
            )
        return check_chunks(self.chunks, int(n))

    @property
    def folder(self) -> Path | None:
        """Where finished chunks are kept; None if they are not."""
        if self.checkpoint is False:
            return None
        if self.checkpoint is not None:
            return Path(self.checkpoint)
        return None if self.output is None else parts_of(self.output)

    def chosen_seed(self) -> int:
        """Return the seed: the one asked for, that of the run to resume, or one by chance."""
        if self.seed is not None:
            return self.seed
        if self.resume:
            stored = None if self.folder is None else stored_seed(self.folder)
            if stored is not None:
                return stored
            if self.output is not None and Path(self.output).exists():
                from siren_py.io.root import read_provenance

                with suppress(FormatError, KeyError, TypeError, ValueError):
                    return int(read_provenance(self.output)["seed"])
        return int(np.random.SeedSequence().generate_state(1)[0])


def parts_of(output: PathLike) -> Path:
    """Return the folder that holds the finished chunks of an output, ``events.root.parts``."""
    return Path(f"{os.fspath(output)}.parts")


def partial_of(output: PathLike) -> Path:
    """Return the file of an interrupted run, ``events.partial.root``.

    It has another name than the output, so that a file of that name is always a whole run.
    """
    path = Path(output)
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def run(simulation: Simulation, request: Request) -> Sample:
    """Do what `Simulation.run` describes."""
    numbers = request.check()
    seed = request.chosen_seed()
    job = _Job(simulation, request, numbers, seed)
    if request.resume and request.output is not None:
        finished = job.finished()
        if finished is not None:
            return finished
    return job.run()


class _Job:
    def __init__(self, simulation: Simulation, request: Request, numbers: range, seed: int) -> None:
        self.simulation, self.request, self.numbers, self.seed = simulation, request, numbers, seed
        self.n = int(request.n)
        self.total = attempts_in(numbers, self.n)
        self.store = TableStore()
        # What is driven otherwise has other events: its configuration and fingerprint tell.
        self.configuration = {**simulation.configuration, "driving": request.driving}
        simulation.made, simulation.partial = 0, None

    @cached_property
    def fingerprint(self) -> str:
        """That of the simulation, unless the run is driven otherwise."""
        own = self.simulation.fingerprint
        if self.request.driving == "random":
            return own
        return hashlib.sha256(f"{own} {self.request.driving}".encode()).hexdigest()

    def finished(self) -> Sample | None:
        """Return the sample of an earlier run that came to its end, None if there is none.

        Batch systems start jobs again that were done already.
        """
        from siren_py.io.root import open_root, read_provenance

        output = Path(str(self.request.output))
        if not output.is_file():
            return None
        wanted = self._provenance(self.numbers)
        with suppress(FormatError):
            found = read_provenance(output)
            if all(
                found.get(k) == wanted[k]
                for k in ("fingerprint", "seed", "chunks", "n_attempts", "requested")
            ):
                self._clean_up()
                return open_root(output, self.simulation.injector)
        return None

    def _clean_up(self) -> None:
        """Remove what a run leaves that was ended between its file and its last breath."""
        folder, output = self.request.folder, self.request.output
        if folder is not None and folder.is_dir():
            with Checkpoint(folder, self._identity(), resume=True) as parts:
                parts.remove()
        if output is not None:
            partial_of(output).unlink(missing_ok=True)

    def _identity(self) -> dict[str, Any]:
        return {
            "fingerprint": self.fingerprint,
            "seed": int(self.seed),
            "configuration": self.configuration,
        }

    def _provenance(self, numbers: range) -> dict[str, Any]:
        attempts = attempts_in(numbers, self.n)
        return {
            **self.simulation.provenance(self.seed, attempts),
            "configuration": self.configuration,
            "requested": self.n,
            "chunks": [[numbers.start, numbers.stop]],
            "fingerprint": self.fingerprint,
        }

    def _sample(self, count: int) -> Sample:
        """Return a sample of the first `count` chunks."""
        numbers = self.numbers[:count]
        return Sample(
            self.store, attempts_in(numbers, self.n), self.simulation.names,
            self._provenance(numbers), self.simulation.injector,
        )  # fmt: skip

    def run(self) -> Sample:
        request = self.request
        if request.checkpoint is False:
            return self._stream(Path(str(request.output)))
        with ExitStack() as stack:
            parts = None
            if request.folder is not None:
                parts = stack.enter_context(
                    Checkpoint(request.folder, self._identity(), resume=request.resume)
                )
            try:
                self._make(parts)
                sample = self._sample(len(self.store))
                if request.output is not None:
                    sample = self._write(sample, request.output)
                    if parts is not None:
                        parts.remove()
                    partial_of(request.output).unlink(missing_ok=True)
                return sample
            except KeyboardInterrupt as stop:
                raise KeyboardInterrupt(self._interrupted()) from stop
            except OutputError as error:
                if parts is None or not parts.parts:
                    raise
                raise OutputError(
                    f"{error} {len(parts.parts)} finished chunks are kept in {parts.folder}; "
                    "resume the run when there is space."
                ) from error

    def _make(self, parts: Checkpoint | None) -> None:
        """Make the chunks that are not there yet; put all into the store, in order."""
        kept = {}
        if parts is not None:
            wanted = chunks_of(self.numbers, self.n)
            kept = {c.number: parts.parts[c.number] for c in wanted if parts.has(c)}
        keep, overflow = (
            (part_of, self.store.overflow) if parts is None else (parts.save, no_overflow)
        )
        for chunk, part, table in self._made(kept, keep, overflow):
            if parts is not None:
                self.store.append_later(part.events, partial(parts.load, chunk.number))
            elif table is not None:
                self.store.append(table)

    def _made(
        self,
        kept: Mapping[int, Part],
        keep: Callable[[Chunk, EventTable], Part],
        overflow: Overflow = no_overflow,
    ) -> Generator[tuple[Chunk, Part, EventTable | Spilled | None]]:
        """Yield all chunks in order, those that are not kept already with their events."""
        request, simulation = self.request, self.simulation
        wanted = (c for c in chunks_of(self.numbers, self.n) if c.number not in kept)
        done = before = sum(c.size for c in chunks_of(kept, self.n))
        weight = square = 0.0
        injector = simulation.injector.driven(request.driving)
        what = f"{simulation.detector.name} {simulation.region}"
        with (
            progress_bar(self.total, what, request.progress, start=before) as report,
            closing(
                tables_in_order(
                    injector, self.seed, wanted, request.workers, request.backend, overflow
                )
            ) as tables,
        ):
            if kept:
                report(done, self.total)
            for chunk in chunks_of(self.numbers, self.n):
                table = None
                if chunk.number in kept:
                    part = kept[chunk.number]
                else:
                    table = next(tables)
                    part = keep(chunk, table.load() if isinstance(table, Spilled) else table)
                    done += chunk.size
                    simulation.made += chunk.size
                yield chunk, part, table
                weight, square = weight + part.weight, square + part.square
                if table is not None:
                    report(done, self.total, weight**2 / square if square > 0.0 else 0.0)

    def _stream(self, output: Path) -> Sample:
        """Write the events into the file as they are made."""
        from siren_py.io.columns import check_columns, record_text
        from siren_py.io.files import complete_file
        from siren_py.io.root import fill_tree, open_root
        from siren_py.runs.streaming import noted_interrupts, write_part

        done = 0
        with complete_file(output) as file, noted_interrupts() as noted:

            def tables() -> Iterator[EventTable]:
                nonlocal done
                with closing(self._made({}, part_of)) as made:
                    for table in (t for _, _, t in made if isinstance(t, EventTable)):
                        if not len(self.store):
                            # Its columns tell those of the file.
                            self.store.append(table.take(np.array([], dtype=np.int64)))
                            check_columns(self._sample(1))
                        yield table
                        done += 1
                        if noted.is_set():
                            return

            fill_tree(
                file, tables(), self.total, lambda: record_text(self._sample(len(self.numbers)))
            )
            if done < len(self.numbers):
                write_part(file, self._sample(done), partial_of(output))
                self.simulation.partial = open_root(partial_of(output), self.simulation.injector)
                made = attempts_in(self.numbers[:done], self.n)
                raise KeyboardInterrupt(
                    f"Interrupted after {made:,} of {self.total:,} attempts; their sample is in "
                    f"{partial_of(output)}."
                )
        partial_of(output).unlink(missing_ok=True)
        if noted.is_set():
            raise KeyboardInterrupt(f"Interrupted when all attempts were done, in {output}.")
        return open_root(output, self.simulation.injector)

    def _write(self, sample: Sample, output: PathLike) -> Sample:
        """Write the file and return a sample that reads from it."""
        from siren_py.io.root import open_root, write_root

        write_root(sample, output, progress=self.request.progress is not False and None)
        return open_root(output, self.simulation.injector)

    def _interrupted(self) -> str:
        """Save what was made so far, from the first chunk on; say in words where it is."""
        count, request = len(self.store), self.request
        if not count:
            return "Interrupted before the first attempts were done; nothing was kept."
        sample = self._sample(count)
        self.simulation.partial = sample
        if count == len(self.numbers) and request.output is not None:
            return (
                f"Interrupted while {request.output} was written; all {self.total:,} attempts are "
                "done; resume the run to write it."
            )
        text = f"Interrupted after {sample.n_attempts:,} of {self.total:,} attempts"
        where = "in `partial` of the simulation"
        if request.output is not None:
            from siren_py.io.root import write_root

            where = f"in {partial_of(request.output)}"
            write_root(sample, partial_of(request.output), progress=False)
        again = "" if request.folder is None else "; resume the run to go on from there"
        return f"{text}; their sample is {where}{again}."
