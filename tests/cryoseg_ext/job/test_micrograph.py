from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.micrographs import ListedMicrograph
from cryoseg_ext.job.micrograph import MicrographResult, Work, pick_listed
from cryoseg_ext.model.file import ModelFile
from cryoseg_ext.options.picking import PickingOptions

if TYPE_CHECKING:
    from tests.engine import Engine

PIXEL_SIZE_A = 2.5


@pytest.fixture
def tasks(tmp_path: Path) -> list[ListedMicrograph]:
    """Return four micrographs, the mean of each of which is its number."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.mrc" for number in range(4)]
    for number, path in enumerate(paths):
        image = rng.normal(number, 0.1, (64, 80)).astype(np.float32)
        mrcfile.write(path, image, voxel_size=PIXEL_SIZE_A)
    return [ListedMicrograph(path.name, path) for path in paths]


def _run(
    engine: Engine, tasks: list[ListedMicrograph], *, invert: bool = False
) -> list[MicrographResult | CryosegError]:
    model, work = engine.load(ModelFile(engine.model)), Work(PickingOptions(150.0, invert=invert), True)
    return [pick_listed(model, task, work) for task in tasks]


def _picked(engine: Engine) -> list[int]:
    """Return the numbers of the micrographs that were picked, in order."""
    return [round(float(repaired.image.mean())) for repaired in engine.picked]


def test_bright_protein_is_inverted(tasks: list[ListedMicrograph], engine: Engine) -> None:
    _run(engine, tasks, invert=True)
    assert _picked(engine) == [0, -1, -2, -3]


def test_maps_are_those_of_the_micrograph(tasks: list[ListedMicrograph], engine: Engine) -> None:
    results = _run(engine, tasks)
    assert _picked(engine) == [0, 1, 2, 3]
    images = [one.maps.working.image for one in results if isinstance(one, MicrographResult) and one.maps]
    assert len(images) == len(tasks)
    assert all(image is repaired.image for image, repaired in zip(images, engine.picked, strict=True))


def test_the_pixel_size_is_the_given_one_or_that_of_the_header(
    tasks: list[ListedMicrograph], engine: Engine
) -> None:
    given = ListedMicrograph("given", tasks[0].path, 7.0)
    _run(engine, [given, tasks[1]])
    assert engine.pixel_sizes_A == pytest.approx([7.0, PIXEL_SIZE_A])


def test_a_micrograph_without_any_pixel_size_is_told(tasks: list[ListedMicrograph], engine: Engine) -> None:
    with mrcfile.open(tasks[0].path, "r+") as mrc:
        mrc.voxel_size = 0
    (error,) = _run(engine, tasks[:1])
    assert isinstance(error, CryosegError)
    assert "--pixel_size" in str(error)


@pytest.mark.parametrize("bad", [0, 1, 3])
def test_a_bad_micrograph_yields_its_error_and_the_others_their_picks(
    tasks: list[ListedMicrograph], engine: Engine, bad: int
) -> None:
    tasks[bad].path.unlink()
    results = _run(engine, tasks)
    for number, outcome in enumerate(results):
        assert isinstance(outcome, CryosegError) == (number == bad)
    assert str(results[bad]).count(str(tasks[bad].path)) == 1
