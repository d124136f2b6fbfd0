"""Carbon film is dark, textured, labelled, and no place for particles unless they adsorb to it."""

from dataclasses import replace

import numpy as np
import pytest

from cryoseg_ext.arrays import Image, Mask
from cryoseg_ext.network.classes import CONTAMINANT
from cryoseg_ext.simulation import SimulatedMicrograph, draw_specimen, micrograph, simulate_micrograph
from cryoseg_ext.simulation.film import CARBON_POTENTIAL_V, THICKNESS_A, draw_film, draw_potential
from cryoseg_ext.simulation.presets import TYPICAL

SHAPE, PIXEL_SIZE_A, DIAMETER_A = (320, 400), 8.0, 190.0


def _nothing(rng: np.random.Generator, particles: Image, *_: object) -> tuple[Image, Mask]:
    return np.zeros_like(particles), np.zeros(particles.shape, np.bool_)


def _with_film(monkeypatch: pytest.MonkeyPatch, particles_on_film: bool) -> SimulatedMicrograph:
    monkeypatch.setattr(micrograph, "FILM_SHARE", 1.0)
    monkeypatch.setattr(micrograph, "draw_contaminants", _nothing)
    rng = np.random.default_rng(6)
    specimen = draw_specimen(rng, "ellipsoid")
    conditions = replace(TYPICAL, particles_on_film=particles_on_film, coverage=0.4, thickness_gradient=0.0)
    return simulate_micrograph(rng, SHAPE, PIXEL_SIZE_A, specimen, DIAMETER_A, conditions)


def test_particles_keep_off_the_film_unless_they_adsorb_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bare, covered = (_with_film(monkeypatch, adsorbed) for adsorbed in (False, True))
    film = bare.labels == CONTAMINANT
    assert 0.05 < film.mean() < 0.6
    assert bare.clean[film].mean() < bare.clean[~film].mean() - 2 * bare.conditions.snr
    everywhere, in_the_hole = len(covered.placed.centres_px), len(bare.placed.centres_px)
    assert 0.3 * everywhere < in_the_hole < everywhere
    # Either way what lies on the film is not in the truth.
    assert len(bare.x_px) > 20
    for field in (bare, covered):
        x, y = np.floor(field.x_px).astype(int), np.floor(field.y_px).astype(int)
        assert (field.labels[y.clip(0, SHAPE[0] - 1), x.clip(0, SHAPE[1] - 1)] != CONTAMINANT).all()


def test_a_film_has_the_potential_of_its_thickness_and_a_white_texture() -> None:
    rng = np.random.default_rng(1)
    film = draw_film(rng, SHAPE)
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    beyond_px = film.beyond_px(x, y)
    assert beyond_px[SHAPE[0] // 2, SHAPE[1] // 2] < 0 < beyond_px.max()
    for pixel_size_A in (1.5, 6.0):
        everywhere = draw_potential(rng, np.full(SHAPE, 1e6), pixel_size_A)
        assert THICKNESS_A[0] < everywhere.mean() / CARBON_POTENTIAL_V < THICKNESS_A[1]
        power = np.abs(np.fft.rfft2(everywhere - everywhere.mean())) ** 2
        middle, edge = power[40:60, 50:70].mean(), power[150:170, 180:].mean()
        assert middle == pytest.approx(edge, rel=0.2)
    assert not draw_potential(rng, np.full(SHAPE, -1.0), 6.0).any()
