from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
import pytest
import starfile
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from cryoseg_ext.arrays import Mask
from cryoseg_ext.cli.main import main
from cryoseg_ext.simulation.instances import PlacedParticles, instance_map
from cryoseg_ext.simulation.placement import project as project_beads
from cryoseg_ext.simulation.placement import silhouette

if TYPE_CHECKING:
    from tests.cryoseg_ext.labels.conftest import Field, Particle

STAR = "Refine3D/job001/run_data.star"
OUT = Path("Labels")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["labels", "--out", str(OUT), *arguments])


def run_on_map(*arguments: str) -> Result:
    return run("--in_parts", STAR, "--in_map", "map.mrc", *arguments)


def read_map(path: Path) -> NDArray[Any]:
    with mrcfile.open(path) as mrc:
        return np.asarray(mrc.data)


def overlap(mask: Mask, truth: Mask) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


def simulated(particle: Particle, field: Field) -> tuple[Mask, NDArray[np.int32]]:
    """Return the simulator's own mask and instances."""
    diameter_px, margin = particle.diameter_A / field.pixel_size_A, 80
    padded = (field.shape[0] + 2 * margin, field.shape[1] + 2 * margin)
    centres = field.centres_px + margin
    density = project_beads(particle.specimen, field.orientations, centres, padded, diameter_px)
    mask = silhouette(density, diameter_px)[margin:-margin, margin:-margin]
    numbers = np.arange(1, len(centres) + 1, dtype=np.int32)
    placed = PlacedParticles(particle.specimen, diameter_px, field.centres_px, field.orientations, numbers)
    return mask, instance_map(placed, mask)


def test_masks_from_map_and_poses_agree_with_the_simulators_own(
    project: list[Field], particle: Particle
) -> None:
    result = run_on_map()

    assert result.exit_code == 0, result.output
    listed = starfile.read(OUT / "labels.star")
    assert set(listed["rlnMicrographName"]) == {field.name for field in project}
    for field in project:
        row = listed[listed["rlnMicrographName"] == field.name].iloc[0]
        labels, instances = read_map(row["cryosegLabelName"]), read_map(row["cryosegInstanceName"])
        mask, truth = simulated(particle, field)
        assert labels.dtype == np.int8
        assert overlap(labels > 0, mask) > 0.97
        assert ((instances > 0) == (labels > 0)).all()
        both = (labels > 0) & mask
        assert (instances[both] == truth[both]).mean() > 0.97
        with mrcfile.open(row["cryosegLabelName"]) as mrc:
            assert mrc.voxel_size.x == pytest.approx(field.pixel_size_A)


def test_another_rule_another_mask(project: list[Field], particle: Particle) -> None:
    mask, _ = simulated(particle, project[0])
    area = {}
    for rule in ("auto", "otsu", "li", "0.3", "0.9"):
        assert run_on_map("--threshold", rule).exit_code == 0
        labels = read_map(OUT / "a_labels.mrc") > 0
        area[rule] = labels.sum()
        assert overlap(labels, mask) > 0.5
    assert area["0.3"] == area["auto"]
    assert area["0.9"] < area["auto"]


def test_objects_too_small_go_and_gaps_close(project: list[Field]) -> None:
    run_on_map("--threshold", "0.9")
    plain = read_map(OUT / "a_labels.mrc") > 0
    run_on_map("--threshold", "0.9", "--min_object", "0.2")
    large = read_map(OUT / "a_labels.mrc") > 0
    run_on_map("--threshold", "0.9", "--closing", "10")
    closed = read_map(OUT / "a_labels.mrc") > 0

    assert not (large & ~plain).any()
    assert 0 < large.sum() < plain.sum()
    assert not (plain & ~closed).any()
    assert closed.sum() > plain.sum()


