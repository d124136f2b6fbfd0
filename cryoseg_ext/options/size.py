"""What a user states about the size of the particles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cryoseg_ext.errors import CryosegError

AUTO: Literal["auto"] = "auto"
"""Given in place of a diameter that is to be estimated."""


@dataclass(frozen=True)
class ParticleSize:
    """The size of the particles: one diameter, or a range for a mixture of sizes.

    Parameters
    ----------
    particle_diameter_A : float, "auto" or None
        Longest extent of the particle in Å, of a filament its width; "auto" estimates it.
    min_diameter_A, max_diameter_A : float, optional
        In its place, longest extents in Å of the smallest and of the largest particles.

    Raises
    ------
    CryosegError
        If nothing is given, or the values contradict each other.
    """

    particle_diameter_A: float | Literal["auto"] | None = None
    min_diameter_A: float | None = None
    max_diameter_A: float | None = None

    def __post_init__(self) -> None:
        least_A, most_A = self.min_diameter_A, self.max_diameter_A
        is_range = least_A is not None or most_A is not None
        if self.particle_diameter_A is None and not is_range:
            raise CryosegError(
                "--particle_diameter is missing: give the longest extent of the particle in Å, such as 180, "
                "or auto; for particles of several sizes, --min_diameter and --max_diameter"
            )
        if self.particle_diameter_A is not None and is_range:
            raise CryosegError(
                "give either --particle_diameter or --min_diameter and --max_diameter, not both"
            )
        if is_range and (least_A is None or most_A is None or least_A >= most_A):
            raise CryosegError(
                "--min_diameter and --max_diameter make a range only together, the smaller one first: give "
                "both, or --particle_diameter"
            )

    @property
    def largest_A(self) -> float | None:
        """Longest extent of the (largest) particle in Å; None where it is to be estimated."""
        diameter_A = self.particle_diameter_A
        return self.max_diameter_A if diameter_A is None else None if diameter_A == AUTO else diameter_A
