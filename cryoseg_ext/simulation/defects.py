"""Defects of real files, from the detector and from the programs that processed them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cryoseg_ext.arrays import Image, Mask
from cryoseg_ext.network.classes import BACKGROUND
from cryoseg_ext.simulation.micrograph import SimulatedMicrograph

READOUT_PX = 512
"""Width in px of the parts of a detector that are read out separately, each with its own error."""


@dataclass(frozen=True)
class Defects:
    """Defects of the files of a session; by default there are none.

    Parameters
    ----------
    gain_error : float
        Standard deviation of the gain that was not corrected, relative to the mean intensity.
    hot_pixels : int
        Number of single pixels of the detector with 3 to 30 times the mean intensity.
    dead_border_px : int
        Width in px of the margin without an image along two sides, as motion correction leaves it.
    border : str
        "striped", where every line of the margin repeats the outermost line of the image, or "constant".
    inverted : bool
        Whether protein is bright.
    """

    gain_error: float = 0.0
    hot_pixels: int = 0
    dead_border_px: int = 0
    border: str = "striped"
    inverted: bool = False


def with_defects(
    simulated: SimulatedMicrograph,
    defects: Defects,
    mean: float,
    detector_rng: np.random.Generator,
    micrograph_rng: np.random.Generator,
) -> SimulatedMicrograph:
    """Return a micrograph with the defects of its session.

    The truth has background, and no centres, in a dead border.

    Parameters
    ----------
    simulated : SimulatedMicrograph
        Micrograph without defects.
    defects : Defects
        Defects to add.
    mean : float
        Mean intensity in the units of the image, whose own mean is near 0.
    detector_rng : np.random.Generator
        Source of the gain and the hot pixels, the same for all micrographs of a session.
    micrograph_rng : np.random.Generator
        Source of the sides of the dead border.
    """
    image = simulated.image
    if defects.gain_error:
        image = (image + mean) * gain(detector_rng, image.shape, defects.gain_error) - np.float32(mean)
    if defects.hot_pixels:
        image = heat(detector_rng, image, defects.hot_pixels, mean)
    if defects.dead_border_px:
        rows, columns = live_area(micrograph_rng, image.shape, defects.dead_border_px)
        simulated = without_truth_outside(simulated, rows, columns)
        margins = [(part.start, n - part.stop) for part, n in zip((rows, columns), image.shape, strict=True)]
        image = np.pad(image[rows, columns], margins, "edge" if defects.border == "striped" else "constant")
    return replace(simulated, image=-image if defects.inverted else image)


def gain(rng: np.random.Generator, shape: tuple[int, ...], error: float) -> Image:
    """Return a gain image, in which every row, column and readout area has an error of its own.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the errors.
    shape : tuple of int
        ``(y, x)`` in px.
    error : float
        Standard deviation of the factors.

    Returns
    -------
    NDArray[np.float32]
        ``(y, x)`` factors about 1.
    """
    height, width = shape
    tiles = rng.standard_normal((height // READOUT_PX + 1, width // READOUT_PX + 1))
    readouts = tiles.repeat(READOUT_PX, axis=0).repeat(READOUT_PX, axis=1)[:height, :width]
    pattern = rng.standard_normal((height, 1)) + rng.standard_normal((1, width)) + readouts
    return np.asarray(1 + error / np.sqrt(3) * pattern, np.float32)


def heat(rng: np.random.Generator, image: Image, n: int, mean: float) -> Image:
    """Return an image with hot pixels.

    Parameters
    ----------
    rng : np.random.Generator
        Source of their positions and intensities.
    image : NDArray[np.float32]
        ``(y, x)`` image.
    n : int
        Number of hot pixels.
    mean : float
        Mean intensity in the units of the image.
    """
    hot: Image = image.copy()
    where = rng.choice(image.size, min(n, image.size), replace=False)
    hot.ravel()[where] = mean * rng.uniform(3, 30, size=len(where))
    return hot


def live_area(rng: np.random.Generator, shape: tuple[int, ...], border_px: int) -> tuple[slice, slice]:
    """Return the rows and columns inside a dead border at the top or bottom and at the left or right.

    Parameters
    ----------
    rng : np.random.Generator
        Source of the two sides.
    shape : tuple of int
        ``(y, x)`` of the image in px.
    border_px : int
        Width of the border in px.
    """
    first = [border_px * int(rng.integers(2)) for _ in shape]
    rows, columns = (slice(at, at + n - border_px) for at, n in zip(first, shape, strict=True))
    return rows, columns


def without_truth_outside(simulated: SimulatedMicrograph, rows: slice, columns: slice) -> SimulatedMicrograph:
    """Return a micrograph without the truth outside an area.

    Parameters
    ----------
    simulated : SimulatedMicrograph
        The micrograph.
    rows, columns : slice
        Area in which its labels and particles are kept.
    """
    labels = np.full_like(simulated.labels, BACKGROUND)
    labels[rows, columns] = simulated.labels[rows, columns]
    kept: Mask = (
        (simulated.x_px > columns.start - 0.5) & (simulated.x_px < columns.stop - 0.5)
        & (simulated.y_px > rows.start - 0.5) & (simulated.y_px < rows.stop - 0.5)
    )  # fmt: skip
    number = np.zeros_like(simulated.placed.number)
    number[np.flatnonzero(simulated.placed.number)[kept]] = np.arange(1, kept.sum() + 1)
    return replace(
        simulated,
        labels=labels,
        x_px=simulated.x_px[kept],
        y_px=simulated.y_px[kept],
        placed=replace(simulated.placed, number=number),
    )
