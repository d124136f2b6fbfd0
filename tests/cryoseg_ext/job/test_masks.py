"""Masks in the folder of a job, and masks of others that it heeds."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize
from tests.cryoseg_ext.job.small import ABOVE, ALL, SIZE, picks_of, run
from tests.engine import PIXEL_SIZE_A, SHAPE, Engine, write_micrograph


def _write_masks(folder: str, shape: tuple[int, int] = SHAPE, keep: slice = slice(None)) -> None:
    """Write masks that are 1 in the columns of `keep` only."""
    mask = np.zeros(shape, np.int8)
    mask[:, keep] = 1
    for name in "abc":
        write_micrograph(Path(f"{folder}/{name}.mrc"), mask)


@pytest.mark.parametrize("heeding", [False, True])
def test_masks_are_written_with_their_pixel_size_and_kept_with_their_micrograph(
    folder: Path, engine: Engine, heeding: bool
) -> None:
    _write_masks("other")
    masks_in = Path("other") if heeding else None
    for diameter_A, masks, n_picked in ((100.0, True, 3), (200.0, False, 6), (200.0, True, 9)):
        run(JobOptions(ParticleSize(diameter_A), masks=masks, masks_in=masks_in))
        assert len(engine.picked) == n_picked
        # The mask of another diameter does not stay.
        assert Path("job/masks/a.mrc").exists() == masks
    with mrcfile.open("job/masks/a.mrc") as mrc:
        assert (mrc.header.mode, mrc.data.shape, float(mrc.voxel_size.x)) == (0, SHAPE, PIXEL_SIZE_A)
        assert set(np.unique(mrc.data)) == {0, 1}
        assert all(mrc.data[y, x] == 1 for x, y in ABOVE)
    Path("job/masks/b.mrc").unlink()
    run(JobOptions(ParticleSize(200.0), masks=True))
    assert len(engine.picked) == 10


@pytest.mark.parametrize("shape", [SHAPE, (60, 100), (12, 40)])
def test_picks_outside_of_given_masks_are_dropped(
    folder: Path, engine: Engine, shape: tuple[int, int]
) -> None:
    _write_masks("right", shape, keep=slice(7 * shape[1] // 20, None))
    result, host = run(JobOptions(SIZE, 0.1, masks_in=Path("right")))
    assert "3 micrographs of 3 have a mask in right" in host.said
    assert [picks_of(name) for name in "abc"] == [ALL[1:]] * 3
    assert result.n_picks == 6
    assert [len(overlay.picks) for overlay in host.shown] == [2, 2, 2]
    engine.clear()
    # Other masks, some, and none at all need no network.
    _write_masks("left", keep=slice(0, 70))
    Path("left/c.mrc").unlink()
    for masks_in, expected in ((Path("left"), [ALL[:1], ALL[:1], ALL]), (None, [ALL, ALL, ALL])):
        result, _ = run(JobOptions(SIZE, 0.1, masks_in=masks_in))
        assert [picks_of(name) for name in "abc"] == expected
        assert result.n_picks == sum(map(len, expected))
    assert (engine.picked, engine.devices) == ([], [])


def test_masks_that_a_job_wrote_are_taken_by_another_one(folder: Path, engine: Engine) -> None:
    run(JobOptions(SIZE, masks=True))
    Path("job").rename("earlier")
    run(JobOptions(SIZE, 0.1, masks_in=Path("earlier/masks")))
    # The mask of the engine has no room for the faintest blob's surroundings, but its middle.
    assert set(picks_of("a")) == set(ALL)


def test_masks_of_the_job_itself_may_be_edited_but_not_both_read_and_written(
    folder: Path, engine: Engine
) -> None:
    run(JobOptions(SIZE, masks=True))
    for masks_in in (Path("job/masks"), Path("job")):
        with pytest.raises(CryosegError, match="--masks would write over those of --masks_in job"):
            run(JobOptions(ParticleSize(150.0), masks=True, masks_in=masks_in))
    edited = Path("job/masks/a.mrc")
    with mrcfile.open(edited, "r+") as mrc:
        mrc.data[:] = 0
    content = edited.read_bytes()
    # Other settings pick anew, and what the user edited stays.
    for size in (SIZE, ParticleSize(150.0)):
        run(JobOptions(size, masks_in=Path("job/masks")))
        assert picks_of("a") == []
        assert edited.read_bytes() == content


def test_a_mask_that_cannot_be_read_costs_its_micrograph(folder: Path, engine: Engine) -> None:
    _write_masks("masks")
    Path("masks/b.mrc").write_bytes(b"no mask")
    for n_picked in (3, 3):
        result, host = run(JobOptions(SIZE, masks_in=Path("masks")))
        assert len(engine.picked) == n_picked
        assert list(result.skipped) == ["in/b.mrc"]
        assert list(result.finished) == ["in/a.mrc", "in/c.mrc"]
        (warning,) = host.warned
        assert warning.startswith("Skipped: masks/b.mrc ")
        assert not Path("job/b.txt").exists()


@pytest.mark.parametrize(
    ("files", "told"),
    [([], "masks holds no masks"), (["x/a.mrc", "y/a.mrc"], "fit")],
)
def test_masks_that_cannot_be_told_apart_are_refused(
    folder: Path, engine: Engine, files: list[str], told: str
) -> None:
    Path("masks").mkdir()
    for name in files:
        write_micrograph(Path("masks", name), np.ones(SHAPE, np.int8))
    with pytest.raises(CryosegError, match=told):
        run(JobOptions(SIZE, masks_in=Path("masks")))
