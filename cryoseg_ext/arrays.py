"""Names for the kinds of arrays that most of the code passes around; 2-D ones are ``(y, x)``."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
"""Grey values, or a map of real numbers."""
Mask = NDArray[np.bool_]
"""Which pixels, or which elements of a list."""
FloatArray = NDArray[np.float64]
"""Coordinates, scores and other numbers."""
