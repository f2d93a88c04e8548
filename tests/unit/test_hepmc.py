"""HepMC3 files: bit-exact round trips, pyhepmc as second reader, every rule broken once."""

from __future__ import annotations

import gzip
import json
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import siren_py as sp
from siren_py.constants import SPEED_OF_LIGHT
from siren_py.errors import ConfigError, FormatError, OutputError, SirenWarning, UnknownNameError
from siren_py.io.hepmc import read_hepmc, validate_hepmc, write_hepmc
from siren_py.io.hepmc.codes import HNL_CODES, NO_TARGET, REMNANT, hnl_code, is_standard
from siren_py.io.hepmc.cross_section import PICOBARN, flux_averaged
from siren_py.io.hepmc.findings import FAILED, NOT_APPLICABLE, RULES
from siren_py.io.record import to_json
from siren_py.sample import Sample
from siren_py.store import TableStore
from siren_py.tree import EventTable
from siren_py.weighting import FACTORS

FLUX = "t2k-nd280:fhc:numu"
MODEL = sp.DipolePortal(mass=0.1, d_mu=2e-7)


def simulated(seed=1, n=300, flux=FLUX, model=MODEL, **options):
    return sp.Simulation("nd280", flux, model, region="tpc", **options).run(n, seed=seed)


@pytest.fixture(scope="module")
def sample():
    return simulated()


@pytest.fixture(scope="module")
def arriving():
    model = sp.MassMixing(mass=0.3, U_mu2=1e-9)
    return simulated(seed=2, n=50, flux="mesons:fhc:K+:mu:redecay", model=model)


@pytest.fixture(scope="module")
def file(sample, tmp_path_factory):
    path = tmp_path_factory.mktemp("hepmc") / "events.hepmc3"
    write_hepmc(sample, path)
    return path


def assert_same(one: Sample, other: Sample) -> None:
    ours, theirs = one.table().arrays(), other.table().arrays()
    assert list(ours) == list(theirs)
    for name, column in ours.items():
        assert column.dtype == theirs[name].dtype, name
        assert column.tobytes() == theirs[name].tobytes(), name
    assert one.weights.tobytes() == other.weights.tobytes()
    assert one.n_attempts == other.n_attempts
    assert json.loads(to_json(one.provenance)) == other.provenance
    assert json.loads(to_json(one.lookup)) == other.lookup


# -------------------------------------------------------------------- round trips


@pytest.mark.parametrize("ending", ["hepmc3", "hepmc3.gz", "hepmc3.zst"])
def test_round_trip_is_exact(sample, tmp_path, ending):
    if ending.endswith("zst"):
        pytest.importorskip("backports.zstd")
    path = tmp_path / f"events.{ending}"
    write_hepmc(sample, path)
    assert_same(sample, read_hepmc(path))


@pytest.mark.parametrize("option", [*HNL_CODES, 9900099])
def test_other_codes_of_n_come_back(sample, tmp_path, option):
    path = tmp_path / "events.hepmc3"
    write_hepmc(sample, path, hnl_pdg=option, pot=1e21)
    code = hnl_code(option)
    text = path.read_text()
    assert f"AdditionalParticleNumber[{code}].Name N4" in text
    assert (" 5914 " in text) == (code == 5914)
    assert validate_hepmc(path, tolerance=1e-12).ok
    assert_same(sample, read_hepmc(path))


@pytest.mark.parametrize(
    ("option", "error"),
    [("geni", UnknownNameError), (0, ConfigError), (14, ConfigError), (2**31, ConfigError),
     (1000060120, ConfigError), (REMNANT, ConfigError)],
)  # fmt: skip
def test_codes_that_cannot_be(sample, tmp_path, option, error):
    with pytest.raises(error):
        write_hepmc(sample, tmp_path / "events.hepmc3", hnl_pdg=option)
    assert not list(tmp_path.iterdir())


def test_arrivals_have_a_pseudo_target(arriving, tmp_path):
    path = tmp_path / "events.hepmc3"
    write_hepmc(arriving, path)
    assert f" {NO_TARGET} 0.0 0.0 0.0 0.0 0.0 20" in path.read_text()
    assert validate_hepmc(path, tolerance=1e-12).ok
    assert_same(arriving, read_hepmc(path))


