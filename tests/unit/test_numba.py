"""Kernels in the cache on disk."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numba.core.errors import TypingError

from siren_py._numba import allocating_kernel, kernel
from siren_py.injection.attenuation import decay_chance


@allocating_kernel
def sum_of_copy(values):
    room = np.empty(values.size)
    room[:] = values
    return room.sum()


@kernel
def sum_by_copy(values):
    return sum_of_copy(values)


@kernel
def sum_of_own_copy(values):
    room = np.empty(values.size)
    room[:] = values
    return room.sum()


def test_only_kernels_that_are_said_to_allocate_do():
    assert sum_by_copy(np.array([1.0, 4.0])) == 5.0
    with pytest.raises(TypingError):
        sum_of_own_copy(np.array([1.0, 4.0]))


def test_kernels_of_other_versions_are_not_looked_at(tmp_path, monkeypatch):
    index = decay_chance._cache._cache_file
    decay_chance(1.0)
    assert index._load_index()
    path = tmp_path / "kernel.nbi"
    # The classes that the index names may be gone.
    path.write_bytes(pickle.dumps("0.1") + b"no pickle")
    monkeypatch.setattr(index, "_index_path", str(path))
    assert index._load_index() == {}
