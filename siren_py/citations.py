"""What to cite: the package, and the models, fluxes, detectors and analyses that were used.

Everything names its own sources: a model has `citations`, a ``flux.toml`` a list ``citations``, a
script of a detector or of an analysis has ``CITATIONS = (...)`` at its top, analyses and published
curves have a source in words. Each citation is a key of siren_py's own references, an entry of
BibTeX, or words with an arXiv number; see `siren_py.bibliography.resolve`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path
from typing import Any

from siren_py._typing import PathLike
from siren_py.bibliography import Citation, references, resolve
from siren_py.errors import ConfigError, SirenError, unknown_name

PACKAGE = "siren_py"
"""Key of the package itself."""

_VARIABLE = "CITATIONS"
_MESONS = "mesons:"
"""Beginning of the names of fluxes of N, which are made of a neutrino flux by parent."""

_MESON_SOURCES = ("shrock1981", "shrock1981-helicity")

_STATISTICS = {
    "cls": ("read2002", "cowan2011"),
    "profile": ("cowan2011",),
    "feldman-cousins": ("feldman1998",),
}


@dataclass(frozen=True)
class Bibliography:
    """References, and what has none.

    Attributes
    ----------
    citations
        The references, each once, in the order of first use.
    missing
        What was used but names no source, or could not be found, in words.

    Examples
    --------
    >>> import siren_py as sp
    >>> found = cite(sp.DipolePortal(mass=0.1, d_mu=1e-6))
    >>> len(found.citations) > 1
    True
    """

    citations: tuple[Citation, ...]
    missing: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Citation]:
        return iter(self.citations)

    def __len__(self) -> int:
        return len(self.citations)

    @property
    def bibtex(self) -> str:
        """All entries as one text, each with a comment that says what it is cited for."""
        parts = []
        for one in self.citations:
            comments = "".join(f"% {line}\n" for text in one.used_for for line in text.splitlines())
            parts.append(f"{comments}{one.bibtex}\n")
        parts += [f"% No citation: {text}\n" for text in self.missing]
        return "\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "citations": [
                {
                    "key": one.key,
                    "bibtex": one.bibtex,
                    "eprint": one.eprint,
                    "doi": one.doi,
                    "used_for": list(one.used_for),
                }
                for one in self.citations
            ],
            "missing": list(self.missing),
        }

    def __str__(self) -> str:
        return self.bibtex

    def _repr_html_(self) -> str:
        import html

        return f"<pre>{html.escape(self.bibtex)}</pre>"


class _Collector:
    """Puts references together: equal ones become one, with all that they are cited for."""

    def __init__(self) -> None:
        self.found: dict[str, Citation] = {}
        self.missing: list[str] = []

    def add(self, citations: Iterable[str], what: str) -> None:
        """Add what a thing cites, or note that it cites nothing."""
        none = True
        for text in citations:
            for one in resolve(str(text)):
                none = False
                # A source that says of itself that it is not sure is not made surer here.
                doubt = f" ({text})" if "unverified" in str(text) else ""
                self._put(one.cited_for(what + doubt))
        if none:
            self.lack(f"{what} names no source")

    def lack(self, text: str) -> None:
        if text not in self.missing:
            self.missing.append(text)

    def _put(self, one: Citation) -> None:
        known = self.found.get(one.key)
        if known is not None and known.bibtex != one.bibtex:
            # Two users may have chosen the same key for different papers.
            one = Citation(
                f"{one.key}-2", one.bibtex.replace(one.key, f"{one.key}-2", 1), one.eprint,
                one.doi, one.used_for,
            )  # fmt: skip
            known = self.found.get(one.key)
        if known is not None:
            for what in one.used_for:
                known = known.cited_for(what)
        self.found[one.key] = known or one

    def result(self) -> Bibliography:
        return Bibliography(tuple(self.found.values()), tuple(self.missing))


def citations_of(provenance: Mapping[str, Any]) -> list[Citation]:
    """Return what to cite for events, from the record that a file keeps of them.

    Parameters
    ----------
    provenance
        `siren_py.Sample.provenance`; its ``configuration``, or those of the combined runs, name
        detector, fluxes and model.

    Returns
    -------
    list of Citation
        The package first. What cannot be found, such as a detector script of one's own that is
        not here, is left out; `cite` tells it.

    Examples
    --------
    >>> import siren_py as sp
    >>> model = sp.DipolePortal(mass=0.1, d_mu=3.87e-7)
    >>> sim = sp.Simulation("nd280", "t2k-nd280:fhc:numu", model, region="tpc")
    >>> len(citations_of(sim.run(100, seed=1).provenance)) > 1
    True
    """
    return list(cite(provenance))


def cite(*things: Any) -> Bibliography:
    """Return the references of the package and of what was used.

    Parameters
    ----------
    *things
        Samples, simulations, models, fluxes, detectors, analyses, limits or published curves;
        their names; names of files of events, of detector scripts or of flux folders; or a
        provenance. The package alone if there are none.

    Returns
    -------
    Bibliography
        Prints as BibTeX.

    Raises
    ------
    UnknownNameError
        If there is nothing of some name.
    ConfigError
        If a thing is none of these.

    Examples
    --------
    >>> [one.key for one in cite("bnb-miniboone")]
    ['siren_py', 'miniboone2009-flux']
    """
    collector = _Collector()
    collector.add([PACKAGE], "the package")
    for thing in things:
        _add(collector, thing)
    return collector.result()


def _add(collector: _Collector, thing: Any) -> None:
    if isinstance(thing, str | Path):
        _add_name(collector, thing)
    elif isinstance(thing, Mapping):
        _add_provenance(collector, thing)
    elif hasattr(thing, "provenance") and isinstance(thing.provenance, Mapping):
        _add_provenance(collector, thing.provenance)  # a sample
    elif hasattr(thing, "fluxes") and isinstance(getattr(thing, "configuration", None), Mapping):
        _add_provenance(collector, {"configuration": thing.configuration})  # a simulation
    elif hasattr(thing, "regions") and hasattr(thing, "volumes"):
        from siren_py.resources import detector_provenance

        _add_detector(collector, detector_provenance(thing))
    elif hasattr(thing, "density") and hasattr(thing, "pdg"):
        from siren_py.simulation import describe_flux

        _add_flux(collector, describe_flux(thing))
    elif hasattr(thing, "decays") and hasattr(thing, "interactions"):
        collector.add(getattr(thing, "citations", ()), f"model {getattr(thing, 'name', thing)}")
    elif hasattr(thing, "exclusion"):
        _add_limit(collector, thing)
    elif hasattr(thing, "citation"):
        collector.add([thing.citation], f"published {thing.name}")
    elif hasattr(thing, "source") and hasattr(thing, "channels"):
        collector.add([thing.source] if thing.source else [], f"analysis {thing.name}")
    else:
        raise ConfigError(
            f"What to cite for {thing!r} is not known. Give a sample, a simulation, a model, a "
            "flux, a detector, an analysis, a limit, a published curve, or the name of one."
        )


def _add_limit(collector: _Collector, limit: Any) -> None:
    if limit.scan is not None:
        _add_provenance(collector, {"configuration": limit.scan.configuration})
    known = _STATISTICS.get(str(limit.statistic).split(":")[0])
    if known:
        collector.add(known, f"statistic {limit.statistic}")


# ------------------------------------------------------------------ records


def _add_provenance(collector: _Collector, provenance: Mapping[str, Any]) -> None:
    runs = provenance.get("combined") or [provenance]
    for run in runs:
        config = run.get("configuration") or provenance.get("configuration") or {}
        if detector := config.get("detector"):
            record = {"name": detector} if isinstance(detector, str) else detector
            _add_detector(collector, record)
        for flux in config.get("fluxes") or ():
            _add_flux(collector, flux)
        if model := config.get("model"):
            _add_model(collector, str(model.get("name")))
        if analysis := config.get("analysis"):
            name = analysis if isinstance(analysis, str) else analysis.get("name")
            _add_analysis(collector, str(name))


def _add_detector(collector: _Collector, record: Mapping[str, Any]) -> None:
    from siren_py.resources import resources

    name = str(record.get("name"))
    script = record.get("script")
    found = resources("detectors").get(str(script)) if script else None
    if found is None:
        reason = f"its script {script} is not here: name its path" if script else "it has no script"
        collector.lack(f"detector {name}: {reason}")
        return
    collector.add(script_citations(found.path), f"detector {script}")


def _add_flux(collector: _Collector, record: Mapping[str, Any]) -> None:
    name = str(record.get("name"))
    if name.startswith(_MESONS):
        collector.add(_MESON_SOURCES, f"flux {name}")
        collector.add(_flux_citations("t2k-nd280-parents"), f"flux {name}")
    elif "neutrino_flux" in record:
        collector.add(_MESON_SOURCES, f"flux {name}")
        _add_flux(collector, record["neutrino_flux"])
    else:
        collector.add(record.get("citations") or (), f"flux {name}")


def _flux_citations(name: PathLike) -> tuple[str, ...]:
    from siren_py.flux.tables import read_flux_folder
    from siren_py.resources import find_flux

    return read_flux_folder(find_flux(name)).citations


def _add_model(collector: _Collector, name: str) -> None:
    from siren_py import plugins
    from siren_py.models import MODELS

    try:
        maker = plugins.find("models", name, MODELS)
    except SirenError:
        collector.lack(f"model {name}: it is one of your own, or its plug-in is not installed")
        return
    collector.add(getattr(maker, "citations", ()), f"model {name}")


def _add_analysis(collector: _Collector, name: str) -> None:
    from siren_py.analysis import load_analysis

    source = load_analysis(name).source
    collector.add([source] if source else [], f"analysis {name}")


def script_citations(path: PathLike) -> tuple[str, ...]:
    """Return the ``CITATIONS`` of a script, which is read, not run; none if it has no such line.

    Parameters
    ----------
    path
        A Python file with ``CITATIONS = ("...", "...")`` at its top level. A GDML file has none.

    Raises
    ------
    ConfigError
        If the file cannot be read, or ``CITATIONS`` is not a tuple or list of texts.

    Examples
    --------
    >>> _ = Path("own.py").write_text('CITATIONS = ("arXiv:2412.15051",)')
    >>> script_citations("own.py")
    ('arXiv:2412.15051',)
    """
    file = Path(path)
    if file.suffix != ".py":
        return ()
    try:
        tree = ast.parse(decode_source(file.read_bytes()), str(file))
    except (OSError, SyntaxError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read: {error}.") from error
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(t, ast.Name) and t.id == _VARIABLE for t in targets):
            return _texts(file, node)
    return ()


def _texts(file: Path, node: Any) -> tuple[str, ...]:
    try:
        value = ast.literal_eval(node.value)
    except (ValueError, TypeError):
        value = None
    if not isinstance(value, tuple | list) or not all(isinstance(t, str) for t in value):
        raise ConfigError(
            f"{file}, line {node.lineno}: {_VARIABLE} must be a tuple of texts that are written "
            "out: keys of siren_py's references, BibTeX entries, or words with an arXiv number."
        )
    return tuple(value)


# ------------------------------------------------------------------ names


def _add_name(collector: _Collector, name: PathLike) -> None:
    path = Path(name).expanduser()
    if path.exists() and (isinstance(name, Path) or path.suffix or "/" in str(name)):
        _add_file(collector, path)
        return
    text = str(name)
    known = {key.casefold(): (key, add) for key, add in _named().items()}
    plain = text.replace("_", "-").casefold()
    # Fluxes are often named with mode and flavour, and with a table.
    for key in (text.casefold(), plain, plain.split(":")[0].split("@")[0]):
        if key in known:
            found, adders = known[key]
            for add in adders:
                add(collector, found)
            return
    if text.startswith(_MESONS):
        _add_flux(collector, {"name": text})
        return
    if text in references():
        collector.add([text], "asked for")
        return
    raise unknown_name(
        "detector, flux, model, analysis, published curve or reproduction", text, _named(),
        "A file of events is named with its path.",
    )  # fmt: skip


def _named() -> dict[str, list[Any]]:
    """Return what adds the sources of each name; a name may stand for several things."""
    from siren_py.analysis import analysis_names
    from siren_py.models import model_names
    from siren_py.published import curve_names, table_names
    from siren_py.reproduction import reproduction_names
    from siren_py.resources import list_detectors, list_fluxes

    result: dict[str, list[Any]] = {}
    for names, add in (
        (list_detectors(), lambda c, n: _add_detector(c, {"name": n, "script": n})),
        (list_fluxes(), lambda c, n: c.add(_flux_citations(n), f"flux {n}")),
        (model_names(), _add_model),
        (analysis_names(), _add_analysis),
        (curve_names(), _add_curve),
        (table_names(), _add_table),
        (reproduction_names(), _add_reproduction),
    ):
        for name in names:
            result.setdefault(name, []).append(add)
    return result


def _add_curve(collector: _Collector, name: str) -> None:
    from siren_py.published import load_curve

    collector.add([load_curve(name).citation], f"published curve {name}")


def _add_table(collector: _Collector, name: str) -> None:
    from siren_py.published import load_table

    collector.add([load_table(name).citation], f"published table {name}")


def _add_reproduction(collector: _Collector, name: str) -> None:
    from siren_py.reproduction import find_reproduction

    collector.add([find_reproduction(name).CITATION], f"reproduction {name}")


def _add_file(collector: _Collector, path: Path) -> None:
    if path.is_dir() or path.suffix == ".toml":
        collector.add(_flux_citations(path), f"flux {path}")
    elif path.suffix == ".py":
        collector.add(script_citations(path), f"script {path}")
    elif path.suffix == ".gdml":
        collector.lack(f"detector {path}: a GDML file names no source")
    else:
        _add_provenance(collector, _provenance_of(path))


def _provenance_of(path: Path) -> Mapping[str, Any]:
    """Read the provenance of a file of events, without its events where that is possible."""
    from siren_py.io.formats import format_of_content, read_sample

    found = format_of_content(path)
    if found is not None and found.name in ("root", "rntuple"):
        from siren_py.io.root import read_provenance

        return read_provenance(path)
    return read_sample(path).provenance
