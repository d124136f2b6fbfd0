"""The command line as RELION and ccpem-pipeliner write it.

argparse, not click: a RELION parameter without a value arrives as a bare ``--label``, in any place, and
unknown options must pass with a warning; argparse has both.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from cryoseg_ext.cli.extraction_options import EXTRACTION_OPTIONS
from cryoseg_ext.cli.settings_option import read_settings
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.crf import FILTERS, REFERENCES, SOLVERS, CrfChoice
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.size import AUTO, StatedSize, stated_size

UNUSED_INPUTS = ("in_movies", "in_coords", "in_parts", "in_3dref", "in_mask")
Word = TypeVar("Word", bound=str)
_ON = ("", "yes", "true", "1")
_OFF = ("no", "false", "0")


@dataclass(frozen=True)
class JobArguments:
    """What the user asked for.

    Parameters
    ----------
    in_mics : Path
        The micrographs STAR file.
    size : StatedSize
        The size of the particles.
    threshold : float | None
        The lowest figure of merit in the coordinate files; None is the model's calibrated default.
    extraction : ExtractionOptions
        How picks are made of the network's maps.
    crf : CrfChoice
        What to change of the model's own CRF.
    use_crf : bool
        Whether the CRF refines the segmentation.
    invert : bool
        Whether protein is bright.
    model : Path | None
        A model file; None is the default model.
    architecture : str | None
        The user's own network class that the model was trained with.
    threads : int
        Processor threads.
    gpu : str | None
        None is the processor, "" any GPU, "0" or "0:1" the ids of GPUs.
    only_do_unfinished : bool
        Keep every finished micrograph, even one picked with other settings.
    warnings : tuple[str, ...]
        Sentences about arguments that have no effect.
    """

    in_mics: Path
    size: StatedSize
    threshold: float | None = None
    extraction: ExtractionOptions = ExtractionOptions()
    crf: CrfChoice = CrfChoice()
    use_crf: bool = True
    invert: bool = False
    model: Path | None = None
    architecture: str | None = None
    threads: int = 1
    gpu: str | None = None
    only_do_unfinished: bool = False
    warnings: tuple[str, ...] = ()


def parse_arguments(argv: Sequence[str]) -> JobArguments:
    """Read the command line.

    Raises
    ------
    CryosegError
        If a required option is missing or a value is not what the option takes.
    """
    known, unknown = _parser().parse_known_args(argv)
    given: dict[str, str | None] = vars(known)
    if given["settings"]:
        _fill_in(given, Path(given["settings"]))
    if not given["in_mics"]:
        raise CryosegError(
            "--in_mics is missing: choose the micrographs STAR file as 'Input micrographs' of the job"
        )
    return JobArguments(
        in_mics=Path(given["in_mics"]),
        size=_size(given),
        threshold=_fraction("threshold", given["threshold"]) if given["threshold"] else None,
        extraction=_extraction(given),
        crf=CrfChoice(
            _word("crf_solver", given["crf_solver"], SOLVERS),
            _word("crf_filter", given["crf_filter"], FILTERS),
            _word("crf_reference", given["crf_reference"], REFERENCES),
            _count("crf_iterations", given["crf_iterations"]),
        ),
        use_crf=not yes_or_no("no_crf", given["no_crf"]),
        invert=yes_or_no("invert", given["invert"]),
        model=Path(given["model"]) if given["model"] else None,
        architecture=given["architecture"] or None,
        threads=thread_count(given["j"]) if given["j"] else 1,
        gpu=gpu_ids(given["gpu"]),
        only_do_unfinished=yes_or_no("only_do_unfinished", given["only_do_unfinished"]),
        warnings=tuple(_warnings(given, unknown)),
    )


def _fill_in(given: dict[str, str | None], path: Path) -> None:
    """Take from a file of settings what the command line leaves open."""
    settings = read_settings(path)
    if given["crf_solver"]:
        settings.pop("no_crf", None)
    if given["min_diameter"] or given["max_diameter"]:
        settings.pop("particle_diameter", None)
    for name, value in settings.items():
        if given[name] is None:
            given[name] = str(value)


def output_directory(argv: Sequence[str]) -> Path:
    """Return the job folder, ``--o``, from a command line that need not be right otherwise.

    Raises
    ------
    CryosegError
        If there is none.
    """
    given: str | None = _parser().parse_known_args(argv)[0].o
    if not given:
        raise CryosegError("--o is missing: give the folder of the job, such as --o External/job002/")
    return Path(given)


def help_text() -> str:
    """Return what ``--help`` prints."""
    return _parser().format_help()


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Wide, with line breaks as written."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=110)


def _parser() -> argparse.ArgumentParser:
    # Every option may come bare, so every one has an optional value, read as text; the sentence about a
    # wrong value is ours.
    parser = argparse.ArgumentParser(
        prog="cryoseg-relion",
        usage=argparse.SUPPRESS,
        description="Usage: cryoseg-relion --o External/job002/ --in_mics micrographs.star "
        "--particle_diameter 180 [OPTIONS]\n\n"
        "Picks particles on micrographs, as a RELION External job; run it in the RELION project folder.",
        formatter_class=HelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )

    def add(group: argparse._ArgumentGroup, *names: str, metavar: str, text: str) -> None:
        group.add_argument(*names, nargs="?", const="", metavar=metavar, help=text)

    main = parser.add_argument_group("Required")
    add(main, "--o", metavar="DIR", text="folder of the job")
    add(main, "--in_mics", metavar="STAR", text="micrographs of an Import, MotionCorr, CtfFind or Select job")
    add(main, "--particle_diameter", metavar="Å", text="longest extent of the particle, or auto: estimate it")
    add(
        main,
        "--min_diameter",
        metavar="Å",
        text="in its place, for a mixture of sizes: the smallest particle,",
    )
    add(main, "--max_diameter", metavar="Å", text="and the largest one")
    picks = parser.add_argument_group("Picks")
    add(picks, "--threshold", metavar="P", text="lowest figure of merit, 0 to 1 (default: the model's own)")
    add(picks, "--settings", metavar="FILE", text="of `cryoseg select`; options given here win over it")
    add(picks, "--invert", metavar="Yes/No", text="protein is bright on these micrographs (default: dark)")
    add(picks, "--model", metavar="FILE", text="model to pick with (default: the one in the package)")
    add(picks, "--architecture", metavar="CLASS", text="your own network class, module:Class, of that model")
    extraction = parser.add_argument_group("Extraction (defaults in brackets)")
    for option in EXTRACTION_OPTIONS:
        add(extraction, option.flag, metavar=option.metavar, text=option.help)
    crf = parser.add_argument_group("Conditional random field (default: what the model was trained with)")
    add(crf, "--no_crf", metavar="Yes/No", text="leave it out")
    add(crf, "--crf_solver", metavar="NAME", text=", ".join(SOLVERS))
    add(crf, "--crf_filter", metavar="NAME", text=", ".join(FILTERS))
    add(crf, "--crf_reference", metavar="NAME", text=", ".join(REFERENCES))
    add(crf, "--crf_iterations", metavar="N", text="iterations of the solver")
    work = parser.add_argument_group("Computation")
    add(work, "--j", metavar="N", text="processor threads (default: 1)")
    add(work, "--gpu", metavar="ID", text="use a GPU, any or the one with this number")
    add(
        work,
        "--only_do_unfinished",
        metavar="Yes/No",
        text="keep finished micrographs even where a setting has changed since (default: pick those again)",
    )
    other = parser.add_argument_group("Accepted because RELION may give them; not used")
    for name in (*UNUSED_INPUTS, "pipeline_control"):
        names = [f"--{name}", "--in_3Dref"] if name == "in_3dref" else [f"--{name}"]
        add(other, *names, metavar="X", text="")
    return parser


def _warnings(given: dict[str, str | None], unknown: Sequence[str]) -> list[str]:
    warnings = [f"--{name} {given[name]} is not used by this job" for name in UNUSED_INPUTS if given[name]]
    if unknown:
        warnings.append(f"not known and not used: {' '.join(unknown)} (see cryoseg-relion --help)")
    return warnings


def positive_length(name: str, text: str) -> float:
    """Read a length in Å."""
    value = _number(name, text)
    if not 0 < value < math.inf:
        raise CryosegError(f"--{name} {text} is not a positive length: give it in Å")
    return value


def _size(given: dict[str, str | None]) -> StatedSize:
    def length(name: str) -> float | None:
        text = given[name]
        return positive_length(name, text) if text else None

    diameter = AUTO if given["particle_diameter"] == AUTO else length("particle_diameter")
    return stated_size(diameter, length("min_diameter"), length("max_diameter"))


def _fraction(name: str, text: str) -> float:
    value = _number(name, text)
    if not 0 <= value <= 1:
        raise CryosegError(f"--{name} {text} is not between 0 and 1: give the lowest figure of merit to keep")
    return value


def _extraction(given: dict[str, str | None]) -> ExtractionOptions:
    chosen: dict[str, Any] = {}
    for option in EXTRACTION_OPTIONS:
        if text := given[option.name]:
            try:
                chosen[option.field] = option.type.convert(text, None, None)
            except click.BadParameter as error:
                raise CryosegError(f"{option.flag}: {error.message}") from None
    return ExtractionOptions(**chosen)


def _word(name: str, text: str | None, known: Sequence[Word]) -> Word | None:
    chosen = next((word for word in known if word == text), None)
    if text and chosen is None:
        raise CryosegError(f"--{name} {text} is not known: give one of {', '.join(known)}")
    return chosen


def _count(name: str, text: str | None) -> int | None:
    if text and not text.isdecimal():
        raise CryosegError(f"--{name} {text} is not a whole number: give 0 or more")
    return int(text) if text else None


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise CryosegError(f"--{name} {text} is not a number: give one such as --{name} 0.5 or 180") from None


def thread_count(text: str) -> int:
    """Read ``--j``."""
    if not text.isdecimal() or int(text) < 1:
        raise CryosegError(f"--j {text} is not a number of threads: give 1 or more")
    return int(text)


def yes_or_no(name: str, text: str | None) -> bool:
    """Read a flag: bare, Yes or No as RELION's GUI gives it, or absent (None)."""
    if text is None or text.lower() in _OFF:
        return False
    if text.lower() in _ON:
        return True
    raise CryosegError(f"--{name} {text} is neither Yes nor No: give one of them, or nothing for Yes")


def gpu_ids(text: str | None) -> str | None:
    """Read ``--gpu``."""
    if text and not re.fullmatch(r"\d+([,:]\d+)*", text):
        raise CryosegError(f"--gpu {text} is not the number of a GPU: give one such as 0, or nothing for any")
    return text
