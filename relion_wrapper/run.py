"""The picking job from its arguments to its outputs."""

from __future__ import annotations

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.micrographs import MicrographList, read_micrographs
from cryoseg_ext.job.result import JobResult
from cryoseg_ext.job.run import Job
from cryoseg_ext.words import counted
from relion_wrapper.command import PickingArguments
from relion_wrapper.display import display_commands
from relion_wrapper.host import RelionHost
from relion_wrapper.job import RelionJob, say, warn


def run(arguments: PickingArguments, job: RelionJob) -> None:
    """Pick the particles of all micrographs and write what RELION wants to know.

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
    if arguments.in_mics.is_dir():
        raise CryosegError(
            f"--in_mics {arguments.in_mics} is a folder: give the micrographs STAR file of a RELION job, or "
            "pick the files in it by `cryoseg pick`"
        )
    listed = read_micrographs([arguments.in_mics], arguments.options.pixel_size_A)
    _check(listed)
    host = RelionHost(job)
    result = Job(arguments.options, host).run(listed)
    host.check()
    _say_result(result, host)


def _check(listed: MicrographList) -> None:
    if not listed.of_relion:
        raise CryosegError(
            f"--in_mics {listed.path} is no STAR file: give the micrographs STAR file of a RELION job, or "
            "pick these files by `cryoseg pick`"
        )
    if listed.by_name and all(one.pixel_size_A is None for one in listed.micrographs):
        raise CryosegError(
            f"{listed.path} has no pixel size (rlnMicrographPixelSize in data_optics, with rlnOpticsGroup in "
            "both tables, or rlnDetectorPixelSize and rlnMagnification): import the micrographs again with "
            "their pixel size, or add the parameter pixel_size in Å/px"
        )


def _say_result(result: JobResult, host: RelionHost) -> None:
    """Tell the count, what was skipped and how to look at the picks."""
    folder = host.directory
    n_candidates = sum(len(one.candidates) for one in result.finished.values())
    say(
        f"{counted(result.n_picks, 'pick')} with a figure of merit of {result.threshold:g} or more on "
        f"{counted(len(result.finished), 'micrograph')}; all {counted(n_candidates, 'candidate')}: "
        f"{folder / 'candidates.star'}"
    )
    if result.skipped:
        say(f"Skipped {counted(len(result.skipped), 'micrograph')}:")
        for reason in result.skipped.values():
            say(f"  {reason}")
    say(f"Overlays and histograms: {folder / host.report_name}")
    say(f"The same for a browser, with all micrographs in a table: {folder / 'review.html'}")
    say("To see the picks:")
    for command in display_commands(host, result):
        say(f"  {command}")
