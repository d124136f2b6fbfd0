"""What is measured on a micrograph."""

from dataclasses import replace

import numpy as np

from cryoseg_ext.network import load_model
from cryoseg_ext.repair import repair
from cryoseg_ext.simulation import draw_specimen, simulate_micrograph
from cryoseg_ext.simulation.presets import TYPICAL
from cryoseg_ext.size.measure import measure


def test_a_micrograph_with_bright_protein_is_measured_as_its_negative() -> None:
    rng = np.random.default_rng(3)
    conditions = replace(TYPICAL, contaminated=False)
    simulated = simulate_micrograph(rng, (240, 240), 6.0, draw_specimen(rng, "globular"), 150.0, conditions)
    dark, bright = repair(simulated.image), repair(-simulated.image)
    model = load_model()
    straight, inverted = measure(dark, 6.0, model), measure(bright, 6.0, model, invert=True)
    assert max(len(one.score) for one in straight) > 5
    for one, other in zip(straight, inverted, strict=True):
        np.testing.assert_allclose(one.extent_A, other.extent_A, rtol=1e-3)
        np.testing.assert_allclose(one.profile, other.profile, atol=1e-3)
