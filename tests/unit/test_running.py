"""Runs in files: the same bits from any backend, after any end, and from any parts."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import siren_py as sp
from siren_py.errors import (
    ConfigError,
    FormatError,
    OutputError,
    UnknownNameError,
    WeightError,
    WorkerError,
)
from siren_py.geometry import Box
from siren_py.io.root import read_provenance
from siren_py.runs import checkpoint, running
from siren_py.runs.chunks import CHUNK_SIZE, check_chunks, join_ranges
from siren_py.runs.merging import merge
from siren_py.units import m

N = 3 * CHUNK_SIZE + 100


def block_detector(thickness=0.1):
    detector = sp.DetectorModel("block")
    lead = sp.Material.from_element("Pb", density=11.35)
    detector.add("block", Box(1 * m, 1 * m, thickness * m), lead)
    detector.add_region("fiducial", Box(1 * m, 1 * m, 1 * m), at=(0, 0, 1 * m))
    return detector


def simulation(mass=0.2, thickness=0.1):
    flux = sp.Flux.monoenergetic(pdg=14, energy=1.0, fluence=1e-8, name="beam", mode="fhc")
    return sp.Simulation(block_detector(thickness), flux, sp.DipolePortal(mass=mass, d_mu=1e-5))


@pytest.fixture(scope="module")
def sim():
    return simulation()


@pytest.fixture(scope="module")
def whole(sim):
    return sim.run(N, seed=3, progress=False)


def assert_same(one, other, *, provenance=True):
    a, b = one.table().arrays(), other.table().arrays()
    assert list(a) == list(b)
    for name, column in a.items():
        assert column.dtype == b[name].dtype, name
        np.testing.assert_array_equal(column, b[name], err_msg=name)
    assert one.n_attempts == other.n_attempts
    assert one.lookup == other.lookup
    if provenance:
        records = [{**s.provenance, "created": ""} for s in (one, other)]
        assert json.loads(json.dumps(records[0])) == json.loads(json.dumps(records[1]))


def names(folder):
    return sorted(p.name for p in folder.iterdir())


# ------------------------------------------------------------------------ the same bits


@pytest.mark.parametrize(
    "how",
    [
        {"workers": 2},
        {"backend": "processes"},
        {"backend": "processes", "workers": 2},
    ],
    ids=str,
)
def test_backends_do_not_matter(sim, whole, how):
    assert_same(whole, sim.run(N, seed=3, progress=False, **how))


def test_a_file_holds_what_a_run_in_memory_returns(sim, whole, tmp_path):
    path = tmp_path / "a.root"
    assert_same(whole, sim.run(N, seed=3, progress=False, output=path, workers=2))
    assert_same(whole, sp.read_root(path))
    assert sim.made == N
    assert names(tmp_path) == ["a.root"]


@pytest.mark.parametrize("workers", [1, 2])
def test_without_a_checkpoint_the_file_is_the_same(sim, whole, tmp_path, workers):
    made = sim.run(
        N, seed=3, workers=workers, output=tmp_path / "a.root", checkpoint=False, progress=False
    )
    assert [p.name for p in tmp_path.iterdir()] == ["a.root"]
    assert_same(made, whole)
    assert_same(sp.read(tmp_path / "a.root"), whole)
    assert made.provenance["chunks"] == [[0, 4]]


def test_no_events_without_a_checkpoint(tmp_path):
    none = simulation().run(
        10, seed=1, output=tmp_path / "a.root", checkpoint=False, chunks=(0, 1), progress=False
    )
    assert len(sp.read(tmp_path / "a.root")) == len(none)


@pytest.mark.parametrize("options", [{"output": None}, {"resume": True}])
def test_without_a_checkpoint_nothing_is_resumed(sim, tmp_path, options):
    with pytest.raises(ConfigError, match="Without a checkpoint"):
        sim.run(N, checkpoint=False, **{"output": tmp_path / "a.root", **options})


def test_an_interrupt_without_a_checkpoint_leaves_a_valid_file(sim, whole, tmp_path):
    def stop(done, total):
        if done == CHUNK_SIZE:  # the chunk after it is finished first
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"after 32,768 of 49,252.*a\.partial\.root"):
        sim.run(N, seed=3, output=tmp_path / "a.root", checkpoint=False, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["a.partial.root"]
    part = sp.read(tmp_path / "a.partial.root")
    assert part.n_attempts == sim.partial.n_attempts == 2 * CHUNK_SIZE
    assert_same(part, sim.run(N, seed=3, chunks=(0, 2), progress=False))
    # The next run makes it anew, and the handler of interrupts is that from before.
    assert_same(
        sim.run(N, seed=3, output=tmp_path / "a.root", checkpoint=False, progress=False), whole
    )
    assert [p.name for p in tmp_path.iterdir()] == ["a.root"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_full_disk_without_a_checkpoint(sim, tmp_path, monkeypatch):
    from siren_py.io import root

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(root._Tree, "extend", full)
    with pytest.raises(OutputError, match="No space left"):
        sim.run(N, seed=3, output=tmp_path / "a.root", checkpoint=False, progress=False)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_its_own_stays(sim, whole, tmp_path):
    folder = tmp_path / "deep" / "folder"
    sample = sim.run(N, seed=3, progress=False, checkpoint=folder)
    assert_same(whole, sample)
    again = sim.run(N, seed=3, progress=False, checkpoint=folder, resume=True)
    assert sim.made == 0
    assert_same(whole, again)
    # A longer run uses the chunks that are whole.
    longer = sim.run(N + CHUNK_SIZE, progress=False, checkpoint=folder, resume=True)
    assert sim.made == N + CHUNK_SIZE - 3 * CHUNK_SIZE
    assert longer.provenance["seed"] == 3
    assert_same(sim.run(N + CHUNK_SIZE, seed=3, progress=False), longer)


def test_a_run_that_was_done_is_not_done_again(sim, whole, tmp_path):
    path = tmp_path / "a.root"
    sim.run(N, seed=3, progress=False, output=path)
    stamp = path.stat().st_mtime_ns
    for seed in (3, None):
        assert_same(whole, sim.run(N, seed=seed, progress=False, output=path, resume=True))
        assert sim.made == 0
        assert path.stat().st_mtime_ns == stamp
    sim.run(N, seed=4, progress=False, output=path, resume=True)
    assert sim.made == N


def test_events_beyond_memory_stay_in_the_file(sim, whole, tmp_path, monkeypatch):
    path = tmp_path / "a.root"
    monkeypatch.setattr("siren_py.store.TableStore.__init__.__defaults__", (1000,))
    sample = sim.run(N, seed=3, progress=False, output=path)
    assert_same(whole, sample)
    read = sp.read_root(path)
    # Another file of the same name is not the sample's.
    whole.select(lambda s: s["event"] < 100).to_root(path)
    for one in (sample, read):
        assert not any(hasattr(t, "events") for t in one._store._tables)
        assert_same(whole, one)


# ------------------------------------------------------------------------ parts


def test_parts_merge_to_the_file_of_one_run(sim, whole, tmp_path):
    paths = []
    for chunks in ((2, 9), (0, 1), (1, 2)):
        paths.append(tmp_path / f"part{chunks[0]}.root")
        part = sim.run(N, seed=3, progress=False, chunks=chunks, output=paths[-1])
        mine = whole.select(
            lambda s, c=chunks: (
                (s["event"] // CHUNK_SIZE >= c[0]) & (s["event"] // CHUNK_SIZE < c[1])
            )
        )
        assert_same(mine, _with_attempts(part, whole.n_attempts), provenance=False)
        assert part.n_attempts == min(chunks[1] * CHUNK_SIZE, N) - chunks[0] * CHUNK_SIZE
    merged = merge(tmp_path / "all.root", paths)
    assert_same(whole, merged)
    sim.run(N, seed=3, progress=False, output=tmp_path / "one.root")
    assert_same(sp.read_root(tmp_path / "one.root"), sp.read_root(tmp_path / "all.root"))
    # Without the middle it is the sample of the attempts that are there.
    some = merge(tmp_path / "some.root", paths[:2])
    assert some.n_attempts == N - CHUNK_SIZE
    assert some.provenance["chunks"] == [[0, 1], [2, 4]]
    assert_same(whole, merge(tmp_path / "later.root", [paths[2], tmp_path / "some.root"]))


def _with_attempts(sample, n):
    return type(sample)(sample._store, n, sample.lookup, sample.provenance)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda p: simulation(mass=0.21).run(N, seed=3, chunks=(1, 2), output=p), "model differs"),
        (lambda p: simulation(thickness=0.11).run(N, seed=3, chunks=(1, 2), output=p),
         "reads the same but gives other events"),
        (lambda p: simulation().run(N, seed=4, chunks=(1, 2), output=p), "its seed is 4, not 3"),
        (lambda p: simulation().run(N, seed=3, chunks=(0, 2), output=p), "both hold the chunks"),
        (lambda p: simulation().run(N, seed=3, chunks=(1, 2)).select(
            lambda s: s["event"] > 0).to_root(p), "other cuts"),
        (lambda p: simulation().run(N, seed=3, chunks=(1, 2)).reweight(d_mu=2e-5).to_root(p),
         "combined or reweighted"),
        (lambda p: sp.combine([simulation().run(500, seed=s) for s in (3, 4)]).to_root(p),
         "combined or reweighted"),
    ],
    ids=["model", "geometry", "seed", "overlap", "cut", "reweighted", "combined"],
)  # fmt: skip
def test_merging_refuses(sim, tmp_path, other, words):
    paths = [tmp_path / "a.root", tmp_path / "b.root"]
    sim.run(N, seed=3, chunks=(0, 1), output=paths[0])
    other(paths[1])
    with pytest.raises(ConfigError, match=words):
        merge(tmp_path / "all.root", paths)
    assert names(tmp_path) == ["a.root", "b.root"]


def test_merging_files_without_events_or_of_another_kind(sim, whole, tmp_path):
    paths = [tmp_path / "a.root", tmp_path / "b.root"]
    sim.run(N, seed=3, chunks=(0, 1), output=paths[0])
    with pytest.raises(ConfigError, match="two files or more"):
        merge(tmp_path / "all.root", paths[:1])
    paths[1].write_text("nothing")
    with pytest.raises(FormatError, match="cannot be read"):
        merge(tmp_path / "all.root", paths)
    old = whole.select(lambda s: s["event"] < 0)
    old.provenance.pop("fingerprint")
    old.to_root(paths[1])
    with pytest.raises(ConfigError, match="does not say which chunks"):
        merge(tmp_path / "all.root", paths)
    # A cut that leaves nothing: the merged file has the columns, and all attempts count.
    for chunks, path in zip(((0, 1), (1, 4)), paths, strict=True):
        part = sim.run(N, seed=3, chunks=chunks, progress=False)
        part.select(lambda s: s["event"] < 0).to_root(path)
    merged = merge(tmp_path / "all.root", paths)
    assert (len(merged), merged.n_attempts) == (0, N)
    assert merged.expected(1e21) == (0.0, 0.0)


def test_ranges_of_chunks():
    assert check_chunks(None, N) == range(4)
    assert check_chunks((1, 100), N) == range(1, 4)
    for wrong in [(0, 0), (2, 1), (-1, 2), (0.0, 2), "0:2", (1,), (True, 2), 3]:
        with pytest.raises(ConfigError, match="whole numbers"):
            check_chunks(wrong, N)
    with pytest.raises(ConfigError, match="the chunks 0 to 3"):
        check_chunks((4, 5), N)
    assert join_ranges([(5, 6), (0, 2), (2, 3)]) == [(0, 3), (5, 6)]
    with pytest.raises(ConfigError, match="chunks 1 to 1 are there twice"):
        join_ranges([(1, 3), (0, 2)])


# ------------------------------------------------------------------------ interrupts


def stop_after(attempts, error=KeyboardInterrupt):
    def progress(done, total):
        if done >= attempts and total > attempts:
            raise error

    return progress


def test_an_interrupt_leaves_a_valid_sample(sim, whole):
    with pytest.raises(KeyboardInterrupt, match=r"32,768 of 49,252 .* `partial`"):
        sim.run(N, seed=3, progress=stop_after(2 * CHUNK_SIZE))
    partial = sim.partial
    assert partial.n_attempts == 2 * CHUNK_SIZE
    assert partial.provenance["n_attempts"] == 2 * CHUNK_SIZE
    assert partial.provenance["requested"] == N
    assert_same(sim.run(2 * CHUNK_SIZE, seed=3), partial, provenance=False)
    assert sim.partial is None
    with pytest.raises(KeyboardInterrupt, match="nothing was kept"):
        raise_at_once(sim)


def raise_at_once(sim):
    def fail(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sim.injector, "chunk", fail)
        sim.run(N, seed=3, progress=False)


def test_an_interrupt_leaves_a_valid_file(sim, whole, tmp_path):
    path, partial = tmp_path / "a.root", tmp_path / "a.partial.root"
    path.write_text("precious")
    with pytest.raises(KeyboardInterrupt, match=r"a\.partial\.root; resume"):
        sim.run(N, seed=3, output=path, progress=stop_after(CHUNK_SIZE), workers=2)
    assert path.read_text() == "precious"
    sample = sp.read_root(partial)
    assert sample.n_attempts == CHUNK_SIZE
    assert_same(sim.run(CHUNK_SIZE, seed=3), sample, provenance=False)
    # It is a part as any other.
    sim.run(N, seed=3, chunks=(1, 4), output=tmp_path / "rest.root", progress=False)
    assert_same(whole, merge(tmp_path / "all.root", [partial, tmp_path / "rest.root"]))
    for name in ("rest.root", "all.root"):
        (tmp_path / name).unlink()
    with pytest.raises(ConfigError, match="Resume it"):
        sim.run(N, seed=3, output=path)
    assert_same(whole, sim.run(N, output=path, resume=True, progress=False))
    assert sim.made == N - CHUNK_SIZE
    assert names(tmp_path) == ["a.root"]


def test_resuming_another_run_is_refused(sim, tmp_path):
    path = tmp_path / "a.root"
    with pytest.raises(KeyboardInterrupt):
        sim.run(N, seed=3, output=path, progress=stop_after(CHUNK_SIZE))
    for other, seed, words in (
        (simulation(mass=0.21), 3, "model differs"),
        (simulation(thickness=0.2), 3, "gives other events"),
        (sim, 4, "its seed is 3, not 4"),
    ):
        with pytest.raises(ConfigError, match=words):
            other.run(N, seed=seed, output=path, resume=True)


def test_damaged_parts_are_made_again(sim, whole, tmp_path):
    path = tmp_path / "a.root"
    with pytest.raises(KeyboardInterrupt):
        sim.run(N, seed=3, output=path, progress=stop_after(3 * CHUNK_SIZE))
    folder = running.parts_of(path)
    first, second, third = (folder / f"{k:08d}.npz" for k in range(3))
    first.write_bytes(first.read_bytes()[:1000])
    second.write_bytes(b"")
    third.rename(folder / "00000003.npz")  # a part under the number of another
    sample = sim.run(N, seed=3, output=path, resume=True, progress=False)
    assert sim.made == N
    assert_same(whole, sample)


def test_damage_that_shows_late_is_named(sim, tmp_path):
    path = tmp_path / "a.root"
    with pytest.raises(KeyboardInterrupt):
        sim.run(N, seed=3, output=path, progress=stop_after(2 * CHUNK_SIZE))
    part = running.parts_of(path) / "00000001.npz"
    content = bytearray(part.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    part.write_bytes(content)
    with pytest.raises(FormatError, match=r"00000001\.npz cannot be read .* Delete this file"):
        sim.run(N, seed=3, output=path, resume=True, progress=False)
    part.unlink()
    sim.run(N, seed=3, output=path, resume=True, progress=False)
    assert sim.made == CHUNK_SIZE


def test_foreign_files_in_the_folder_stay(sim, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "notes.txt").write_text("precious")
    sim.run(100, seed=3, output=tmp_path / "a.root", checkpoint=folder)
    assert names(folder) == ["notes.txt"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        sim.run(100, checkpoint=tmp_path / "file")
    with pytest.raises(ConfigError, match="give the output"):
        sim.run(100, resume=True)
    folder = tmp_path / "old"
    with pytest.raises(KeyboardInterrupt):
        sim.run(N, seed=3, checkpoint=folder, progress=stop_after(CHUNK_SIZE))
    record = folder / "run.json"
    for text, kind, words in (
        ("{", FormatError, "cannot be read"),
        (json.dumps({**json.loads(record.read_text()), "siren_py_checkpoint": 9}), ConfigError,
         "another version"),
    ):  # fmt: skip
        record.write_text(text)
        with pytest.raises(kind, match=words):
            sim.run(N, seed=3, checkpoint=folder, resume=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX locks")
def test_two_runs_on_one_folder(sim, tmp_path):
    folder = tmp_path / "both"
    with checkpoint.Checkpoint(
        folder, {"fingerprint": "", "seed": 1, "configuration": {}}, resume=False
    ), pytest.raises(ConfigError, match="Another process is at work"):  # fmt: skip
        sim.run(100, checkpoint=folder, progress=False)


# ------------------------------------------------------------------------ trouble


def test_a_full_disk_keeps_what_is_finished(sim, whole, tmp_path, monkeypatch):
    path, savez = tmp_path / "a.root", np.savez
    calls = []

    def full(file, *args, **arrays):
        calls.append(file)
        if len(calls) == 3:
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "00000002.npz")
        savez(file, *args, **arrays)

    monkeypatch.setattr(checkpoint.np, "savez", full)
    with pytest.raises(OutputError, match=r"No space left on device .* 2 finished chunks are kept"):
        sim.run(N, seed=3, output=path, progress=False)
    assert names(tmp_path) == ["a.root.parts"]
    assert_same(whole, sim.run(N, seed=3, output=path, resume=True, progress=False))
    assert sim.made == N - 2 * CHUNK_SIZE


def test_nothing_is_left_of_a_run_without_a_finished_chunk(sim, tmp_path, monkeypatch):
    def fail(*_):
        raise WeightError("a factor is nan")

    _ = sim.fingerprint
    monkeypatch.setattr(sim.injector, "chunk", fail)
    with pytest.raises(WeightError):
        sim.run(N, seed=3, output=tmp_path / "a.root", progress=False)
    assert names(tmp_path) == []


def test_requests_that_make_no_sense(sim, tmp_path):
    for backend, kind in (("thread", UnknownNameError), (None, ConfigError), (3, ConfigError)):
        with pytest.raises(kind, match=r"backend|distributed\.Client"):
            sim.run(100, backend=backend)
    with pytest.raises(OutputError, match="does not exist"):
        sim.run(100, output=tmp_path / "none" / "a.root")


def test_an_error_in_a_worker_is_the_error_of_the_run(sim):
    from siren_py.runs import transport
    from siren_py.runs.worker import WorkerPool

    parcel = transport.pack(sim.injector)
    with WorkerPool(parcel, -1, 1) as pool, pytest.raises(ConfigError, match="seed must be"):
        pool.chunk(running.Chunk(0, 10))
    broken = parcel._replace(data=b"no pickle", digest="other")
    with WorkerPool(broken, 1, 1) as pool, pytest.raises(ConfigError, match="cannot set up"):
        pool.chunk(running.Chunk(0, 10))
    assert "unpicklable" in str(transport.portable(OddError("unpicklable", 2)))


class OddError(Exception):
    def __init__(self, text, number):
        super().__init__(text)


def test_what_cannot_travel_is_refused_with_advice():
    from siren_py.runs import transport

    with pytest.raises(ConfigError, match=r"cannot be taken to other processes .* use threads"):
        transport.pack(threading.Lock())


def test_a_detector_script_travels_by_its_path(tmp_path):
    script = tmp_path / "own.py"
    script.write_text(
        "from siren_py import DetectorModel, Material\nfrom siren_py.geometry import Box\n"
        "class MyBox(Box):\n    pass\n"
        "def build():\n"
        "    print('words on standard output')\n"
        "    detector = DetectorModel('own')\n"
        "    lead = Material.from_element('Pb', density=11.35)\n"
        "    detector.add('block', MyBox(100, 100, 10), lead)\n"
        "    detector.add_region('all', Box(100, 100, 50), at=(0, 0, 100))\n"
        "    return detector\n"
    )
    flux = sp.Flux.monoenergetic(pdg=14, energy=1.0, fluence=1e-8)
    sim = sp.Simulation(sp.load_detector(script), flux, sp.DipolePortal(mass=0.2, d_mu=1e-5))
    one = sim.run(1000, seed=1, progress=False)
    assert_same(one, sim.run(1000, seed=1, progress=False, backend="processes"))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_lost_worker_is_replaced(sim, whole):
    from siren_py.runs.transport import pack
    from siren_py.runs.worker import WorkerPool

    with WorkerPool(pack(sim.injector), 3, 1) as pool:
        pool.chunk(running.Chunk(0, 10))
        (pid,) = pool.processes
        os.kill(pid, signal.SIGKILL)
        table = pool.chunk(running.Chunk(1, CHUNK_SIZE))
        assert pool.processes != [pid]
    mine = whole.select(lambda s: s["event"] // CHUNK_SIZE == 1).table()
    np.testing.assert_array_equal(table.events["factor_line"], mine.events["factor_line"])
    assert pool.processes == []


def test_workers_that_die_again_and_again(sim, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(WorkerError, match="3 worker processes in turn were lost over chunk 0"):
        sim.run(100, seed=3, backend="processes", progress=False)


# ------------------------------------------------------------------------ compilation, progress


def test_progress_tells_rate_and_effective_size(sim, tmp_path, monkeypatch):
    told = []
    progress = running.progress_bar

    def listen(total, what, how, *, start=0):
        told.append(start)
        return progress(total, what, how, start=start)

    monkeypatch.setattr(running, "progress_bar", listen)
    calls = []
    with pytest.raises(KeyboardInterrupt):
        sim.run(N, seed=3, output=tmp_path / "a.root", progress=stop_after(CHUNK_SIZE))
    sim.run(N, seed=3, output=tmp_path / "a.root", resume=True, progress=lambda *c: calls.append(c))
    assert told == [0, CHUNK_SIZE]
    assert calls[0] == (CHUNK_SIZE, N)
    assert calls[-1] == (N, N)
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})


def test_provenance_of_a_file_without_its_events(sim, tmp_path):
    sim.run(100, seed=3, output=tmp_path / "a.root", progress=False)
    provenance = read_provenance(tmp_path / "a.root")
    assert provenance["chunks"] == [[0, 1]]
    assert provenance["requested"] == provenance["n_attempts"] == 100
    assert len(provenance["fingerprint"]) == 64


READ_ONLY = """
import logging, os, sys
logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
import numpy as np
from siren_py.geometry import kernels
from siren_py.geometry import Box
import siren_py as sp
detector = sp.DetectorModel("d")
detector.add("b", Box(1, 1, 1), sp.Material.from_element("Pb", density=11.35))
detector.trace([0.0, 0, -5], [0.0, 0, 1])
print(kernels.__file__)
"""


@pytest.mark.slow
@pytest.mark.parametrize("home", [True, False], ids=["home", "no home"])
def test_an_installed_package_that_cannot_be_written(tmp_path, home):
    """Machine code is kept in the home folder, or without one with the temporary files."""
    package = tmp_path / "site" / "siren_py"
    source = Path(sp.__file__).parent
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
    # Where a file has the name of the folder there can be no folder, not even for root.
    for folder in [package, *(p for p in package.rglob("*") if p.is_dir())]:
        (folder / "__pycache__").write_text("")
    places = {name: tmp_path / name for name in ("home", "temporary")}
    for place in places.values():
        place.mkdir()
    (tmp_path / "file").write_text("")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(package.parent),
        "HOME": str(places["home"] if home else tmp_path / "file"),
        "TMPDIR": str(places["temporary"]),
    }
    words = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY], env=environment, cwd=tmp_path, text=True,
            capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert str(package) in done.stdout
        words.append(done.stderr)
    assert words[0].count("siren_py.compilation compiling the kernels") == 1
    assert "compiling" not in words[1]
    place = places["home" if home else "temporary"]
    assert any(place.rglob("*.nbc"))


def test_interrupt_of_processes_is_quick(sim):
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        sim.run(
            100 * CHUNK_SIZE, seed=3, workers=2, backend="processes",
            progress=stop_after(CHUNK_SIZE),
        )  # fmt: skip
    assert time.monotonic() - begin < 30.0
    assert sim.partial.n_attempts == CHUNK_SIZE


def test_a_run_does_not_write_root_under_the_name_of_another_format(sim, tmp_path):
    for name in ("events.parquet", "events.h5", "events.hepmc3"):
        with pytest.raises(ConfigError, match=r"writes a ROOT file.*siren-py convert"):
            sim.run(10, seed=1, output=tmp_path / name)
    assert not list(tmp_path.iterdir())
