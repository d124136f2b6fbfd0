"""Files that change, go, or lie: the job sees it, says it, and picks the rest."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import locked
from cryoseg_ext.formats.micrographs import read_micrographs
from cryoseg_ext.image import reading
from cryoseg_ext.job.run import Job
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize
from tests.cryoseg_ext.job.small import ABOVE, ALL, SIZE, SmallHost, picks_of, run
from tests.engine import Engine, blobs, write_micrograph

if TYPE_CHECKING:
    from cryoseg_ext.formats.micrographs import ListedMicrograph
    from cryoseg_ext.picks import Picks


def test_another_file_of_the_same_name_is_picked_anew(folder: Path, engine: Engine) -> None:
    run()
    engine.clear()
    status = Path("in/a.mrc").stat()
    write_micrograph(Path("in/a.mrc"), blobs(7))
    os.utime("in/a.mrc", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    run(JobOptions(SIZE, only_do_unfinished=True))
    assert len(engine.picked) == 1
    run()
    assert len(engine.picked) == 1


def test_what_is_gone_is_not_listed_and_its_result_is_kept(folder: Path, engine: Engine) -> None:
    run()
    engine.clear()
    Path("in/b.mrc").rename("b.mrc")
    names = ["in/a.mrc", "in/b.mrc", "in/c.mrc"]
    result, host = run(JobOptions(SIZE, 0.1), *names)
    assert list(result.finished) == ["in/a.mrc", "in/c.mrc"]
    assert host.warned == ["Skipped: in/b.mrc does not exist: check the path and the current folder"]
    assert picks_of("b") == ABOVE
    Path("b.mrc").rename("in/b.mrc")
    run(JobOptions(SIZE, 0.1), *names)
    assert picks_of("b") == ALL
    assert engine.picked == []


@pytest.mark.parametrize("times", [1, 9])
def test_a_file_that_changes_while_it_is_read_is_read_again(
    folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    read, left = reading.read_micrograph, [times + 1]

    def changing(path: Path) -> Any:
        found = read(path)
        if path.name == "b.mrc" and left[0]:
            left[0] -= 1
            write_micrograph(path, blobs(10 + left[0]))
            os.utime(path, ns=(0, left[0]))
        return found

    # The first reading is that of the line about the scale, if it is the first micrograph.
    monkeypatch.setattr(reading, "read_micrograph", changing)
    result, _ = run()
    if times == 1:
        assert list(result.finished) == ["in/a.mrc", "in/b.mrc", "in/c.mrc"]
        monkeypatch.undo()
        assert result.finished["in/b.mrc"].settings.endswith(":0")
    else:
        assert list(result.finished) == ["in/a.mrc", "in/c.mrc"]
        assert "in/b.mrc changes while it is read" in result.skipped["in/b.mrc"]


def test_a_skipped_micrograph_is_tried_again_when_its_file_has_changed(folder: Path, engine: Engine) -> None:
    sound = Path("in/b.mrc").read_bytes()
    Path("in/b.mrc").write_bytes(sound[:2000])
    Path("in/c.mrc").unlink()
    host = SmallHost(Path("job"))
    job = Job(JobOptions(SIZE), host)
    listed = read_micrographs(["in/a.mrc", "in/b.mrc", "in/c.mrc"])
    assert list(job.run(listed).finished) == ["in/a.mrc"]
    n_warned = len(host.warned)
    assert list(job.run(listed).skipped) == ["in/c.mrc", "in/b.mrc"]
    assert len(host.warned) == n_warned
    for name in "bc":
        Path(f"in/{name}.mrc").write_bytes(sound)
    result = job.run(listed)
    assert (list(result.finished), result.skipped) == (["in/a.mrc", "in/b.mrc", "in/c.mrc"], {})
    assert len(engine.picked) == 3
    # And the other way round.
    Path("in/b.mrc").write_bytes(sound[:2000])
    assert list(job.run(listed).finished) == ["in/a.mrc", "in/c.mrc"]


def _damaged(number: int, path: Path) -> None:
    """Make the file of a micrograph unusable, in one of many ways."""
    sound = path.read_bytes()
    heads = [b"", b"\0" * 1024, sound[:1], sound[:1000], sound[:5000], b"\xff" * len(sound), b"not an image"]
    sizes = [(0, -1), (4, 2**31 - 1), (8, 2**31 - 1), (12, 101), (92, 2**31 - 1), (0, 0), (12, 4)]
    suffixes = [".tif", ".dm4", ".tiff"]
    path.unlink()
    if number < len(heads):
        path.write_bytes(heads[number])
    elif (at := number - len(heads)) < len(sizes):
        start, value = sizes[at]
        path.write_bytes(sound[:start] + (value & 0xFFFFFFFF).to_bytes(4, "little") + sound[start + 4 :])
    elif (at := at - len(sizes)) < len(suffixes):
        path.symlink_to(f"bad{number}{suffixes[at]}")
        Path(f"in/bad{number}{suffixes[at]}").write_bytes(b"II*" if at == 0 else bytes([0, 0, 0, 4]) * 99)
    else:
        os.mkfifo(path)


def test_eighteen_unusable_files_between_good_ones_cost_only_themselves(folder: Path, engine: Engine) -> None:
    names = []
    for number in range(18):
        good, bad = (write_micrograph(Path(f"in/{kind}{number}.mrc"), blobs(number)) for kind in "gb")
        _damaged(number, bad)
        names += [str(bad), str(good)]
    result, host = run(JobOptions(SIZE), *names)
    assert list(result.finished) == names[1::2]
    assert result.skipped.keys() == set(names[::2])
    assert all(f"in/b{number}.mrc" in " ".join(host.warned) for number in range(18))
    assert all(picks_of(f"g{number}") == ABOVE for number in range(18))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("cannot reshape"), "please report it: ValueError: cannot reshape"),
        (MemoryError(), "the memory is not enough for it"),
        (OverflowError("too large"), "OverflowError"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
)
@pytest.mark.parametrize("place", ["reading.read_micrograph", "repair.repair"])
def test_any_error_costs_its_micrograph_alone(
    folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str, place: str
) -> None:
    from cryoseg_ext.image import repair

    functions: dict[str, Any] = {"read_micrograph": reading.read_micrograph, "repair": repair.repair}
    original = functions[place.rpartition(".")[2]]
    bad = reading.read_micrograph(Path("in/b.mrc")).image

    def failing(what: Any, **more: Any) -> Any:
        if what == Path("in/b.mrc") if isinstance(what, Path) else (what == bad).all():
            raise error
        return original(what, **more)

    monkeypatch.setattr(f"cryoseg_ext.image.{place}", failing)
    result, _ = run()
    assert list(result.finished) == ["in/a.mrc", "in/c.mrc"]
    assert result.skipped["in/b.mrc"].startswith("in/b.mrc")
    assert told in result.skipped["in/b.mrc"]


def test_a_name_too_long_for_its_files_costs_its_micrograph_alone(folder: Path, engine: Engine) -> None:
    long = write_micrograph(Path(f"in/{'n' * 245}.mrc"), blobs(0))
    result, _ = run()
    assert list(result.finished) == ["in/a.mrc", "in/b.mrc", "in/c.mrc"]
    assert "give it a shorter name" in result.skipped[str(long)]


def test_a_host_whose_names_are_longer_skips_too(folder: Path, engine: Engine) -> None:
    class LongHost(SmallHost):
        def write_picks(self, micrograph: ListedMicrograph, picks: Picks) -> None:
            if micrograph.path.stem == "b":
                Path("job/" + "n" * 300).write_text("")
            super().write_picks(micrograph, picks)

    result = Job(JobOptions(SIZE), LongHost(Path("job"))).run(read_micrographs(["in"]))
    assert list(result.finished) == ["in/a.mrc", "in/c.mrc"]
    assert not list(Path("job").glob("b_*"))


def test_a_folder_that_is_removed_in_the_middle_is_no_success(folder: Path, engine: Engine) -> None:
    class Removed(SmallHost):
        def note_done(self, micrograph: ListedMicrograph, *_: Any) -> None:
            if micrograph.path.stem == "a":
                shutil.rmtree("job")
                Path("job").mkdir()

    with pytest.raises(CryosegError, match=r"job/a_candidates\.star is not there any more"):
        Job(JobOptions(SIZE), Removed(Path("job"))).run(read_micrographs(["in"]))
    engine.clear()
    run()
    assert len(engine.picked) == 1


def test_a_second_job_in_the_folder_is_refused(folder: Path, engine: Engine) -> None:
    with locked(Path("job")), pytest.raises(CryosegError, match="job: another job of cryoseg is writing"):
        run()
    run()
    assert not list(Path("job").glob(".*"))


@pytest.mark.parametrize("threshold", [float("nan"), float("inf")])
def test_a_threshold_that_is_no_number_is_refused(
    folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch, threshold: float
) -> None:
    with pytest.raises(CryosegError, match="give --threshold, a number from 0 to 1"):
        run(JobOptions(SIZE, threshold))
    monkeypatch.setattr("tests.engine.MODEL_THRESHOLD", threshold)
    monkeypatch.setattr(Engine, "pick_repaired", lambda *_: pytest.fail("picked"))
    with pytest.raises(CryosegError, match="the threshold of the model is"):
        run()


def test_a_diameter_in_nm_ends_the_job_at_once(folder: Path, engine: Engine) -> None:
    write_micrograph(Path("large/a.mrc"), blobs(0).repeat(6, axis=0).repeat(6, axis=1), 3.0)
    with pytest.raises(CryosegError, match=r"large/a\.mrc: a particle of 18 Å is only 6 px wide at 3 Å/px"):
        run(JobOptions(ParticleSize(18.0)), "large/a.mrc")
    assert (engine.picked, engine.devices) == ([], [])


def test_other_numbers_of_the_network_that_are_insisted_on_pick_anew(folder: Path, engine: Engine) -> None:
    run()
    for numbers, n_picked in (("float32", 3), ("float32", 0), ("auto", 3)):
        engine.clear()
        run(JobOptions(SIZE, precision=numbers))
        assert len(engine.picked) == n_picked