def test_combined_samples_and_several_fluxes(sample, tmp_path):
    path = tmp_path / "events.hepmc3"
    combined = sp.combine([sample, simulated(seed=3, n=100)])
    write_hepmc(combined, path)
    again = read_hepmc(path)
    assert_same(combined, again)
    assert again.expected() == combined.expected()
    several = simulated(seed=4, n=100, flux="t2k-nd280:fhc:numu,numubar", decay="nu gamma")
    write_hepmc(several, path)
    assert validate_hepmc(path, tolerance=1e-12).ok
    assert "NuHepMC.Beam[-14].Type Histogram" in path.read_text()
    assert_same(several, read_hepmc(path))


def test_a_sample_from_a_file_is_written_as_the_original(sample, file, tmp_path):
    again = tmp_path / "again.hepmc3"
    write_hepmc(read_hepmc(file), again)
    assert again.read_bytes() == file.read_bytes()


def test_empty_sample(sample, tmp_path):
    path = tmp_path / "events.hepmc3"
    empty = sample.select(lambda s: np.zeros(len(s), bool))
    write_hepmc(empty, path)
    assert_same(empty, read_hepmc(path))
    assert validate_hepmc(path).ok


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=1e-300, max_value=1e30)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_trees_come_back_bit_for_bit(sample, tmp_path_factory, data):
    """Random numbers of every size, chains of any length, rows in any order."""
    n = data.draw(st.integers(1, 4))
    particles = {"pdg": [], "status": [], "vertex": [], "end_vertex": []}
    vertex_counts, counts = [], []
    for _ in range(n):
        depth = data.draw(st.integers(1, 4))
        rows = [(14, 4, -1, 0), (data.draw(st.sampled_from([2212, 1000180400])), 20, -1, 0)]
        for v in range(depth):
            codes = data.draw(st.lists(st.sampled_from([22, 11, -211, 5914]), max_size=2))
            rows += [(code, 1, v, -1) for code in codes]
            rows.append((-5914, 2, v, v + 1) if v < depth - 1 else (12, 1, v, -1))
        rows = data.draw(st.permutations(rows))
        for row in rows:
            for name, value in zip(particles, row, strict=True):
                particles[name].append(value)
        vertex_counts.append(depth)
        counts.append(len(rows))

    def numbers(count, strategy=NUMBERS):
        return np.array(data.draw(st.lists(strategy, min_size=count, max_size=count)), float)

    def integers(count):
        drawn = data.draw(st.lists(st.integers(-1, 90), min_size=count, max_size=count))
        return np.array(drawn, np.int32)

    old = sample.table().take(np.arange(n))
    events = dict(old.events)
    events |= {name: numbers(n, st.floats(1e-30, 1e30)) for name in FACTORS}
    events |= {"q2": numbers(n), "event": np.array([2**53 + i for i in range(n)])}
    events["target"] = np.full(n, 1000180400, np.int32)
    total, nodes = sum(counts), sum(vertex_counts)
    table = EventTable(
        events,
        {name: numbers(nodes) for name in ("x", "y", "z")}
        | {"time": numbers(nodes, st.floats(-1e300, 1e300)), "process": integers(nodes) % 2,
           "volume": integers(nodes)},
        np.array(vertex_counts, np.int64),
        {name: np.array(column, np.int32) for name, column in particles.items()}
        | {name: numbers(total, st.floats(-1e150, 1e150)) for name in ("energy", "px", "py", "pz")},
        np.array(counts, np.int64),
    )  # fmt: skip
    store = TableStore()
    store.append(table)
    made = Sample(store, 1, sample.lookup, {})
    path = tmp_path_factory.mktemp("random") / "events.hepmc3"
    write_hepmc(made, path)
    assert_same(made, read_hepmc(path))


def test_a_tree_without_a_form_is_refused(sample, tmp_path):
    table = sample.table().take(np.arange(1))
    table.particles["end_vertex"][:] = -1
    store = TableStore()
    store.append(table)
    with pytest.raises(OutputError, match="HepMC3 has no form"):
        write_hepmc(Sample(store, 1, sample.lookup, {}), tmp_path / "events.hepmc3")
    assert not list(tmp_path.iterdir())


