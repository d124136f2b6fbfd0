"""How files really look: the faults of a detector, and of the programs between it and the user."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.simulation.micrograph import BACKGROUND, SimulatedMicrograph
from cryoseg_ext.simulation.placement import Image

READOUT_PX = 512
"""Width of the parts of a detector that are read out, and go wrong, on their own."""


@dataclass(frozen=True)
class Defects:
    """What is wrong with the files of a session; by default nothing.

    Parameters
    ----------
    gain_error : float
        Standard deviation of what the gain correction left over, relative to the mean intensity.
    hot_pixels : int
        Single pixels of the detector with 3 to 30 times the mean intensity.
    dead_border_px : int
        Width of the margin without an image along two sides, as motion correction leaves it.
    border : str
        "striped", where every line repeats the first sound one, or "constant".
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
    of_the_detector: np.random.Generator,
    of_the_micrograph: np.random.Generator,
) -> SimulatedMicrograph:
    """Return a micrograph with the defects of its session.

    In a dead border there is no particle: the truth has background there, and no centre.

    Parameters
    ----------
    simulated : SimulatedMicrograph
        As the microscope would give it.
    defects : Defects
        What goes wrong.
    mean : float
        Mean intensity in the units of the image, whose own mean is near 0.
    of_the_detector, of_the_micrograph : np.random.Generator
        Decide the gain and the hot pixels, and the sides of the border.
    """
    image = simulated.image
    if defects.gain_error:
        image = (image + mean) * gain(of_the_detector, image.shape, defects.gain_error) - np.float32(mean)
    if defects.hot_pixels:
        image = heat(of_the_detector, image, defects.hot_pixels, mean)
    if defects.dead_border_px:
        rows, columns = live_area(of_the_micrograph, image.shape, defects.dead_border_px)
        simulated = without_truth_outside(simulated, rows, columns)
        margins = [(part.start, n - part.stop) for part, n in zip((rows, columns), image.shape, strict=True)]
        image = np.pad(image[rows, columns], margins, "edge" if defects.border == "striped" else "constant")
    return replace(simulated, image=-image if defects.inverted else image)


def gain(rng: np.random.Generator, shape: tuple[int, ...], error: float) -> Image:
    """Return ``(y, x)`` factors about 1, in which every row, column and readout has an error of its own."""
    height, width = shape
    tiles = rng.standard_normal((height // READOUT_PX + 1, width // READOUT_PX + 1))
    readouts = tiles.repeat(READOUT_PX, axis=0).repeat(READOUT_PX, axis=1)[:height, :width]
    pattern = rng.standard_normal((height, 1)) + rng.standard_normal((1, width)) + readouts
    return np.asarray(1 + error / np.sqrt(3) * pattern, np.float32)


def heat(rng: np.random.Generator, image: Image, n: int, mean: float) -> Image:
    """Return an image with `n` hot pixels."""
    hot: Image = image.copy()
    where = rng.choice(image.size, min(n, image.size), replace=False)
    hot.ravel()[where] = mean * rng.uniform(3, 30, size=len(where))
    return hot


def live_area(rng: np.random.Generator, shape: tuple[int, ...], border_px: int) -> tuple[slice, slice]:
    """Return the rows and columns inside a dead border at the top or bottom and at the left or right."""
    first = [border_px * int(rng.integers(2)) for _ in shape]
    rows, columns = (slice(at, at + n - border_px) for at, n in zip(first, shape, strict=True))
    return rows, columns


def without_truth_outside(simulated: SimulatedMicrograph, rows: slice, columns: slice) -> SimulatedMicrograph:
    """Return a micrograph whose truth knows of nothing outside `rows` and `columns`."""
    labels = np.full_like(simulated.labels, BACKGROUND)
    labels[rows, columns] = simulated.labels[rows, columns]
    kept: NDArray[np.bool_] = (
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
