from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import yaml
from cryosparc.dataset import Dataset

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import (
    Exposure,
    ImageCopy,
    read_exposure_group,
    read_results,
    write_particle_group,
)
from cryoseg_ext.formats.micrographs import read_micrographs
from cryoseg_ext.formats.particles import PickedExposure, particle_dataset
from cryoseg_ext.formats.reading import read_picks
from cryoseg_ext.picks import Picks


def _write_group(path: Path, metafiles: dict[str, str]) -> None:
    results = {
        slot: {"metafile": metafile, "num_items": 2, "type": f"exposure.{slot}"}
        for slot, metafile in metafiles.items()
    }
    group = {"description": "", "name": "exposures", "title": "Exposures", "type": "exposure"}
    path.write_text(yaml.safe_dump({"group": group, "results": results, "version": "v4.6.2"}))


@pytest.fixture
def group(tmp_path: Path) -> Path:
    """Return a group of two exposures over two files, whose rows stand in another order."""
    job = tmp_path / "project/J12"
    job.mkdir(parents=True)
    main = Dataset({"uid": [11, 22], "ctf/df1_A": [1.0, 2.0], "mscope_params/exp_group_id": [5, 6]})
    main.add_fields([("micrograph_blob/path", "O")])  # left from an earlier job: another file owns the slot
    main["micrograph_blob/path"] = "J1/stale.mrc"
    main.save(job / "J12_exposures.cs")
    passthrough = {
        "uid": [33, 22, 11],
        "micrograph_blob/path": ["J2/c.mrc", ">J2/b.mrc", "J2/a.mrc"],
        "micrograph_blob/shape": np.array([[1, 1], [40, 30], [60, 80]], np.uint32),
        "micrograph_blob/psize_A": np.array([9, 1.25, 1.5], np.float32),
        "micrograph_blob_denoised/shape": np.array([[1, 1], [20, 15], [30, 40]], np.uint32),
        "micrograph_blob_denoised/psize_A": np.array([9, 2.5, 3.0], np.float32),
        "micrograph_blob_denoised/path": ["J5/c.mrc", "J5/b.mrc", "J5/a.mrc"],
    }
    Dataset(passthrough).save(job / "J12_passthrough.cs")
    files = {"ctf": ">J12_exposures.cs", "mscope_params": ">J12_exposures.cs"}
    files |= dict.fromkeys(["micrograph_blob", "micrograph_blob_denoised"], ">J12_passthrough.cs")
    _write_group(job / "J12_exposures.csg", files)
    return job / "J12_exposures.csg"


def test_the_slots_of_a_group_are_joined_over_its_files(group: Path) -> None:
    found = read_exposure_group(group)
    assert sorted(found.exposures, key=lambda one: one[0].uid) == [
        (Exposure(11, "J2/a.mrc", (60, 80), 1.5, 5), None),
        (Exposure(22, "J2/b.mrc", (40, 30), 1.25, 6), None),
    ]
    assert found.project == group.parent.parent
    assert found.version == "v4.6.2"


def test_a_denoised_copy_is_picked_and_the_micrograph_is_named(group: Path) -> None:
    found = read_exposure_group(group, "micrograph_blob_denoised")
    assert sorted(found.exposures, key=lambda one: one[0].uid)[0] == (
        Exposure(11, "J2/a.mrc", (60, 80), 1.5, 5),
        ImageCopy(Path("J5/a.mrc"), 3.0, (30, 40)),
    )


def test_an_exported_or_linked_group_finds_the_project_folder(group: Path, tmp_path: Path) -> None:
    project = group.parent.parent
    (project / "J2").mkdir()
    for name in ("a.mrc", "b.mrc"):
        (project / "J2" / name).touch()
    link = tmp_path / "elsewhere.csg"
    link.symlink_to(group)
    assert read_exposure_group(link).project == project
    exported = project / "exports/groups/J12_exposures/J12_exposures.csg"
    exported.parent.mkdir(parents=True)
    files = dict.fromkeys(["ctf", "mscope_params"], "J12/J12_exposures.cs")
    _write_group(exported, files | {"micrograph_blob": "J12/J12_passthrough.cs"})
    assert read_exposure_group(exported).project == project


def test_a_single_cs_file_is_enough_where_it_has_the_micrographs(group: Path) -> None:
    found = read_exposure_group(group.with_name("J12_passthrough.cs"))
    assert [(one.uid, one.exp_group_id) for one, _ in found.exposures] == [(33, 0), (22, 0), (11, 0)]


def test_files_without_micrographs_are_told(group: Path) -> None:
    with pytest.raises(CryosegError, match="has no micrograph_blob_dn/path: give"):
        read_exposure_group(group, "micrograph_blob_dn")
    group.with_name("J12_passthrough.cs").unlink()
    with pytest.raises(CryosegError, match=r"J12_passthrough\.cs does not exist: copy it"):
        read_exposure_group(group)


def test_picked_particles_are_written_as_a_group_that_reads_back(tmp_path: Path) -> None:
    exposure = Exposure(11, "J2/a.mrc", (60, 80), 1.5, 5)
    picks = Picks(np.array([20.0, 40.0]), np.array([15.0, 30.0]), np.array([0.75, 0.5]))
    particles = particle_dataset([PickedExposure(exposure, picks)], 40)
    path = tmp_path / "picked_particles.csg"
    write_particle_group(path, particles, "Picked particles", "v4.6.2")
    content = yaml.safe_load(path.read_text())
    assert content["group"] == {
        "description": "",
        "name": "picked_particles",
        "title": "Picked particles",
        "type": "particle",
    }
    assert content["version"] == "v4.6.2"
    assert content["results"] == {
        slot: {"metafile": ">picked_particles.cs", "num_items": 2, "type": f"particle.{slot}"}
        for slot in ("location", "pick_stats")
    }
    assert content["created"] is not None
    assert read_results(path, ["location"]).descr() == particles.filter_prefix("location", copy=True).descr()
    found = read_picks(path)["J2/a.mrc"]
    np.testing.assert_allclose(np.stack([found.x_px, found.y_px]), [[20, 40], [15, 30]], atol=1e-4)


def test_the_size_of_an_exposure_is_that_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "J1").mkdir()
    for name in "abc":
        mrcfile.write(tmp_path / f"J1/{name}.mrc", np.zeros((20, 30), np.float32))
    columns = {
        "uid": np.arange(3, dtype=np.uint64),
        "micrograph_blob/path": np.array([f"J1/{name}.mrc" for name in "abc"], object),
        # Not known, swapped, and right.
        "micrograph_blob/shape": np.array([(0, 0), (30, 20), (20, 30)], np.uint32),
        "micrograph_blob/psize_A": np.ones(3, np.float32),
    }
    Dataset(columns).save(tmp_path / "J1/e.cs")
    listed = read_micrographs([tmp_path / "J1/e.cs"])
    assert {name: one.shape for name, one in listed.by_name.items()} == {
        "J1/a.mrc": (20, 30),
        "J1/c.mrc": (20, 30),
    }
    assert [one.exposure.shape for one in listed.micrographs if one.exposure] == [(20, 30)] * 2
    (problem,) = listed.problems.values()
    assert "b.mrc has 20 rows and 30 columns" in problem
    assert "30 and 20 in micrograph_blob/shape" in problem