# -------------------------------------------------------------------- other readers


def test_pyhepmc_reads_the_same_numbers(sample, file):
    hep = pytest.importorskip("pyhepmc")
    table, weights = sample.table(), sample.weights
    points = sample.vertices(1)
    start = np.concatenate([[0], np.cumsum(table.particle_counts)])
    n = 0
    with hep.open(file) as events:
        for i, event in enumerate(events):
            n += 1
            assert event.weight("CV") == weights[i]
            attributes = event.attributes
            for name in ("factor_matter", "decay_length", "polarization_x"):
                assert attributes[f"siren_py.{name}"].astype(float) == table.events[name][i]
            assert attributes["lab_pos"].astype(list[float]) == sample.vertices()[i, :3].tolist()
            *_, last = event.vertices
            x, y, z, ct = (getattr(last.position, c) for c in "xyzt")
            assert [x, y, z] == points[i, :3].tolist()
            assert ct == points[i, 3] * SPEED_OF_LIGHT
            assert last.attributes["siren_py.time"].astype(float) == points[i, 3]
            ours = slice(start[i], start[i + 1])
            final = table.particles["status"][ours] == 1
            momenta = [
                (p.momentum.px, p.momentum.py, p.momentum.pz, p.momentum.e)
                for p in event.particles
                if p.status == 1 and p.pid != REMNANT
            ]
            columns = [table.particles[c][ours][final] for c in ("px", "py", "pz", "energy")]
            assert momenta == list(zip(*(c.tolist() for c in columns), strict=True))
        run = event.run_info.attributes
    assert n == len(sample)
    assert run["NuHepMC.Exposure.POT"].astype(float) == 1.0
    assert run["NuHepMC.ProcessIDs"].astype(list[int]) == [750, 751]


def test_what_hepmc3_copies_is_still_a_sample(sample, file, tmp_path):
    """HepMC3 keeps 15 digits of attributes; events that it leaves out are missed."""
    hep = pytest.importorskip("pyhepmc")
    copy = tmp_path / "copy.hepmc3"
    with hep.open(file) as events, hep.open(copy, "w") as out:
        for i, event in enumerate(events):
            if i % 2 == 0:
                out.write(event)
    with pytest.warns(SirenWarning, match=f"{len(sample) // 2} of the {len(sample)} events"):
        half = read_hepmc(copy)
    np.testing.assert_allclose(half.weights, sample.weights[::2], rtol=1e-13)
    assert half.momenta(22).tobytes() == sample.momenta(22)[::2].tobytes()


def test_times_and_momenta_are_in_the_file_as_the_rules_want_them(file):
    found = validate_hepmc(file, tolerance=1e-13)
    assert found.ok, str(found)
    assert found.pot == 1.0
    assert found.version == "1.0.0"
    assert found.sum_of_weights == pytest.approx(read_hepmc(file).expected().value, rel=1e-12)
    assert [f.rule for f in found.findings] == list(RULES)
    assert {f.rule for f in found.findings if f.status == NOT_APPLICABLE} == {"E.R.9"}


def test_records_longer_than_a_line_of_hepmc3(sample, tmp_path):
    """HepMC3 reads no line above 262143 bytes, and shortens none: it finds no event then."""
    hep = pytest.importorskip("pyhepmc")
    provenance = {**sample.provenance, "note": ['a \\ b\nc "d"  ' * 20_000, " " * 100]}
    store = TableStore()
    store.append(sample.table())
    long = Sample(store, sample.n_attempts, sample.lookup, provenance)
    path, copy = tmp_path / "events.hepmc3", tmp_path / "copy.hepmc3"
    write_hepmc(long, path)
    assert_same(long, read_hepmc(path))
    with hep.open(path) as events, hep.open(copy, "w") as out:
        for event in events:
            out.write(event)
    assert read_hepmc(copy).provenance == json.loads(to_json(provenance))


# -------------------------------------------------------------------- the cross section


