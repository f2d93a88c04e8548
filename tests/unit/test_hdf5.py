"""HDF5 files as h5py sees them, and what is refused of files that were changed."""

from __future__ import annotations

import json
import shutil

import awkward as ak
import numpy as np
import pytest

import siren_py as sp
from siren_py.errors import FormatError
from siren_py.io.formats import read_sample

h5py = pytest.importorskip("h5py")


@pytest.fixture(scope="module")
def sample():
    model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    fluxes = ["t2k-nd280:fhc:numu", "t2k-nd280:rhc:numubar"]
    sim = sp.Simulation("nd280", fluxes, model, decay="nu e+ e-", region="tpc")
    return sim.run(17_000, seed=3, progress=False)  # two chunks


@pytest.fixture(scope="module")
def path(sample, tmp_path_factory):
    path = tmp_path_factory.mktemp("hdf5") / "events.h5"
    sample.write(path)
    return path


def test_h5py_reads_it(sample, path):
    with h5py.File(path) as file:
        assert file.attrs["schema_version"] == 1
        np.testing.assert_array_equal(file["events/weight"], sample.weights)
        np.testing.assert_array_equal(file["events/vertex_x"], sample.vertices(0)[:, 0])
        assert file["events/weight"].attrs["unit"] == "1/POT"
        assert file["particles/px"].attrs["unit"] == "GeV"
        assert file["vertices/time"].attrs["unit"] == "ns"
        assert "unit" not in file["particles/pdg"].attrs
        assert file["particles/pdg"].dtype == np.int32
        assert {d.shape for d in file["events"].values()} == {(len(sample),)}
        assert len({d.shape for d in file["particles"].values()}) == 1
        record = json.loads(file["siren_py"].asstr()[()])
        # Particles of one event, and of all.
        offsets = file["offsets/particles"][:]
        rows = slice(offsets[7], offsets[8])
        assert file["particles/pdg"][rows].tolist() == sample.particles.pdg[7].tolist()
        energy = ak.unflatten(file["particles/energy"][:], np.diff(offsets))
        assert ak.all(energy == sample.particles.energy)
    assert record["provenance"] == sample.provenance
    assert record["names"]["channels"] == ["nu e+ e-"]


def test_all_data_have_checksums(path):
    with h5py.File(path) as file:
        groups = [file[g] for g in ("events", "vertices", "particles", "offsets")]
        assert all(d.fletcher32 for group in groups for d in group.values())
        where = file["particles/py"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[where + 1000] ^= 1
    damaged = path.with_name("damaged.h5")
    damaged.write_bytes(content)
    with pytest.raises(FormatError, match="damaged.h5 cannot be read as a HDF5 file"):
        read_sample(damaged)


def test_additional_datasets_are_left_alone(sample, path, tmp_path):
    changed = shutil.copy(path, tmp_path / "a.h5")
    with h5py.File(changed, "r+") as file:
        file["events/my_score"] = np.ones(3)
        file["mine/x"] = 1.0
    again = read_sample(changed)
    assert again.columns == sample.columns
    np.testing.assert_array_equal(again.weights, sample.weights)


def replaced(name, change):
    def apply(file):
        data = change(file[name][:])
        del file[name]
        if data is not None:
            file[name] = data

    return apply


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (replaced("events/weight", lambda w: w * 1.001), "do not equal the product"),
        (replaced("events/factor_line", lambda w: None), "lacks the columns factor_line"),
        (replaced("events/q2", lambda w: w[:-1]), r"'events/q2' .* has the shape"),
        (replaced("particles/px", lambda w: None), "lacks the columns particles/px"),
        (replaced("particles/px", lambda w: w[:-1]), r"'particles/px' .* has the shape"),
        (replaced("particles/pdg", lambda w: w * 1.0), "type float64, not int32"),
        (replaced("offsets/particles", lambda o: o[:-1]), "offsets/particles"),
        (replaced("offsets/vertices", lambda o: o * np.r_[1, -1, o[2:] * 0 + 1]), "decrease"),
        (lambda file: file.pop("siren_py"), "no object 'siren_py'"),
        (lambda file: file.pop("offsets"), "no object 'offsets'"),
        (lambda file: file["siren_py"].write_direct(np.array(b"{}")), "schema version None"),
    ],
)
def test_what_others_changed(path, tmp_path, change, words):
    changed = shutil.copy(path, tmp_path / "a.h5")
    with h5py.File(changed, "r+") as file:
        change(file)
    with pytest.raises(FormatError, match=words):
        read_sample(changed)


def test_another_hdf5_file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["hits"] = np.zeros(3)
    with pytest.raises(FormatError, match=r"no object 'siren_py'; it holds hits"):
        read_sample(tmp_path / "a.h5")
