"""What a user decides about picking: plain words and numbers, quick to import."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.crf import CrfChoice, CrfOptions
from cryoseg_ext.options.extraction import DEFAULT_MIN_DISTANCE, ExtractionOptions

MIXTURE_STEP = 1.3
"""The network knows particles up to 25 % larger or smaller than stated."""


@dataclass(frozen=True)
class PickingOptions:
    """What a user decides about picking.

    Parameters
    ----------
    particle_diameter_A : float
        Largest extent of the particle in Å; of a filament, its width.
    extraction : ExtractionOptions
        How picks are made of the network's maps.
    crf : CrfChoice, CrfOptions or None
        Changes of the model's own conditional random field, another one altogether, or none at all.
    smallest_diameter_A : float, optional
        Of a mixture of sizes, the largest extent of the smallest particles; `particle_diameter_A` is then
        that of the largest.
    invert : bool
        Whether protein is bright, so that the contrast has to be inverted.
    """

    particle_diameter_A: float
    extraction: ExtractionOptions = ExtractionOptions()
    crf: CrfChoice | CrfOptions | None = CrfChoice()
    smallest_diameter_A: float | None = None
    invert: bool = False

    def __post_init__(self) -> None:
        if self.smallest_diameter_A is not None and self.extraction.helical_rise_A is not None:
            raise CryosegError("filaments have one width: give --particle_diameter with --helical_rise")

    @property
    def stated_size(self) -> str:
        """The stated diameter, or range of diameters, in words."""
        smallest = "" if self.smallest_diameter_A is None else f"{self.smallest_diameter_A:g} to "
        return f"{smallest}{self.particle_diameter_A:g} Å"

    @property
    def diameters_A(self) -> list[float]:
        """The stated diameters to pick at, in Å: of a mixture, even steps on a logarithmic scale."""
        smallest_A, largest_A = self.smallest_diameter_A, self.particle_diameter_A
        if smallest_A is None:
            return [largest_A]
        n_steps = math.ceil(math.log(largest_A / smallest_A) / math.log(MIXTURE_STEP))
        return [smallest_A * (largest_A / smallest_A) ** (step / n_steps) for step in range(n_steps + 1)]

    @property
    def min_distance_A(self) -> float:
        """Smallest distance between two picks in Å, of a mixture that of the smallest particles."""
        return self.extraction.min_distance_A or DEFAULT_MIN_DISTANCE * self.diameters_A[0]
