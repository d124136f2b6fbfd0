"""What a user says about the size of the particles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cryoseg_ext.errors import CryosegError

AUTO: Literal["auto"] = "auto"
"""What the user gives in place of a diameter that is to be estimated."""


@dataclass(frozen=True)
class StatedSize:
    """The size of the particles as the user states it.

    Parameters
    ----------
    diameter_A : float or None
        Longest extent in Å, of a mixture that of the largest particles; None where it is to be estimated.
    smallest_A : float, optional
        Longest extent of the smallest particles of a mixture.
    """

    diameter_A: float | None
    smallest_A: float | None = None


def stated_size(
    particle_diameter: float | Literal["auto"] | None, smallest_A: float | None, largest_A: float | None
) -> StatedSize:
    """Return what ``--particle_diameter``, ``--min_diameter`` and ``--max_diameter`` say together.

    Raises
    ------
    CryosegError
        If they say nothing, or contradict each other.
    """
    if particle_diameter is None and smallest_A is None and largest_A is None:
        raise CryosegError(
            "--particle_diameter is missing: give the longest extent of the particle in Å, such as 180, or "
            "auto; for particles of several sizes, --min_diameter and --max_diameter"
        )
    if particle_diameter is not None:
        if smallest_A is not None or largest_A is not None:
            raise CryosegError(
                "give either --particle_diameter or --min_diameter and --max_diameter, not both"
            )
        return StatedSize(None if particle_diameter == AUTO else particle_diameter)
    if smallest_A is None or largest_A is None or smallest_A >= largest_A:
        raise CryosegError(
            "--min_diameter and --max_diameter make a range only together, the smaller one first: give both, "
            "or --particle_diameter"
        )
    return StatedSize(largest_A, smallest_A)
