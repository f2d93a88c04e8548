"""What all writers of columns do: check, tell the record, show progress, appear when complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from siren_py.io.columns import check_columns, record_text
from siren_py.io.files import complete_file
from siren_py.progress import ProgressLike, progress_bar

if TYPE_CHECKING:
    from siren_py._typing import PathLike
    from siren_py.sample import Sample
    from siren_py.tree import EventTable


@contextmanager
def tables_to_write(
    sample: Sample, path: PathLike, overwrite: bool, progress: ProgressLike
) -> Iterator[tuple[Path, str, Iterator[EventTable]]]:
    """Yield the file to write to, the text of its record, and the tables to put into it.

    The file takes the name `path` when the block ends well. A table counts as written when the
    next one is asked for.

    Parameters
    ----------
    sample
        The sample.
    path
        Name of the file.
    overwrite
        Whether an existing file may be replaced.
    progress
        See `siren_py.progress.ProgressLike`; counts events.

    Raises
    ------
    OutputError
        If the file cannot be written; an existing file is then left as it was.
    ConfigError
        If an event column has the name of another column.
    """
    check_columns(sample)
    text = record_text(sample)
    with (
        complete_file(path, overwrite=overwrite) as part,
        progress_bar(len(sample), f"writing {Path(path).name}", progress) as report,
    ):

        def tables() -> Iterator[EventTable]:
            done = 0
            for table in sample.tables():
                yield table
                done += len(table)
                report(done, len(sample))

        yield part, text, tables()
