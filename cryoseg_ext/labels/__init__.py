"""Truth masks for real micrographs: from a 3-D map and poses, or from coordinates alone."""

from cryoseg_ext.labels.masks import MaskOptions, label_discs, label_particles

__all__ = ["MaskOptions", "label_discs", "label_particles"]
