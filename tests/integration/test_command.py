"""The command as the shell runs it: terminals, pipes, signals, full disks, memory."""

from __future__ import annotations

import json
import os
import pty
import resource
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import siren_py as sp
from siren_py.runs.chunks import CHUNK_SIZE

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "siren_py"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and terminals")


@contextmanager
def start(folder, *words, command=COMMAND, **options):
    """Start the command; whatever happens in the test, it does not outlive it."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": ENVIRONMENT, **options}
    with subprocess.Popen([*command, *words], cwd=folder, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def run(folder, *words, **options):
    with start(folder, *words, **options) as process:
        out, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    return process.returncode, out, err


def wait_for(condition, process, seconds=60.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError(f"it did not come to that; the process returned {process.returncode}")


def parts(folder):
    return [p for p in folder.iterdir() if p.name.endswith(".part")]


def on_terminal(folder, *words):
    """Run with a terminal for the errors; return exit code, standard output and the terminal's."""
    mine, theirs = pty.openpty()
    with start(folder, *words, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        while True:
            # The first run of an environment compiles, beside other tests that do the same.
            ready, _, _ = select.select([mine], [], [], 240.0)
            assert ready, "nothing was written for four minutes"
            try:
                chunk = os.read(mine, 65536)
            except OSError:  # Linux's way to say that the other side is closed
                chunk = b""
            if not chunk:
                break
            seen += chunk
        out, _ = process.communicate(timeout=60)
    os.close(mine)
    return process.returncode, out, seen.decode()


@pytest.mark.parametrize("as_json", [False, True], ids=["words", "json"])
def test_a_bar_on_a_terminal_and_a_clean_output(tmp_path, as_json):
    words = ["simulate", "--events", "40000", "--output", "a.root"]
    code, out, seen = on_terminal(tmp_path, *words, *(["--json"] if as_json else []))
    assert code == 0
    assert "40000/40000" in seen
    assert "writing a.root" in seen
    assert "\x1b" not in out
    if as_json:
        assert json.loads(out)["n_attempts"] == 40_000
    else:
        assert "expected events" in out


def test_no_bar_where_it_is_not_wanted(tmp_path):
    code, out, seen = on_terminal(tmp_path, "simulate", "--events", "20000", "--quiet")
    assert (code, seen) == (0, "")
    assert "expected events" in out


def test_defaults_on_a_pipe(tmp_path):
    code, out, err = run(tmp_path, "simulate", "--json")
    assert (code, err) == (0, "")
    data = json.loads(out)
    assert data["n_attempts"] == 100_000
    assert data["expected_error"] < 0.01 * data["expected"]
    assert not list(tmp_path.iterdir())


def test_an_interrupt_during_the_run(tmp_path):
    target = tmp_path / "a.root"
    target.write_text("precious")
    words = ["simulate", "--events", "1e8", "--output", "a.root"]
    with start(tmp_path, *words) as process:
        wait_for(lambda: any((tmp_path / "a.root.parts").glob("0*.npz")), process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "Interrupted" in err
    assert "Traceback" not in err
    assert target.read_text() == "precious"
    assert not parts(tmp_path)
    # What was made is a sample of its own, with the attempts that are in it.
    assert "a.partial.root" in err
    sample = sp.read_root(tmp_path / "a.partial.root")
    assert sample.n_attempts == sample.provenance["chunks"][0][1] * CHUNK_SIZE
    assert sample.provenance["requested"] == 10**8


WRITTEN = ["simulate", "--events", "200000", "--quiet", "--output", "a.root"]

SLOW_WRITER = """
import sys, time
import siren_py as sp
from siren_py.runs.chunks import CHUNK_SIZE
from siren_py.cli import main
from siren_py.io import root

write = root.event_columns
def slow(*arguments):
    time.sleep(0.3)
    return write(*arguments)

root.event_columns = slow
sys.exit(main(sys.argv[1:]))
"""


@contextmanager
def writing(folder):
    """Start a run whose writing takes seconds, and wait until it is in the middle of it."""
    command = [sys.executable, "-c", SLOW_WRITER]
    environment = {**ENVIRONMENT, "TMPDIR": str(folder)}
    with start(folder, *WRITTEN, command=command, env=environment) as process:
        wait_for(lambda: any(p.stat().st_size > 1_000_000 for p in parts(folder)), process)
        yield process


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)],
    ids=["interrupt", "terminate"],
)
def test_ended_while_writing(tmp_path, number, code):
    target = tmp_path / "a.root"
    target.write_text("precious")
    with writing(tmp_path) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err
    assert target.read_text() == "precious"
    # Temporary files are gone; the finished chunks stay, and the file is written from them.
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.root", "a.root.parts"]
    code, out, _ = run(tmp_path, *WRITTEN, "--resume", "--json")
    assert code == 0
    assert json.loads(out)["attempts_made"] == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.root"]


def test_killed_while_writing(tmp_path):
    with writing(tmp_path) as process:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "a.root").exists()
    (part,) = parts(tmp_path)
    assert part.name.startswith(".a.root.")
    # Finished chunks are not thrown away because somebody forgot an option.
    code, _, err = run(tmp_path, *WRITTEN)
    assert code == 2
    assert "--resume" in err
    # The next run removes what else the dead one left.
    code, _, _ = run(tmp_path, *WRITTEN, "--resume")
    assert code == 0
    assert [p.name for p in tmp_path.iterdir()] == ["a.root"]
    assert sp.read_root(tmp_path / "a.root").n_attempts == 200_000


def test_a_full_disk(tmp_path):
    target = tmp_path / "a.root"
    target.write_text("precious")

    def limit():
        # Files may not grow beyond 1 MB: writing more fails as on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    words = ["simulate", "--events", "20000", "--output", "a.root", "--json"]
    code, out, err = run(tmp_path, *words, preexec_fn=limit)
    assert code == 2
    assert "File too large" in json.loads(out)["error"]
    assert "Writing a.root.parts/00000000.npz failed" in err
    assert target.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [target]


def test_a_reader_that_goes_away(tmp_path):
    with start(tmp_path, "list") as process:
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(timeout=60) == 0
    assert err == ""


def peak_memory(folder, command, events):
    """Peak resident memory [MB] of a run that writes its file."""
    words = ["simulate", "--events", str(events), "--quiet", "--output", "a.root", "--json"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*command, *words], cwd=folder, env=ENVIRONMENT, **quiet)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**20


SMALL_STORE = """
import sys
from siren_py.cli import main
from siren_py.store import TableStore

TableStore.__init__.__defaults__ = (16 * 2**20,)
sys.exit(main(sys.argv[1:]))
"""


def test_memory_does_not_grow_with_the_number_of_events(tmp_path):
    # With less kept in memory, the rest waits on disk already after few events.
    command = [sys.executable, "-c", SMALL_STORE]
    some, many = (peak_memory(tmp_path, command, n) for n in (70_000, 280_000))
    # 210 000 events are 120 MB.
    assert many < some + 40.0


@pytest.mark.slow
def test_a_large_run_stays_below_one_gigabyte(tmp_path):
    assert peak_memory(tmp_path, COMMAND, 700_000) < 1000.0


@pytest.mark.slow
def test_a_hundred_thousand_events_in_seconds(tmp_path):
    run(tmp_path, "simulate", "--events", "100")  # compiles, if nothing did before
    begin = time.monotonic()
    code, _, _ = run(tmp_path, "simulate", "--workers", "2", "--json")
    assert code == 0
    assert time.monotonic() - begin < 5.0
