"""The picking job from its arguments to its outputs: the table of contents of the wrapper."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.job.finished import FinishedMicrograph, model_digest, read_finished, settings_key
from cryoseg_ext.model.weights import DEFAULT_MODEL
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.report import stretch
from relion_wrapper.arguments import JobArguments
from relion_wrapper.display import display_commands
from relion_wrapper.job import RelionJob
from relion_wrapper.outputs import JobResult, write_coordinates, write_reports, write_stars
from relion_wrapper.paths import check_collisions, micrograph_files
from relion_wrapper.picking import PlannedMicrograph, estimate_diameter, pick_planned, warn
from relion_wrapper.star import MicrographsStar, pixel_sizes, read_micrographs_star


def run(arguments: JobArguments, job: RelionJob) -> None:
    """Pick the particles of all micrographs and write what RELION wants to know.

    Parameters
    ----------
    arguments : JobArguments
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
    star = read_micrographs_star(arguments.in_mics)
    model, crf = arguments.model or DEFAULT_MODEL, arguments.crf if arguments.use_crf else None
    diameter_A = arguments.size.diameter_A
    if diameter_A is None:
        estimate = estimate_diameter(star, arguments, model, job)
        say(str(estimate))
        diameter_A = estimate.diameter_A
    options = PickingOptions(
        diameter_A, arguments.extraction, crf, arguments.size.smallest_A, arguments.invert
    )
    planned, skipped = plan(star, options, model, job.directory)
    earlier = finished_earlier(planned, keep_all=arguments.only_do_unfinished)
    unfinished = [one for one in planned if one.name not in earlier]
    say_what_is_to_do(planned, earlier)
    new: dict[str, FinishedMicrograph] = {}
    if unfinished:
        shown = stretches_shown(planned, earlier)
        new, failed = pick_planned(unfinished, arguments, model, options, job, shown)
        skipped |= failed
    result = collect(star, arguments, options, planned, earlier, new, skipped)
    write_coordinates(result, earlier)
    write_stars(job.directory, result)
    write_reports(job.directory, result)
    job.stop_if_aborted()
    say_result(result, job.directory)


def plan(
    star: MicrographsStar, options: PickingOptions, model: Path, job_directory: Path
) -> tuple[list[PlannedMicrograph], dict[str, str]]:
    """Return what to pick and where it goes, and what is wrong with the micrographs that cannot be picked.

    Raises
    ------
    CryosegError
        If the model file cannot be read or two micrographs would share a coordinate file.
    """
    digest = model_digest(model)
    planned: list[PlannedMicrograph] = []
    skipped: dict[str, str] = {}
    for number, (name, size_A) in enumerate(zip(star.names, pixel_sizes(star), strict=True)):
        try:
            if isinstance(size_A, CryosegError):
                raise size_A
            files = micrograph_files(job_directory, name)
        except CryosegError as error:
            skipped[name] = str(error)
            warn(str(error))
            continue
        settings = settings_key(options, digest=digest, pixel_size_A=size_A)
        planned.append(PlannedMicrograph(name, size_A, files, settings, stretch(number, len(star.names))))
    check_collisions([(one.name, one.files) for one in planned])
    return planned, skipped


def finished_earlier(
    planned: Sequence[PlannedMicrograph], *, keep_all: bool
) -> dict[str, FinishedMicrograph]:
    """Return the stored results that still hold, by name; all of them with `keep_all`."""
    stored = {one.name: read_finished(one.files.candidates) for one in planned}
    return {
        one.name: result
        for one in planned
        if (result := stored[one.name]) and (keep_all or result.settings == one.settings)
    }


def stretches_shown(
    planned: Sequence[PlannedMicrograph], earlier: Mapping[str, FinishedMicrograph]
) -> set[int]:
    """Return the stretches of the run from which a finished micrograph has a preview for the report."""
    return {one.stretch for one in planned if one.name in earlier and one.files.preview.exists()}


def collect(
    star: MicrographsStar,
    arguments: JobArguments,
    options: PickingOptions,
    planned: Sequence[PlannedMicrograph],
    earlier: Mapping[str, FinishedMicrograph],
    new: Mapping[str, FinishedMicrograph],
    skipped: Mapping[str, str],
) -> JobResult:
    """Bring the results of this run and of earlier ones together, in the order of the STAR file.

    Raises
    ------
    CryosegError
        If there is none.
    """
    if not earlier and not new:
        raise CryosegError(
            f"none of the {len(star.names)} micrographs in {arguments.in_mics} could be picked: mend what is "
            "said about them above and press Continue"
        )
    last = list((new or earlier).values())[-1]
    processed = [one for one in planned if one.name in earlier or one.name in new]
    results = [new.get(one.name) or earlier[one.name] for one in processed]
    return JobResult(
        star=star.kept(one.name for one in processed),
        planned=processed,
        candidates=[one.candidates for one in results],
        areas=[one.areas for one in results],
        threshold=last.default_threshold if arguments.threshold is None else arguments.threshold,
        options=options,
        skipped=skipped,
    )


def say_what_is_to_do(
    planned: Sequence[PlannedMicrograph], earlier: Mapping[str, FinishedMicrograph]
) -> None:
    """Tell how much is to be picked and how much is finished already."""
    say(f"{counted(len(planned) - len(earlier), 'micrograph')} to pick, {len(earlier)} finished earlier")


def say_result(result: JobResult, job_directory: Path) -> None:
    """Tell the count, what was skipped and how to look at the picks."""
    n_picks, n_candidates = sum(map(len, result.picks)), sum(map(len, result.candidates))
    say(
        f"{counted(n_picks, 'pick')} with a figure of merit of {result.threshold:g} or more on "
        f"{counted(len(result.planned), 'micrograph')}; all {counted(n_candidates, 'candidate')}: "
        f"{job_directory / 'candidates.star'}"
    )
    if result.skipped:
        say(f"Skipped {counted(len(result.skipped), 'micrograph')}:")
        for reason in result.skipped.values():
            say(f"  {reason}")
    say(f"Overlays and histograms: {job_directory / 'logfile.pdf'}")
    say(f"The same for a browser, with all micrographs in a table: {job_directory / 'review.html'}")
    say("To see the picks:")
    for command in display_commands(job_directory, result):
        say(f"  {command}")


def counted(number: int, thing: str) -> str:
    """Return a number of things in words."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def say(line: str) -> None:
    """Tell the user something on standard output, which RELION keeps in ``run.out``."""
    sys.stdout.write(f" {line}\n")
    sys.stdout.flush()
