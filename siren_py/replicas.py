"""Replicas: the chunks of a run that was driven by nets, whose spread is the statistical error.

The attempts of one net are not independent, so that the spread of their weights says nothing
about the error of their sum (it mostly overstates it). The nets of different chunks are
independent and each sum of a chunk has the same expectation. So of K whole chunks with the sums
s_1 ... s_K

    variance of their sum = t^2 K/(K-1) sum_i (s_i - mean)^2,

where t makes plus or minus one error an interval of 68.3 % in spite of the few chunks that the
variance is estimated from (Student's t of K - 1 degrees of freedom; 1.32 for K = 3, 1.20 for 4,
1.03 for 16). With fewer than `FEWEST` chunks, and for the incomplete one at the end of a run, the
error is that of independent attempts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from siren_py._typing import FloatArray, IntArray
from siren_py.runs.chunks import CHUNK_SIZE

FEWEST = 4
"""Whole chunks from which on their spread is taken as the error."""

_ONE_SIGMA = 0.8413447460685429


@dataclass(frozen=True)
class Replicas:
    """Which chunks of the runs of a sample are replicas.

    Attributes
    ----------
    numbers
        Numbers of the whole chunks of each run, ascending, (K,) each; empty where the error is
        that of independent attempts.
    rest
        Number of the incomplete chunk of each run, -1 if there is none.
    rest_size
        Attempts in it, 0 if there is none.
    """

    numbers: tuple[IntArray, ...]
    rest: tuple[int, ...]
    rest_size: tuple[int, ...]

    @property
    def starts(self) -> IntArray:
        """First replica of each run among all, and their number, (runs + 1,)."""
        return np.cumsum([0, *(n.size for n in self.numbers)])

    def of_events(self, event: IntArray, run: IntArray | None) -> IntArray:
        """Return the replica of each event, counted over all runs, (n,); -1 where it has none.

        Parameters
        ----------
        event
            Numbers of the attempts that made the events, (n,).
        run
            Runs of the events, (n,); None if there is a single one.
        """
        chunk = np.asarray(event, dtype=np.int64) // CHUNK_SIZE
        result = np.full(chunk.size, -1, dtype=np.int64)
        for r, (start, numbers) in enumerate(zip(self.starts, self.numbers, strict=False)):
            if not numbers.size:
                continue
            mine = np.arange(chunk.size) if run is None else np.flatnonzero(run == r)
            found = np.searchsorted(numbers, chunk[mine])
            known = numbers[np.minimum(found, numbers.size - 1)] == chunk[mine]
            result[mine[known]] = start + found[known]
        return result

    def variance(self, sums: FloatArray, run: int) -> float:
        """Return the variance of the sum over the whole chunks of a run.

        `sums` are those of all replicas, (replicas,).
        """
        starts = self.starts
        own = sums[starts[run] : starts[run + 1]]
        spread = float(np.square(own - own.mean()).sum())
        return student_factor(own.size) ** 2 * own.size / (own.size - 1) * spread


def student_factor(count: int) -> float:
    """Return t, so that plus or minus t standard errors from `count` values hold 68.3 %."""
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, _ONE_SIGMA))


def replicas_of(provenance: Mapping[str, Any]) -> Replicas | None:
    """Return the replicas of a sample, from what was written with it; None if it has none.

    A run that was not driven by nets has none, nor one that does not say exactly which attempts
    it holds.
    """
    runs: Sequence[Mapping[str, Any]] = provenance.get("combined") or [provenance]
    numbers, rest, sizes = [], [], []
    for run in runs:
        own, number, size = _chunks(run)
        numbers.append(own)
        rest.append(number)
        sizes.append(size)
    if not any(n.size for n in numbers):
        return None
    return Replicas(tuple(numbers), tuple(rest), tuple(sizes))


def _chunks(run: Mapping[str, Any]) -> tuple[IntArray, int, int]:
    """Return numbers of whole chunks, number of the incomplete one and its attempts."""
    nothing = np.zeros(0, dtype=np.int64), -1, 0
    made = run.get("generated_with") or run.get("configuration") or {}
    if made.get("driving", "random") == "random" or not {"chunks", "requested"} <= set(run):
        return nothing
    numbers = np.concatenate(
        [np.arange(int(first), int(end), dtype=np.int64) for first, end in run["chunks"]]
    )
    numbers.sort()
    last, size = divmod(int(run["requested"]), CHUNK_SIZE)
    whole = numbers[numbers != last] if size else numbers
    number, size = (last, size) if whole.size < numbers.size else (-1, 0)
    # Parts of runs of different lengths, joined: nobody knows which chunks are whole.
    if whole.size * CHUNK_SIZE + size != int(run["n_attempts"]) or whole.size < FEWEST:
        return nothing
    return whole, number, size
