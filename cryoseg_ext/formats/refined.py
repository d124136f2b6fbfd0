"""Refined particles: positions and orientations from RELION's STAR files and CryoSPARC's particle sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import read_results
from cryoseg_ext.formats.poses import from_relion_angles
from cryoseg_ext.formats.star import optics_column
from cryoseg_ext.formats.star_reading import read_tables
from cryoseg_ext.formats.table import split_rows

if TYPE_CHECKING:
    import pandas as pd
    from cryosparc.dataset import Dataset

FloatArray = NDArray[np.float64]

_ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
_NEEDED = ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY", *_ANGLES)
CRYOSPARC_SLOTS = ("location", "alignments3D", "blob")
"""What `from_cryosparc` reads."""
_LOCATION = [f"location/{name}" for name in ("micrograph_path", "micrograph_shape")]
_LOCATION += ["location/center_x_frac", "location/center_y_frac"]


@dataclass(frozen=True)
class RefinedParticles:
    """The refined particles of one micrograph, in the order of their file.

    Parameters
    ----------
    extracted_px : NDArray[np.float64]
        ``(n, 2)`` where the images were extracted, (x, y) in pixels of the micrograph.
    shift_A : NDArray[np.float64]
        ``(n, 2)`` shift in Å that the refinement applied to each image to centre it.
    orientations : Rotation
        `n` rotations of the map into the microscope's frame.
    pixel_size_A : float | None
        Å/px of the micrograph, where the file knows it.
    shape : tuple[int, int] | None
        ``(ny, nx)`` of the micrograph, where the file knows it.
    """

    extracted_px: FloatArray
    shift_A: FloatArray
    orientations: Rotation
    pixel_size_A: float | None = None
    shape: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.extracted_px)

    def centres_px(self, pixel_size_A: float) -> FloatArray:
        """Return the ``(n, 2)`` refined centres (x_px, y_px) on the micrograph.

        The shift centres the particle, so it is subtracted, as RELION's Extract does to re-centre. (Extract
        also drops the fraction of a pixel of the coordinates; that is not followed here.)
        """
        return self.extracted_px - self.shift_A / pixel_size_A


def read_particles(path: Path) -> dict[str, RefinedParticles]:
    """Read refined particles, by the name of their micrograph.

    Parameters
    ----------
    path : Path
        ``particles.star`` or ``run_data.star`` of RELION 3.0 to 5.0, or a particle set of CryoSPARC, ``.cs``
        or ``.csg``, with 3-D alignments.

    Raises
    ------
    CryosegError
        If the file cannot be read or lacks positions or orientations.
    """
    if path.suffix.lower() in (".cs", ".csg"):
        return from_cryosparc(path, read_results(path, CRYOSPARC_SLOTS))
    tables = read_tables(path)
    for table in tables.values():
        if set(_NEEDED).issubset(table):
            return _from_relion(path, table, tables.get("optics"))
    raise CryosegError(
        f"{path} has no particles with {', '.join(_NEEDED)}: give the particles STAR file of a 3D refinement"
    )


def _from_relion(path: Path, table: pd.DataFrame, optics: pd.DataFrame | None) -> dict[str, RefinedParticles]:
    particles = _Particles(
        extracted_px=_numbers(path, table, ("rlnCoordinateX", "rlnCoordinateY")),
        shift_A=_relion_shifts(path, table, optics),
        orientations=from_relion_angles(_numbers(path, table, _ANGLES)),
        pixel_size_A=optics_column(table, optics, "rlnMicrographPixelSize"),
        shapes=None,
    )
    return particles.split(table["rlnMicrographName"].to_numpy(dtype=object))


def _relion_shifts(path: Path, table: pd.DataFrame, optics: pd.DataFrame | None) -> FloatArray:
    """Return rlnOriginX and Y in Å; before RELION 3.1 they are in pixels of the particle image."""
    if {"rlnOriginXAngst", "rlnOriginYAngst"}.issubset(table):
        return _numbers(path, table, ("rlnOriginXAngst", "rlnOriginYAngst"))
    if not {"rlnOriginX", "rlnOriginY"}.issubset(table):
        return np.zeros((len(table), 2))
    size_A = optics_column(table, optics, "rlnImagePixelSize")
    if {"rlnDetectorPixelSize", "rlnMagnification"}.issubset(table):
        detector_um, magnification = _numbers(path, table, ("rlnDetectorPixelSize", "rlnMagnification")).T
        size_A = 1e4 * detector_um / magnification
    if np.isnan(size_A).any():
        raise CryosegError(
            f"{path} has shifts in pixels of the particle images but not their pixel size (rlnImagePixelSize "
            "or rlnDetectorPixelSize and rlnMagnification): add it"
        )
    return _numbers(path, table, ("rlnOriginX", "rlnOriginY")) * size_A[:, None]


def _numbers(path: Path, table: pd.DataFrame, columns: Sequence[str]) -> FloatArray:
    try:
        numbers: FloatArray = table[list(columns)].to_numpy(np.float64)
    except (ValueError, TypeError):
        numbers = np.full((1, 1), np.nan)
    if not np.isfinite(numbers).all():
        raise CryosegError(f"{path} has a value of {' or '.join(columns)} that is no number: write it again")
    return numbers


def from_cryosparc(source: object, particles: Dataset) -> dict[str, RefinedParticles]:
    """Return the refined particles in a data set of CryoSPARC, by the name of their micrograph.

    Pose and shift mean what they mean in pyem's ``csparc2star.py``: a pose is the rotation vector of the
    microscope's frame into the map's; a shift is in pixels of the aligned image and has the sign of RELION's.
    y grows with the stored row, so nothing is flipped.

    Parameters
    ----------
    source : object
        Where it comes from, for messages.
    particles : Dataset
        With the slots `CRYOSPARC_SLOTS`.

    Raises
    ------
    CryosegError
        If positions or orientations are missing.
    """
    size_field = "alignments3D/psize_A" if "alignments3D/psize_A" in particles else "blob/psize_A"
    for field in (*_LOCATION, "alignments3D/pose", "alignments3D/shift", size_field):
        if field not in particles:
            raise CryosegError(
                f"{source} has no {field}: give the particles of a 3D refinement (the .csg file, which also "
                "knows the passthrough files)"
            )
    shapes = np.asarray(particles["location/micrograph_shape"], np.int64)
    fractions = [np.asarray(particles[f"location/center_{axis}_frac"], np.float64) for axis in "xy"]
    size_A = np.asarray(particles[size_field], np.float64)
    known_A = "location/micrograph_psize_A" in particles
    table = _Particles(
        extracted_px=np.stack(fractions, axis=1) * shapes[:, ::-1],
        shift_A=np.asarray(particles["alignments3D/shift"], np.float64) * size_A[:, None],
        orientations=Rotation.from_rotvec(np.asarray(particles["alignments3D/pose"], np.float64)).inv(),
        pixel_size_A=np.asarray(particles["location/micrograph_psize_A"], np.float64)
        if known_A
        else np.full(len(shapes), np.nan),
        shapes=shapes,
    )
    return table.split([str(name).removeprefix(">") for name in particles["location/micrograph_path"]])


@dataclass(frozen=True)
class _Particles:
    """The particles of all micrographs; a pixel size that is not known is NaN."""

    extracted_px: FloatArray
    shift_A: FloatArray
    orientations: Rotation
    pixel_size_A: FloatArray
    shapes: NDArray[np.int64] | None

    def split(self, names: Sequence[str] | NDArray[np.object_]) -> dict[str, RefinedParticles]:
        """Return the particles of each micrograph."""
        found: dict[str, RefinedParticles] = {}
        for name, rows in zip(*split_rows(names), strict=True):
            size_A = float(self.pixel_size_A[rows[0]])
            shape = None
            if self.shapes is not None:
                ny, nx = self.shapes[rows[0]].tolist()
                shape = (ny, nx)
            found[name] = RefinedParticles(
                self.extracted_px[rows],
                self.shift_A[rows],
                self.orientations[rows],
                size_A if 0 < size_A < np.inf else None,
                shape,
            )
        return found
