from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mrcfile
import numpy as np
import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.job.batch import MicrographTask, pick_batch
from cryoseg_ext.options.picking import PickingOptions

PIXEL_SIZE_A = 2.5


@pytest.fixture
def tasks(tmp_path: Path) -> list[MicrographTask]:
    """Return four micrographs, the mean of each of which is its number."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.mrc" for number in range(4)]
    for number, path in enumerate(paths):
        image = rng.normal(number, 0.1, (64, 80)).astype(np.float32)
        mrcfile.write(path, image, voxel_size=PIXEL_SIZE_A)
    return [MicrographTask(path.name, path) for path in paths]


@pytest.fixture
def segmented(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Put an engine that returns the mean and the pixel size in place; return what it is given."""
    given: list[int] = []

    def pick_repaired(repaired: Any, pixel_size_A: float, model: Any, options: Any) -> Any:
        given.append(round(float(repaired.image.mean())))
        return SimpleNamespace(mean=given[-1], pixel_size_A=pixel_size_A)

    monkeypatch.setattr("cryoseg_ext.pipeline.pick_repaired", pick_repaired)
    return given


def _run(
    tasks: list[MicrographTask], *, invert: bool = False, **more: Any
) -> list[tuple[MicrographTask, Any]]:
    model: Any = None
    return list(pick_batch(tasks, model, PickingOptions(150.0, invert=invert), **more))


def test_bright_protein_is_inverted(tasks: list[MicrographTask], segmented: list[int]) -> None:
    _run(tasks, invert=True)
    assert segmented == [0, -1, -2, -3]


def test_micrographs_come_in_order_with_their_own_pixels(
    tasks: list[MicrographTask], segmented: list[int]
) -> None:
    results = _run(tasks)
    assert [task for task, _ in results] == tasks
    assert [picked.mean for _, picked in results] == segmented == [0, 1, 2, 3]


def test_the_pixel_size_is_the_given_one_or_that_of_the_header(
    tasks: list[MicrographTask], segmented: list[int]
) -> None:
    given = MicrographTask("given", tasks[0].path, 7.0)
    sizes = [picked.pixel_size_A for _, picked in _run([given, tasks[1]])]
    assert sizes == pytest.approx([7.0, PIXEL_SIZE_A])


def test_a_micrograph_without_any_pixel_size_is_told(
    tasks: list[MicrographTask], segmented: list[int]
) -> None:
    with mrcfile.open(tasks[0].path, "r+") as mrc:
        mrc.voxel_size = 0
    ((_, error),) = _run(tasks[:1])
    assert isinstance(error, CryosegError)
    assert "--pixel_size" in str(error)


@pytest.mark.parametrize("bad", [0, 1, 3])
def test_a_bad_micrograph_yields_its_error_and_the_others_their_picks(
    tasks: list[MicrographTask], segmented: list[int], bad: int
) -> None:
    tasks[bad].path.unlink()
    results = _run(tasks)
    for number, (_, outcome) in enumerate(results):
        assert isinstance(outcome, CryosegError) == (number == bad)
    assert str(results[bad][1]).count(str(tasks[bad].path)) == 1


def test_at_most_one_micrograph_is_read_ahead(
    tasks: list[MicrographTask], segmented: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cryoseg_ext.image import reading as micrograph

    read = micrograph.read_micrograph
    read_paths: list[Path] = []

    def watched(path: Path) -> Any:
        read_paths.append(path)
        return read(path)

    monkeypatch.setattr(micrograph, "read_micrograph", watched)
    model: Any = None
    results = pick_batch(tasks, model, PickingOptions(150.0))
    for number, _ in enumerate(results):
        # Time enough for a reader that does not wait to read them all.
        time.sleep(0.05)
        assert len(read_paths) <= number + 2
    assert read_paths == [task.path for task in tasks]


def test_the_batch_stops_when_asked(tasks: list[MicrographTask], segmented: list[int]) -> None:
    assert len(_run(tasks, stop=lambda: len(segmented) == 2)) == 2
    assert segmented == [0, 1]


def test_no_micrographs_give_no_results(segmented: list[int]) -> None:
    assert _run([]) == []
