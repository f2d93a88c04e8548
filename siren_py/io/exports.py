"""What `DetectorModel` can be written as."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from siren_py._typing import PathLike

if TYPE_CHECKING:
    from siren_py.detector import DetectorModel


class ExportModel:
    """The part of `DetectorModel` that writes files for other programs."""

    def to_gdml(self, path: PathLike, *, overwrite: bool = True) -> None:
        """Write the detector as GDML for Geant4; see `siren_py.io.gdml.writer.to_gdml`.

        Parameters
        ----------
        path
            File to write.
        overwrite
            Whether an existing file may be replaced.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        from siren_py.io.gdml.writer import to_gdml

        to_gdml(cast("DetectorModel", self), path, overwrite=overwrite)

    def to_glb(
        self,
        path: PathLike,
        *,
        volumes: str | Iterable[str] | None = None,
        sections: int = 48,
        overwrite: bool = True,
    ) -> None:
        """Write surfaces as GLB (binary glTF) for viewers; see `siren_py.io.meshes.to_glb`.

        Parameters
        ----------
        path
            File to write.
        volumes
            Names or globs of the volumes; None for all.
        sections
            Segments of a full circle.
        overwrite
            Whether an existing file may be replaced.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        from siren_py.io.meshes import to_glb

        model = cast("DetectorModel", self)
        to_glb(model, path, volumes=volumes, sections=sections, overwrite=overwrite)

    def to_stl(
        self,
        path: PathLike,
        *,
        volumes: str | Iterable[str] | None = None,
        sections: int = 48,
        overwrite: bool = True,
    ) -> None:
        """Write surfaces as STL in mm for CAD programs; see `siren_py.io.meshes.to_stl`.

        Parameters
        ----------
        path
            File to write.
        volumes
            Names or globs of the volumes; None for all.
        sections
            Segments of a full circle.
        overwrite
            Whether an existing file may be replaced.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        from siren_py.io.meshes import to_stl

        model = cast("DetectorModel", self)
        to_stl(model, path, volumes=volumes, sections=sections, overwrite=overwrite)
