"""What the reports of a job show, from the job's own files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cryoseg_ext.job.reports import report_of
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.report.particle_boxes import MOST_EVEN, cut_boxes, even_sample
from tests.cryoseg_ext.job.small import SIZE, run
from tests.engine import SHAPE, Engine, filament, write_micrograph


@pytest.fixture
def crowded(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Return the only micrograph in ``in``, on which 400 candidates are found."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    image = np.asarray(8 * gaussian_filter(rng.normal(size=SHAPE), 2), np.float32)
    write_micrograph(Path("in/a.mrc"), image)
    # Not halves of pixels, which the digits of the file may round to the other side.
    x_px, y_px = (rng.integers(1, n - 1, 400).astype(np.float64) + 0.25 for n in SHAPE[::-1])
    engine.candidates = Picks(x_px, y_px, np.sort(rng.beta(1, 4, 400))[::-1])
    return image


@pytest.mark.parametrize("kept", [slice(None), slice(80), slice(80, None)])
def test_boxes_belong_to_the_candidates_that_a_mask_leaves(
    crowded: np.ndarray, engine: Engine, kept: slice
) -> None:
    mask = np.zeros(SHAPE, np.int8)
    mask[:, kept] = 1
    write_micrograph(Path("masks/a.mrc"), mask)
    # The second time nothing is picked, and the preview is that of the first.
    for _ in range(2):
        result, _ = run(JobOptions(SIZE, masks_in=Path("masks")))
        (overlay,) = report_of(result, "").overlays
        assert overlay.candidates is not None
        shown = overlay.candidates.at(overlay.preview.box_candidates)
        assert (overlay.candidates.score.size < 400) == (kept != slice(None))
        assert len(shown) > 40
        expected = cut_boxes(crowded, shown.x_px, shown.y_px)
        np.testing.assert_allclose((overlay.preview.boxes - 15.5) * 8 / 31, expected.clip(-4, 4), atol=0.14)
    assert len(engine.picked) == 1


@pytest.mark.usefixtures("crowded")
def test_averages_are_of_an_even_sample_of_the_picks(engine: Engine) -> None:
    for name in "bcd":
        write_micrograph(
            Path(f"in/{name}.mrc"), np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
        )
    assert engine.candidates is not None
    score = np.round(engine.candidates.score, 6)
    for threshold in (0.02, 0.3, 0.9):
        result, _ = run(JobOptions(SIZE, threshold))
        averages = report_of(result, "").averages
        n_picked = 4 * int(np.sum(score[even_sample(400)] >= threshold))
        assert sum(one.n_particles for one in averages) == (n_picked if n_picked >= 50 else 0)
        assert n_picked <= 4 * MOST_EVEN
    assert len(engine.picked) == 4


@pytest.mark.usefixtures("crowded")
def test_averages_are_of_two_thousand_picks_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryoseg_ext.job.reports.MOST_AVERAGED", 70)
    result, _ = run(JobOptions(SIZE, 0.02))
    assert sum(one.n_particles for one in report_of(result, "").averages) == 70


@pytest.mark.usefixtures("crowded")
def test_segments_of_filaments_are_not_averaged(engine: Engine) -> None:
    engine.candidates = filament(tuple(np.linspace(20, 180, 100)), 50.0)
    result, _ = run()
    report = report_of(result, "")
    assert (report.averages, len(report.overlays[0].preview.boxes)) == ((), 100)
