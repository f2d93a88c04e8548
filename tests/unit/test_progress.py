"""Progress: silence without a terminal, a function of the user's, a bar on a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from siren_py.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def drive(progress):
    with progress_bar(3, "counting", progress) as report:
        for done in range(4):
            report(done, 3)


@pytest.mark.parametrize("progress", [None, True, False])
def test_silence_without_a_terminal(progress, capsys):
    drive(progress)
    assert capsys.readouterr() == ("", "")


def test_a_function_is_called(capsys):
    calls = []
    drive(lambda done, total: calls.append((done, total)))
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("progress", [None, True])
def test_a_bar_on_a_terminal(progress, monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    drive(progress)
    assert "counting" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_no_bar_if_switched_off(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    drive(False)
    assert terminal.getvalue() == ""


def test_no_error_stream_at_all(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    drive(None)


def test_the_bar_goes_when_the_work_fails(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")

    def fail():
        with progress_bar(3, "counting", None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    # The cursor is shown again.
    assert terminal.getvalue().rstrip().rfind("\x1b[?25h") > terminal.getvalue().rfind("\x1b[?25l")


def test_rate_and_effective_size(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress_bar(1000, "counting", None, start=500) as report:
        report(500, 1000)
        report(1000, 1000, 123.4)
    seen = terminal.getvalue()
    assert "1000/1000" in seen
    assert "/s, effective size 123" in seen
