"""Everything in the documents that a reader would type runs, in the order of the page.

Blocks of one page share their names and a folder:

- ``python`` blocks are executed;
- a ``{code-block} python`` with a ``:caption:`` is a file that the reader saves under that name;
- ``console`` blocks: lines that begin with ``siren-py`` or ``python FILE`` are run, whatever sets
  up an environment before ``&&`` is left out;
- an ``output`` block is what the block before it prints, but for ``...``;
- ``text`` blocks are for reading.
"""

from __future__ import annotations

import doctest
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

from siren_py._optional import MissingDependencyError
from siren_py.cli import main

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MADE = ("_build", "auto_gallery", "api")
"""Folders that Sphinx writes."""
DOCUMENTS = [
    ROOT / "README.md",
    *sorted(p for p in DOCS.rglob("*.md") if p.relative_to(DOCS).parts[0] not in MADE),
]
SCRIPTS = sorted((DOCS / "gallery").rglob("plot_*.py"))
LONG = {"plot_liu2024_fig2", "plot_liu2024_fig3", "plot_t2k2019_mixing"}
"""Figures that take more than a few seconds even in their quick version."""

BLOCK = re.compile(r"^```(\{code-block\} )?(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CAPTION = re.compile(r":caption:\s*(\S+)\n")


def blocks(path: Path) -> list[tuple[str, str]]:
    """Kind and text of each block of a page that can be run or checked."""
    found = []
    for directive, kind, text in BLOCK.findall(path.read_text()):
        if directive:
            caption = CAPTION.match(text)
            if kind == "python" and caption:
                found.append((f"file {caption[1]}", text[caption.end() :].lstrip("\n")))
        else:
            found.append((kind, text))
    return found


def commands(text: str) -> list[list[str]]:
    """Return the command lines of a console block, without what sets up an environment."""
    lines = text.replace("\\\n", " ").splitlines()
    found = [shlex.split(line.split("&&")[-1], comments=True) for line in lines]
    return [words for words in found if words and Path(words[0]).name in ("siren-py", "python")]


class Reader:
    """Does what a page says, in the folder of the test."""

    def __init__(self, name: str, capsys) -> None:
        self.name, self.capsys = name, capsys
        self.namespace = {"__name__": "document"}
        self.printed = ""

    def do(self, number: int, kind: str, text: str) -> None:
        where = f"{self.name}, block {number}"
        if kind == "python":
            # README.md has no captions: GitHub does not know them.
            if "def build()" in text and self.name == "README.md":
                Path("my_detector.py").write_text(text)
            exec(compile(text, where, "exec"), self.namespace)
        elif kind == "console":
            for words in commands(text):
                self.run(words, where)
        elif kind.startswith("file "):
            Path(kind.removeprefix("file ")).write_text(text)
        elif kind == "output":
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            assert doctest.OutputChecker().check_output(text, self.printed, flags), (
                f"{where}: the page says\n{text}\nbut this was printed:\n{self.printed}"
            )
        if kind in ("python", "console"):
            self.printed = self.capsys.readouterr().out

    def run(self, words: list[str], where: str) -> None:
        program, *arguments = words
        if Path(program).name == "siren-py":
            code = main(arguments)
            if code == 2:
                said = " ".join(self.capsys.readouterr().err.split())
                if "is not installed" in said:
                    raise MissingDependencyError(said)
            assert code == 0, f"{where}: {words}"
        elif arguments and arguments[0].endswith(".py") and Path(arguments[0]).is_file():
            runpy.run_path(arguments[0], run_name="__main__")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_pages_do_what_they_say(path, tmp_path, monkeypatch, capsys):
    found = blocks(path)
    if not {kind.split()[0] for kind, _text in found} & {"python", "console", "file"}:
        pytest.skip("nothing to run on this page")
    if "matplotlib" in path.read_text() or ".plot(" in path.read_text():
        matplotlib = pytest.importorskip("matplotlib")
        matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    # As in a session that was started there: files that were saved can be imported.
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    monkeypatch.setenv("COLUMNS", "100")
    reader = Reader(path.name, capsys)
    for number, (kind, text) in enumerate(found):
        try:
            reader.do(number, kind, text)
        except (MissingDependencyError, ModuleNotFoundError) as problem:
            if (getattr(problem, "name", None) or "").startswith("siren_py"):
                raise
            pytest.skip(f"up to block {number}: {problem}")
    for name in set(sys.modules) - before:
        # Another page may have a file of the same name.
        if str(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


def test_the_readme_has_commands():
    lines = [w for kind, text in blocks(DOCUMENTS[0]) if kind == "console" for w in commands(text)]
    assert sum(Path(words[0]).name == "siren-py" for words in lines) >= 3


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=pytest.mark.slow) if p.stem in LONG else p for p in SCRIPTS],
    ids=lambda p: p.stem,
)
def test_pages_of_the_gallery_run(path, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    monkeypatch.setenv("SIREN_PY_GALLERY_SMALL", "1")
    monkeypatch.delitem(sys.modules, "gallery_pages", raising=False)
    try:
        runpy.run_path(str(path), run_name="__main__")
        shown = sys.modules["gallery_pages"]._shown
        assert shown
        assert all(len(figure.axes) > 0 for figure in shown)
    finally:
        sys.modules.pop("gallery_pages", None)
    assert capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_the_gallery_is_whole():
    """A page for each detector, flux, decay channel and figure that there is."""
    import siren_py as sp
    from siren_py.models_mixing import CHANNELS
    from siren_py.processes.dipole_decay import CHANNELS as DIPOLE
    from siren_py.processes.mixing_decay import CHANNELS as MIXING
    from siren_py.reproduction import reproduction_names

    text = {p.stem: p.read_text() for p in SCRIPTS}
    for name in sp.list_detectors():
        assert f'load_detector("{name}")' in text[f"plot_{name.replace('-', '_')}"]
    for name in sp.list_fluxes():
        assert f"plot_{name.replace('-', '_')}" in text
    for name in reproduction_names():
        assert f'"{name}"' in text[f"plot_{name.replace('-', '_')}"]
    assert set(DIPOLE) | set(MIXING) == set(CHANNELS)
    for kind, channels in (("dipole", DIPOLE), ("mixing", MIXING)):
        for channel in channels:
            pages = "".join(t for n, t in text.items() if n.startswith(f"plot_{kind}_"))
            # The decays of the antiparticle and closed ones are named on the page of another.
            assert f"``{channel}``" in pages or f'CHANNEL = "{channel}"' in pages, channel


def test_links_lead_somewhere():
    for path in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#\s]+)", re.sub(r"`[^`\n]*`", "", path.read_text())):
            if not re.match(r"https?:|mailto:", link) and "auto_gallery/" not in link:
                assert (path.parent / link).exists(), f"{path.name}: {link}"
