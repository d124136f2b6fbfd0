"""Two-class dense conditional random fields: pairwise filters, a solver and the refinement stage."""

from cryoseg_ext.crf.options import CrfOptions
from cryoseg_ext.crf.refine import refine

__all__ = ["CrfOptions", "refine"]
