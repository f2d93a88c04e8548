"""Kernels in the cache on disk."""

from __future__ import annotations

import pickle

from siren_py.injection.attenuation import decay_chance


def test_kernels_of_other_versions_are_not_looked_at(tmp_path, monkeypatch):
    index = decay_chance._cache._cache_file
    decay_chance(1.0)
    assert index._load_index()
    path = tmp_path / "kernel.nbi"
    # The classes that the index names may be gone.
    path.write_bytes(pickle.dumps("0.1") + b"no pickle")
    monkeypatch.setattr(index, "_index_path", str(path))
    assert index._load_index() == {}
