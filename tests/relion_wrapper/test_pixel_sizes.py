"""The job wants a pixel size for each micrograph, from its list or from the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import starfile

from tests.cryoseg_ext.size.drawn import long_particles
from tests.engine import PIXEL_SIZE_A

if TYPE_CHECKING:
    from tests.relion_wrapper.conftest import Project


@pytest.mark.parametrize("diameter", ["100", "auto"])
def test_wrong_optics_groups_cost_only_their_micrographs(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], diameter: str
) -> None:
    monkeypatch.setattr("cryoseg_ext.size.measure.measure", lambda *_: long_particles(100.0))
    star = project.folder / "micrographs.star"
    good = star.read_text()
    star.write_text(good.replace("mic.1.mrc 1", "mic.1.mrc 4").replace("mic.2.mrc 1", "mic.2.mrc none"))
    assert project.run("--particle_diameter", diameter) == 0
    picked = starfile.read(project.job / "micrographs.star", always_dict=True)["micrographs"]
    assert list(picked["rlnMicrographName"]) == project.names[:1]
    printed = capsys.readouterr()
    assert f"{project.names[1]}: micrographs.star gives no pixel size for its optics group 4" in printed.err
    assert "Skipped 2 micrographs:" in printed.out
    star.write_text(good.replace(f"opticsGroup1 1 {PIXEL_SIZE_A}", "opticsGroup1 1 0.0"))
    assert project.run("--particle_diameter", diameter) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert project.run("--particle_diameter", diameter, "--pixel_size", "6") == 0
    assert project.engine.pixel_sizes_A == [6.0] * 3


def test_micrographs_without_any_pixel_size_fail_the_job_unless_it_is_given(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    star = project.folder / "micrographs.star"
    star.write_text(star.read_text().replace("_rlnMicrographPixelSize", "_rlnSomething"))
    assert project.run() == 1
    assert "micrographs.star has no pixel size" in capsys.readouterr().err
    assert project.run("--pixel_size", "6") == 0
    assert project.engine.pixel_sizes_A == [6.0] * 3
