"""A field on which the patches of particles are summed, with the particle to which each pixel belongs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import Image

Instances = NDArray[np.int16]


class Canvas:
    """An empty field.

    Parameters
    ----------
    shape : tuple of int
        ``(y, x)`` in px.

    Attributes
    ----------
    density : NDArray[np.float32]
        ``(y, x)`` sum of the patches.
    strongest : NDArray[np.float32]
        ``(y, x)`` highest strength of any patch; minus infinity where there is none.
    instances : NDArray[np.int16]
        ``(y, x)`` number of the particle with the highest strength; 0 where there is none.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.density: Image = np.zeros(shape, np.float32)
        self.strongest: Image = np.full(shape, -np.inf, np.float32)
        self.instances: Instances = np.zeros(shape, np.int16)

    def add(self, patch: Image, strength: Image, corner: tuple[int, int], instance: int) -> None:
        """Add a particle, without the part of its patch that lies outside the field.

        Parameters
        ----------
        patch : NDArray[np.float32]
            ``(y, x)`` density of the particle.
        strength : NDArray[np.float32]
            ``(y, x)`` strength of its claim on each pixel of the patch.
        corner : tuple of int
            ``(y, x)`` of the patch's first pixel in the field, px; may be negative.
        instance : int
            Number of the particle, from 1.
        """
        (y, x), (height, width) = corner, patch.shape
        inside = np.s_[max(-y, 0) : self.density.shape[0] - y, max(-x, 0) : self.density.shape[1] - x]
        here = np.s_[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
        if y >= self.density.shape[0] or x >= self.density.shape[1]:
            return
        self.density[here] += patch[inside]
        stronger = strength[inside] > self.strongest[here]
        self.strongest[here][stronger] = strength[inside][stronger]
        self.instances[here][stronger] = instance
