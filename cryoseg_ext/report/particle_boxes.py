"""Small pictures of single candidates, cut out of a micrograph at the working scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import FloatArray, Image, Mask

BOX_PX = 36
"""Side of a box, 1.5 particle diameters at the working scale."""
MOST_EVEN = 160
"""Candidates of a micrograph in the even sample."""
PER_BAND = 8
"""Candidates in each tenth of the scores, where there are so many."""
_BANDS = 10


def even_sample(n_candidates: int) -> NDArray[np.int64]:
    """Return which of the candidates of a micrograph are sampled whatever their scores, in random order."""
    return _shuffled(n_candidates)[:MOST_EVEN]


def sample_candidates(score: FloatArray) -> NDArray[np.int64]:
    """Return the candidates of a micrograph that are cut out, in ascending order.

    They are the even sample, and so many more that `PER_BAND` are in each tenth of the scores, or all that
    are there. The choice is random, but always the same for the same scores.
    """
    order = _shuffled(len(score))
    band = np.clip((score[order] * _BANDS).astype(np.int64), 0, _BANDS - 1)
    chosen = np.zeros(len(order), np.bool_)
    chosen[:MOST_EVEN] = True
    for number in range(_BANDS):
        chosen[np.flatnonzero(band == number)[:PER_BAND]] = True
    return np.sort(order[chosen])


def _shuffled(n: int) -> NDArray[np.int64]:
    return np.random.default_rng(n).permutation(n)


def cut_boxes(image: Image, x_px: FloatArray, y_px: FloatArray) -> NDArray[np.float32]:
    """Return ``(n, BOX_PX, BOX_PX)`` the surroundings of points; what lies outside the image is 0.

    Pixel ``BOX_PX // 2`` of a box, in y and x, is the pixel nearest to its point.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(y, x)`` at the working scale, where 0 is the background and the value of dead areas.
    x_px, y_px : NDArray[np.float64]
        ``(n,)`` working coordinates; 0 is the centre of the first pixel.
    """
    rows, in_y = _around(y_px, image.shape[0])
    columns, in_x = _around(x_px, image.shape[1])
    boxes = image[rows[:, :, None], columns[:, None, :]]
    boxes *= in_y[:, :, None] & in_x[:, None, :]
    return boxes


def _around(at_px: FloatArray, n_px: int) -> tuple[NDArray[np.int64], Mask]:
    """Return ``(n, BOX_PX)`` pixels of an axis around points, and which of them exist."""
    near = np.rint(at_px).astype(np.int64)[:, None] + np.arange(BOX_PX) - BOX_PX // 2
    return np.clip(near, 0, n_px - 1), (near >= 0) & (near < n_px)
