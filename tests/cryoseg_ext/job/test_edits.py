"""What was decided by hand, in a job of any kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cryoseg_ext.formats.micrographs import MicrographList, read_micrographs
from cryoseg_ext.job.run import Job
from cryoseg_ext.job.watch import watch
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize
from cryoseg_ext.picks import Picks
from tests.cryoseg_ext.job.small import ABOVE, BY_DEFAULT, SmallHost, picks_of, run
from tests.engine import PIXEL_SIZE_A, Engine, filament


def test_a_job_that_waits_heeds_what_was_decided_about_micrographs_that_come_later(
    folder: Path, engine: Engine
) -> None:
    Path("picks.csv").write_text("micrograph,x,y\nin/b.mrc,9,8\n")
    looks = 0

    def look() -> MicrographList:
        nonlocal looks
        looks += 1
        return read_micrographs(["in/a.mrc", *["in/b.mrc"] * (looks > 4)])

    options = replace(BY_DEFAULT, watch_until_idle_min=0.4 / 60, in_coords=Path("picks.csv"))
    watch(Job(options, SmallHost(Path("job"))), look, interval_s=0.05)
    assert (picks_of("a"), picks_of("b")) == (ABOVE, [(9, 8)])
    assert len(engine.picked) == 2


def test_edited_picks_are_shown_and_counted_and_stay_the_same_again(folder: Path, engine: Engine) -> None:
    Path("edits.csv").write_text("micrograph,x,y,score\nin/b.mrc,40,30,0.9\nin/b.mrc,7,7,1\n")
    result, host = run(replace(BY_DEFAULT, in_coords=Path("edits.csv")))
    shown = {overlay.name: len(overlay.picks) for overlay in host.shown}
    assert shown == {"in/a.mrc": 2, "in/b.mrc": 2, "in/c.mrc": 2}
    assert [quality.n_picks for quality in result.qualities.values()] == [2, 2, 2]
    assert picks_of("b") == [(7, 7), (40, 30)]
    engine.clear()
    assert run(replace(BY_DEFAULT, in_coords=Path("edits.csv")))[0].n_picks == 6
    assert (engine.picked, picks_of("b")) == ([], [(7, 7), (40, 30)])


def test_a_pick_that_is_added_to_a_mixture_of_sizes_is_drawn_in_the_largest(
    folder: Path, engine: Engine
) -> None:
    one = np.array([50.0])
    engine.candidates = Picks(one, one, np.array([0.9]), diameter_A=np.array([70.0]))
    Path("edits.csv").write_text("micrograph,x,y\nin/a.mrc,50,50\nin/a.mrc,100,20\n")
    options = JobOptions(ParticleSize(None, 60.0, 120.0), in_coords=Path("edits.csv"))
    _, host = run(options)
    overlay = host.shown[0]
    assert sorted(overlay.diameters_px(overlay.picks)) == [70 / PIXEL_SIZE_A, 120 / PIXEL_SIZE_A]


def test_a_segment_that_is_added_is_a_filament_of_its_own(folder: Path, engine: Engine) -> None:
    engine.candidates = filament((20.0, 60.0, 100.0), 50.0)
    Path("edits.csv").write_text("micrograph,x,y\nin/a.mrc,20,50\nin/a.mrc,100,50\nin/a.mrc,180,90\n")
    result, _ = run(replace(BY_DEFAULT, in_coords=Path("edits.csv")))
    picks = result.picks["in/a.mrc"]
    assert picks.tube_id is not None
    assert list(zip(picks.x_px, picks.tube_id, strict=True)) == [(20, 1), (100, 1), (180, 2)]
    assert list(picks.columns()["track_length_A"]) == [0, 400, 0]
    assert result.on_filaments == ["in/a.mrc", "in/b.mrc", "in/c.mrc"]


def test_what_a_run_with_edits_wrote_is_written_anew_without_them(folder: Path, engine: Engine) -> None:
    run()
    before = {path.name: path.read_bytes() for path in Path("job").glob("*.t*")}
    Path("edits.csv").write_text("micrograph,x,y\nin/b.mrc,9,8\n")
    run(replace(BY_DEFAULT, in_coords=Path("edits.csv")))
    assert picks_of("b") == [(9, 8)]
    run()
    assert {path.name: path.read_bytes() for path in Path("job").glob("*.t*")} == before
