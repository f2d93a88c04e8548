"""Random streams that do not depend on the number of workers.

A stream is keyed by (seed, purpose, chunk): each purpose of each chunk draws from a generator
of its own, so a change of, say, the geometry leaves the draws of the energy untouched, and the
same events come out however the chunks are spread over workers.
"""

from __future__ import annotations

import zlib

import numpy as np

from siren_py._typing import RNGLike
from siren_py.errors import ConfigError


def stream(seed: int, purpose: str, chunk: int = 0) -> np.random.Generator:
    """Return the generator of one purpose in one chunk.

    Parameters
    ----------
    seed
        Seed of the run, a non-negative integer of any size.
    purpose
        What the numbers are for, e.g. ``"vertex"``.
    chunk
        Number of the chunk.

    Returns
    -------
    numpy.random.Generator
        PCG64 seeded by a `numpy.random.SeedSequence` with the three keys.

    Raises
    ------
    ConfigError
        If the seed or the chunk is negative or not an integer.
    """
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
        raise ConfigError(f"The seed must be a non-negative integer; it is {seed!r}.")
    if chunk < 0:
        raise ConfigError(f"The chunk must be a non-negative integer; it is {chunk!r}.")
    key = zlib.crc32(purpose.encode())
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence(int(seed), spawn_key=(key, int(chunk))))
    )


def as_generator(rng: RNGLike) -> np.random.Generator:
    """Turn ``None``, an integer, a `SeedSequence` or a `Generator` into a `Generator`."""
    return np.random.default_rng(rng)
