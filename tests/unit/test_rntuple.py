"""RNTuples: the same names as in a TTree, read by plain uproot."""

from __future__ import annotations

import json

import awkward as ak
import numpy as np
import pytest
import uproot

import siren_py as sp
from siren_py.errors import FormatError
from siren_py.io.formats import read_sample
from siren_py.io.root import open_root, write_rntuple

pytestmark = pytest.mark.skipif(
    tuple(int(n) for n in uproot.__version__.split(".")[:2]) < (5, 7),
    reason="uproot reads RNTuples that were written in parts from 5.7 on",
)


@pytest.fixture(scope="module")
def sample():
    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    fluxes = ["t2k-nd280:fhc:numu", "t2k-nd280:rhc:numubar"]
    sim = sp.Simulation("nd280", fluxes, model, decay="nu e+ e-", region="tpc")
    return sim.run(17_000, seed=3, progress=False)  # two chunks


@pytest.fixture(scope="module")
def path(sample, tmp_path_factory):
    path = tmp_path_factory.mktemp("rntuple") / "events.root"
    sample.write(path, format="rntuple")
    return path


def test_plain_uproot_reads_it(sample, path):
    with uproot.open(path) as file:
        assert file.classnames(cycle=False) == {
            "events": "ROOT::RNTuple",
            "siren_py": "TObjString",
        }
        record = json.loads(str(file["siren_py"]))
        events = file["events"].arrays(["weight", "decay_z", "pdg", "E", "vertices_time"])
        assert len(file["events"].cluster_summaries) == 2
    assert record["provenance"] == sample.provenance
    np.testing.assert_array_equal(events.weight, sample.weights)
    np.testing.assert_array_equal(events.decay_z, sample.vertices(1)[:, 2])
    assert ak.all(events.pdg == sample.particles.pdg)
    assert ak.all(sample.particles.energy == events.E)
    assert ak.all(events.vertices_time == sample.events.vertices.time)


def test_names_and_types_are_those_of_a_tree(sample, path, tmp_path):
    sample.to_root(tmp_path / "tree.root")
    with uproot.open(tmp_path / "tree.root") as one, uproot.open(path) as other:
        tree, ntuple = one["events"], other["events"]
        names = set(ntuple.keys())
        # A tree has the lengths of its jagged branches besides.
        assert names == set(tree.keys()) - {"nparticles", "nvertices"}
        for name in names:
            data = (source[name].array(entry_stop=3) for source in (tree, ntuple))
            one_type, other_type = (str(array.type) for array in data)
            assert one_type == other_type, name


def test_every_reader_of_root_files_takes_both(sample, path):
    for again in (sp.read_root(path), open_root(path), read_sample(path, format="root")):
        np.testing.assert_array_equal(again.weights, sample.weights)
        np.testing.assert_array_equal(again.momenta(11), sample.momenta(11))


def test_an_empty_sample(sample, tmp_path):
    nothing = sample.select(lambda s: np.zeros(len(s), dtype=bool))
    write_rntuple(nothing, tmp_path / "a.root")
    with uproot.open(tmp_path / "a.root") as file:
        assert file["events"].num_entries == 0
        assert "pdg" in file["events"].keys()  # noqa: SIM118  (an RNTuple is no dict)
    assert len(sp.read_root(tmp_path / "a.root")) == 0


def copy(path, target, change):
    with uproot.open(path) as file:
        events = file["events"].arrays()
        text = str(file["siren_py"])
    with uproot.recreate(target) as file:
        data = ak.to_packed(change(events))
        file.mkrntuple("events", data.layout.form).extend(data)
        file["siren_py"] = text
    return target


def longer_lists(events):
    events["px"] = ak.concatenate([events["px"], events["px"]], axis=1)
    return events


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: ak.without_field(e, "E"), "lacks the branches E"),
        (lambda e: ak.with_field(e, e.weight * 1.01, "weight"), "do not equal the product"),
        (longer_lists, "'px' has .*damaged"),
    ],
)
def test_what_others_changed(path, tmp_path, change, words):
    with pytest.raises(FormatError, match=words):
        read_sample(copy(path, tmp_path / "a.root", change))


def test_an_old_uproot_is_refused(path, monkeypatch):
    monkeypatch.setattr(uproot, "__version__", "5.6.9")
    with pytest.raises(FormatError, match=r"uproot 5\.6\.9 cannot read"):
        read_sample(path)
