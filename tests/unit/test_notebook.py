"""Notebooks and terminals: pages that never fail, tables, and the bar."""

from __future__ import annotations

import io
import re
import sys
import types
from html.parser import HTMLParser

import numpy as np
import pytest

import siren_py as sp
from siren_py.cli import main, output
from siren_py.geometry import Box, Sphere
from siren_py.limits import Limit
from siren_py.material_library import AIR, WATER
from siren_py.notebook.detectors import detector_html
from siren_py.notebook.pages import shown
from siren_py.progress import progress_bar
from siren_py.scan import Scan
from siren_py.tables import Table, estimates, facts

NASTY = 'a "<b>" & <script>alert(1)</script>'
VOID = {"img", "br", "hr", "input", "meta", "link"}


class Checker(HTMLParser):
    """Checks that elements close in order, and collects their names and the text."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], ""

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        for name, value in attributes:
            # Nothing is loaded from elsewhere.
            if name in ("src", "href"):
                assert value.startswith("data:"), value[:80]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def checked(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    assert "script" not in checker.seen
    assert "cannot be shown in full" not in checker.text
    return checker


@pytest.fixture(scope="module")
def detector():
    model = sp.DetectorModel(f"toy {NASTY}")
    model.add("hall", Box(5000, 5000, 5000), AIR)
    model.add(NASTY, Sphere(100), WATER)
    model.add_region("fiducial", Sphere(80))
    return model


@pytest.fixture(scope="module")
def simulation(detector):
    flux = sp.Flux.from_histogram(pdg=14, edges=[0.3, 1, 3], values=[2e-8, 1e-8], name=NASTY)
    return sp.Simulation(detector, flux, sp.DipolePortal(mass=0.1, d_mu=1e-6))


@pytest.fixture(scope="module")
def sample(simulation):
    return simulation.run(2000, seed=1, progress=False)


@pytest.fixture(scope="module")
def scan():
    masses, couplings = np.geomspace(0.05, 0.5, 5), np.geomspace(1e-8, 1e-5, 7)
    values = 1e14 * couplings[None, :, None] ** 2 / masses[:, None, None]
    return Scan(
        masses, couplings, ("events",), values, 0.01 * values, np.full((5, 7), 100.0),
        np.full(5, 1000.0), {"coupling": "d_mu", "pot": 1e21},
    )  # fmt: skip


@pytest.fixture(scope="module")
def things(detector, simulation, sample, scan):
    limit = Limit(
        scan.masses, scan.couplings, scan.total / 2.3, scan.total_error, "d_mu", 0.9, "cls", NASTY
    )
    return {
        "detector": detector,
        "histogram": simulation.fluxes[0],
        "points": sp.Flux.from_points(pdg=14, energies=[0, 1, 3], values=[0, 2e-8, 0]),
        "line": sp.Flux.monoenergetic(pdg=14, energy=1.0),
        "dipole": simulation.model,
        "mixing": sp.MassMixing(mass=0.25, U_mu2=1e-9, d_mu=1e-7),
        "own model": sp.Model({}, {5914: simulation.model.decays(5914)}, {5914: 0.1}, name=NASTY),
        "stable": sp.Model({}, name=NASTY),
        "simulation": simulation,
        "sample": sample,
        "empty": sample.select(lambda s: np.zeros(len(s), bool)),
        "summary": sample.summary(1e21),
        "explanation": sample.explain(0),
        "cut flow": sample.cut_flow([sp.Cut(NASTY, lambda s: s["primary_energy"] > 1.0)]),
        "scan": scan,
        "limit": limit,
    }


NAMES = (
    "detector", "histogram", "points", "line", "dipole", "mixing", "own model", "stable",
    "simulation", "sample", "empty", "summary", "explanation", "cut flow", "scan", "limit",
)  # fmt: skip
DRAWN = ("histogram", "points", "line", "dipole", "mixing", "own model", "scan", "limit")


@pytest.mark.parametrize("name", NAMES)
def test_pages(things, name):
    pytest.importorskip("matplotlib")
    thing = things[name]
    page = checked(thing._repr_html_())
    assert ("img" in page.seen) == (name in DRAWN)
    assert page.text.strip()


@pytest.mark.parametrize("name", DRAWN)
def test_pages_without_matplotlib(things, name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    page = checked(things[name]._repr_html_())
    assert "img" not in page.seen
    assert 'pip install "siren-py[plot]"' in page.text


def test_what_the_pages_say(things):
    text = {name: checked(thing._repr_html_()).text for name, thing in things.items()}
    assert "4,188.8" in text["detector"]  # kg of water, 4/3 pi m3
    assert "nu gamma" in text["dipole"]
    assert "by region" in text["sample"]
    assert "factor_line" in text["explanation"]
    assert "0.9 CL, cls" in text["limit"]
    assert "5 of 5" in text["scan"]
    assert "without events" in text["empty"]


def test_a_broken_object_becomes_words():
    class Broken:
        def __repr__(self):
            return "<a & b>"

    @shown
    def page(thing):
        raise ZeroDivisionError("<oops>")

    assert "&lt;a &amp; b&gt;" in page(Broken())
    assert "&lt;oops&gt;" in page(Broken())

    class Worse:
        def __repr__(self):
            raise RuntimeError

    assert "Worse" in page(Worse())


def test_an_empty_detector():
    checked(detector_html(sp.DetectorModel("nothing")))


def test_large_samples_are_not_summed(sample, monkeypatch):
    monkeypatch.setattr("siren_py.notebook.results._MANY_EVENTS", 10)
    monkeypatch.setattr(type(sample), "summary", lambda *_: pytest.fail("was summed"))
    assert "summary()" in checked(sample._repr_html_()).text


# ------------------------------------------------------------------ tables


def test_tables():
    table = Table(("name", "n"), ((NASTY, "1"), ("[red]b", "22")), "title & more", (1,))
    page = checked(table.to_html())
    assert page.seen.count("tr") == 3
    assert NASTY in page.text
    from rich.console import Console

    stream = io.StringIO()
    Console(file=stream, width=100).print(table.to_rich())
    assert NASTY in stream.getvalue()
    assert "[red]b" in stream.getvalue()
    assert "thead" not in checked(facts([("a", 1)]).to_html()).seen
    shares = estimates([("a", sp.Estimate(1.0, 0.1))], ("x", "y"), 4.0)
    assert shares.rows == (("a", "1", "0.1", "25.00%"),)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_terminals_get_tables_and_pipes_get_text(sample, monkeypatch, capsys):
    summary = sample.summary()
    answer = output.Answer({}, str(summary), screen=summary.parts())
    output.show(answer)
    assert capsys.readouterr().out == f"{summary}\n"
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    output.show(answer)
    seen = terminal.getvalue()
    assert "─" in seen
    assert "by region" in seen
    assert "effective size" in seen


def test_lists_on_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["list", "models"]) == 0
    seen = terminal.getvalue()
    assert re.search(r"dipole-portal +couplings +d_e, d_mu, d_tau", seen)


# ------------------------------------------------------------------ a real notebook

CELLS = (
    "import siren_py as sp\n"
    "flux = sp.load_flux('t2k-nd280', mode='fhc', flavor='numu')\n"
    "model = sp.DipolePortal(mass=0.1, d_mu=2e-7)\n"
    "sample = sp.Simulation('nd280', flux, model, region='tpc').run(20_000, seed=1)",
    "sample",
    "flux",
    "flux.plot();",
    "sample.peek(1e21);",
    "sp.Simulation('nd280', flux, model, region='tpc').run(100, progress=False);",
)


@pytest.mark.slow
# The client is not asked to be clean: its warnings are not ours.
@pytest.mark.filterwarnings("ignore")
def test_a_notebook():
    pytest.importorskip("matplotlib")
    pytest.importorskip("ipykernel")
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    cells = [nbformat.v4.new_code_cell(text) for text in CELLS]
    book = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3").execute()
    found = [[output.get("data", {}) for output in cell["outputs"]] for cell in book.cells]
    for cell in book.cells:
        assert not [o for o in cell["outputs"] if o["output_type"] in ("error", "stream")]
    bar = found[0][0]["text/html"]
    assert "<progress" in bar
    assert "20,000/20,000" in bar
    assert "by region" in found[1][0]["text/html"]
    assert "data:image/png" in found[2][0]["text/html"]
    # A drawing is shown once, although nobody called pyplot.
    assert [len([d for d in out if "image/png" in d]) for out in found[3:5]] == [1, 1]
    assert found[5] == []


# ------------------------------------------------------------------ the bar


class Handle:
    def __init__(self):
        self.pictures = []

    def update(self, picture):
        self.pictures.append(picture)


@pytest.fixture
def kernel(monkeypatch):
    """A notebook without a notebook: what IPython offers to the bar."""
    handle = Handle()
    shell = types.SimpleNamespace(kernel=object())
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    drawing = types.ModuleType("IPython.display")
    drawing.HTML = str
    drawing.display = lambda picture, display_id: handle.update(picture) or handle
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", drawing)
    return handle


def test_the_bar_of_a_notebook(kernel, capsys):
    with progress_bar(1000, "a <b>", None, start=500) as report:
        for done in range(500, 1001, 10):
            report(done, 1000, 12.5)
    pages = [checked(picture) for picture in kernel.pictures]
    # Not a picture for each step: each would be a message to the browser.
    assert 2 <= len(pages) < 20
    assert "a <b>" in pages[0].text
    assert "500/1,000" in pages[0].text
    assert "1,000/1,000" in pages[-1].text
    assert "effective size 12.5" in pages[-1].text
    assert 'value="1000"' in kernel.pictures[-1]
    assert capsys.readouterr() == ("", "")


def test_no_bar_where_it_is_switched_off(kernel):
    with progress_bar(3, "x", False) as report:
        report(3, 3)
    assert kernel.pictures == []


def test_the_bar_says_how_far_it_got(kernel):
    with pytest.raises(KeyboardInterrupt), progress_bar(3, "x", True) as report:  # noqa: PT012
        report(1, 3)
        raise KeyboardInterrupt
    assert "1/3" in kernel.pictures[-1]
