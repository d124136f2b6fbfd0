"""Rescaling in pieces gives what torch-fourier-rescale gives at once."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fourier_rescale import fourier_rescale_2d

from cryoseg_ext.image.fourier import fourier_rescale

SIDES = st.integers(2, 150)


@settings(max_examples=60, deadline=None)
@given(ny=SIDES, nx=SIDES, my=SIDES, mx=SIDES, level=st.sampled_from([0.0, 100.0]))
def test_the_result_is_that_of_torch_fourier_rescale(
    ny: int, nx: int, my: int, mx: int, level: float
) -> None:
    image = np.random.default_rng(0).normal(size=(ny, nx)).astype(np.float32)
    along_y, along_x = (np.linspace(level, level + 1, n, dtype=np.float32) for n in (ny, nx))
    expected, _ = fourier_rescale_2d(torch.from_numpy(image), target_shape=(my, mx))
    rescaled = fourier_rescale(image + along_y[:, None] + along_x, (my, mx), (along_y, along_x))
    assert rescaled.dtype == np.float32
    np.testing.assert_allclose(rescaled, expected.numpy(), atol=1e-6 * (10 + 2 * level))
