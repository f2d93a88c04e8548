"""The formats in which samples are written and read, chosen by a file's name or by theirs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from siren_py.errors import ConfigError, FormatError, nearest_names, unknown_name

if TYPE_CHECKING:
    from siren_py._typing import PathLike
    from siren_py.progress import ProgressLike
    from siren_py.sample import Sample


@dataclass(frozen=True)
class Format:
    """A format of files of events.

    Examples
    --------
    >>> format_of_name("events.parquet").extra
    'parquet'
    """

    name: str
    """Short name, e.g. ``"parquet"``; what ``format=`` takes."""
    title: str
    """What people call it."""
    suffixes: tuple[str, ...]
    """Ends of names of files, the usual one first."""
    module: str
    """Module with ``write_NAME`` and ``read_NAME``; it is imported when it is needed."""
    description: str
    """One sentence."""
    extra: str | None = None
    """Extra of siren-py that brings the library it needs; None if nothing is needed."""
    magic: bytes | None = None
    """First bytes of every such file; None if they can be any."""
    reads: bool = True
    """Whether siren_py reads it too."""

    @property
    def drops(self) -> tuple[str, ...]:
        """What the format cannot hold, as short texts; empty if it is lossless."""
        found = getattr(self._load(), f"{self.name.upper()}_DROPS", ())
        return (found,) if isinstance(found, str) else tuple(found)

    def _load(self) -> ModuleType:
        return importlib.import_module(self.module)

    def writer(self) -> Callable[..., None]:
        """Return the function that writes a sample."""
        function: Callable[..., None] = getattr(self._load(), f"write_{self.name}")
        return function

    def reader(self) -> Callable[[PathLike], Sample]:
        """Return the function that reads a sample."""
        function: Callable[[PathLike], Sample] = getattr(self._load(), f"read_{self.name}")
        return function


FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format(
            "root",
            "ROOT",
            (".root",),
            "siren_py.io.root",
            "ROOT file with a TTree: for uproot and every version of ROOT",
            magic=b"root",
        ),
        Format(
            "rntuple",
            "RNTuple",
            (".root",),
            "siren_py.io.root",
            "ROOT file with an RNTuple: for uproot and ROOT 6.34 or newer",
            magic=b"root",
        ),
        Format(
            "parquet",
            "Parquet",
            (".parquet", ".pq"),
            "siren_py.io.parquet",
            "one row per event, for pyarrow, polars, pandas, DuckDB and Spark",
            extra="parquet",
            magic=b"PAR1",
        ),
        Format(
            "hdf5",
            "HDF5",
            (".h5", ".hdf5"),
            "siren_py.io.hdf5",
            "flat columns with units, for whatever reads HDF5 1.10",
            extra="hdf5",
            magic=b"\x89HDF\r\n\x1a\n",
        ),
        Format(
            "hepmc",
            "HepMC3",
            (".hepmc3", ".hepmc", ".hepmc3.gz", ".hepmc.gz", ".hepmc3.zst", ".hepmc.zst"),
            "siren_py.io.hepmc",
            "HepMC3 text after the rules of NuHepMC 1.0, for generators and detector simulations",
            magic=b"HepMC::Version",
        ),
        Format(
            "hepevt",
            "HEPEVT",
            (".hepevt",),
            "siren_py.io.hepevt",
            "HEPEVT text, for Geant4 and LArSoft",
            reads=False,
        ),
    )
}
"""Formats by name; of those with the same suffix, the first one is written by default."""


def format_of_name(path: PathLike) -> Format | None:
    """Return the format that the name `path` of a file stands for; None if it is unknown.

    Examples
    --------
    >>> format_of_name("events.parquet").title
    'Parquet'
    """
    name = Path(path).name.lower()
    for found in FORMATS.values():
        if name.endswith(found.suffixes):
            return found
    return None


def check_root_name(path: PathLike) -> None:
    """Refuse a name that stands for another format where a ROOT file will be written.

    Parameters
    ----------
    path
        Name of the file.

    Raises
    ------
    ConfigError
        If the name stands for another format; the text says how to get that one.

    Examples
    --------
    >>> check_root_name("events.root")
    """
    found = format_of_name(path)
    if found is not None and found.module != "siren_py.io.root":
        raise ConfigError(
            f"A run writes a ROOT file, but {Path(path).name!r} is the name of {found.title}. "
            f"Write {Path(path).with_suffix('.root').name!r}, then `siren-py convert` it, or use "
            "Sample.write."
        )


def format_of_content(path: PathLike) -> Format | None:
    """Return the format that the first bytes of the file `path` tell; None if they tell nothing.

    Raises
    ------
    FormatError
        If the file does not exist or cannot be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("events").write_bytes(b"PAR1")
    >>> format_of_content("events").name
    'parquet'
    """
    file = Path(path)
    if file.is_dir():
        raise FormatError(f"{path} is a folder; give the name of a file in it.")
    try:
        with file.open("rb") as stream:
            first = stream.read(64)
    except FileNotFoundError:
        raise FormatError(f"There is no file {path}.") from None
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror or error}.") from error
    for found in FORMATS.values():
        if found.magic is not None and first.startswith(found.magic):
            return found
    return None


def chosen_format(path: PathLike, name: str | None = None) -> Format:
    """Return the format to write a file in.

    Parameters
    ----------
    path
        Name of the file.
    name
        Name of the format; None chooses by the end of the file's name.

    Raises
    ------
    UnknownNameError
        If there is no such format.
    ConfigError
        If the file's name stands for no format, or for another one.

    Examples
    --------
    >>> chosen_format("events.h5").name
    'hdf5'
    """
    by_name = format_of_name(path)
    if name is None:
        if by_name is None:
            raise ConfigError(
                f"The name {Path(path).name!r} does not say which format it has. {_known(path)} Or "
                "name the format."
            )
        return by_name
    found = _named(name)
    if by_name is not None and not Path(path).name.lower().endswith(found.suffixes):
        raise ConfigError(
            f"The name {Path(path).name!r} stands for {by_name.title}, but the format asked for is "
            f"{found.title}. Let the name end in {' or '.join(found.suffixes)}."
        )
    return found


def _named(name: str) -> Format:
    if name not in FORMATS:
        raise unknown_name("format", name, FORMATS)
    return FORMATS[name]


def _known(path: PathLike) -> str:
    """Return which ends of names stand for formats, the nearest one first."""
    ends = {s: f.title for f in reversed(FORMATS.values()) for s in f.suffixes}
    close = nearest_names(Path(path).suffix, ends, 1) if Path(path).suffix else []
    hint = f"Did you mean {close[0]}? " if close else ""
    return f"{hint}Names end in {', '.join(f'{s} ({t})' for s, t in reversed(ends.items()))}."


def write_sample(
    sample: Sample,
    path: PathLike,
    *,
    format: str | None = None,
    overwrite: bool = True,
    progress: ProgressLike = False,
    **options: Any,
) -> tuple[str, ...]:
    """Write a sample in the format that the name of the file stands for, chunk by chunk.

    Parameters
    ----------
    sample
        The sample.
    path
        Name of the file; it appears only when the file is complete.
    format
        Name of a format in `FORMATS`, e.g. ``"rntuple"``, where the file's name does not tell.
    overwrite
        Whether an existing file may be replaced.
    progress
        See `siren_py.progress.ProgressLike`; counts events.
    **options
        What the format takes besides.

    Returns
    -------
    tuple of str
        What the format cannot hold and the file therefore lacks; empty if it is lossless.

    Raises
    ------
    ConfigError
        If the name of the file stands for no format or for another one, or if the format does not
        take an option.
    UnknownNameError
        If there is no such format.
    OutputError
        If the file cannot be written; an existing file is then left as it was.
    MissingDependencyError
        If the format needs a library that is not installed.

    Examples
    --------
    >>> import siren_py as sp
    >>> from siren_py.io.formats import read_sample, write_sample
    >>> model = sp.DipolePortal(mass=0.1, d_mu=2e-7)
    >>> sample = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc").run(100, seed=1)
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "events.root"
    ...     dropped = write_sample(sample, file, format="rntuple")
    ...     again = read_sample(file)
    >>> dropped
    ()
    >>> bool((again.weights == sample.weights).all())
    True
    """
    import inspect

    chosen = chosen_format(path, format)
    writer = chosen.writer()
    known = inspect.signature(writer).parameters
    for name in options:
        if name not in known:
            usual = {"sample", "path", "overwrite", "progress"}
            raise unknown_name(
                f"option of the format {chosen.title}",
                name,
                [n for n in known if n not in usual],
                "" if set(known) - usual else "It takes none.",
            )
    writer(sample, path, overwrite=overwrite, progress=progress, **options)
    return chosen.drops


def read_sample(path: PathLike, *, format: str | None = None) -> Sample:
    """Read a sample from a file of any format that siren_py writes and reads.

    Parameters
    ----------
    path
        Name of the file. Its first bytes tell the format; where they do not (texts), the end of
        the name does.
    format
        Name of a format in `FORMATS`, where neither tells.

    Returns
    -------
    Sample
        What the file holds. Of large files in a lossless format, the events beyond 256 MB stay in
        the file until they are needed.

    Raises
    ------
    FormatError
        If the file does not exist, is damaged, or is not of the format that its name or `format`
        says; if weights do not agree with their factors.
    ConfigError
        If neither content nor name tell the format, or siren_py does not read it.
    UnknownNameError
        If there is no such format.
    MissingDependencyError
        If the format needs a library that is not installed.

    Examples
    --------
    >>> import siren_py as sp
    >>> model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
    >>> sim.run(1000, seed=1).to_root("events.root")
    >>> read_sample("events.root").n_attempts
    1000
    """
    content, by_name = format_of_content(path), format_of_name(path)
    wanted = by_name if format is None else _named(format)
    chosen = wanted or content
    if chosen is None:
        raise ConfigError(
            f"Neither name nor content of {path} say which format it has. {_known(path)} Or name "
            "the format."
        )
    if content is not None and content.magic != chosen.magic:
        said = "its name says" if format is None else "the format asked for is"
        raise FormatError(
            f"{path} is a {content.title} file, as its first bytes tell, but {said} "
            f"{chosen.title}. Let its name end in {content.suffixes[0]}, or name the format "
            f"{content.name!r}."
        )
    if not chosen.reads:
        raise ConfigError(
            f"{path}: siren_py writes {chosen.title} but does not read it. Keep the sample in a "
            "lossless format too, e.g. ROOT."
        )
    return chosen.reader()(path)


read = read_sample
