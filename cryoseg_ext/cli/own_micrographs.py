"""Options for micrographs and labels of the user's own to train on."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cryoseg_ext.cli.common_options import diameter_option, invert_option, pixel_size_option
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.commands import Command
from cryoseg_ext.progress import write
from cryoseg_ext.words import printable

if TYPE_CHECKING:
    from cryoseg_ext.training.micrographs import LabelledMicrograph


def own_micrographs(command: Command) -> Command:
    """Add the options for micrographs, picks and masks.

    The command gets a function that reads them as `read_own`, which is None without ``--in_mics``.
    """

    @click.option(
        "--in_mics",
        multiple=True,
        metavar="STAR|CSG|DIR|PATTERN",
        help="Your own micrographs: a STAR file, CryoSPARC's exposures (.csg), a folder or '*.mrc'; "
        "repeatable. Without them, simulated ones.",
    )
    @click.option(
        "--in_coords",
        type=click.Path(path_type=Path),
        help="Picks on them: STAR, .cs, .csg, CSV or a folder.",
    )
    @click.option(
        "--in_labels",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Masks of them, in place of picks: labels.star of `cryoseg labels`.",
    )
    @diameter_option
    @pixel_size_option
    @invert_option
    @functools.wraps(command)
    def packed(
        *args: Any,
        in_mics: tuple[str, ...],
        in_coords: Path | None,
        in_labels: Path | None,
        particle_diameter: float | None,
        pixel_size: float | None,
        invert: bool,
        **kwargs: Any,
    ) -> Any:
        if not in_mics and (in_coords or in_labels):
            raise CryosegError("--in_mics is missing: give the micrographs that the labels are of")

        def read_own() -> list[LabelledMicrograph]:
            from cryoseg_ext.training.labelled import TrainingFiles, read_training_set

            files = TrainingFiles(in_mics, in_coords, in_labels, pixel_size)
            return read_training_set(files, particle_diameter, _echo_skipped, invert=invert)

        return command(*args, read_own=read_own if in_mics else None, **kwargs)

    return packed


def _echo_skipped(sentence: str) -> None:
    write(f"Skipped: {printable(sentence)}", err=True)
