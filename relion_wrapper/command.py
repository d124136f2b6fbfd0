"""The command lines as RELION and ccpem-pipeliner write them, made from the table of options.

A RELION parameter without a value arrives as a bare ``--label``, in any place, with an empty value behind it
or none; and RELION gives options of its own, so what is not known must pass with a warning.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.commands import (
    CONTEXT,
    SETTINGS_OPTION,
    GroupedCommand,
    click_option,
    optional_value,
    version_option,
)
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.kinds import TEXT, File
from cryoseg_ext.options.settings import read_settings
from cryoseg_ext.options.table import BY_NAME, OPTIONS, job_options
from relion_wrapper.job import FAILURE_CODE, RelionJob, relion_job

_UNUSED = ("in_movies", "in_coords", "in_parts", "in_3dref", "in_mask", "pipeline_control")
_NEGATIVE, _TIED_NEGATIVE = re.compile(r"-(?!-)"), re.compile(r"(--[\w-]+=)-")
FOLDER = click.Option(["--o", "--out"], type=File("DIR"), help="folder of the job")
MICROGRAPHS = click.Option(
    ["--in_mics"], type=File("STAR"), help="micrographs of an Import, MotionCorr, CtfFind or Select job"
)


@dataclass(frozen=True)
class PickingArguments:
    """A command line for a picking job.

    Parameters
    ----------
    in_mics : Path
        The micrographs STAR file.
    options : JobOptions
        What the user decided.
    warnings : tuple of str
        Sentences about arguments that have no effect.
    """

    in_mics: Path
    options: JobOptions
    warnings: tuple[str, ...] = ()


def relion_command(
    name: str, about: str, options: Sequence[click.Option], used: Sequence[str] = ()
) -> click.Command:
    """Return a command whose options come as RELION writes them.

    Parameters
    ----------
    name : str
        Of the program.
    about : str
        What ``--help`` says first.
    options : Sequence of click.Option
        Its own options, whose types are `cryoseg_ext.options.kinds.Kind`.
    used : Sequence of str
        Those of RELION's inputs that `options` has, and that are not accepted unused.
    """
    unused = [
        click.Option([f"--{one}", *(["--in_3Dref"] if one == "in_3dref" else [])], type=TEXT, hidden=True)
        for one in _UNUSED
        if one not in used
    ]
    more = {"ignore_unknown_options": True, "allow_extra_args": True}
    return GroupedCommand(
        name,
        params=[*map(optional_value, (*options, *unused)), version_option()],
        help=about,
        context_settings=CONTEXT | more,
        options_metavar="--o External/job002/ --in_mics micrographs.star --particle_diameter 180 [OPTIONS]",
    )


PICK = relion_command(
    "cryoseg-relion",
    "Pick particles on micrographs, as a RELION External job; run it in the RELION project folder.\n\n"
    "RELION's other inputs (--in_movies, --in_parts, ...) are accepted and not used.",
    [FOLDER, MICROGRAPHS, *map(click_option, OPTIONS), SETTINGS_OPTION],
    used=("in_coords",),
)


def parse(command: click.Command, argv: Sequence[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read a command line.

    Parameters
    ----------
    command : click.Command
        From `relion_command`.
    argv : Sequence of str
        The arguments without the program's name.

    Returns
    -------
    given : dict
        The checked values by name, None where nothing is given.
    warnings : tuple of str
        Sentences about arguments that have no effect.

    Raises
    ------
    CryosegError
        If a value is not what its option takes.
    """
    try:
        context = command.make_context(str(command.name), _joined(argv))
    except click.ClickException as error:
        raise CryosegError(error.format_message()) from None
    given = dict(context.params)
    hidden = [str(one.name) for one in command.params if isinstance(one, click.Option) and one.hidden]
    warnings = [
        f"--{name} {given[name]} is not used by this job"
        for name in hidden
        if given[name] and name != "pipeline_control"
    ]
    if context.args:
        warnings.append(f"not known and not used: {' '.join(context.args)} (see {command.name} --help)")
    return given, tuple(warnings)


def parse_picking(argv: Sequence[str]) -> PickingArguments:
    """Read the command line of a picking job.

    Raises
    ------
    CryosegError
        If a required option is missing or a value is not what its option takes.
    """
    given, warnings = parse(PICK, argv)
    if not given["in_mics"]:
        raise CryosegError(
            "--in_mics is missing: choose the micrographs STAR file as 'Input micrographs' of the job"
        )
    settings = read_settings(given["settings"]) if given["settings"] else None
    options = job_options({name: given[name] for name in BY_NAME}, settings)
    return PickingArguments(given["in_mics"], options, warnings)


def main_of(
    command: click.Command, body: Callable[[Sequence[str], RelionJob], None], argv: Sequence[str] | None
) -> None:
    """Run a command as a RELION job, or print its help.

    Parameters
    ----------
    command : click.Command
        From `relion_command`.
    body : callable
        Gets the arguments and the running job.
    argv : Sequence of str, optional
        The arguments without the program's name; those of the process when not given.

    Raises
    ------
    SystemExit
        With RELION's exit code, when the job did not succeed.
    """
    argv = sys.argv[1:] if argv is None else argv
    if not argv or {"--help", "-h", "--version"}.intersection(argv):
        command.main(list(argv) or ["--help"], str(command.name))
    try:
        directory = output_directory(argv)
    except CryosegError as error:
        sys.stderr.write(f"{command.name}: {error}\n")
        raise SystemExit(FAILURE_CODE) from None
    with relion_job(directory) as job:
        body(argv, job)


def output_directory(argv: Sequence[str]) -> Path:
    """Return the job folder, ``--o``, from a command line that need not be right otherwise.

    Raises
    ------
    CryosegError
        If there is none.
    """
    words = [word for argument in argv for word in argument.split("=", 1)]
    names = FOLDER.opts
    for name, value in pairwise(words):
        if name in names and not value.startswith("--") and value:
            return Path(value)
    raise CryosegError("--o is missing: give the folder of the job, such as --o External/job002/")


def _joined(argv: Sequence[str]) -> list[str]:
    """Return the arguments with negative numbers tied to their options.

    The space keeps click from taking them for options.
    """
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1].startswith("--") and _NEGATIVE.match(word):
            joined[-1] += f"= {word}"
        else:
            joined.append(
                f"{tied[1]} {word[tied.end(1) :]}" if (tied := _TIED_NEGATIVE.match(word)) else word
            )
    return joined
