"""The shipped model picks what is there, where it is, through the public interface."""

from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest

import cryoseg_ext
from cryoseg_ext.evaluation import score_picks
from cryoseg_ext.options.extraction import METHODS, ExtractionOptions, Method
from cryoseg_ext.simulation import (
    Conditions,
    SimulatedMicrograph,
    draw_conditions,
    draw_specimen,
    simulate_micrograph,
)

PIXEL_SIZE_A, DIAMETER_A = 3.1, 170.0


def _conditions() -> Conditions:
    return replace(
        draw_conditions(np.random.default_rng(0)),
        defocus_um=1.6, b_factor_A2=120.0, snr=0.8, ice_noise=0.3, noise_length_A=8.0, coverage=0.25,
        spacing=1.0, clustering=0.2, preferred_view=False, contaminated=False,
        low_pass=None, high_pass=None, local_contrast=None, clip=None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def simulated() -> SimulatedMicrograph:
    rng = np.random.default_rng(11)
    specimen = draw_specimen(rng, "symmetric")
    return simulate_micrograph(rng, (620, 801), PIXEL_SIZE_A, specimen, DIAMETER_A, _conditions())


def _f1(field: SimulatedMicrograph, picks: cryoseg_ext.Picks) -> float:
    truth = np.stack([field.x_px, field.y_px], axis=1)
    return score_picks([(truth, picks)], 0.2 * DIAMETER_A / PIXEL_SIZE_A).f1


def test_an_oblong_micrograph_is_picked_at_the_right_places(simulated: SimulatedMicrograph) -> None:
    result = cryoseg_ext.pick(simulated.image, pixel_size_A=PIXEL_SIZE_A, particle_diameter_A=DIAMETER_A)
    assert _f1(simulated, result.picks) > 0.85
    assert result.mask.shape == result.probability.shape
    assert result.step_px == pytest.approx((620 / result.mask.shape[0], 801 / result.mask.shape[1]))
    assert result.candidates.score.min() >= 0.02
    assert (np.diff(result.candidates.score) <= 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_picks_a_micrograph_and_measures_it(
    simulated: SimulatedMicrograph, method: Method
) -> None:
    picks = cryoseg_ext.pick(
        simulated.image,
        pixel_size_A=PIXEL_SIZE_A,
        particle_diameter_A=DIAMETER_A,
        extraction=ExtractionOptions(method),
    ).picks
    assert _f1(simulated, picks) > 0.7
    columns = picks.columns()
    assert 0.6 * DIAMETER_A < np.nanmedian(columns["diameter_A"]) < 1.1 * DIAMETER_A
    assert np.nanmax(np.abs(columns["psi_deg"]), initial=0) <= 90


def test_a_file_gives_the_same_picks_as_its_array(simulated: SimulatedMicrograph, tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "field.mrc", simulated.image) as mrc:
        mrc.voxel_size = PIXEL_SIZE_A
    from_file = cryoseg_ext.pick(tmp_path / "field.mrc", particle_diameter_A=DIAMETER_A)
    array = cryoseg_ext.pick(simulated.image, pixel_size_A=PIXEL_SIZE_A, particle_diameter_A=DIAMETER_A)
    np.testing.assert_allclose(from_file.picks.x_px, array.picks.x_px, atol=0.05)


def test_bright_protein_is_inverted(simulated: SimulatedMicrograph) -> None:
    dark, bright = (
        cryoseg_ext.pick(
            image,
            pixel_size_A=PIXEL_SIZE_A,
            particle_diameter_A=DIAMETER_A,
            invert=image is not simulated.image,
        )
        for image in (simulated.image, -simulated.image)
    )
    np.testing.assert_array_equal(bright.picks.x_px, dark.picks.x_px)


def test_a_dead_border_is_never_picked(simulated: SimulatedMicrograph) -> None:
    image = simulated.image.copy()
    image[:, :140] = image.mean()
    image[-90:] = image.mean()
    result = cryoseg_ext.pick(image, pixel_size_A=PIXEL_SIZE_A, particle_diameter_A=DIAMETER_A)
    assert len(result.picks) > 10
    assert result.candidates.x_px.min() >= 138
    assert result.candidates.y_px.max() <= 620 - 88


def test_the_minimum_distance_is_kept(simulated: SimulatedMicrograph) -> None:
    apart = ExtractionOptions(min_distance_A=400.0)
    result = cryoseg_ext.pick(
        simulated.image, pixel_size_A=PIXEL_SIZE_A, particle_diameter_A=DIAMETER_A, extraction=apart
    )
    xy = np.stack([result.candidates.x_px, result.candidates.y_px], axis=1)
    distance = np.hypot(*(xy[:, None] - xy[None]).T) + 1e9 * np.eye(len(xy))
    assert distance.min() * PIXEL_SIZE_A >= 0.99 * 400.0


def test_no_pixel_size_is_a_clear_error(simulated: SimulatedMicrograph) -> None:
    with pytest.raises(cryoseg_ext.CryosegError, match="give pixel_size_A"):
        cryoseg_ext.pick(simulated.image, particle_diameter_A=DIAMETER_A)
