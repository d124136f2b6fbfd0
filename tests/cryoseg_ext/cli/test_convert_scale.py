"""Coordinates of another scale: the size is taken from what is there, or the command stops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from click.testing import CliRunner, Result
from cryosparc.dataset import Dataset

from cryoseg_ext.cli import main
from cryoseg_ext.formats.reading import read_picks


def _star(path: Path, optics: Mapping[str, object], table: str, columns: list[str], rows: list[str]) -> Path:
    text = ""
    for name, labels, lines in (
        ("optics", ["OpticsGroup", *optics], [" ".join(map(str, [1, *optics.values()]))]),
        (table, columns, rows),
    ):
        loop = "".join(f"_rln{label} #{number}\n" for number, label in enumerate(labels, 1))
        text += f"\ndata_{name}\n\nloop_\n{loop}" + "".join(f"{line}\n" for line in lines)
    path.write_text(text)
    return path


def _particles(folder: Path, points: list[tuple[float, float]], **optics: object) -> Path:
    rows = [f"{x} {y} Unbinned/m.mrc 1" for x, y in points]
    columns = ["CoordinateX", "CoordinateY", "MicrographName", "OpticsGroup"]
    return _star(folder / "particles.star", optics, "particles", columns, rows)


@pytest.fixture
def field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a list of RELION with a micrograph of 108 x 102 px at 3 Å/px, the current folder's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Micrographs").mkdir()
    mrcfile.write(tmp_path / "Micrographs/m.mrc", np.zeros((102, 108), np.float32), voxel_size=3)
    optics = {"MicrographOriginalPixelSize": 3, "MicrographPixelSize": 3}
    columns = ["MicrographName", "OpticsGroup"]
    return _star(tmp_path / "micrographs.star", optics, "micrographs", columns, ["Micrographs/m.mrc 1"])


def _convert(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["convert", *map(str, arguments)])


def _converted(source: Path, micrographs: object, *options: object) -> list[list[float]]:
    result = _convert(source, "out.star", "--micrographs", micrographs, *options)
    assert result.exit_code == 0, result.output
    (picks,) = read_picks(Path("out.star")).values()
    return np.stack([picks.x_px, picks.y_px], axis=1).tolist()


@pytest.mark.parametrize(
    "optics",
    [
        {"MicrographPixelSize": 1.5, "ImagePixelSize": 6},
        {"MicrographOriginalPixelSize": 1.5, "ImagePixelSize": 6},
        {"MicrographOriginalPixelSize": 1.5, "ImagePixelSize": 1.5},
    ],
)
@pytest.mark.parametrize("target", ["list", "header"])
def test_the_size_is_taken_from_what_is_there(field: Path, optics: dict[str, object], target: str) -> None:
    particles = _particles(field.parent, [(60, 40), (190, 180)], **optics)
    micrographs = field if target == "list" else "Micrographs/*.mrc"
    assert _converted(particles, micrographs) == [[30, 20], [95, 90]]


def test_binning_by_motion_correction_is_that_of_the_other_list(field: Path) -> None:
    text = field.read_text().replace("1 3 3\n", "1 1.5 3\n")
    field.write_text(text)
    particles = _particles(field.parent, [(60, 40)], MicrographOriginalPixelSize=1.5, ImagePixelSize=6)
    assert _converted(particles, field) == [[60, 40]]


def test_picks_outside_of_a_field_of_unknown_scale_stop_every_command(field: Path) -> None:
    particles = _particles(field.parent, [(60, 40), (190, 180)], ImagePixelSize=6)
    commands = (
        ["convert", particles, "out", "--micrographs", field],
        ["labels", "--in_coords", particles, "--in_mics", field, "--particle_diameter", 30, "--out", "L"],
    )
    for command in commands:
        result = CliRunner().invoke(main, list(map(str, command)))
        assert result.exit_code == 1
        assert (
            "1 of the 2 picks of Unbinned/m.mrc lie outside of Micrographs/m.mrc (108 x 102 px)"
            in result.output
        )
        assert "--pixel_size" in result.output
    assert _converted(particles, field, "--pixel_size", 1.5) == [[30, 20], [95, 90]]


def test_labels_are_drawn_on_the_pixels_of_the_micrographs(field: Path) -> None:
    particles = _particles(field.parent, [(60, 40)], MicrographPixelSize=1.5)
    command = [
        "labels",
        "--in_coords",
        particles,
        "--in_mics",
        "Micrographs/*.mrc",
        "--particle_diameter",
        30,
    ]
    result = CliRunner().invoke(main, [*map(str, command), "--out", "L"])
    assert result.exit_code == 0, result.output
    (instances,) = Path("L").rglob("*_instances.mrc")
    y, x = np.nonzero(mrcfile.read(instances))
    assert (x.mean(), y.mean()) == pytest.approx((30, 20), abs=0.5)


def test_negative_outside_and_doubled_picks_are_counted_and_named(field: Path) -> None:
    particles = _particles(field.parent, [(-9, 4), (130, 4), (5, 5), (5, 5)], MicrographPixelSize=3)
    result = _convert(particles, "out", "--micrographs", field)
    assert result.exit_code == 0
    assert (
        "Unbinned/m.mrc: of its 4 picks 1 at negative coordinates, 1 outside of its 108 x 102 px, 1 at"
        in result.output
    )


@pytest.mark.parametrize(
    ("labels", "shift"),
    [(["OriginXAngst", "OriginYAngst"], "60 -45"), (["OriginX", "OriginY"], "10 -7.5")],
)
def test_origin_shifts_are_applied(field: Path, labels: list[str], shift: str) -> None:
    columns = ["CoordinateX", "CoordinateY", "MicrographName", "OpticsGroup", *labels]
    optics = {"MicrographPixelSize": 3, "ImagePixelSize": 6}
    star = _star(
        field.parent / "run_data.star", optics, "particles", columns, [f"50 40 Micrographs/m.mrc 1 {shift}"]
    )
    assert _converted(star, field) == [[30, 55]]
    assert "shifts of up to 75 Å are applied" in _convert(star, "out").output


def test_shapes_and_alignments_of_cryosparc_count(field: Path) -> None:
    columns = {
        "uid": np.arange(2, dtype=np.uint64),
        "location/micrograph_path": np.array(["J1/m.mrc", "J1/m.mrc"], object),
        "location/micrograph_shape": np.array([(51, 54), (0, 0)], np.uint32),
        "location/center_x_frac": np.full(2, 0.5, np.float32),
        "location/center_y_frac": np.full(2, 0.25, np.float32),
        "alignments2D/shift": np.full((2, 2), 2, np.float32),
        "alignments2D/psize_A": np.full(2, 6, np.float32),
    }
    Dataset(columns).save("p.cs")
    result = _convert("p.cs", "out", "--micrographs", field)
    assert "location/micrograph_shape of 1 of 2 particles" in result.output
    assert "origin shifts of up to 17 Å are applied" in result.output
    assert _converted(Path("p.cs"), field) == [[54 - 4, 25.5 - 4]]
