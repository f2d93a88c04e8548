"""Every Python block of the documents runs, and every command line too."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from siren_py.cli import main

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(path.read_text()) if kind == language]


def commands(path: Path) -> list[list[str]]:
    """The siren-py command lines of a document, without what sets up an environment."""
    lines = "\n".join(blocks(path, "console")).replace("\\\n", " ").splitlines()
    found = [shlex.split(line.split("&&")[-1]) for line in lines if "siren-py" in line]
    return [words[1:] for words in found if words and words[0].endswith("siren-py")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_python_blocks_run(path, tmp_path, monkeypatch, capsys):
    """The blocks of one document share their names, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "document"}
    for number, text in enumerate(blocks(path, "python")):
        exec(compile(text, f"{path.name}, block {number}", "exec"), namespace)
    assert blocks(path, "python") or path.name != "README.md"


def test_commands_of_the_readme_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (script,) = [t for t in blocks(DOCUMENTS[0], "python") if "def build()" in t]
    (tmp_path / "my_detector.py").write_text(script)
    lines = commands(DOCUMENTS[0])
    assert len(lines) >= 3
    for words in lines:
        assert main(words) == 0, words
    assert (tmp_path / "nd280.root").stat().st_size > 0


def test_links_lead_somewhere():
    for path in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#]+)", path.read_text()):
            if not link.startswith("http"):
                assert (path.parent / link).exists(), f"{path.name}: {link}"