def test_flux_averaged_cross_section_is_the_integral(sample):
    """Against a fine sum over the histogram, for one nuclide."""
    (flux,) = sample.fluxes
    code = 1000180400
    edges = np.linspace(0.0, 5.0, 251)
    centre = 0.5 * (edges[1:] + edges[:-1])
    content = np.array([flux.integral_between(a, b) for a, b in pairwise(edges)])
    (process,) = MODEL.interactions(14)
    expected = np.dot(process.total(centre, "Ar40"), content) / flux.integral
    found = flux_averaged(sample, {(0, code): 2.0})
    assert found.value * PICOBARN == pytest.approx(expected, rel=3e-3)
    assert flux_averaged(sample, {(0, -1): 1.0}).value == 0.0


# -------------------------------------------------------------------- every rule, broken once


def drop(pattern):
    return lambda text: re.sub(rf"(?m)^{pattern}.*\n", "", text, count=1)


def swap(pattern, replacement):
    def change(text):
        new, count = re.subn(pattern, replacement, text, count=1, flags=re.MULTILINE)
        assert count == 1
        return new

    return change


def no_finals(text):
    head, first, rest = re.split(r"(?m)^(?=E [01] )", text, maxsplit=2)
    return head + re.sub(r"(?m)^(P .*) 1$", r"\1 3", first) + rest


def no_header(text):
    start = "START_EVENT_LISTING\n"
    head, rest = text.split(start)
    return head + start + rest[rest.index("E 0 ") :]


def key(name):
    return re.escape(f"A NuHepMC.{name} ")


BREAKS = [
    ("G.R.1", no_header),
    ("G.R.2", drop(key("Version.Patch"))),
    ("G.R.2", swap(key("Version.Minor") + "0", "A NuHepMC.Version.Minor x")),
    ("G.R.3", swap(r"^T siren_py\\\|[^\\]*", r"T siren_py\\|")),
    ("G.R.4", drop(key("Conventions"))),
    ("G.R.4", swap(r"G\.C\.1 ", "GC1 ")),
    ("G.R.5", swap(r"G\.C\.2 ", "")),
    ("G.R.5", drop(key("FluxAveragedTotalCrossSection"))),
    ("G.R.6", drop(key("Units.CrossSection.TargetScale"))),
    ("G.R.7", swap(r"^W CV", "W central")),
    ("G.R.7", swap(r"^W [\d.e-]+", "W nan")),
    ("G.R.7", drop(r"W \d")),
    ("G.R.8", drop(key("ProcessInfo[751].Description"))),
    ("G.R.8", drop(key("ProcessIDs"))),
    ("G.R.9", drop(key("VertexStatusInfo[22].Name"))),
    ("G.R.9", swap(r"^(V -\d) 22 ", r"\1 30 ")),
    ("G.R.10", drop(key("ParticleStatusIDs"))),
    ("G.R.10", swap(r"^(P \d+ -\d 5914 .*) 2$", r"\1 40")),
    ("G.R.11", drop(key("AdditionalParticleNumber[5914].Name"))),
    ("G.R.11", swap(key("AdditionalParticleNumbers") + "-5914 5914",
                    "A NuHepMC.AdditionalParticleNumbers -5914")),
    ("E.R.1", swap(r"^(P \d+ -\d 22) \S+", r"\1 0.5")),
    ("E.R.2", swap(r"^E 1 ", "E 0 ")),
    ("E.R.2", swap(r"^E 1 ", "E -1 ")),
    ("E.R.3", swap(r"^A 0 signal_process_id 750", "A 0 signal_process_id 752")),
    ("E.R.3", drop("A 0 signal_process_id")),
    ("E.R.4", drop("U GEV CM")),
    ("E.R.5", drop("A 0 lab_pos")),
    ("E.R.5", swap(r"^A 0 lab_pos .*", "A 0 lab_pos 1.0 2.0")),
    ("E.R.6", swap(r"^(V -\d) 1 ", r"\1 22 ")),
    ("E.R.6", swap(r"^(V -\d) 22 ", r"\1 0 ")),
    ("E.R.7", swap(r"^(P .*) 20$", r"\1 4")),
    ("E.R.8", no_finals),
    ("V.R.1", swap(r"^(V -\d) 22 ", r"\1 5 ")),
    ("V.R.1", swap(r"^(V -\d) 22 ", r"\1 1000 ")),
    ("P.R.1", swap(r"^(P \d+ -\d 5914 .*) 2$", r"\1 11")),
    ("P.R.1", swap(r"^(P \d+ -\d 5914 .*) 2$", r"\1 1")),
    ("P.R.1", swap(r"^(P \d+ -\d 22 .*) 1$", r"\1 2")),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "change"), BREAKS)
