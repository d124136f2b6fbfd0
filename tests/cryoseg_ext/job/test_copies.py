"""Picking on other images of the same fields."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
from scipy.ndimage import zoom

from cryoseg_ext.options.job import JobOptions
from tests.cryoseg_ext.job.small import ALL, SIZE, run
from tests.engine import PIXEL_SIZE_A, Engine, blobs, write_micrograph


def _write_binned_copies() -> None:
    """Put micrographs of twice as many pixels in the place of the others, which become their copies."""
    Path("in").rename("binned")
    for name in "abc":
        image = zoom(mrcfile.read(f"binned/{name}.mrc"), 2, order=1)
        write_micrograph(Path(f"in/{name}.mrc"), image, PIXEL_SIZE_A / 2)


def test_picks_on_a_binned_copy_are_in_pixels_of_the_micrograph(folder: Path, engine: Engine) -> None:
    _write_binned_copies()
    Path("binned/b.mrc").rename("binned/b_denoised.mrc")
    result, _ = run(JobOptions(SIZE, 0.1, pick_on="binned"))
    assert engine.pixel_sizes_A == [PIXEL_SIZE_A] * 3
    for one in result.finished.values():
        assert (one.shape, one.pixel_size_A) == ((240, 400), PIXEL_SIZE_A / 2)
        # Binning in Fourier space leaves the first pixel where it is.
        of_copy = np.stack([one.candidates.x_px, one.candidates.y_px], axis=1) / 2
        np.testing.assert_allclose(of_copy, ALL, atol=0.301)
    engine.clear()
    run(JobOptions(SIZE, pick_on="binned"))
    assert engine.picked == []
    # Other copies, or the micrographs themselves, are picked anew.
    Path("binned/b_denoised.mrc").rename("binned/b.mrc")
    Path("binned").rename("other")
    run(JobOptions(SIZE, pick_on="other"))
    assert len(engine.picked) == 3
    run()
    assert engine.pixel_sizes_A[3:] == [PIXEL_SIZE_A / 2] * 3


def test_a_given_pixel_size_is_that_of_the_micrographs_not_of_their_copies(
    folder: Path, engine: Engine
) -> None:
    _write_binned_copies()
    run(JobOptions(SIZE, pixel_size_A=3.0, pick_on="binned/*.mrc"))
    assert engine.pixel_sizes_A == [6.0] * 3


def test_a_copy_that_is_missing_or_shows_something_else_costs_its_micrograph(
    folder: Path, engine: Engine
) -> None:
    _write_binned_copies()
    write_micrograph(Path("binned/b.mrc"), blobs(0)[:, :100])
    Path("binned/c.mrc").unlink()
    result, _ = run(JobOptions(SIZE, pick_on="binned"))
    assert list(result.finished) == ["in/a.mrc"]
    assert "--pick_on binned has no image of this name" in result.skipped["in/c.mrc"]
    assert "binned/b.mrc has 100 x 120 px and in/b.mrc 400 x 240" in result.skipped["in/b.mrc"]
