"""The picking job from its arguments to its outputs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.job.unchanged import Record
from cryoseg_ext.progress import showing
from cryoseg_ext.words import counted
from relion_wrapper.command import PickingArguments
from relion_wrapper.job import RelionJob, say, warn
from relion_wrapper.nodes import detect_relion_version
from relion_wrapper.progress import RelionProgress

if TYPE_CHECKING:
    from cryoseg_ext.formats.micrographs import MicrographList
    from cryoseg_ext.job.result import JobResult
    from relion_wrapper.host import RelionHost


def run(arguments: PickingArguments, job: RelionJob) -> None:
    """Pick the particles of all micrographs and write what RELION wants to know.

    A job that finds all as its last run left it, as most passes of a RELION Scheme do, does nothing.

    Parameters
    ----------
    arguments : PickingArguments
        What the user asked for.
    job : RelionJob
        The job folder, polled for an abort.

    Raises
    ------
    CryosegError
        If the input is not usable or no micrograph could be picked.
    JobAborted
        When the user pressed Abort.
    """
    for warning in arguments.warnings:
        warn(warning)
    job.stop_if_aborted()
    relion = detect_relion_version(job.directory).value
    record = Record.of(job.directory, arguments.in_mics, arguments.options, relion)
    lines = record.lines_of_last_run() if record else None
    if lines is None:
        result, host = _pick(arguments, job)
        lines = list(_lines(result, host))
        if record:
            record.write(host, result, lines)
    else:
        say("Nothing has changed since the last run")
    for line in lines:
        say(line)


def _pick(arguments: PickingArguments, job: RelionJob) -> tuple[JobResult, RelionHost]:
    from cryoseg_ext.formats.micrographs import read_micrographs
    from cryoseg_ext.job.run import Job
    from cryoseg_ext.job.watch import run_or_watch
    from relion_wrapper.host import RelionHost

    in_mics, options = arguments.in_mics, arguments.options
    if in_mics.is_dir() or in_mics.suffix.lower() != ".star":
        is_what = "is a folder" if in_mics.is_dir() else "is no STAR file"
        raise CryosegError(
            f"--in_mics {in_mics} {is_what}: give the micrographs STAR file of a RELION job, or pick these "
            "files by `cryoseg pick`"
        )

    def read() -> MicrographList:
        listed = read_micrographs([in_mics], options.pixel_size_A)
        _check(listed)
        return listed

    host = RelionHost(job)
    host.in_mics = shlex.quote(in_mics.as_posix())
    host.command = f"cryoseg-relion --o {shlex.quote(f'{host.title}/')} --in_mics {host.in_mics}"
    with showing(RelionProgress(job)):
        result = run_or_watch(Job(options, host), [in_mics], read)
    host.check()
    return result, host


def _check(listed: MicrographList) -> None:
    if listed.by_name and all(one.pixel_size_A is None for one in listed.micrographs):
        raise CryosegError(
            f"{listed.path} has no pixel size (rlnMicrographPixelSize in data_optics, with rlnOpticsGroup in "
            "both tables, or rlnDetectorPixelSize and rlnMagnification): import the micrographs again with "
            "their pixel size, or add the parameter pixel_size in Å/px"
        )


def _lines(result: JobResult, host: RelionHost) -> Iterator[str]:
    """Return what the user should know: the count, what was skipped, how to see the picks, what is next."""
    from relion_wrapper.display import display_commands
    from relion_wrapper.next_steps import next_steps

    folder = host.directory
    by_hand = ", or by hand," if result.edits.picks else ""
    yield (
        f"{counted(result.n_picks, 'pick')} with a figure of merit of {result.threshold:g} or more{by_hand} "
        f"on {counted(len(result.finished), 'micrograph')}; all {counted(result.n_candidates, 'candidate')}: "
        f"{folder / 'candidates.star'}"
    )
    if result.skipped:
        yield f"Skipped {counted(len(result.skipped), 'micrograph')}:"
        yield from (f"  {reason}" for reason in result.skipped.values())
    yield f"Overlays and histograms: {folder / host.report_name}"
    yield f"The same for a browser, with all micrographs in a table: {folder / 'review.html'}"
    yield "To see the picks:"
    yield from (f"  {command}" for command in display_commands(host, result))
    yield from next_steps(folder, result)
