"""What the report of a job shows, as a PDF and as a page for a browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.averages import ClassAverage
from cryoseg_ext.picks import Picks
from cryoseg_ext.report.preview import Preview

SCORE_BINS = 100
"""One step of the page's threshold slider; counts per step are a tenth of the scores themselves."""


@dataclass(frozen=True)
class Overlay:
    """One micrograph to draw.

    Parameters
    ----------
    name : str
        Its caption.
    preview : Preview
        Picture and mask.
    picks : Picks
        The picks at or above the threshold.
    diameter_px : float
        Particle diameter in pixels of the micrograph on disk.
    mixture_pixel_A : float, optional
        Of a mixture of sizes, Å/px of the micrograph on disk: each pick is drawn in its own size.
    candidates : Picks, optional
        All candidates, for the page, on which the threshold can be moved.
    """

    name: str
    preview: Preview
    picks: Picks
    diameter_px: float
    mixture_pixel_A: float | None = None
    candidates: Picks | None = None

    def diameters_px(self, picks: Picks) -> NDArray[np.float64]:
        """Return ``(n,)`` the diameters of the circles around picks of the micrograph."""
        if self.mixture_pixel_A is None or picks.diameter_A is None:
            return np.full(len(picks), self.diameter_px)
        # A pick that was added by hand has no size.
        return np.where(np.isnan(picks.diameter_A), self.diameter_px, picks.diameter_A / self.mixture_pixel_A)


@dataclass(frozen=True)
class Report:
    """What the report shows.

    Parameters
    ----------
    title : str
        The headline.
    threshold : float
        The lowest score of a pick.
    n_picks : Sequence[int]
        The number of picks of each micrograph, in the order of the run.
    score_counts : NDArray[np.uint16]
        ``(micrographs, SCORE_BINS)`` numbers of candidates by their score, see `count_scores`.
    overlays : Sequence[Overlay]
        A sample of micrographs.
    skipped : Sequence[str]
        What was wrong with the micrographs that could not be picked.
    averages : Sequence[ClassAverage]
        Averages of a sample of the picks in classes, the largest class first.
    verdicts : Sequence[str]
        The verdict on each micrograph.
    """

    title: str
    threshold: float
    n_picks: Sequence[int]
    score_counts: NDArray[np.uint16]
    overlays: Sequence[Overlay]
    skipped: Sequence[str] = ()
    averages: Sequence[ClassAverage] = ()
    verdicts: Sequence[str] = ()


def count_scores(score: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Return ``(SCORE_BINS,)`` how many scores lie in each of the equal bins from 0 to 1."""
    # A score such as 0.29 is a little below 29 hundredths as a float.
    bins = np.clip((score.astype(np.float64) * SCORE_BINS + 1e-6).astype(np.int64), 0, SCORE_BINS - 1)
    counts = np.minimum(np.bincount(bins, minlength=SCORE_BINS), np.iinfo(np.uint16).max)
    return counts.astype(np.uint16)
