"""Simulated micrographs are physical, reproducible, and truthful."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoseg_ext.network.classes import CONTAMINANT, PARTICLE
from cryoseg_ext.simulation import Conditions, draw_conditions, draw_specimen, simulate_micrograph
from cryoseg_ext.simulation.imaging import Scale, process_file
from cryoseg_ext.simulation.placement import place_centres
from cryoseg_ext.simulation.specimens import FAMILIES

PIXEL_SIZE_A, DIAMETER_A = 7.5, 180.0


def _conditions(**changes: object) -> Conditions:
    drawn = draw_conditions(np.random.default_rng(0))
    plain = replace(
        drawn, snr=1.0, contaminated=False, low_pass=None, high_pass=None, local_contrast=None, clip=None,
        thickness_gradient=0.0, ice_gradient=0.0, ripple=0.0, coverage=0.3, spacing=1.0, clustering=0.0,
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_centred_and_of_unit_extent(family: str) -> None:
    for seed in range(5):
        specimen = draw_specimen(np.random.default_rng(seed), family)
        centre = np.average(specimen.positions, axis=0, weights=specimen.weights)
        np.testing.assert_allclose(centre, 0, atol=1e-9)
        radius = np.linalg.norm(specimen.positions, axis=1)
        assert 0.3 < 2 * np.percentile(radius, 98) + 2 * specimen.bead_sigma <= 1.001


def test_a_seed_reproduces_a_micrograph_bit_for_bit() -> None:
    def make() -> NDArray[np.float32]:
        rng = np.random.default_rng(5)
        return simulate_micrograph(
            rng, (96, 120), PIXEL_SIZE_A, draw_specimen(rng), DIAMETER_A, draw_conditions(rng)
        ).image

    np.testing.assert_array_equal(make(), make())


def test_particles_are_dark_where_the_truth_has_them() -> None:
    rng = np.random.default_rng(3)
    field = simulate_micrograph(
        rng, (256, 256), PIXEL_SIZE_A, draw_specimen(rng, "ellipsoid"), DIAMETER_A,
        _conditions(defocus_um=2.0, noise_length_A=0.0, b_factor_A2=100.0),
    )  # fmt: skip
    assert len(field.x_px) > 20
    assert field.clean[field.labels == PARTICLE].mean() < field.clean[field.labels != PARTICLE].mean() - 0.5
    centres = field.labels[
        field.y_px.round().astype(int).clip(0, 255), field.x_px.round().astype(int).clip(0, 255)
    ]
    assert (centres == PARTICLE).mean() > 0.95


def test_local_contrast_enhancement_evens_out_the_contrast() -> None:
    def spread(local_contrast: float | None) -> float:
        image = np.random.default_rng(1).normal(size=(192, 192)).astype(np.float32)
        image[:, 96:] *= 5
        processed = process_file(
            image, Scale(PIXEL_SIZE_A, DIAMETER_A), _conditions(local_contrast=local_contrast)
        )
        halves = processed[24:168, 24:72].std(), processed[24:168, 120:168].std()
        return float(max(halves) / min(halves))

    assert spread(None) > 4.5
    assert spread(0.5) < 1.1


def test_noise_has_the_stated_level_whatever_the_pixel_size() -> None:
    rng = np.random.default_rng(4)
    specimen = draw_specimen(rng, "globular")
    conditions = _conditions(noise_length_A=0.0, ice_noise=0.0)
    for pixel_size_A in (PIXEL_SIZE_A, PIXEL_SIZE_A / 2):
        field = simulate_micrograph(rng, (256, 256), pixel_size_A, specimen, DIAMETER_A, conditions)
        noise = field.image - field.clean
        assert noise.std() * pixel_size_A / PIXEL_SIZE_A == pytest.approx(1.0, rel=0.06)


@pytest.mark.parametrize("pixel_size_A", [PIXEL_SIZE_A, PIXEL_SIZE_A / 2])
def test_uneven_ice_is_as_strong_and_as_fine_as_stated(pixel_size_A: float) -> None:
    specimen = draw_specimen(np.random.default_rng(4), "globular")
    even, uneven = (
        simulate_micrograph(
            np.random.default_rng(5), (512, 512), pixel_size_A, specimen, DIAMETER_A, _conditions(**ripple)
        )
        for ripple in ({}, {"ripple": 0.3, "ripple_length": 0.5})
    )
    ripple = uneven.image - even.image
    assert ripple.std() == pytest.approx(0.3, rel=0.2)
    step_px = round(0.5 * DIAMETER_A / pixel_size_A)
    near, far = (np.corrcoef(ripple[n:].ravel(), ripple[:-n].ravel())[0, 1] for n in (step_px, 4 * step_px))
    assert near > 0.6
    assert abs(far) < 0.3


def test_particles_keep_their_distance() -> None:
    centres = place_centres(np.random.default_rng(0), (300, 300), 24.0, 0.9, 0.8, 0.0)
    distance = np.hypot(*(centres[:, None] - centres[None]).T)
    assert distance[~np.eye(len(centres), dtype=bool)].min() >= 0.8 * 24
    assert len(centres) > 120


def test_contaminants_have_their_label_and_no_centres() -> None:
    rng = np.random.default_rng(8)
    field = simulate_micrograph(
        rng, (384, 384), PIXEL_SIZE_A, draw_specimen(rng), DIAMETER_A, _conditions(contaminated=True)
    )
    assert (field.labels == CONTAMINANT).any()
    labels = field.labels[
        field.y_px.round().astype(int).clip(0, 383), field.x_px.round().astype(int).clip(0, 383)
    ]
    assert (labels == CONTAMINANT).mean() < 0.05
