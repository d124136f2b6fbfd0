from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.micrographs import ListedMicrograph
from cryoseg_ext.job.batch import BatchResult, pick_batch
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
    engine: Engine, tasks: list[ListedMicrograph], *, invert: bool = False, **more: Any
) -> list[tuple[ListedMicrograph, BatchResult | CryosegError]]:
    model = engine.load(ModelFile(engine.model))
    return list(pick_batch(tasks, model, PickingOptions(150.0, invert=invert), **more))


def _picked(engine: Engine) -> list[int]:
    """Return the numbers of the micrographs that were picked, in order."""
    return [round(float(repaired.image.mean())) for repaired in engine.picked]


def test_bright_protein_is_inverted(tasks: list[ListedMicrograph], engine: Engine) -> None:
    _run(engine, tasks, invert=True)
    assert _picked(engine) == [0, -1, -2, -3]


def test_micrographs_come_in_order_with_their_own_pixels(
    tasks: list[ListedMicrograph], engine: Engine
) -> None:
    results = _run(engine, tasks)
    assert [task for task, _ in results] == tasks
    assert _picked(engine) == [0, 1, 2, 3]
    images = [one.picked.working.image for _, one in results if isinstance(one, BatchResult)]
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
    ((_, error),) = _run(engine, tasks[:1])
    assert isinstance(error, CryosegError)
    assert "--pixel_size" in str(error)


@pytest.mark.parametrize("bad", [0, 1, 3])
def test_a_bad_micrograph_yields_its_error_and_the_others_their_picks(
    tasks: list[ListedMicrograph], engine: Engine, bad: int
) -> None:
    tasks[bad].path.unlink()
    results = _run(engine, tasks)
    for number, (_, outcome) in enumerate(results):
        assert isinstance(outcome, CryosegError) == (number == bad)
    assert str(results[bad][1]).count(str(tasks[bad].path)) == 1


def test_at_most_one_micrograph_is_read_ahead(
    tasks: list[ListedMicrograph], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cryoseg_ext.image import reading as micrograph

    read = micrograph.read_micrograph
    read_paths: list[Path] = []

    def watched(path: Path) -> Any:
        read_paths.append(path)
        return read(path)

    monkeypatch.setattr(micrograph, "read_micrograph", watched)
    results = pick_batch(tasks, engine.load(ModelFile(engine.model)), PickingOptions(150.0))
    for number, _ in enumerate(results):
        # Time enough for a reader that does not wait to read them all.
        time.sleep(0.05)
        assert len(read_paths) <= number + 2
    assert read_paths == [task.path for task in tasks]


def test_the_batch_stops_when_the_host_says_so(tasks: list[ListedMicrograph], engine: Engine) -> None:
    def check() -> None:
        if len(engine.picked) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run(engine, tasks, check=check)
    assert _picked(engine) == [0, 1]


def test_no_micrographs_give_no_results(engine: Engine) -> None:
    assert _run(engine, []) == []
