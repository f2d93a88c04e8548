"""Chunks: the pieces that a run is made of.

A run of n attempts is the chunks 0, 1, 2, ... of `CHUNK_SIZE` attempts each, the last one
shorter. A chunk depends on the configuration, the seed and its number alone, so it does not
matter who makes it, when, and in which order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from siren_py.errors import ConfigError

CHUNK_SIZE = 16384
"""Attempts per chunk: large enough for array work, small enough to spread over workers."""

Range = tuple[int, int]
"""Chunks from the first number to before the second."""


class Chunk(NamedTuple):
    """One piece of a run."""

    number: int
    """Number of the chunk, the key of its random streams."""
    size: int
    """Attempts in it."""

    @property
    def first(self) -> int:
        """Number of its first attempt within the run."""
        return self.number * CHUNK_SIZE


def chunk_count(n: int) -> int:
    """Return of how many chunks a run of `n` attempts is made."""
    return -(-n // CHUNK_SIZE)


def check_chunks(chunks: object, n: int) -> range:
    """Return the numbers of the chunks that a run of `n` attempts is asked to make.

    Parameters
    ----------
    chunks
        None for all, or (first, end): from `first` to before `end`. An end beyond the last
        chunk means the last chunk, so that the jobs of an array can all be given ranges of the
        same length.
    n
        Attempts of the whole run.

    Raises
    ------
    ConfigError
        If it is anything else, or no chunk of the run.
    """
    total = chunk_count(n)
    if chunks is None:
        return range(total)
    if not (
        isinstance(chunks, tuple | list)
        and len(chunks) == 2
        and all(isinstance(c, int) and not isinstance(c, bool) for c in chunks)
        and 0 <= chunks[0] < chunks[1]
    ):
        raise ConfigError(
            f"Chunks are given as two whole numbers, (first, end) with 0 <= first < end; got "
            f"{chunks!r}."
        )
    first, end = chunks
    if first >= total:
        raise ConfigError(
            f"A run of {n} attempts has the chunks 0 to {total - 1} ({CHUNK_SIZE} attempts each); "
            f"chunk {first} is not one of them. Ask for more attempts or for other chunks."
        )
    return range(first, min(end, total))


def chunks_of(numbers: Iterable[int], n: int) -> Iterator[Chunk]:
    """Yield the chunks of these numbers of a run of `n` attempts."""
    for number in numbers:
        yield Chunk(number, min(CHUNK_SIZE, n - number * CHUNK_SIZE))


def attempts_in(numbers: range, n: int) -> int:
    """Return the number of attempts in consecutive chunks of a run of `n` attempts."""
    return min(numbers.stop * CHUNK_SIZE, n) - numbers.start * CHUNK_SIZE


def join_ranges(ranges: Iterable[Range]) -> list[Range]:
    """Sort disjoint ranges and join those that follow each other.

    Raises
    ------
    ConfigError
        If two of them overlap.

    Examples
    --------
    >>> join_ranges([(40, 60), (0, 20), (20, 40), (80, 90)])
    [(0, 60), (80, 90)]
    """
    joined: list[Range] = []
    for first, end in sorted(ranges):
        if joined and first < joined[-1][1]:
            raise ConfigError(
                f"The chunks {first} to {min(end, joined[-1][1]) - 1} are there twice; the same "
                "events would be counted twice."
            )
        if joined and first == joined[-1][1]:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((first, end))
    return joined


def ranges_text(ranges: Iterable[Iterable[int]]) -> str:
    """Return ranges as they are written on the command line, ``"0:20, 40:60"``."""
    return ", ".join(":".join(map(str, r)) for r in ranges)
