from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.crf import CrfChoice
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize
from relion_wrapper.command import PickingArguments, output_directory, parse_picking

# As RELION's pipeline_jobs.cpp builds it, with an empty value behind a label and a flag of RELION itself.
RELION_OPTIONS = [
    ("--o", "External/job002/"),
    ("--in_mics", "CtfFind/job003/micrographs_ctf.star"),
    ("--in_3Dref", "ref.mrc"),
    ("--in_movies", "movies.star"),
    ("--particle_diameter", "180"),
    ("--threshold",),
    ("--model", ""),
    ("--gpu",),
    ("--min_distance", "90.5"),
    ("--j", "4"),
    ("--pipeline_control", "External/job002/"),
]
REQUIRED = ["--o", "o", "--in_mics", "m.star", "--particle_diameter", "180"]


def test_the_options_of_extraction_are_read() -> None:
    options = ["--extraction", "watershed", "--max_picks", "300", "--carbon_distance", "0", "--mask_erosion"]
    assert parse_picking([*REQUIRED, *options]).options.extraction == ExtractionOptions(
        method="watershed", max_picks=300, carbon_distance_A=0.0
    )


@given(st.permutations(RELION_OPTIONS))
def test_options_come_in_any_order_and_bare(options: list[tuple[str, ...]]) -> None:
    argv = [word for option in options for word in option]
    assert output_directory(argv) == Path("External/job002")
    assert parse_picking(argv) == PickingArguments(
        Path("CtfFind/job003/micrographs_ctf.star"),
        JobOptions(ParticleSize(180.0), extraction=ExtractionOptions(min_distance_A=90.5), workers=4, gpu=""),
        (
            "--in_movies movies.star is not used by this job",
            "--in_3dref ref.mrc is not used by this job",
        ),
    )


def test_unknown_options_and_bare_flags_pass_with_a_warning() -> None:
    arguments = parse_picking([*REQUIRED, "--shrink", "0", "--bare", "--thresh", "0.5"])
    assert arguments.options.threshold is None
    (warning,) = arguments.warnings
    assert "--shrink 0 --bare --thresh 0.5" in warning


@pytest.mark.parametrize(
    ("value", "on"), [((), True), (("Yes",), True), (("No",), False), (("false",), False)]
)
def test_a_switch_takes_yes_and_no_as_relion_writes_them(value: tuple[str, ...], on: bool) -> None:
    names = ("only_do_unfinished", "no_crf", "invert", "masks")
    options = parse_picking([*REQUIRED, *(word for name in names for word in (f"--{name}", *value))]).options
    assert (options.only_do_unfinished, options.invert, options.masks) == (on, on, on)
    assert options.crf == CrfChoice("none" if on else None)


def test_a_switch_that_is_given_as_no_wins_over_the_file_of_settings(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"settings": {"no_crf": True, "invert": True, "threshold": 0.2}}))
    argv = [*REQUIRED, "--settings", str(file), "--no_crf", "No"]
    assert parse_picking(argv).options == JobOptions(ParticleSize(180.0), 0.2, invert=True)
    solver = ["--crf_solver", "mean_field"]
    assert parse_picking([*argv, *solver, "--invert", "No"]).options == JobOptions(
        ParticleSize(180.0), 0.2, crf=CrfChoice("mean_field")
    )


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--o", "o", "--particle_diameter", "180"], "--in_mics"),
        (["--o", "o", "--in_mics", "m.star", "--particle_diameter"], "--particle_diameter"),
        ([*REQUIRED, "--particle_diameter", "-3"], "'--particle_diameter': -3 is not a positive length"),
        ([*REQUIRED, "--particle_diameter", "nan"], "nan"),
        ([*REQUIRED, "--threshold", "1.5"], "1.5 is not between 0 and 1"),
        ([*REQUIRED, "--threshold", "high"], "high is not a number"),
        ([*REQUIRED, "--j", "0"], "'--j': 0"),
        ([*REQUIRED, "--j", "1.5"], "'--j': 1.5"),
        ([*REQUIRED, "--gpu", "first"], "first"),
        ([*REQUIRED, "--gpu", "0", "--device", "cuda"], "--device and --gpu decide the same"),
        ([*REQUIRED, "--no_crf", "maybe"], "maybe is neither Yes nor No"),
        ([*REQUIRED, "--no_crf", "--crf_solver", "mean_field"], "--no_crf and --crf_solver decide the same"),
        ([*REQUIRED, "--extraction", "magic"], "'--extraction': magic is not known: give one of centre, con"),
        ([*REQUIRED, "--max_picks", "0"], "'--max_picks': 0"),
        ([*REQUIRED, "--border_distance", "-1"], "'--border_distance': -1"),
        ([*REQUIRED, "--contaminant_distance", "inf"], "'--contaminant_distance': inf"),
        ([*REQUIRED, "--helical_rise", "4.75", "--extraction", "contours"], "leave out --extraction"),
        ([*REQUIRED, "--masks_in", "nowhere"], "nowhere is no folder"),
        ([*REQUIRED, "--settings", "nothing.json"], "nothing.json cannot be read"),
    ],
)
def test_a_wrong_argument_is_told_in_one_sentence(argv: list[str], told: str) -> None:
    with pytest.raises(CryosegError) as caught:
        parse_picking(argv)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "folder", [["--o", "External/job002/"], ["--o=External/job002"], ["--out", "External/job002"]]
)
def test_the_job_folder_is_read_from_a_command_line_that_is_wrong_otherwise(folder: list[str]) -> None:
    assert output_directory(["--particle_diameter", "?", "--what", *folder]) == Path("External/job002")


@pytest.mark.parametrize("argv", [["--in_mics", "m.star"], ["--o", "--in_mics", "m.star"], ["--o", ""]])
def test_without_a_job_folder_there_is_no_job(argv: list[str]) -> None:
    with pytest.raises(CryosegError, match="--o is missing"):
        output_directory(argv)