def test_a_mask_leaves_out_density(project: list[Field], particle: Particle) -> None:
    run_on_map("--particle_diameter", str(particle.diameter_A))
    whole = read_map(OUT / "a_labels.mrc").sum()
    with mrcfile.new("mask.mrc") as mrc:
        ball = np.hypot.reduce(np.indices(particle.density.shape) - 40.0) < 12
        mrc.set_data(ball.astype(np.float32))
        mrc.voxel_size = particle.pixel_size_A
    run_on_map("--particle_diameter", str(particle.diameter_A), "--in_mask", "mask.mrc")

    assert 0 < read_map(OUT / "a_labels.mrc").sum() < 0.8 * whole


def test_a_missing_micrograph_is_skipped_and_finished_ones_are_kept(project: list[Field]) -> None:
    Path("mics/b.mrc").rename("b.mrc")
    first = run_on_map()
    first_list = (OUT / "labels.star").read_text()
    written = (OUT / "a_labels.mrc").stat().st_mtime_ns
    Path("b.mrc").rename("mics/b.mrc")
    second = run_on_map()

    assert first.exit_code == 0
    assert "mics/b.mrc" in first.stderr
    assert "--in_mics" in first.stderr
    assert "mics/a.mrc" in first_list
    assert "mics/b.mrc" not in first_list
    assert second.exit_code == 0
    assert "mics/b.mrc" in (OUT / "labels.star").read_text()
    assert (OUT / "a_labels.mrc").stat().st_mtime_ns == written

    run_on_map("--closing", "5")
    assert (OUT / "a_labels.mrc").stat().st_mtime_ns != written


def test_micrographs_that_moved_are_found_by_a_list_or_a_pattern(project: list[Field]) -> None:
    run_on_map()
    expected = read_map(OUT / "a_labels.mrc")
    Path("mics").rename("elsewhere")

    assert run_on_map("--in_mics", "elsewhere/*.mrc").exit_code == 0
    assert (read_map(OUT / "a_labels.mrc") == expected).all()
    assert "elsewhere/a.mrc" in (OUT / "labels.star").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--in_parts", STAR], "--in_map"),
        (["--in_coords", STAR], "--particle_diameter"),
        (["--in_parts", STAR, "--in_map", "mics/a.mrc"], "three-dimensional"),
        (["--in_parts", STAR, "--in_map", "no.mrc"], "no.mrc"),
        (["--in_parts", STAR, "--in_map", STAR], "MRC"),
        (["--in_parts", "no.star", "--in_map", "map.mrc"], "no.star"),
        (["--in_parts", STAR, "--in_map", "map.mrc", "--in_mics", "no/*.mrc"], "no/*.mrc"),
        (["--in_parts", STAR, "--in_map", "map.mrc", "--in_mask", "mics/a.mrc"], "mics/a.mrc"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_sentence(
    project: list[Field], arguments: list[str], sentence: str
) -> None:
    result = run(*arguments)

    assert result.exit_code == 1
    assert sentence in result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1


def test_discs_around_coordinates_of_one_micrograph(project: list[Field]) -> None:
    Path("picks").mkdir()
    Path("picks/a.csv").write_text("x,y\n100,60\n130,60\n-300,20\n419,299\n")

    options = ("--in_coords", "picks", "--in_mics", "mics/*.mrc", "--particle_diameter", "80")
    assert run(*options).exit_code == 0
    labels, instances = read_map(OUT / "a_labels.mrc"), read_map(OUT / "a_instances.mrc")
    assert run(*options, "--shape", "soft").exit_code == 0
    soft = read_map(OUT / "a_labels.mrc")

    assert (labels[60, 80], labels[60, 79], labels[60, 150], labels[60, 151]) == (1, 0, 1, 0)
    assert (instances[60, 114], instances[60, 116], instances[299, 419]) == (1, 2, 4)
    assert set(np.unique(instances)) == {0, 1, 2, 4}
    assert ((soft >= 0.5) == (labels > 0)).all()
    assert soft[60, 80] == pytest.approx(0.5)
    assert 0 < soft[60, 78] < 0.5 < soft[60, 82] < 1
    assert soft[60, 100] == 1
