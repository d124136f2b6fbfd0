from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.size import StatedSize
from relion_wrapper.arguments import JobArguments, output_directory, parse_arguments

# As RELION's pipeline_jobs.cpp builds it, with an empty value behind a label and a flag of RELION itself.
RELION_OPTIONS = [
    ("--o", "External/job002/"),
    ("--in_mics", "CtfFind/job003/micrographs_ctf.star"),
    ("--in_3Dref", "ref.mrc"),
    ("--particle_diameter", "180"),
    ("--threshold",),
    ("--gpu",),
    ("--min_distance", "90.5"),
    ("--j", "4"),
    ("--pipeline_control", "External/job002/"),
]
REQUIRED = ["--o", "o", "--in_mics", "m.star", "--particle_diameter", "180"]


def test_the_options_of_extraction_are_read() -> None:
    options = ["--extraction", "watershed", "--max_picks", "300", "--carbon_distance", "0", "--mask_erosion"]
    assert parse_arguments([*REQUIRED, *options]).extraction == ExtractionOptions(
        method="watershed", max_picks=300, carbon_distance_A=0.0
    )


@given(st.permutations(RELION_OPTIONS))
def test_options_come_in_any_order_and_bare(options: list[tuple[str, ...]]) -> None:
    argv = [word for option in options for word in option]
    assert output_directory(argv) == Path("External/job002")
    assert parse_arguments(argv) == JobArguments(
        in_mics=Path("CtfFind/job003/micrographs_ctf.star"),
        size=StatedSize(180.0),
        extraction=ExtractionOptions(min_distance_A=90.5),
        threads=4,
        gpu="",
        warnings=("--in_3dref ref.mrc is not used by this job",),
    )


def test_unknown_options_and_bare_flags_pass_with_a_warning() -> None:
    arguments = parse_arguments([*REQUIRED, "--shrink", "0", "--bare", "--thresh", "0.5"])
    assert arguments.threshold is None
    (warning,) = arguments.warnings
    assert "--shrink 0 --bare --thresh 0.5" in warning


@pytest.mark.parametrize(
    ("value", "on"), [((), True), (("Yes",), True), (("No",), False), (("false",), False)]
)
def test_a_switch_takes_yes_and_no_as_relion_writes_them(value: tuple[str, ...], on: bool) -> None:
    switches = (word for name in ("only_do_unfinished", "no_crf", "invert") for word in (f"--{name}", *value))
    arguments = parse_arguments([*REQUIRED, *switches])
    assert arguments.only_do_unfinished == on
    assert arguments.use_crf != on
    assert arguments.invert == on


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--o", "o", "--particle_diameter", "180"], "--in_mics"),
        (["--o", "o", "--in_mics", "m.star", "--particle_diameter"], "--particle_diameter"),
        ([*REQUIRED, "--particle_diameter", "-3"], "-3"),
        ([*REQUIRED, "--particle_diameter", "nan"], "nan"),
        ([*REQUIRED, "--threshold", "1.5"], "1.5"),
        ([*REQUIRED, "--threshold", "high"], "high"),
        ([*REQUIRED, "--j", "0"], "--j 0"),
        ([*REQUIRED, "--gpu", "first"], "first"),
        ([*REQUIRED, "--no_crf", "maybe"], "maybe"),
        ([*REQUIRED, "--extraction", "magic"], "--extraction: 'magic' is not one of 'centre', 'contours'"),
        ([*REQUIRED, "--max_picks", "0"], "--max_picks: 0"),
        ([*REQUIRED, "--border_distance", "-1"], "--border_distance: -1"),
        ([*REQUIRED, "--contaminant_distance", "inf"], "contaminant_distance_A is inf"),
        ([*REQUIRED, "--helical_rise", "4.75", "--extraction", "contours"], "leave out --extraction"),
    ],
)
def test_a_wrong_argument_is_told_in_one_sentence(argv: list[str], told: str) -> None:
    with pytest.raises(CryosegError) as caught:
        parse_arguments(argv)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_job_folder_is_read_from_a_command_line_that_is_wrong_otherwise() -> None:
    assert output_directory(["--particle_diameter", "?", "--what", "--o", "External/job002/"]) == Path(
        "External/job002"
    )
    with pytest.raises(CryosegError, match="--o is missing"):
        output_directory(["--in_mics", "m.star"])
