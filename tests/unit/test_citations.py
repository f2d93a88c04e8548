"""What to cite: every name that ships has a source, and the BibTeX is whole."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import siren_py as sp
from siren_py.analysis import analysis_names
from siren_py.bibliography import Citation, read_bibtex, references, resolve
from siren_py.citations import Bibliography, citations_of, cite, script_citations
from siren_py.cli import main
from siren_py.errors import ConfigError, FormatError, UnknownNameError
from siren_py.models import model_names
from siren_py.published import curve_names, table_names
from siren_py.reproduction import reproduction_names
from siren_py.resources import resources

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted(
    {
        *resources("detectors"),
        *resources("fluxes"),
        *model_names(),
        *analysis_names(),
        *curve_names(),
        *table_names(),
        *reproduction_names(),
    }
)


def check_bibtex(text: str) -> list[str]:
    """A checker of its own: entries with balanced braces and unique keys; returns the keys."""
    plain = re.sub(r"^\s*%.*$", "", text, flags=re.MULTILINE).replace("\\{", "").replace("\\}", "")
    depth, keys = 0, []
    for line in plain.splitlines():
        if depth == 0 and line.strip():
            found = re.fullmatch(r"@[a-z]+\{([^\s,{}]+),", line)
            assert found, line
            keys.append(found[1])
        depth += line.count("{") - line.count("}")
        assert depth >= 0, line
        if depth == 1 and line.strip() != "}" and not line.startswith("@"):
            assert re.match(r"  [A-Za-z]+ = \{", line), line
    assert depth == 0
    assert len(set(keys)) == len(keys)
    return keys


def test_the_references_are_whole():
    text = (ROOT / "siren_py/data/references.bib").read_text("utf-8")
    assert check_bibtex(text) == list(references())
    numbers = [one.eprint for one in references().values() if one.eprint]
    assert len(set(numbers)) == len(numbers)
    for one in references().values():
        assert "author" in one.bibtex
        if one.eprint:
            assert re.fullmatch(r"\d{4}\.\d{4,5}", one.eprint)
            # The year of an arXiv number is that of the paper, or shortly before.
            year = int(re.search(r"year = \{(\d{4})\}", one.bibtex)[1])
            assert 0 <= year - (2000 + int(one.eprint[:2])) <= 2, one.key


def test_the_package_is_that_of_the_citation_file():
    yaml = (ROOT / "CITATION.cff").read_text("utf-8")
    entry = cite().citations[0].bibtex.replace("\\_", "_")
    for key in ("title", "license"):
        value = re.search(rf'^{key}: "?([^"\n]+)"?$', yaml, re.MULTILINE)[1]
        assert value in entry
    assert sp.__version__ in entry


@pytest.mark.parametrize("name", SHIPPED)
def test_all_that_ships_has_a_source(name):
    found = cite(name)
    assert found.missing == ()
    check_bibtex(found.bibtex)
    own = name.startswith("slab-")  # estimates of siren_py's own
    assert len(found) >= (1 if own else 2)
    assert any(what != "the package" for one in found for what in one.used_for)
    # Nothing had to be quoted in words: each is among the references.
    assert {one.key for one in found} <= set(references())


def test_a_doubt_of_the_source_is_kept():
    assert "citation unverified" in cite("sn1987a").bibtex
    assert "unverified" not in cite("nomad").bibtex


def test_words_with_arxiv_numbers():
    assert [c.key for c in resolve("T2K, Phys. Rev. D 87, 012001 (2013)")] == ["t2k2013-flux"]
    (one,) = resolve("A. Body & B. Other, arXiv:2001.00001v2, 100 %")
    assert (one.key, one.eprint) == ("arxiv-2001.00001", "2001.00001")
    assert "Body \\& B. Other" in one.bibtex
    assert check_bibtex(one.bibtex) == [one.key]
    (one,) = resolve("Somebody, https://doi.org/10.1000/xyz.1")
    assert one.doi == "10.1000/xyz.1"
    (one,) = resolve("private communication {with braces}")
    assert check_bibtex(one.bibtex) == [one.key]


def test_entries_of_ones_own():
    text = "@article{body2020,\n  title = {A {B} C},\n  doi = {10.1/a},\n  eprint = {2001.00001}\n}"
    assert resolve(text) == [Citation("body2020", text, "2001.00001", "10.1/a")]
    with pytest.raises(FormatError, match="body2020"):
        read_bibtex(text[:-1])
    with pytest.raises(FormatError, match="no entry"):
        resolve("@article without braces")


def test_equal_keys_of_different_papers():
    class One:
        citations = ("@misc{a,\n  year = {2000}\n}",)
        name = "one"
        decays = interactions = None

    class Two(One):
        citations = ("@misc{a,\n  year = {2001}\n}",)
        name = "two"

    found = cite(One(), Two(), One())
    assert check_bibtex(found.bibtex) == ["siren_py", "a", "a-2"]
    assert found.citations[1].used_for == ("model one",)


def test_scripts_are_read_not_run(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text('CITATIONS = ["arXiv:2001.00001"]\nraise RuntimeError("was run")\n')
    assert script_citations(script) == ("arXiv:2001.00001",)
    assert [c.key for c in cite(script)] == ["siren_py", "arxiv-2001.00001"]
    script.write_text("CITATIONS = open('x').read()\n")
    with pytest.raises(ConfigError, match="line 1"):
        script_citations(script)
    script.write_text("x = 1\n")
    assert cite(str(script)).missing == (f"script {script} names no source",)


@pytest.fixture(scope="module")
def sample():
    model = sp.DipolePortal(mass=0.1, d_mu=2e-7)
    simulation = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
    return simulation.run(200, seed=1, progress=False)


def test_a_sample_and_its_file(sample, tmp_path):
    file = tmp_path / "a.root"
    sample.to_root(file)
    keys = [c.key for c in cite(sample)]
    assert keys[0] == "siren_py"
    assert {"t2k2011-nd280", "t2k2013-flux", "magill2018"} <= set(keys)
    assert [c.key for c in cite(file)] == keys == [c.key for c in cite(str(file))]
    assert [c.key for c in citations_of(sample.provenance)] == keys
    assert cite(sample).missing == ()


def test_what_cannot_be_found_is_told(sample):
    record = json.loads(json.dumps(sample.provenance))
    record["configuration"]["detector"] = {"name": "mine", "script": "mine", "sha256": "0"}
    record["configuration"]["model"] = {"name": "own model"}
    record["configuration"]["fluxes"] = [{"name": "histogram"}]
    found = cite(record)
    assert [c.key for c in found] == ["siren_py"]
    assert len(found.missing) == 3
    assert "No citation: detector mine" in found.bibtex
    check_bibtex(found.bibtex)


def test_objects():
    flux = sp.load_flux("t2k-nd280", mode="fhc", flavor="numu")
    model = sp.MassMixing(mass=0.25, U_mu2=1e-9)
    detector = sp.load_detector("miniboone")
    analysis, curve = sp.load_analysis("t2k-fgd-photon"), sp.load_curve("nomad")
    found = cite(flux, model, detector, analysis, curve)
    keys = {c.key for c in found}
    assert {
        "t2k2013-flux",
        "gorbunov2007",
        "miniboone2009",
        "t2k2019-photon",
        "schwetz2021",
    } <= keys
    limit = sp.Limit(
        np.array([0.1, 0.2]), np.array([1e-7, 1e-6]), np.ones((2, 2)), np.zeros((2, 2)),
        "d_mu", 0.9, "feldman-cousins", "toy",
    )  # fmt: skip
    assert "feldman1998" in {c.key for c in cite(limit)}
    with pytest.raises(ConfigError, match="not known"):
        cite(3.0)
    with pytest.raises(UnknownNameError, match="nd280"):
        cite("nd281")
    assert "<pre>" in found._repr_html_()
    assert isinstance(found, Bibliography)


def test_mesons():
    keys = {c.key for c in cite("mesons:fhc:K+:mu")}
    assert {"shrock1981", "t2k2013-flux"} <= keys


def test_the_verb(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["cite", "nd280", "t2k-nd280:fhc:numu"]) == 0
    out = capsys.readouterr().out
    assert "t2k2012-p0d" in check_bibtex(out)
    assert main(["cite", "nd280", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {c["key"] for c in data["citations"]} >= {"siren_py", "t2k2011-nd280"}
    assert main(["cite", "-o", "a.bib"]) == 0
    assert check_bibtex((tmp_path / "a.bib").read_text("utf-8")) == ["siren_py"]
    assert main(["cite", "no-such-thing"]) == 2
