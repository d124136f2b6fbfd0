"""What was decided by hand, in a job: read, and the commands that use more of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from cryoseg_ext.formats.edits import Edits, UnmatchedError, read_edits
from cryoseg_ext.options.table import as_arguments
from cryoseg_ext.words import counted

if TYPE_CHECKING:
    from cryoseg_ext.formats.micrographs import MicrographList
    from cryoseg_ext.job.host import Host
    from cryoseg_ext.options.job import JobOptions
    from cryoseg_ext.options.picking import PickingOptions


def given_edits(
    options: JobOptions, listed: MicrographList, host: Host, warn: Callable[[str], None]
) -> Edits:
    """Return what was decided by hand about the micrographs of a run, and say how much it is.

    Parameters
    ----------
    options : JobOptions
        With the file.
    listed : MicrographList
        The micrographs.
    host : Host
        The program that the job runs in.
    warn : callable
        Called with a sentence on each row and micrograph that could not be used.

    Raises
    ------
    CryosegError
        If the file cannot be read or, unless the job waits for more, has nothing for these micrographs.
    """
    if options.in_coords is None:
        return Edits()
    try:
        edits = read_edits(options.in_coords, listed)
    except UnmatchedError:
        if options.watches:
            # Those that it names may be still to come.
            return Edits()
        raise
    for sentence in (*edits.skipped, *edits.remarks):
        warn(sentence)
    n_rejected = sum(map(edits.rejects, edits.selected))
    host.say(
        f"By hand, in {options.in_coords}: the picks of {counted(len(edits.picks), 'micrograph')}, and "
        f"{counted(n_rejected, 'rejected micrograph')}"
    )
    return edits


def edit_commands(host: Host, options: JobOptions, picking: PickingOptions) -> dict[str, str]:
    """Return the commands that use what is decided by hand on the page of a job, by what they do.

    ``{edits}`` and ``{threshold}`` stand for the file and the threshold that are chosen there.

    Parameters
    ----------
    host : Host
        The program that the job runs in.
    options : JobOptions
        What the user decided.
    picking : PickingOptions
        How the job picked.
    """
    commands = {}
    if host.command:
        # Nothing is picked then, so who picked does not matter, and the page is the same whoever did.
        alone = replace(options, workers=None, cluster=None, watch=False, watch_until_idle_min=None)
        arguments = as_arguments(replace(alone, threshold=None, in_coords=None))
        commands["Take them into this job"] = (
            f"{host.command} {arguments} --in_coords {{edits}} --threshold {{threshold}}"
        )
    if host.in_mics:
        commands["Train a model on them"] = (
            f"cryoseg train --in_mics {host.in_mics} --in_coords {{edits}} --particle_diameter "
            f"{picking.particle_diameter_A:g}{' --invert' * picking.invert} --out model"
        )
    return commands
