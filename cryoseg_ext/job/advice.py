"""What a user can do with the picks next: the size of the boxes, how many picks there are, and could be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.image.areas import n_fitting
from cryoseg_ext.report.content import SCORE_BINS

if TYPE_CHECKING:
    from cryoseg_ext.job.result import JobResult

BOX_DIAMETERS = 1.5
"""Least side of a box, in particle diameters."""
MASK_DIAMETERS = 1.1
"""Diameter of a mask around a particle, or of the tube around a filament, in particle diameters."""
FIRST_RESOLUTION_A = 8.0
"""What a first 2D classification has to resolve."""
_SAME_PIXEL_SIZE = 0.01
_WORTH_BINNING = 0.75
"""A box that hardly becomes smaller is not worth another scale."""
_ROUNDING_PX = 1e-6
_FAINT_F1, _FAINT_GAIN = 0.5, 0.05
"""Least F1 that the scores must expect, and least gain, for another threshold to be told; between simulated
sessions of a molecule of 42 kDa and those without a particle (model card, Small and faint)."""


@dataclass(frozen=True)
class ExtractionBox:
    """A box for extracted particles.

    Both sizes are even and have no other prime factors than 2, 3 and 5, with which Fourier transforms are
    fast.

    Parameters
    ----------
    size_px : int
        Side in pixels of the micrograph.
    pixel_size_A : float
        Å/px of the micrograph.
    binned_px : int, optional
        Side to which it can be scaled down for a first 2D classification; None where the pixels are large
        already.
    """

    size_px: int
    pixel_size_A: float
    binned_px: int | None

    @property
    def binned_pixel_size_A(self) -> float:
        """Å/px of the box after it is scaled down."""
        return self.pixel_size_A * self.size_px / (self.binned_px or self.size_px)


def extraction_box(diameter_A: float, pixel_size_A: float) -> ExtractionBox:
    """Return the smallest good box for a particle.

    Parameters
    ----------
    diameter_A : float
        Longest extent of the particle in Å.
    pixel_size_A : float
        Å/px of the micrograph.
    """
    size_px = _good_size(BOX_DIAMETERS * diameter_A / pixel_size_A)
    binned_px = _good_size(size_px * pixel_size_A / (FIRST_RESOLUTION_A / 2))
    return ExtractionBox(size_px, pixel_size_A, binned_px if binned_px < _WORTH_BINNING * size_px else None)


@dataclass(frozen=True)
class Advice:
    """What to know of a job's picks before particles are extracted.

    Parameters
    ----------
    boxes : list of ExtractionBox
        The box at each pixel size of the micrographs, the finest first; none on filaments, whose segments
        are as long as the user wants.
    picks : str
        A sentence on the number of picks.
    faint : str, optional
        A sentence on a better threshold for faint particles.
    """

    boxes: list[ExtractionBox]
    picks: str
    faint: str | None = None

    @property
    def lines(self) -> list[str]:
        """The number of picks, a better threshold and the size of the box where there are such."""
        box = _box_line(self.boxes) if self.boxes else None
        return [line for line in (self.picks, self.faint, box) if line]


def advise(result: JobResult) -> Advice:
    """Return advice on the picks of a job."""
    options = result.options
    # One pass, as the results of very many micrographs are read from a file.
    sizes = [
        (one.pixel_size_A, n_fitting(one.shape, one.pixel_size_A, options.particle_diameter_A, one.areas))
        for one in result.finished.values()
    ]
    counts = [one.n_picks for one in result.qualities.values()]
    told = f"median {np.median(counts):g}, from {min(counts)} to {max(counts)}"
    if result.on_filaments:
        return Advice([], f"Segments per micrograph: {told}")
    picks = f"Picks per micrograph: {told}"
    if options.smallest_diameter_A is None:
        fitting = float(np.median([n for _, n in sizes]))
        picks += (
            f"; circles of {options.particle_diameter_A:g} Å that fill the usable area side by side would be "
            f"about {fitting:.0f}: a limit, not what to expect"
        )
    sizes_A = _distinct(pixel_size_A for pixel_size_A, _ in sizes)
    boxes = [extraction_box(options.particle_diameter_A, size_A) for size_A in sizes_A]
    # Who asks for surer picks than the model's threshold gives knows it.
    if result.threshold > next(iter(result.finished.values())).default_threshold:
        return Advice(boxes, picks)
    score_counts = result.score_counts.sum(axis=0, dtype=np.int64)
    return Advice(boxes, picks, faint_particles(score_counts, result.threshold))


def faint_particles(score_counts: NDArray[np.int64], threshold: float) -> str | None:
    """Return a sentence on a lower threshold, where by the scores many particles are below this one.

    As each score is the probability of a particle, the scores tell which F1 can be expected at each threshold
    (Lipton, Elkan & Naryanaswamy 2014, arXiv:1402.1892).

    Parameters
    ----------
    score_counts : NDArray[np.int64]
        ``(SCORE_BINS,)`` numbers of candidates by their score, see `cryoseg_ext.report.content.count_scores`.
    threshold : float
        Lowest score of a pick.

    Returns
    -------
    str or None
        None where no other threshold is clearly better, or where there may be no particle at all.
    """
    particles = score_counts * (np.arange(SCORE_BINS) + 0.5) / SCORE_BINS
    n_picks, n_right = (np.cumsum(counts[::-1])[::-1] for counts in (score_counts, particles))
    f1 = 2 * n_right / np.maximum(n_picks + particles.sum(), 1)
    best = SCORE_BINS - 1 - int(f1[::-1].argmax())
    now = min(math.ceil(threshold * SCORE_BINS - 1e-6), SCORE_BINS - 1)
    if best >= now or f1[best] < _FAINT_F1 or f1[best] < f1[now] + _FAINT_GAIN:
        return None

    def told(bin_: int) -> str:
        return (
            f"{n_right[bin_] / max(n_picks[bin_], 1):.0%} right, {n_right[bin_] / particles.sum():.0%} of all"
        )

    return (
        f"Faint particles: the scores expect {n_picks[best]} picks at a threshold of {best / SCORE_BINS:g} "
        f"to be better ({told(best)}) than the {n_picks[now]} at {threshold:g} ({told(now)})"
    )


def cryosparc_step(boxes: Sequence[ExtractionBox], exposures: str, particles: str) -> str:
    """Return a sentence on the next jobs in CryoSPARC.

    Parameters
    ----------
    boxes : Sequence of ExtractionBox
        The box at each pixel size of the micrographs.
    exposures, particles : str
        What its inputs are to be connected with.
    """
    step = f"Next in CryoSPARC: Extract From Micrographs with {exposures} and {particles}"
    if len(boxes) == 1:
        step += f", Extraction box size (pix): {boxes[0].size_px}"
        if boxes[0].binned_px is not None:
            step += f", Fourier-crop to box size (pix): {boxes[0].binned_px}"
    return f"{step}; then 2D Classification"


def _distinct(pixel_sizes_A: Iterable[float]) -> Iterator[float]:
    """Yield the pixel sizes in order, of nearly equal ones the first."""
    last_A = 0.0
    for size_A in sorted(set(pixel_sizes_A)):
        if size_A > last_A * (1 + _SAME_PIXEL_SIZE):
            last_A = size_A
            yield size_A


def _box_line(boxes: Sequence[ExtractionBox]) -> str:
    sizes = [f"{box.size_px} px at {box.pixel_size_A:.4g} Å/px" for box in boxes]
    line = f"Box size: {', '.join(sizes)} ({BOX_DIAMETERS:g} particle diameters or a little more)"
    if len(boxes) > 1:
        return f"{line}: extract the micrographs of each pixel size by themselves"
    box = boxes[0]
    if box.binned_px is None:
        return f"{line}; no need to scale it down for a first 2D classification"
    return (
        f"{line}; for a first 2D classification scaled down to {box.binned_px} px "
        f"({box.binned_pixel_size_A:.3g} Å/px), which shows details down to {FIRST_RESOLUTION_A:g} Å"
    )


def _good_size(least_px: float) -> int:
    """Return the smallest even number of pixels with small prime factors that is not less than a size."""
    from scipy.fft import next_fast_len

    return 2 * int(next_fast_len(max(1, math.ceil(least_px / 2 - _ROUNDING_PX)), real=True))