def test_a_broken_rule_is_found_and_no_other(file, tmp_path, rule, change):
    text = file.read_text()
    broken = change(text)
    assert broken != text
    path = tmp_path / "broken.hepmc3"
    path.write_text(broken)
    found = validate_hepmc(path)
    assert not found.ok
    failed = [f for f in found.findings if f.status == FAILED]
    assert [f.rule for f in failed] == [rule], str(found)
    assert failed[0].expected
    assert failed[0].found
    if rule.startswith(("E", "V", "P")):
        assert failed[0].event is not None


def test_every_rule_that_a_file_can_break_is_broken_once():
    assert {rule for rule, _ in BREAKS} == set(RULES) - {"E.R.9"}


def test_events_that_fail_are_counted(file, tmp_path):
    path = tmp_path / "broken.hepmc3"
    path.write_text(re.sub(r"(?m)^U GEV CM\n", "", file.read_text()))
    (failed,) = [f for f in validate_hepmc(path).findings if f.status == FAILED]
    assert (failed.rule, failed.event) == ("E.R.4", 0)
    assert failed.count == validate_hepmc(file).n_events
    assert "event 0 and" in str(validate_hepmc(path))


def test_file_of_another_program(tmp_path):
    """Written by HepMC3 itself: MeV and mm, vertices left out, no NuHepMC at all."""
    hep = pytest.importorskip("pyhepmc")
    path = tmp_path / "other.hepmc3"
    info = hep.GenRunInfo()
    info.weight_names = ["Default"]
    info.tools = [("other", "1.0", "")]
    event = hep.GenEvent(hep.Units.MEV, hep.Units.MM)
    event.run_info = info
    event.weights = [1.0]
    beam = hep.GenParticle((0, 0, 5.0, 5.0), 14, 4)
    target = hep.GenParticle((0, 0, 0, 10.0), 2212, 20)
    pion = hep.GenParticle((0, 0, 5.0, 15.0), 211, 2)
    vertex = hep.GenVertex((1.0, 2.0, 3.0, 4.0))
    vertex.status = 1
    vertex.add_particle_in(beam)
    vertex.add_particle_in(target)
    vertex.add_particle_out(pion)
    decay = hep.GenVertex()
    decay.add_particle_in(pion)
    decay.add_particle_out(hep.GenParticle((0, 0, 5.0, 15.0), -13, 1))
    event.add_vertex(vertex)
    event.add_vertex(decay)
    with hep.open(path, "w") as out:
        out.write(event)
    found = validate_hepmc(path)
    failed = {f.rule for f in found.findings if f.status == FAILED}
    # The decay has no status; HepMC3 leaves its line out.
    assert failed == {"G.R.2", "G.R.4", "G.R.6", "G.R.7", "G.R.8", "G.R.9", "G.R.10", "G.R.11",
                      "E.R.5", "E.R.6"}  # fmt: skip
    with pytest.raises(FormatError, match="not written by siren_py but by other"):
        read_hepmc(path)


def test_a_nucleus_that_is_not_followed_need_not_conserve(file, tmp_path):
    path = tmp_path / "open.hepmc3"
    text = file.read_text()
    assert not validate_hepmc(write(path, swap(r"^(P \d+ -\d 22) \S+", r"\1 0.5")(text))).ok
    zero = r"\1 0.0 0.0 0.0 0.0 0.0 1"
    text = re.sub(rf"(?m)^(P \d+ -\d {REMNANT}) .*", zero, text)
    found = validate_hepmc(write(path, text))
    assert found.ok
    (note,) = [f.found for f in found.findings if f.rule == "E.R.1"]
    assert re.fullmatch(r"momenta not compared in [1-9]\d* events .*", note)
    assert note in str(found)


