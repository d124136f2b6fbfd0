from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from cryoseg_ext.formats.poses import from_relion_angles, to_relion_angles

ANGLES = st.tuples(
    st.floats(-720, 720), st.sampled_from([0.0, 180.0]) | st.floats(-360, 360), st.floats(-720, 720)
)


@given(st.lists(ANGLES, max_size=5))
def test_angles_that_relion_reads_back_are_the_same_poses_even_seen_from_the_top(
    angles: list[tuple[float, float, float]],
) -> None:
    poses = from_relion_angles(np.array(angles))

    again = from_relion_angles(to_relion_angles(poses))

    assert len(again) == len(angles)
    assert np.allclose((poses * again.inv()).magnitude(), 0, atol=1e-6)


def test_the_matrix_is_the_one_in_relions_source() -> None:
    rot, tilt, psi = np.deg2rad([30.0, 50.0, 70.0])
    # Euler_angles2matrix in relion/src/euler.cpp.
    ca, sa, cb, sb, cg, sg = np.cos(rot), np.sin(rot), np.cos(tilt), np.sin(tilt), np.cos(psi), np.sin(psi)
    relion = [
        [cg * cb * ca - sg * sa, cg * cb * sa + sg * ca, -cg * sb],
        [-sg * cb * ca - cg * sa, -sg * cb * sa + cg * ca, sg * sb],
        [sb * ca, sb * sa, cb],
    ]

    assert np.allclose(from_relion_angles([[30.0, 50.0, 70.0]]).as_matrix()[0], relion)
    assert np.allclose(to_relion_angles(Rotation.from_matrix([relion])), [[30.0, 50.0, 70.0]])
