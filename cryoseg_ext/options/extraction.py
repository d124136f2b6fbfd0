"""Settings of the extraction of picks: plain words and numbers, quick to import."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.extras import require

Method = Literal["centre", "contours", "trackpy", "gaussian_nms", "watershed"]
METHODS: tuple[Method, ...] = get_args(Method)
DEFAULT_MIN_DISTANCE = 0.4
"""Default smallest distance between two picks, in particle diameters.

It is less than 0.5 because the centres of long particles that touch side by side are closer than half the
longest extent.
"""


@dataclass(frozen=True)
class ExtractionOptions:
    """How picks are extracted from the maps of the network.

    Parameters
    ----------
    method : Method
        Where candidates come from: peaks of the centre map with the support of the mask (``centre``);
        connected components of the mask (``contours``); blobs (``trackpy``); maxima of the mask under a
        Gaussian as wide as the particle (``gaussian_nms``); the mask cut at its waists (``watershed``).
    min_distance_A : float, optional
        Smallest distance between two picks in Å; `DEFAULT_MIN_DISTANCE` diameters by default.
    max_picks : int, optional
        Largest number of picks on a micrograph: those of the highest scores.
    border_A : float
        Smallest distance in Å of a pick from the micrograph's edge and its dead areas.
    contaminant_distance_A : float
        Smallest distance in Å of a pick from contamination.
    carbon_distance_A : float
        Smallest distance in Å of a pick from contamination larger than ten particles, which is carbon film
        rather than ice; the network has one class for both.
    mask_threshold : float
        Particle probability from which a pixel belongs to the mask.
    erosion_A : float
        Depth in Å by which ``contours`` erodes the mask, to separate particles that hardly touch.
    min_area, max_area : float
        Size limits of ``contours`` and ``watershed``, in areas of a disc of the particle diameter.
    min_solidity : float
        Shape limit of ``contours``: smallest ratio of a component's area to that of its convex hull.
    helical_rise_A : float, optional
        Helical rise in Å. If given, picks are segments along filaments, `helical_nr_asu` rises apart.
    helical_nr_asu : int
        Number of asymmetrical units from one segment to the next, as in RELION.
    helical_tube_length_min_A : float, optional
        Length in Å below which filaments are left out; two diameters by default.

    Raises
    ------
    CryosegError
        If a number is not finite, if options of filaments are given without a rise, or if a method other than
        the default is given with a rise.

    Examples
    --------
    >>> ExtractionOptions("watershed", min_distance_A=90.0).method
    'watershed'
    """

    method: Method = "centre"
    min_distance_A: float | None = None
    max_picks: int | None = None
    border_A: float = 0.0
    contaminant_distance_A: float = 0.0
    carbon_distance_A: float = 0.0
    mask_threshold: float = 0.5
    erosion_A: float = 0.0
    min_area: float = 0.15
    max_area: float = 2.0
    min_solidity: float = 0.0
    helical_rise_A: float | None = None
    helical_nr_asu: int = 1
    helical_tube_length_min_A: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise CryosegError(f"{name} is {value}: give a number")
        # Found here, before any work begins.
        if self.method == "trackpy":
            require("extraction", "--extraction trackpy", ", or choose another")
        if self.helical_rise_A is None and (self.helical_nr_asu != 1 or self.helical_tube_length_min_A):
            raise CryosegError("the options of filaments need --helical_rise: give the helical rise in Å")
        if self.helical_rise_A is not None and self.method != "centre":
            raise CryosegError(
                f"--helical_rise picks along filaments: leave out --extraction {self.method}, which does not"
            )
