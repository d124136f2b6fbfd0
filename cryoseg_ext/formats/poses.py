"""Orientations as RELION writes them."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation


def to_relion_angles(orientations: Rotation) -> NDArray[np.float64]:
    """Return RELION's ``(n, 3)`` rlnAngleRot, rlnAngleTilt and rlnAnglePsi in degrees.

    Parameters
    ----------
    orientations : Rotation
        `n` rotations of the specimen (x, y, z) into the microscope's frame; the beam runs along z.

    Notes
    -----
    RELION's matrix, ``Euler_angles2matrix`` in its ``euler.cpp``, takes the specimen into the microscope's
    frame, like ours, but its angles turn the frame instead of the specimen: they are the intrinsic ZYZ angles
    of the inverse. Seen along z (tilt 0) only rot + psi counts, and psi is 0.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Gimbal lock", category=UserWarning)
        angles: NDArray[np.float64] = orientations.inv().as_euler("ZYZ", degrees=True)
    return np.atleast_2d(angles)


def from_relion_angles(angles_deg: ArrayLike) -> Rotation:
    """Return the rotations of the specimen into the microscope's frame.

    Parameters
    ----------
    angles_deg : array-like
        ``(n, 3)`` rlnAngleRot, rlnAngleTilt and rlnAnglePsi in degrees; `n` may be 0.
    """
    return Rotation.from_euler("ZYZ", np.reshape(angles_deg, (-1, 3)), degrees=True).inv()
