"""What a job does for any host, even for one of a few lines."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.micrographs import read_micrographs
from cryoseg_ext.job.reports import QUALITY_COLUMNS
from cryoseg_ext.job.run import Job
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize
from cryoseg_ext.report.pages import write_report
from tests.cryoseg_ext.job.small import ABOVE, ALL, SIZE, SmallHost, picks_of, run
from tests.cryoseg_ext.size.drawn import long_particles
from tests.engine import AREAS, DIAMETER_A, Engine, blobs, write_micrograph


def test_a_host_of_a_few_lines_gets_picks_and_reports(
    folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cryoseg_ext.job.reports.write_report", write_report)
    result, host = run()
    assert [picks_of(name) for name in "abc"] == [ABOVE] * 3
    assert list(result.finished) == ["in/a.mrc", "in/b.mrc", "in/c.mrc"]
    assert (result.n_picks, result.threshold, result.skipped) == (6, 0.5, {})
    for path in (Path("job/report.pdf"), Path("job/review.html")):
        assert path.stat().st_size > 1000
    with Path("job/quality.tsv").open() as file:
        header, first, *_ = csv.reader(file, "excel-tab")
    assert tuple(header) == QUALITY_COLUMNS
    shares = [AREAS.usable, AREAS.contaminated, AREAS.film, AREAS.dead, AREAS.mottled]
    assert [first[0], *map(float, first[1:2]), *map(float, first[3:-1])] == ["in/a.mrc", 2.0, *shares]
    assert first[-1] == "contaminated"
    assert host.said[0].startswith("Settings: --particle_diameter 100 (model ")
    assert host.said[1] == "Micrographs of 200 x 120 px at 5 Å/px: a particle of 100 Å is 20 px wide"
    assert host.said[2] == "3 micrographs to pick, 0 finished earlier"
    assert [(overlay.name, len(overlay.picks)) for overlay in host.shown] == [
        (f"in/{name}.mrc", 2) for name in "abc"
    ]
    assert host.warned == []


def test_a_finished_micrograph_is_not_picked_again(folder: Path, engine: Engine) -> None:
    run()
    engine.clear()
    for threshold, expected in ((0.1, ALL), (None, ABOVE)):
        result, host = run(JobOptions(SIZE, threshold))
        assert host.said[-1] == "0 micrographs to pick, 3 finished earlier"
        assert [picks_of(name) for name in "abc"] == [expected] * 3
        assert result.n_picks == 3 * len(expected)
        assert f'"picks":[{",".join([str(len(expected))] * 3)}]' in Path("job/review.html").read_text()
    assert (engine.picked, engine.devices) == ([], [])
    Path("job/b_candidates.star").unlink()
    run()
    assert len(engine.picked) == 1


@pytest.mark.parametrize(
    "options",
    [
        JobOptions(ParticleSize(101.0)),
        JobOptions(ParticleSize(None, 90.0, 100.0)),
        JobOptions(SIZE, extraction=ExtractionOptions(max_picks=5)),
        JobOptions(SIZE, invert=True),
        JobOptions(SIZE, pixel_size_A=4.9),
        JobOptions(SIZE, model=Path("other.safetensors")),
        JobOptions(SIZE, masks=True),
    ],
)
def test_another_setting_has_all_picked_again(folder: Path, engine: Engine, options: JobOptions) -> None:
    Path("other.safetensors").write_bytes(b"other weights")
    run()
    engine.clear()
    run(options)
    assert len(engine.picked) == 3
    run(options)
    assert len(engine.picked) == 3


def test_a_micrograph_of_the_same_name_is_another_one(folder: Path, engine: Engine) -> None:
    run(JobOptions(SIZE), "in/a.mrc")
    write_micrograph(Path("elsewhere/a.mrc"), blobs(7))
    run(JobOptions(SIZE), "elsewhere/a.mrc")
    assert len(engine.picked) == 2
    with pytest.raises(CryosegError, match=r"in/a\.mrc and elsewhere/a\.mrc would share the file job/a_cand"):
        run(JobOptions(SIZE), "in/a.mrc", "elsewhere/a.mrc")


def test_a_project_may_be_moved_but_is_not_taken_for_another_one(
    folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for project in ("first", "second"):
        write_micrograph(Path(f"{project}/Micrographs/a.mrc"), blobs(0))
        Path(f"{project}/micrographs.star").write_text(
            "data_\n\nloop_\n_rlnMicrographName #1\nMicrographs/a.mrc\n"
        )
        run(JobOptions(SIZE), f"{project}/micrographs.star")
    assert len(engine.picked) == 2
    Path("job").rename("second/job")
    Path("second").rename("moved")
    monkeypatch.chdir("moved")
    run(JobOptions(SIZE), "micrographs.star")
    # It was beside the project, and is in it now.
    assert len(engine.picked) == 3
    monkeypatch.chdir("..")
    Path("moved").rename("again")
    monkeypatch.chdir("again")
    run(JobOptions(SIZE), "micrographs.star")
    assert len(engine.picked) == 3


def test_finished_micrographs_are_kept_whatever_has_changed_where_that_is_wanted(
    folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    Path("job/a_candidates.star").unlink()
    engine.clear()
    # Another model with another threshold: there is one threshold for all.
    monkeypatch.setattr("tests.engine.MODEL_THRESHOLD", 0.2)
    result, _ = run(JobOptions(SIZE, only_do_unfinished=True, extraction=ExtractionOptions(max_picks=9)))
    assert len(engine.picked) == 1
    assert result.threshold == 0.2
    assert [picks_of(name) for name in "abc"] == [ALL] * 3
    assert result.n_picks == 9


def test_bad_files_are_skipped_and_no_earlier_result_stands_for_them(folder: Path, engine: Engine) -> None:
    run(JobOptions(SIZE, masks=True))
    Path("in/a.mrc").write_bytes(b"")
    Path("in/b.mrc").unlink()
    result, host = run(JobOptions(ParticleSize(150.0)), "in/a.mrc", "in/b.mrc", "in/c.mrc")
    assert list(result.finished) == ["in/c.mrc"]
    assert result.skipped.keys() == {"in/a.mrc", "in/b.mrc"}
    skipped = [line for line in host.warned if line.startswith("Skipped: ")]
    assert skipped[0].startswith("Skipped: in/b.mrc does not exist")
    assert skipped[1].startswith("Skipped: in/a.mrc is empty")
    assert not [path for name in "ab" for path in Path("job").rglob(f"{name}.txt")]
    assert not list(Path("job").rglob("a[._]*"))
    Path("in/c.mrc").unlink()
    with pytest.raises(CryosegError, match="none of the 3 micrographs could be picked"):
        run(JobOptions(SIZE), "in/a.mrc", "in/b.mrc", "in/c.mrc")


def test_the_other_contrast_is_looked_at_once(
    folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[Any] = []

    def contrast_hint(picked: Any, *_: object) -> str:
        looked_at.append(picked)
        return "give --invert"

    monkeypatch.setattr("cryoseg_ext.job.contrast.contrast_hint", contrast_hint)
    # Not on a file that cannot be read.
    Path("in/a.mrc").write_bytes(b"")
    _, host = run()
    assert len(looked_at) == 1
    assert "give --invert" in host.warned


def test_a_job_that_is_ended_keeps_what_is_finished(folder: Path, engine: Engine) -> None:
    class EndedHost(SmallHost):
        def check(self) -> None:
            if len(engine.picked) == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Job(JobOptions(SIZE), EndedHost(Path("job"))).run(read_micrographs(["in"]))
    assert sorted(path.name for path in Path("job").glob("*_candidates.star")) == [
        "a_candidates.star",
        "b_candidates.star",
    ]
    run()
    assert len(engine.picked) == 3


def test_a_job_goes_on_when_there_are_more_micrographs(folder: Path, engine: Engine) -> None:
    job = Job(JobOptions(SIZE), SmallHost(Path("job")))
    assert job.run(read_micrographs(["in/a.mrc"])).n_picks == 2
    assert list(job.run(read_micrographs(["in"])).finished) == ["in/a.mrc", "in/b.mrc", "in/c.mrc"]
    assert len(engine.picked) == 3
    assert engine.devices == ["cpu"]
    # What is no longer listed is no longer counted.
    assert list(job.run(read_micrographs(["in/c.mrc"])).finished) == ["in/c.mrc"]


def test_the_diameter_is_estimated_once_and_the_model_loaded_once(
    folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    read_bytes = Path.read_bytes

    def counting(path: Path) -> bytes:
        read.append(path)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", counting)
    monkeypatch.setattr("cryoseg_ext.size.measure.measure", lambda *_: long_particles(DIAMETER_A))
    result, host = run(JobOptions(ParticleSize("auto")))
    assert result.options.particle_diameter_A == DIAMETER_A
    assert host.said[0] == "Particle diameter: 100 Å (between 88 and 114 Å; 3 micrographs, 60 particles)"
    assert host.said[1].startswith("Settings: --particle_diameter auto (model ")
    assert (read.count(engine.model), engine.devices) == (1, ["cpu"])
    engine.clear()
    monkeypatch.delattr("cryoseg_ext.size.measure.measure")
    run(JobOptions(ParticleSize("auto"), threshold=0.1))
    assert (engine.picked, engine.devices, read.count(engine.model)) == ([], [], 2)


def test_a_report_has_a_picture_of_each_part_of_the_run(folder: Path, engine: Engine) -> None:
    for number in range(60):
        write_micrograph(Path(f"in/{number:02}.mrc"), blobs(number))
    _, host = run()
    assert len(host.shown) == len(list(Path("job").glob("*_preview.npz"))) == 24
    engine.clear()
    # What is picked anew has no picture where its part of the run has one.
    Path("job/01_candidates.star").unlink()
    run()
    assert len(engine.picked) == 1
    assert len(list(Path("job").glob("*_preview.npz"))) == 24


@pytest.mark.usefixtures("folder", "engine")
def test_a_damaged_picture_is_left_out_with_a_word() -> None:
    run()
    Path("job/a_preview.npz").write_bytes(b"PK\3\4 cut short")
    _, host = run()
    assert [sentence for sentence in host.warned if "a_preview.npz is damaged" in sentence]
