"""The signal of dose-weighted files is what weighting damaged frames leaves."""

from dataclasses import replace

import numpy as np

from cryoseg_ext.simulation.dose import dose_weighted_envelope
from cryoseg_ext.simulation.imaging import Scale, form_image
from cryoseg_ext.simulation.presets import TYPICAL

DOSE_E_A2, N_FRAMES = 50.0, 500


def test_the_envelope_is_that_of_weighted_frames() -> None:
    k = np.array([0.0, 1 / 50, 1 / 20, 1 / 10, 1 / 4])
    critical_e_A2 = np.append(np.inf, 0.245 * k[1:] ** -1.665 + 2.81)
    dose_e_A2 = (np.arange(N_FRAMES) + 0.5) * DOSE_E_A2 / N_FRAMES
    left = np.exp(-dose_e_A2[:, None] / (2 * critical_e_A2))
    # Each frame holds what is left of a signal of 1 / n, and noise of variance 1 / n.
    weight = left / np.sqrt((left**2).mean(axis=0))
    np.testing.assert_allclose((weight**2).mean(axis=0), 1)
    envelope = dose_weighted_envelope(k.astype(np.float32) ** 2, DOSE_E_A2, 300.0)
    np.testing.assert_allclose(envelope, (weight * left).mean(axis=0), rtol=1e-3)
    assert (dose_weighted_envelope(k[1:].astype(np.float32) ** 2, DOSE_E_A2, 200.0) < envelope[1:]).all()


def test_a_dose_weighted_image_has_lost_its_finest_detail_most() -> None:
    density = np.random.default_rng(0).normal(size=(256, 256)).astype(np.float32)
    conditions = replace(TYPICAL, b_factor_A2=0.0, thickness_gradient=0.0)
    particles = np.ones(density.shape, np.bool_)

    def power(weighted_dose_e_A2: float | None) -> np.ndarray:
        changed = replace(conditions, weighted_dose_e_A2=weighted_dose_e_A2)
        clean, _ = form_image(np.random.default_rng(1), density, particles, Scale(3.0, 200.0), changed, 1.0)
        return np.abs(np.fft.rfft2(clean))[0, [20, 60, 120]] ** 2

    left = power(40.0) / power(None)
    k2 = (np.array([20, 60, 120]) / 256 / 3.0) ** 2
    np.testing.assert_allclose(
        left, dose_weighted_envelope(k2.astype(np.float32), 40.0, 300.0) ** 2, rtol=0.01
    )
    assert left[0] > left[1] > left[2]
