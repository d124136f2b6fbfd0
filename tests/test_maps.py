"""From a simulated session to a map's resolution, through the real RELION; `benchmarks/maps.py` does many."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import gemmi
import numpy as np
import pandas as pd
import pytest
import starfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from cryoseg_ext.files import write_mrc
from cryoseg_ext.simulation.session_files import density_map
from cryoseg_ext.simulation.specimens import Specimen, draw_specimen
from tests.benchmark import run_benchmark

if TYPE_CHECKING:
    from pathlib import Path

# It has no release for Python 3.10.
FSC = pytest.importorskip("torch_fourier_shell_correlation")
MAPS, TRUTH = run_benchmark("maps.py"), run_benchmark("maps_truth.py")
SCORES, RELION = run_benchmark("maps_scores.py"), run_benchmark("maps_relion.py")


@pytest.mark.relion
@pytest.mark.timeout(900)
def test_a_cell_ends_in_maps_that_resemble_the_true_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, work = tmp_path / "molecule.mrc", tmp_path / "work"
    write_mrc(model, density_map(draw_specimen(np.random.default_rng(3), "ellipsoid"), 100.0, 3.0), 3.0)
    structure = MAPS["Structure"]("5gjv", "C1", 45, "stands for any")
    cell = MAPS["Cell"](structure, 1, model, work / "5gjv" / "seed1", field_px=384)
    runs = [MAPS["Run"](cell, "truth", "all"), MAPS["Run"](cell, "cryoseg", "2d")]
    for run in runs:
        MAPS["do"](run, None)
    truth, ours = (json.loads(run.result.read_text()) for run in runs)
    listed = starfile.read(cell.folder / "micrographs.star", always_dict=True)["micrographs"]
    assert list(listed["rlnMicrographName"]) == list(cell.records)
    assert len(listed) == 2
    assert truth["precision"] == truth["recall"] == 1
    # The picks are rounded to pixels of 2 Å.
    assert truth["off_A"] <= np.sqrt(2)
    assert ours["precision"] > 0.5
    assert 0 < ours["particles"] <= truth["particles"] + 5
    assert max(truth["truth_05_A"], ours["truth_05_A"]) < 50

    refined = cell.folder / "Refine" / "truth" / "run_half1_class001_unfil.mrc"
    written = refined.stat().st_mtime_ns
    MAPS["do"](runs[0], None)
    assert refined.stat().st_mtime_ns == written

    MAPS["write_report"](work, tmp_path / "out", topaz_given=False)
    said = capsys.readouterr().out
    assert "Topaz was not given" in said
    assert "cryoseg_2d" in said
    assert [one["run"] for one in json.loads((tmp_path / "out" / "maps.json").read_text())] == [
        "cryoseg_2d",
        "truth",
    ]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "maps.json",
        "maps.svg",
        "maps_slices.png",
    }


def test_a_curve_falls_below_a_level_between_two_shells() -> None:
    assert SCORES["first_below"](torch.tensor([1.0, 1.0, 0.75, 0.25, 0.6]), 0.5) == 2.5
    assert SCORES["first_below"](torch.ones(9), 0.5) == 8


def test_a_virus_of_the_other_hand_is_mirrored_and_others_are_not() -> None:
    truth = torch.randn(16, 16, 16, generator=torch.Generator().manual_seed(5))
    # Nothing lies beyond the mirror image of the box.
    truth[0] = 0
    other, all_of_it = SCORES["mirrored"](truth), torch.ones(16, 16, 16)
    assert torch.equal(other[8], truth[8])
    assert torch.equal(SCORES["in_the_hand_of"](truth, other, all_of_it, "I1"), truth)
    assert torch.equal(SCORES["in_the_hand_of"](truth, truth, all_of_it, "I1"), truth)
    assert torch.equal(SCORES["in_the_hand_of"](truth, other, all_of_it, "C6"), other)


def test_phases_are_random_from_a_shell_on_and_kept_below_it() -> None:
    density = torch.randn(32, 32, 32, generator=torch.Generator().manual_seed(4))
    curve = FSC.fourier_shell_correlation(SCORES["randomised"](density, 8), density)
    assert_allclose(curve[:7], 1, atol=1e-3)
    assert curve[9:].abs().max() < 0.2


def test_classes_are_kept_by_their_share_and_resolution_alone() -> None:
    classes = pd.DataFrame(
        {"rlnClassDistribution": [0.5, 0.3, 0.15, 0.05], "rlnEstimatedResolution": [12.0, 19.0, 17.0, 9.0]}
    )
    assert RELION["good_classes"](classes).tolist() == [True, False, True, False]


@given(st.integers(0, 2**32 - 1))
def test_a_ring_is_laid_into_the_plane_and_keeps_its_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    angles = np.deg2rad(np.arange(0, 360, 60))
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(6)], axis=1)
    turned = Rotation.random(rng=rng).apply(ring)
    frame = TRUTH["long_axis_frame"](Specimen(turned, np.ones(6), 0.02, "ring"))
    assert_allclose(frame.apply(turned)[:, 2], 0, atol=1e-9)
    assert_allclose(np.linalg.det(frame.as_matrix()), 1)


@pytest.mark.parametrize("seed", range(4))
def test_a_virus_is_laid_into_the_frame_of_relion(tmp_path: Path, seed: int) -> None:
    own = Rotation.random(rng=np.random.default_rng(seed))
    group = own * Rotation.create_group("I") * own.inv()
    path = tmp_path / "virus.cif"
    write_assembly(path, group)
    frame = TRUTH["symmetry_frame"](path, Specimen(np.zeros((1, 3)), np.ones(1), 0.02, "virus"), "I1")
    turned = (frame * group * frame.inv()).as_matrix()
    five_fold = TRUTH["_FIVE_FOLD_I1"]
    assert np.abs(turned - five_fold).max(axis=(1, 2)).min() < 1e-2
    assert_allclose(np.linalg.det(frame.as_matrix()), 1)


def write_assembly(path: Path, group: Rotation) -> None:
    """Write a model of one atom, whose assembly is made by the rotations of a group."""
    structure = gemmi.read_pdb_string(
        "ATOM      1  CA  ALA A   1      30.000  10.000   0.000  1.00 10.00           C\n"
    )
    structure.setup_entities()
    generator = gemmi.Assembly.Gen()
    generator.chains = ["A"]
    for matrix in group.as_matrix():
        operator = gemmi.Assembly.Operator()
        operator.transform = gemmi.Transform(gemmi.Mat33(matrix.tolist()), gemmi.Vec3(0, 0, 0))
        generator.operators.append(operator)
    assembly = gemmi.Assembly("1")
    assembly.generators.append(generator)
    structure.assemblies.append(assembly)
    structure.make_mmcif_document().write_file(str(path))
