"""Options that mean the same in several commands; those of the table are made from it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.commands import Command, table_option
from cryoseg_ext.options.kinds import LENGTH

out_option = click.option(
    "--out",
    "--o",
    "out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to write to.",
)
diameter_option = click.option(
    "--particle_diameter", type=LENGTH, metavar="Å", help="Longest extent of the particle."
)
pixel_size_option = table_option("pixel_size")
invert_option = table_option("invert")
threads_option = table_option("j", "threads")
device_option = table_option("device")
workers_option = click.option("--workers", default=1, help="Processes that prepare fields beside it.")


_IMAGE_SLOT = "micrograph_blob"


def micrograph_words(sources: Sequence[str], image_slot: str) -> list[str]:
    """Return what a user of `micrograph_inputs` writes to name these micrographs."""
    return [*sources, *(() if image_slot == _IMAGE_SLOT else ("--image_slot", image_slot))]


def micrograph_inputs(command: Command) -> Command:
    """Add MICROGRAPHS, ``--in_mics``, which means the same, and ``--image_slot``.

    The command gets them as `sources` and `image_slot`.
    """

    @click.argument("micrographs", nargs=-1)
    @click.option(
        "--in_mics",
        multiple=True,
        metavar="STAR|CSG|DIR|PATTERN",
        help="The same as MICROGRAPHS; repeatable.",
    )
    @click.option(
        "--image_slot",
        default=_IMAGE_SLOT,
        metavar="SLOT",
        help="CryoSPARC only: the image of each exposure to pick, such as micrograph_blob_denoised.",
    )
    @functools.wraps(command)
    def packed(*args: Any, micrographs: tuple[str, ...], in_mics: tuple[str, ...], **kwargs: Any) -> Any:
        if not (sources := (*micrographs, *in_mics)):
            raise CryosegError(
                "no micrographs are given: name files, patterns, a folder or a list as MICROGRAPHS"
            )
        return command(*args, sources=sources, **kwargs)

    return packed
