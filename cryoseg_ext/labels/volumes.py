"""Reading of the map that is projected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryoseg_ext.arrays import Image
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.image.volume import read_map
from cryoseg_ext.simulation.volume import maximum_extent, shrink_volume


@dataclass(frozen=True)
class ParticleMap:
    """A density map in a box small enough to project.

    Parameters
    ----------
    density : NDArray[np.float32]
        ``(z, y, x)`` map in a cubic box of even size; its origin is the voxel ``n // 2`` of each axis.
    pixel_size_A : float
        Voxel size in Å.
    extent_A : float
        Maximum extent of the particle in Å.
    """

    density: Image
    pixel_size_A: float
    extent_A: float


def read_particle_map(path: Path, mask: Path | None) -> ParticleMap:
    """Read a map, and multiply it by a mask if one is given.

    Raises
    ------
    CryosegError
        If a file cannot be read, has no pixel size, is not cubic or differs in size from the other.
    """
    density, pixel_size_A = _read_cubic(path)
    if mask is not None:
        envelope, _ = _read_cubic(mask)
        if envelope.shape != density.shape:
            raise CryosegError(f"{mask} and {path} differ in size: give a mask made for this map")
        density = density * envelope
    try:
        density, pixel_size_A = shrink_volume(density, pixel_size_A)
        return ParticleMap(density, pixel_size_A, maximum_extent(density, pixel_size_A))
    except CryosegError as error:
        raise CryosegError(f"{path}: {error}") from None


def _read_cubic(path: Path) -> tuple[Image, float]:
    density, sizes_A = read_map(path)
    if max(sizes_A) > 1.001 * min(sizes_A):
        raise CryosegError(f"{path}: the pixel size in its header is {sizes_A} Å: correct the header")
    return density, sizes_A[0]
