"""What a detector offers of audit and pictures: check, declare, draw, show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from siren_py._typing import PathLike
from siren_py.audit.findings import KINDS, Declaration
from siren_py.errors import GeometryError, unknown_name

if TYPE_CHECKING:
    from pathlib import Path

    from siren_py.audit.report import DetectorReport
    from siren_py.detector import DetectorModel
    from siren_py.masses import PublishedMass
    from siren_py.sample import Sample


class AuditModel:
    """The part of `DetectorModel` that checks and draws it."""

    name: str
    _declarations: list[Declaration]
    _published: list[PublishedMass]

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """What `declare` was told, in order."""
        return tuple(self._declarations)

    @property
    def published_parts(self) -> tuple[PublishedMass, ...]:
        """What `publish_mass` was told, in order."""
        return tuple(self._published)

    def declare(self, kind: str, volumes: str | Sequence[str], reason: str) -> None:
        """Explain findings of `check` that are meant to be so.

        Parameters
        ----------
        kind
            Kind of finding, e.g. "overlap"; see `siren_py.audit.KINDS`.
        volumes
            Names or globs; every name of the finding must match one of them. Depending on the
            kind these are names of volumes, regions, materials or parts. Findings about a region
            also name what else is in it, or "vacuum".
        reason
            Why it is meant; shown beside the finding.

        Raises
        ------
        UnknownNameError
            If there is no such kind.
        GeometryError
            If the names or the reason are missing.
        """
        if kind not in KINDS or kind == "declaration":
            raise unknown_name("kind of finding", kind, [k for k in KINDS if k != "declaration"])
        patterns = (volumes,) if isinstance(volumes, str) else tuple(volumes)
        if not patterns:
            raise GeometryError(f"declare({kind!r}, ...): name what it is about.")
        if not reason.strip():
            raise GeometryError(f"declare({kind!r}, {patterns}): a declaration needs its reason.")
        self._declarations.append(Declaration(kind, patterns, reason.strip()))

    def check(self) -> DetectorReport:
        """Audit the detector: overlaps, gaps, odd materials, masses, regions, walls, nuclides.

        Boxes along the axes and pairs of solids with a proved relation are exact; other pairs
        are measured with 610 lines along each axis, regions with 16384 points.

        Returns
        -------
        DetectorReport
            `.ok`, `.findings`, `.masses`, ...; prints as a table.

        Raises
        ------
        GeometryError
            If the detector has no volumes.
        """
        from siren_py.audit.report import audit

        return audit(cast("DetectorModel", self))

    def draw(self, **options: Any) -> Any:
        """Draw the three cross-sections; arguments and result of `siren_py.plot.draw_detector`.

        Parameters
        ----------
        **options
            Arguments of `siren_py.plot.draw_detector`.
        """
        from siren_py.plot import draw_detector

        return draw_detector(cast("DetectorModel", self), **options)

    def plot(self, axis: str = "x", at: float | None = None, ax: Any = None, **options: Any) -> Any:
        """Draw one cross-section, in axes that notebooks show.

        Parameters
        ----------
        axis
            The plane is normal to it: "x", "y" or "z".
        at
            Where the plane stands [cm]; by default in the largest region.
        ax
            matplotlib axes to draw into; new ones if None.
        **options
            Of `siren_py.plot.draw_slice`.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from siren_py.plot.cross_sections import draw_slice
        from siren_py.plot.places import default_place

        detector = cast("DetectorModel", self)
        place = default_place(detector, axis) if at is None else at
        return draw_slice(detector, axis, place, ax=ax, **options)

    def peek(self, **options: Any) -> Any:
        """Draw the three cross-sections; arguments and result of `siren_py.plot.peek_detector`.

        Parameters
        ----------
        **options
            Arguments of `siren_py.plot.peek_detector`.
        """
        from siren_py.plot import peek_detector

        return peek_detector(cast("DetectorModel", self), **options)

    def show(self, path: PathLike, sample: Sample | None = None, **options: Any) -> Path:
        """Write pictures: .png, .pdf or .svg cross-sections, or a 3-D page for .html.

        Parameters
        ----------
        path
            File to write; its ending decides.
        sample
            Events whose production and decay vertices are drawn in it.
        **options
            Of `siren_py.plot.draw_detector` or `siren_py.display.detector_page`.

        Returns
        -------
        Path
            The file.
        """
        from siren_py.display import show

        return show(cast("DetectorModel", self), path, sample=sample, **options)

    def _repr_html_(self) -> str:
        from siren_py.notebook.detectors import detector_html

        return detector_html(cast("DetectorModel", self))
