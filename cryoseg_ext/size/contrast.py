"""Whether the other contrast of protein than the user says shows clearly more particles."""

from __future__ import annotations

from cryoseg_ext.arrays import FloatArray

CLEARLY_MORE, ENOUGH = 2.0, 20.0
"""Factor between the particles of the two contrasts, and their least number, for which the user is warned."""


def expected_number(score: FloatArray) -> float:
    """Return the expected number of particles among the picks that are more likely one than not.

    The many unlikely candidates that noise gives would add up to particles that are not there.
    """
    return float(score[score >= 0.5].sum())


def is_clearly_more(n_opposite: float, n_given: float) -> bool:
    """Return whether the other contrast shows so many more particles that it is likely the right one."""
    return n_opposite >= max(CLEARLY_MORE * n_given, ENOUGH)


def opposite_contrast(*, invert: bool) -> tuple[str, str]:
    """Return what protein is with the other contrast than the user says, and what to do about it."""
    return ("dark", "leave out --invert") if invert else ("bright", "give --invert")
