"""Every command that picks has every option of the table, and they mean the same everywhere."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.crf import FILTERS, REFERENCES, SOLVERS, CrfChoice
from cryoseg_ext.options.extraction import METHODS, ExtractionOptions
from cryoseg_ext.options.job import PRECISIONS, JobOptions
from cryoseg_ext.options.kinds import Number
from cryoseg_ext.options.settings import read_settings, write_settings
from cryoseg_ext.options.size import AUTO, ParticleSize
from cryoseg_ext.options.table import BY_NAME, OPTIONS, SETTINGS, as_arguments, job_options
from relion_wrapper.command import PICK, parse_picking
from tests.commands import ALL, RELION, given_nothing

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

REQUIRED = {
    RELION: ["--o", "External/job002/", "--in_mics", "micrographs.star"],
    "cryoseg pick": ["a.mrc", "--out", "out"],
    "cryoseg segment": ["a.mrc", "--out", "out"],
    "cryoseg select": ["a.mrc", "--out", "settings.json"],
    "cryoseg cryosparc pick": ["--project", "P1", "--workspace", "W1", "--exposures", "J1:exposures"],
}
# Nothing of its own is resumed there, and it chooses once.
LACKING = {"cryoseg select": {"in_coords", "cluster", "only_do_unfinished", "watch", "watch_until_idle"}}
NUMBERS = [option.name for option in OPTIONS if isinstance(option.kind, Number)]
commands = pytest.mark.parametrize("name", REQUIRED)


def _command(name: str) -> click.Command:
    return PICK if name == RELION else ALL[name].command


def _parse(name: str, argv: Sequence[str]) -> JobOptions:
    """Return the options that a command line leads to."""
    if name == RELION:
        return parse_picking([*REQUIRED[name], *argv]).options
    try:
        context = _command(name).make_context(name, [*REQUIRED[name], *argv], ALL[name].parent)
    except click.UsageError as error:
        raise CryosegError(error.format_message()) from None
    given = {option: context.params[option] for option in BY_NAME if option in context.params}
    settings = context.params["settings"]
    return job_options(given, read_settings(settings) if settings else None)


@commands
def test_a_command_that_picks_has_every_option(name: str) -> None:
    params = {param.name: param for param in _command(name).params if isinstance(param, click.Option)}
    assert set(BY_NAME) - set(params) == LACKING.get(name, set())
    assert "settings" in params
    for option in OPTIONS:
        if param := params.get(option.name):
            assert param.opts == [f"--{option.name}"]
            assert param.help == option.text


@commands
def test_its_help_shows_them_under_their_headings(name: str) -> None:
    text = _command(name).get_help(ALL.get(name) or given_nothing(PICK, RELION))
    for heading in {option.group for option in OPTIONS}:
        assert f"\n{heading}:\n" in text
    for option in set(BY_NAME) - LACKING.get(name, set()):
        assert f"  --{option} " in text or f"  --{option}\n" in text


def test_every_field_of_the_dataclass_has_an_option() -> None:
    fields = {option.field for option in OPTIONS}
    job = JobOptions(ParticleSize(180.0))
    parts = {name: value for name, value in vars(job).items() if is_dataclass(value)}
    expected = {f"{name}.{field}" for name, part in parts.items() for field in vars(part)}
    assert fields == expected | (vars(job).keys() - parts)


@commands
def test_hyphens_and_underscores_are_alike(name: str) -> None:
    argv = ["--particle_diameter", "100", "--no_crf", "--mask_threshold=.25", "--extraction", "gaussian_nms"]
    parsed = _parse(name, argv)
    assert parsed == JobOptions(
        ParticleSize(100.0),
        extraction=ExtractionOptions("gaussian_nms", mask_threshold=0.25),
        crf=CrfChoice("none"),
    )
    assert _parse(name, [word.replace("_", "-") for word in argv]) == parsed


@pytest.mark.parametrize("value", ["nan", "NaN", "inf", "-inf", "Infinity", "1e999"])
@commands
def test_nan_and_infinity_are_refused(name: str, value: str) -> None:
    size = ["--min_diameter", "1", "--max_diameter", "2"]
    for option in set(NUMBERS) - LACKING.get(name, set()):
        for argv in ([f"--{option}={value}"], [f"--{option}", value]):
            with pytest.raises(CryosegError, match=f"'--{option}': {value} is not "):
                _parse(name, [*size, *argv])


def test_no_number_of_any_command_may_be_nan_or_infinite() -> None:
    """A setting that is NaN compares false with everything, and nothing downstream would notice."""
    accepted = [
        f"{name} --{param.name} {value}"
        for name, context in ALL.items()
        for param in context.command.params
        if isinstance(param.type, Number | click.types.FloatParamType)
        for value in ("nan", "inf")
        if _takes(param, value, context)
    ]
    assert accepted == []


def _takes(param: click.Parameter, value: str, context: click.Context) -> bool:
    try:
        param.type.convert(value, param, context)
    except click.BadParameter:
        return False
    return True


def _write(path: Path, **settings: Any) -> list[str]:
    write_settings(path, settings, {})
    return ["--settings", str(path)]


@commands
def test_what_is_given_wins_over_a_file_of_settings(name: str, tmp_path: Path) -> None:
    file = _write(
        tmp_path / "a.json", particle_diameter=150, threshold=0.1, no_crf=True, min_distance=40, invert=True
    )
    of_file = JobOptions(
        ParticleSize(150.0), 0.1, ExtractionOptions(min_distance_A=40.0), CrfChoice("none"), invert=True
    )
    assert _parse(name, file) == of_file
    # What decides the same has another name.
    sizes = ["--min_diameter", "100", "--max_diameter", "200"]
    assert _parse(name, [*file, *sizes, "--threshold", "0"]) == JobOptions(
        ParticleSize(None, 100.0, 200.0), 0.0, of_file.extraction, of_file.crf, invert=True
    )
    solver = ["--crf_solver", "mean_field", "--crf_iterations", "0"]
    assert _parse(name, [*file, *solver]).crf == CrfChoice("mean_field", iterations=0)
    file = _write(tmp_path / "b.json", min_diameter=100, max_diameter=200, crf_solver="frank_wolfe")
    assert _parse(name, [*file, "--no_crf", "--particle_diameter", "auto"]) == JobOptions(
        ParticleSize(AUTO), crf=CrfChoice("none")
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            '{"settings": {"particle_diameter": 150, "treshold": 0.3}}',
            "treshold is no setting: those are part",
        ),
        ('{"settings": {"masks": true}}', "masks is no setting"),
        ('{"settings": {"particle_diameter": -1}}', "particle_diameter: -1 is not a positive length"),
        ('{"settings": {"threshold": NaN}}', "threshold: nan is not between 0 and 1"),
        ('{"settings": {"threshold": Infinity}}', "threshold: inf is not between 0 and 1"),
        ('{"settings": {"particle_diameter": [150]}}', "give a word or a number"),
        ('{"settings": []}', "no 'settings'"),
        ("[]", "no 'settings'"),
        ("particle_diameter: 150", "is not JSON"),
    ],
)
def test_a_file_with_something_else_in_it_is_told_in_a_sentence(
    tmp_path: Path, content: str, told: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(CryosegError, match=told) as caught:
        read_settings(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_are_what_decides_about_the_picks_of_a_model() -> None:
    assert {"particle_diameter", "threshold", "invert", "no_crf", "helical_rise"} < set(SETTINGS)
    assert not {"model", "pick_on", "masks", "j", "device"} & set(SETTINGS)


def _floats(least: float = 0.0, most: float = 1e300, *, above: bool = False) -> SearchStrategy[float]:
    return st.floats(least, most, exclude_min=above)


def _optional(values: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.none() | values


LENGTHS, COUNTS = _floats(above=True), st.integers(1, 2**40)
SIZES = (
    st.builds(ParticleSize, st.just(AUTO) | LENGTHS)
    | st.tuples(_floats(1.0, 1e3), _floats(1e3, 1e6, above=True)).map(lambda pair: ParticleSize(None, *pair))
)  # fmt: skip
EXTRACTIONS = st.builds(
    ExtractionOptions,
    method=st.sampled_from(METHODS),
    min_distance_A=_optional(LENGTHS),
    max_picks=_optional(COUNTS),
    border_A=_floats(),
    contaminant_distance_A=_floats(),
    carbon_distance_A=_floats(),
    mask_threshold=_floats(0, 1),
    erosion_A=_floats(),
    min_area=_floats(),
    max_area=_floats(),
    min_solidity=_floats(0, 1),
) | st.builds(
    ExtractionOptions,
    helical_rise_A=LENGTHS,
    helical_nr_asu=COUNTS,
    helical_tube_length_min_A=_optional(LENGTHS),
)
CRFS = st.builds(
    CrfChoice,
    _optional(st.sampled_from(SOLVERS)),
    _optional(st.sampled_from(FILTERS)),
    _optional(st.sampled_from(REFERENCES)),
    _optional(st.integers(0, 99)),
)
WORDS = st.text("abMN0.:/_ '\"$é*", min_size=1).filter(lambda word: word == word.strip())
WHERE = st.fixed_dictionaries(
    {"device": st.sampled_from(["cpu", "cuda", "cuda:1", "mps"])}
) | st.fixed_dictionaries({"gpu": st.sampled_from(["", "0", "1:2", "0,1"])})
JOBS = st.builds(
    lambda where, **fields: JobOptions(**fields, **where),
    WHERE,
    size=SIZES,
    threshold=_optional(_floats(0, 1)),
    extraction=EXTRACTIONS,
    crf=CRFS,
    invert=st.booleans(),
    model=_optional(WORDS.map(lambda word: Path(word.replace(" ", "_")))),
    architecture=_optional(WORDS),
    pixel_size_A=_optional(LENGTHS),
    pick_on=_optional(WORDS),
    masks_in=_optional(st.sampled_from([Path(), Path("/")])),
    masks=st.booleans(),
    workers=_optional(COUNTS),
    precision=st.sampled_from(PRECISIONS),
    cluster=_optional(WORDS),
    only_do_unfinished=st.booleans(),
    watch=st.booleans(),
    watch_until_idle_min=_optional(LENGTHS),
)


@given(JOBS, st.sampled_from([name for name in REQUIRED if name not in LACKING]))
def test_options_written_as_arguments_read_back(options: JobOptions, name: str) -> None:
    assert _parse(name, shlex.split(as_arguments(options))) == options


def test_options_at_their_defaults_are_not_written() -> None:
    assert as_arguments(JobOptions(ParticleSize(180.0))) == "--particle_diameter 180"
    options = JobOptions(ParticleSize(AUTO), 0.25, crf=CrfChoice("none", iterations=3), gpu="")
    assert as_arguments(options) == (
        "--particle_diameter auto --threshold 0.25 --no_crf --crf_iterations 3 --gpu"
    )
