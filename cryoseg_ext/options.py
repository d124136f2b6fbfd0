"""What a user decides about picking: plain words and numbers, quick to import."""

from __future__ import annotations

from dataclasses import dataclass

from cryoseg_ext.crf.options import CrfChoice, CrfOptions
from cryoseg_ext.extract.options import DEFAULT_MIN_DISTANCE, ExtractionOptions


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
    """

    particle_diameter_A: float
    extraction: ExtractionOptions = ExtractionOptions()
    crf: CrfChoice | CrfOptions | None = CrfChoice()
    smallest_diameter_A: float | None = None

    @property
    def min_distance_A(self) -> float:
        """Smallest distance between two picks in Å."""
        return self.extraction.min_distance_A or DEFAULT_MIN_DISTANCE * self.particle_diameter_A
