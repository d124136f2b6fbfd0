"""What other programs did to a file."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.fft import rfft2
from scipy.stats import rankdata, skew

from cryoseg_ext.simulation.conditions import GAIN_FREQUENCIES
from cryoseg_ext.simulation.imaging import process_file
from cryoseg_ext.simulation.placement import frequency_squared
from cryoseg_ext.simulation.presets import TYPICAL

PIXEL_SIZE_A, DIAMETER_A = 4.0, 96.0


def _noise() -> np.ndarray:
    return np.random.default_rng(5).standard_normal((96, 96)).astype(np.float32)


def test_amplitudes_are_multiplied_as_the_gain_says() -> None:
    gain = (0.0, 0.0, 0.5, 0.5, -1.0, -1.0)
    plain = process_file(_noise(), PIXEL_SIZE_A, DIAMETER_A, TYPICAL)
    weighted = process_file(_noise(), PIXEL_SIZE_A, DIAMETER_A, replace(TYPICAL, spectral_gain=gain))
    cycles_per_diameter = np.sqrt(frequency_squared(plain.shape, PIXEL_SIZE_A)) * DIAMETER_A
    ratio = np.abs(rfft2(weighted)) / np.abs(rfft2(plain))
    for low, high, expected in zip(GAIN_FREQUENCIES[::2], GAIN_FREQUENCIES[1::2], gain[::2], strict=True):
        band = (cycles_per_diameter > 1.01 * low) & (cycles_per_diameter < 0.99 * high)
        np.testing.assert_allclose(ratio[band], np.exp(expected), rtol=1e-3)


@pytest.mark.parametrize("bend", [-0.3, 0.3])
def test_bent_grey_values_keep_their_order(bend: float) -> None:
    plain = process_file(_noise(), PIXEL_SIZE_A, DIAMETER_A, TYPICAL)
    bent = process_file(_noise(), PIXEL_SIZE_A, DIAMETER_A, replace(TYPICAL, skew=bend))
    assert np.mean(rankdata(plain) != rankdata(bent)) < 1e-3
    assert np.sign(skew(bent.ravel())) == np.sign(bend)
