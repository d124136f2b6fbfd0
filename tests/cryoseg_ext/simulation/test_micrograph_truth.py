"""The instance map and the paper's protocol."""

from dataclasses import replace

import numpy as np
import pytest

from cryoseg_ext.network.classes import PARTICLE
from cryoseg_ext.simulation import (
    Scale,
    SimulatedMicrograph,
    draw_specimen,
    simulate_at,
    simulate_micrograph,
)
from cryoseg_ext.simulation.paper import PAPER_DEFOCI_UM, PAPER_SNR, simulate_paper_micrograph
from cryoseg_ext.simulation.presets import TYPICAL

SHAPE, PIXEL_SIZE_A, DIAMETER_A = (256, 300), 8.0, 200.0


def _numbers_at_the_centres(field: SimulatedMicrograph) -> np.ndarray:
    rows = field.y_px.round().astype(int).clip(0, SHAPE[0] - 1)
    return field.instances[rows, field.x_px.round().astype(int).clip(0, SHAPE[1] - 1)]


@pytest.mark.parametrize("seed", range(3))
def test_every_particle_has_its_own_outline_in_the_instance_map(seed: int) -> None:
    rng = np.random.default_rng(seed)
    specimen = draw_specimen(rng, "ellipsoid")
    field = simulate_micrograph(rng, SHAPE, PIXEL_SIZE_A, specimen, DIAMETER_A, TYPICAL)
    n = len(field.x_px)
    assert len(field.orientations) == n
    assert set(np.unique(field.instances)) <= set(range(n + 1))
    assert (_numbers_at_the_centres(field) == np.arange(1, n + 1)).mean() > 0.95
    assert not field.instances[field.labels != PARTICLE].any()
    far_from_the_rim = np.s_[30:-30, 30:-30]
    particle = field.labels[far_from_the_rim] == PARTICLE
    assert (field.instances[far_from_the_rim][particle] > 0).mean() > 0.9


def test_where_particles_overlap_the_one_with_more_density_has_the_pixel() -> None:
    rng = np.random.default_rng(1)
    specimen = draw_specimen(rng, "ellipsoid")
    centres_px = np.array([[130.0, 128.0], [142.0, 128.0]])
    clean = replace(TYPICAL, contaminated=False)
    field = simulate_at(rng, SHAPE, Scale(PIXEL_SIZE_A, DIAMETER_A), specimen, clean, centres_px)
    np.testing.assert_allclose(np.stack([field.x_px, field.y_px], axis=1), centres_px)
    instances = field.instances
    columns = [np.nonzero(instances == number)[1].mean() for number in (1, 2)]
    assert columns[0] < 136 < columns[1]


def test_the_papers_protocol_has_its_ratio_of_variances_and_its_spacing() -> None:
    rng = np.random.default_rng(2)
    specimen = draw_specimen(rng, "globular")
    field = simulate_paper_micrograph(rng, (700, 700), Scale(4.0, 150.0), specimen, n_particles=30)
    noise = field.image - field.clean
    assert field.clean.var() / noise.var() == pytest.approx(PAPER_SNR, rel=0.01)
    spectrum = np.abs(np.fft.rfft2(noise - noise.mean())) ** 2
    assert spectrum[:100, :100].mean() == pytest.approx(spectrum[250:450, 200:].mean(), rel=0.05)
    assert field.conditions.defocus_um in PAPER_DEFOCI_UM
    centres = np.stack([field.x_px, field.y_px], axis=1)
    assert len(centres) == 30
    box_px = 1.5 * 150 / 4
    distances = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    assert distances[~np.eye(30, dtype=bool)].min() >= box_px
    assert centres.min() >= box_px / 2
    assert centres.max() <= 700 - box_px / 2
    assert np.unique(field.instances).size == 31
    # The conditions state the ratio inside the particles by their own definition.
    signal = field.clean[field.labels == PARTICLE].std()
    assert field.conditions.snr == pytest.approx(signal / (noise.std() * 4.0 / (150 / 24)), rel=0.05)
