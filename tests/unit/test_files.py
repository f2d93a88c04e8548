"""Files appear complete or not at all, and nothing is overwritten by a failure."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from siren_py.errors import OutputError, SirenError
from siren_py.io.files import check_writable, complete_file
from siren_py.io.record import to_json


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_the_file_appears_at_the_end_only(tmp_path):
    target = tmp_path / "a.root"
    with complete_file(target) as part:
        part.write_text("half")
        assert not target.exists()
        assert part.parent == tmp_path
        assert part.name.startswith(".")
    assert target.read_text() == "half"
    assert names(tmp_path) == ["a.root"]


def test_usual_permissions(tmp_path):
    plain, target = tmp_path / "plain", tmp_path / "a.root"
    plain.write_text("")
    with complete_file(target) as part:
        part.write_text("")
    assert target.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("error", [RuntimeError("x"), KeyboardInterrupt(), SystemExit(143)])
def test_an_error_leaves_what_was_there(tmp_path, error):
    target = tmp_path / "a.root"
    target.write_text("old")

    def write():
        with complete_file(target) as part:
            part.write_text("new")
            raise error

    with pytest.raises(type(error)):
        write()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.root"]


def test_a_full_disk_is_an_output_error(tmp_path):
    target = tmp_path / "a.root"
    target.write_text("old")

    def write():
        with complete_file(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/scratch/7.npz")

    with pytest.raises(OutputError, match=r"No space left on device \(/scratch/7.npz\)"):
        write()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.root"]


def test_an_output_error_keeps_its_words(tmp_path):
    def write():
        with complete_file(tmp_path / "a.root"):
            raise OutputError("the words")

    with pytest.raises(OutputError, match=r"^the words$"):
        write()


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "far").mkdir()
    real, link = tmp_path / "far" / "real.root", tmp_path / "link.root"
    real.write_text("old")
    link.symlink_to(real)
    with complete_file(link) as part:
        assert part.parent == real.parent
        part.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_names_as_long_as_the_system_allows(tmp_path):
    target = tmp_path / ("n" * 250 + ".root")
    with complete_file(target) as part:
        part.write_text("x")
    assert target.read_text() == "x"
    wide = tmp_path / ("µ" * 120 + ".root")
    with complete_file(wide) as part:
        part.write_text("x")
    assert wide.exists()
    with pytest.raises(OutputError), complete_file(tmp_path / ("n" * 300)) as part:
        part.write_text("x")
    assert len(names(tmp_path)) == 2


def test_what_cannot_be_written(tmp_path):
    file = tmp_path / "file"
    file.write_text("keep")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path, text in (
        (tmp_path, "is a folder"),
        (tmp_path / "none" / "a.root", "does not exist"),
        (file / "a.root", "is a file, not a folder"),
        (Path("/dev/null"), "device or a pipe"),
        (loop / "a.root", "loop"),
        ("", "without a name"),
    ):
        with pytest.raises(OutputError, match=text):
            check_writable(path)
    with pytest.raises(OutputError, match="exists already"):
        check_writable(file, overwrite=False)
    assert file.read_text() == "keep"
    assert check_writable(tmp_path / "a.root") == (tmp_path / "a.root").resolve()
    assert names(tmp_path) == ["file", "loop"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that refuses files")
def test_a_folder_that_refuses_files():
    with pytest.raises(OutputError, match="refuses new files"):
        check_writable("/proc/a.root")


KILLED = """
import os, signal, sys
from siren_py.io.files import complete_file
with complete_file(sys.argv[1]) as part:
    part.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX locks")
def test_the_part_of_a_killed_writer_is_removed_by_the_next(tmp_path):
    target, other = tmp_path / "a.root", tmp_path / "b.root"
    for path in (target, other):
        subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
        assert not path.exists()
    assert len(names(tmp_path)) == 2
    with complete_file(target) as part:
        part.write_text("whole")
    # The part of b.root is none of a.root's business.
    left = names(tmp_path)
    assert left[1] == "a.root"
    assert left[0].startswith(".b.root.")
    assert len(left) == 2


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    target = tmp_path / "a.root"
    with complete_file(target) as first:
        first.write_text("1")

        def second():
            with complete_file(target) as part:
                part.write_text("2")

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        assert target.read_text() == "2"
        assert first.exists()
    assert target.read_text() == "1"
    assert names(tmp_path) == ["a.root"]


def test_records_are_plain_json(tmp_path):
    record = {
        "array": np.array([1.5, 2.0]),
        "number": np.float64(0.1),
        "whole": np.int64(3),
        "set": {"b", "a"},
        "path": tmp_path,
        "tuple": (1, 2),
    }
    assert to_json(record) == (
        '{"array": [1.5, 2.0], "number": 0.1, "whole": 3, "set": ["a", "b"], '
        f'"path": "{tmp_path}", "tuple": [1, 2]}}'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("nan"), object(), {1j}])
def test_what_json_cannot_hold_is_an_error(value):
    with pytest.raises(SirenError, match="record of the run"):
        to_json({"value": value})
