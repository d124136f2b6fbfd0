"""Simulated micrographs with complete labels, at the working scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cryoseg_ext.image.scale import WORKING_DIAMETER_PX
from cryoseg_ext.simulation import draw_conditions, draw_specimen, simulate_micrograph
from cryoseg_ext.training.dataset import working_field
from cryoseg_ext.training.micrographs import LabelledMicrograph

DIAMETER_A = 170.0
SIDE_PX = 300


@pytest.fixture(scope="session")
def labelled() -> list[LabelledMicrograph]:
    """Return three micrographs of one specimen, clear enough for the default model."""
    rng = np.random.default_rng(11)
    specimen = draw_specimen(rng, "symmetric")
    conditions = replace(
        draw_conditions(np.random.default_rng(0)),
        defocus_um=1.6, b_factor_A2=120.0, snr=0.8, ice_noise=0.3, noise_length_A=8.0, coverage=0.3,
        spacing=1.0, clustering=0.2, preferred_view=False, contaminated=False,
        low_pass=None, high_pass=None, local_contrast=None, clip=None,
    )  # fmt: skip
    found = []
    for index in range(3):
        shape = (SIDE_PX, SIDE_PX)
        simulated = simulate_micrograph(
            rng, shape, DIAMETER_A / WORKING_DIAMETER_PX, specimen, DIAMETER_A, conditions
        )
        found.append(LabelledMicrograph(f"mic{index}", *working_field(simulated)))
    return found


@pytest.fixture(scope="session")
def half_labelled(labelled: list[LabelledMicrograph]) -> list[LabelledMicrograph]:
    """Return the micrographs with a random half of their labels."""
    rng = np.random.default_rng(1)
    return [
        replace(micrograph, xy_px=micrograph.xy_px[rng.uniform(size=len(micrograph.xy_px)) < 0.5])
        for micrograph in labelled
    ]
