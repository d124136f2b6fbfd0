"""Changes that other programs make to a file."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.fft import rfft2
from scipy.stats import rankdata, skew

from cryoseg_ext.simulation.conditions import GAIN_FREQUENCIES
from cryoseg_ext.simulation.imaging import Scale, process_file
from cryoseg_ext.simulation.placement import frequency_squared
from cryoseg_ext.simulation.presets import TYPICAL

SCALE = Scale(pixel_size_A=4.0, diameter_A=96.0)


def _noise() -> np.ndarray:
    return np.random.default_rng(5).standard_normal((96, 96)).astype(np.float32)


def test_amplitudes_are_multiplied_by_the_gain() -> None:
    gain = (0.0, 0.0, 0.5, 0.5, -1.0, -1.0)
    plain = process_file(_noise(), SCALE, TYPICAL)
    weighted = process_file(_noise(), SCALE, replace(TYPICAL, spectral_gain=gain))
    cycles_per_diameter = np.sqrt(frequency_squared(plain.shape, SCALE.pixel_size_A)) * SCALE.diameter_A
    ratio = np.abs(rfft2(weighted)) / np.abs(rfft2(plain))
    for low, high, expected in zip(GAIN_FREQUENCIES[::2], GAIN_FREQUENCIES[1::2], gain[::2], strict=True):
        band = (cycles_per_diameter > 1.01 * low) & (cycles_per_diameter < 0.99 * high)
        np.testing.assert_allclose(ratio[band], np.exp(expected), rtol=1e-3)


@pytest.mark.parametrize("bend", [-0.3, 0.3])
def test_bent_grey_values_keep_their_order(bend: float) -> None:
    plain = process_file(_noise(), SCALE, TYPICAL)
    bent = process_file(_noise(), SCALE, replace(TYPICAL, skew=bend))
    assert np.mean(rankdata(plain) != rankdata(bent)) < 1e-3
    assert np.sign(skew(bent.ravel())) == np.sign(bend)
