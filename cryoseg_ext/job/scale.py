"""The scale of a job: how large a particle is on its micrographs, and whether that can be meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError

if TYPE_CHECKING:
    from cryoseg_ext.formats.micrographs import ListedMicrograph
    from cryoseg_ext.job.finished import FinishedMicrograph
    from cryoseg_ext.job.host import Host
    from cryoseg_ext.options.picking import PickingOptions

FEW_PX = 12
"""A particle of fewer pixels in the micrograph hardly shows its shape."""
WORKING_DIAMETER_PX = 24
"""Of `cryoseg_ext.image.scale`, which is long to import."""
SMALL_A = 30.0
"""No protein is smaller."""
SMALL_LIMIT, LIMIT = 5e6, 25e6
"""Most pixels at the working scale: of such particles, and at all. Time and memory grow with them."""
MANY = 12e6
"""Pixels at the working scale from which a micrograph takes minutes."""
FEW_PARTICLES = 5
"""A field narrower than this number of particles is rather a diameter in the wrong unit."""
_REMEDY = "check that the diameter is in Å, not nm, and the pixel size in Å/px"
_TRIED = 5
SAME_SIZE = 1.05
"""Largest ratio of two statements of one pixel size."""


def check_size(shape: tuple[int, ...], pixel_size_A: float, options: PickingOptions) -> None:
    """Refuse what would take hours and all the memory because a diameter or a pixel size is wrong.

    Parameters
    ----------
    shape : tuple of int
        ``(ny, nx)`` of the image.
    pixel_size_A : float
        Å/px of the image.
    options : PickingOptions
        With the particle diameter.

    Raises
    ------
    CryosegError
        If the particle is far too small for the field.
    """
    diameter_A = options.diameters_A[0]
    if _working_px(shape, pixel_size_A, diameter_A) > _limit(pixel_size_A, diameter_A):
        raise CryosegError(
            f"a particle of {diameter_A:g} Å is only {diameter_A / pixel_size_A:.3g} px wide at "
            f"{pixel_size_A:g} Å/px on a field of {shape[1]} x {shape[0]} px: {_REMEDY}; if they are right, "
            "pick images with a smaller pixel size, or smaller fields"
        )


def size_warnings(shape: tuple[int, int], pixel_size_A: float, options: PickingOptions) -> list[str]:
    """Return what seems wrong with the scale of a job, in sentences.

    Parameters
    ----------
    shape : tuple of int
        ``(ny, nx)`` of its first image.
    pixel_size_A : float
        Å/px of that image.
    options : PickingOptions
        With the particle diameter.
    """
    smallest_A, largest_A = options.diameters_A[0], options.diameters_A[-1]
    found = []
    if (width_px := smallest_A / pixel_size_A) < FEW_PX or smallest_A < SMALL_A:
        found.append(
            f"a particle of {smallest_A:g} Å is only {width_px:.3g} px wide at {pixel_size_A:g} Å/px: "
            f"{_REMEDY}"
        )
    elif _working_px(shape, pixel_size_A, smallest_A) > MANY:
        found.append(
            f"a particle of {smallest_A:g} Å is small for a field of {shape[1]} x {shape[0]} px at "
            f"{pixel_size_A:g} Å/px, so that each micrograph takes minutes: {_REMEDY}"
        )
    if min(shape) * pixel_size_A < FEW_PARTICLES * largest_A:
        found.append(
            f"the field of {shape[1]} x {shape[0]} px at {pixel_size_A:g} Å/px is only "
            f"{min(shape) * pixel_size_A / largest_A:.2g} particles of {largest_A:g} Å wide: {_REMEDY}"
        )
    return found


def size_line(shape: tuple[int, int], pixel_size_A: float, options: PickingOptions) -> str:
    """Return pixel size, size of the field and particle in pixels as a line.

    Parameters
    ----------
    shape : tuple of int
        ``(ny, nx)`` of the first image of a job.
    pixel_size_A : float
        Å/px of that image.
    options : PickingOptions
        With the particle diameter.
    """
    width = " to ".join(
        dict.fromkeys(
            f"{one / pixel_size_A:.0f}" for one in (options.diameters_A[0], options.diameters_A[-1])
        )
    )
    return (
        f"Micrographs of {shape[1]} x {shape[0]} px at {pixel_size_A:.5g} Å/px: a particle of "
        f"{options.stated_size} is {width} px wide"
    )


def report_scale(
    micrographs: Sequence[ListedMicrograph],
    earlier: Sequence[FinishedMicrograph],
    options: PickingOptions,
    host: Host,
) -> None:
    """Say pixel size, size of the field and particle in pixels, and what seems wrong with them.

    The first image that can be read stands for all.

    Parameters
    ----------
    micrographs : Sequence of ListedMicrograph
        What is to be picked.
    earlier : Sequence of FinishedMicrograph
        What is finished; where nothing is to be picked, the first of them stands for all.
    options : PickingOptions
        With the particle diameter.
    host : Host
        Hears of it.

    Raises
    ------
    CryosegError
        If the particle is far too small for the fields.
    """
    from cryoseg_ext.image.reading import read_header
    from cryoseg_ext.job.micrograph import size_of

    if not micrographs and earlier:
        host.say(size_line(earlier[0].shape, earlier[0].pixel_size_A, options))
    for micrograph in micrographs[:_TRIED]:
        try:
            header = read_header(micrograph.image)
            shape = header.shape
            pixel_size_A, _ = size_of(micrograph, shape, header.pixel_size_A)
        except Exception:
            continue
        host.say(size_line(shape, pixel_size_A, options))
        header_A = None if micrograph.copy else header.pixel_size_A
        # 1 stands for unknown in the headers of many programs.
        if header_A not in (None, 1.0) and max(header_A / pixel_size_A, pixel_size_A / header_A) > SAME_SIZE:
            host.warn(
                f"{micrograph.image}: its header says {header_A:.5g} Å/px, but {pixel_size_A:.5g} is used, "
                "as the list or --pixel_size says: check which is right"
            )
        if len({one.pixel_size_A for one in micrographs}) == 1:
            try:
                check_size(shape, pixel_size_A, options)
            except CryosegError as error:
                raise error.about(micrograph.image) from None
        for sentence in size_warnings(shape, pixel_size_A, options):
            host.warn(sentence)
        return


def _working_px(shape: tuple[int, ...], pixel_size_A: float, diameter_A: float) -> float:
    return shape[0] * shape[1] * (WORKING_DIAMETER_PX * pixel_size_A / diameter_A) ** 2


def _limit(pixel_size_A: float, diameter_A: float) -> float:
    return SMALL_LIMIT if diameter_A < max(FEW_PX * pixel_size_A, SMALL_A) else LIMIT