def write(path, text):
    path.write_text(text)
    return path


def test_running_estimate_of_the_cross_section(file, tmp_path):
    path = tmp_path / "running.hepmc3"
    text = file.read_text().replace(" G.C.2 ", " E.C.4 ", 1)
    path.write_text(text)
    (failed,) = [f for f in validate_hepmc(path).findings if f.status == FAILED]
    assert failed.rule == "G.R.5"
    estimate = "A 0 GenCrossSection 1.5 0.1 1 1\nA 0 lab_pos"
    path.write_text(text.replace("A 0 lab_pos", estimate))
    assert validate_hepmc(path).ok


@pytest.mark.parametrize(
    ("code", "standard"),
    [(14, True), (-211, True), (2212, True), (1000180400, True), (9900012, True), (82, False),
     (5914, False), (9900015, False), (2000020000, False), (REMNANT, False), (1000022, True),
     (9902210, True), (0, False)],
)  # fmt: skip
def test_codes_of_the_pdg(code, standard):
    assert is_standard(code) == standard


# -------------------------------------------------------------------- damage


def first_line_with(text, start):
    return re.search(rf"(?m)^{start}.*$", text)[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t[: len(t) // 2], "not complete|damaged"),
        (lambda t: t.replace("HepMC::Asciiv3-END_EVENT_LISTING", ""), "not complete"),
        (lambda t: t[:200], "not complete|damaged"),
        (lambda t: "", "is empty"),
        (lambda t: "hello\n", "not a HepMC3 text file"),
        (lambda t: t.replace("P 3 -1 ", "P 3 -7 ", 1), "do not refer to each other"),
        (lambda t: t.replace("\nP 3 ", "\nQ 3 ", 1), "no line of a HepMC3 event"),
        (lambda t: t.replace(first_line_with(t, "P 3 ") + "\n", "", 1), "announces"),
        (lambda t: drop("A 0 siren_py.q2")(t), "lacks what siren_py wrote"),
        (lambda t: drop("A siren_py.record.0000")(t), "record of siren_py"),
        (lambda t: swap(r"^W [\d.]+", "W 9.9")(t), "do not equal the product"),
        (lambda t: swap(r'"schema_version": 1', '"schema_version": 7')(t), "schema version 7"),
        (lambda t: swap(r'"n_attempts": \d+', '"n_attempts": 0')(t), "record of siren_py"),
    ],
)
def test_damaged_files(file, tmp_path, change, words):
    path = tmp_path / "damaged.hepmc3"
    path.write_text(change(file.read_text()))
    with pytest.raises(FormatError, match=words) as error:
        read_hepmc(path)
    assert "damaged.hepmc3" in str(error.value)


def test_files_that_are_none(file, tmp_path):
    with pytest.raises(FormatError, match="no file"):
        read_hepmc(tmp_path / "none.hepmc3")
    with pytest.raises(FormatError, match="folder"):
        validate_hepmc(tmp_path)
    short = tmp_path / "short.hepmc3.gz"
    short.write_bytes(gzip.compress(file.read_bytes())[:5000])
    with pytest.raises(FormatError, match="cannot be read"):
        read_hepmc(short)
    noise = tmp_path / "noise.hepmc3"
    noise.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(FormatError):
        validate_hepmc(noise)


def test_an_existing_file_survives(sample, file, tmp_path):
    path = tmp_path / "events.hepmc3"
    path.write_text("old")
    with pytest.raises(OutputError, match="overwriting is switched off"):
        write_hepmc(sample, path, overwrite=False)
    with pytest.raises(ConfigError, match="pot"):
        write_hepmc(sample, path, pot=float("nan"))
    assert path.read_text() == "old"


def test_progress_counts_events(sample, tmp_path):
    seen = []
    write_hepmc(sample, tmp_path / "e.hepmc3", progress=lambda done, total: seen.append(done))
    assert seen[-1] == len(sample)
