"""``cryoseg-relion-train``: training on a project's own picks, as a RELION External job."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryoseg_ext.errors import CryosegError
from relion_wrapper.arguments import (
    HelpFormatter,
    gpu_ids,
    output_directory,
    positive_length,
    thread_count,
    yes_or_no,
)
from relion_wrapper.job import FAILURE_CODE, RelionJob, relion_job

if TYPE_CHECKING:
    from cryoseg_ext.training import Epoch

REPORT_NODE = "logfile.pdf"
_FLAGS = ("complete", "from_scratch")
_UNUSED = ("in_movies", "in_parts", "in_3dref", "in_mask", "pipeline_control")


@dataclass(frozen=True)
class TrainingArguments:
    """What the user asked for.

    Parameters
    ----------
    in_mics, in_coords : Path
        The micrographs STAR file and the picks to learn from.
    particle_diameter_A : float
        The particle diameter in Å.
    recipe : dict
        Arguments of `cryoseg_ext.training.fine_tuning_options`.
    invert : bool
        Whether protein is bright.
    threads : int
        Processor threads.
    gpu : str | None
        None is the processor, "" any GPU, "0" the id of one.
    unknown : tuple[str, ...]
        Arguments that are not known and not used.
    """

    in_mics: Path
    in_coords: Path
    particle_diameter_A: float
    recipe: dict[str, Any] = field(default_factory=dict)
    invert: bool = False
    threads: int = 1
    gpu: str | None = None
    unknown: tuple[str, ...] = ()


def main(argv: Sequence[str] | None = None) -> None:
    """Run the training job.

    Parameters
    ----------
    argv : Sequence[str], optional
        The arguments without the program's name; those of the process when not given.

    Raises
    ------
    SystemExit
        With RELION's exit code, when the job did not succeed.
    """
    argv = sys.argv[1:] if argv is None else argv
    if not argv or "--help" in argv or "-h" in argv:
        sys.stdout.write(_parser().format_help())
        return
    try:
        directory = output_directory(argv)
    except CryosegError as error:
        sys.stderr.write(f"cryoseg-relion-train: {error}\n")
        raise SystemExit(FAILURE_CODE) from None
    with relion_job(directory) as job:
        _run(parse_arguments(argv), job)


def parse_arguments(argv: Sequence[str]) -> TrainingArguments:
    """Read the command line.

    Raises
    ------
    CryosegError
        If a required option is missing or a value is not what the option takes.
    """
    known, unknown = _parser().parse_known_args(argv)
    given: dict[str, str | None] = vars(known)
    for name, mend in (
        ("in_mics", "choose the micrographs STAR file as 'Input micrographs' of the job"),
        ("in_coords", "choose the picks to learn from as 'Input coordinates' of the job"),
        ("particle_diameter", "add the parameter particle_diameter, in Å, to the job"),
    ):
        if not given[name]:
            raise CryosegError(f"--{name} is missing: {mend}")
    recipe: dict[str, Any] = {
        name: given[name] for name in ("architecture", "loss", "initial") if given[name]
    } | {name: yes_or_no(name, given[name]) for name in _FLAGS}
    if steps := given["steps"]:
        if not steps.isdecimal() or int(steps) < 1:
            raise CryosegError(f"--steps {steps} is not a number of steps: give 1 or more")
        recipe["steps"] = int(steps)
    return TrainingArguments(
        in_mics=Path(given["in_mics"] or ""),
        in_coords=Path(given["in_coords"] or ""),
        particle_diameter_A=positive_length("particle_diameter", given["particle_diameter"] or ""),
        recipe=recipe,
        invert=yes_or_no("invert", given["invert"]),
        threads=thread_count(given["j"]) if given["j"] else 1,
        gpu=gpu_ids(given["gpu"]),
        unknown=tuple(unknown),
    )


def _run(arguments: TrainingArguments, job: RelionJob) -> None:
    # Imported inside the job: whatever fails here must leave its exit file, and --help stays quick.
    from cryoseg_ext.network.architectures import is_own
    from cryoseg_ext.processes import use_threads
    from cryoseg_ext.training import Watch, fine_tune, fine_tuning_options
    from cryoseg_ext.training.inputs import find_picks, find_tasks
    from cryoseg_ext.training.micrographs import read_labelled
    from relion_wrapper.nodes import detect_relion_version, write_output_nodes
    from relion_wrapper.picking import choose_device, warn
    from relion_wrapper.progress import ProgressBar
    from relion_wrapper.run import say

    if arguments.unknown:
        warn(f"not known and not used: {' '.join(arguments.unknown)} (see cryoseg-relion-train --help)")
    use_threads(arguments.threads)
    options = fine_tuning_options(**arguments.recipe)
    tasks = find_tasks([str(arguments.in_mics)], None)
    picks = find_picks(arguments.in_coords, tasks)
    micrographs = read_labelled(tasks, picks, arguments.particle_diameter_A, warn, invert=arguments.invert)
    say(f"Training on {len(micrographs)} micrographs with {sum(len(one.xy_px) for one in micrographs)} picks")
    bar = ProgressBar(options.steps)

    def step(number: int, _loss: float) -> None:
        job.stop_if_aborted()
        bar.update(number)

    def epoch(done: Epoch) -> None:
        sys.stdout.write("\n")
        say(str(done))

    model = fine_tune(
        micrographs,
        options,
        job.directory,
        device=choose_device(arguments.gpu),
        watch=Watch(step, epoch, say),
    )
    (job.directory / "report.pdf").replace(job.directory / REPORT_NODE)
    write_output_nodes(job.directory, detect_relion_version(job.directory), [REPORT_NODE])
    say(f"Learning curves, precision and recall, and overlays: {job.directory / REPORT_NODE}")
    say(f"To pick with the model, add the parameter model with the value {model} to a cryoseg-relion job")
    if is_own(options.architecture):
        say(f"and the parameter architecture with the value {options.architecture}")


def _parser() -> argparse.ArgumentParser:
    # As in `relion_wrapper.arguments`: every option may come bare, so every value is optional text.
    parser = argparse.ArgumentParser(
        prog="cryoseg-relion-train",
        usage=argparse.SUPPRESS,
        description="Usage: cryoseg-relion-train --o External/job002/ --in_mics micrographs.star "
        "--in_coords AutoPick/job006/autopick.star --particle_diameter 180 [OPTIONS]\n\n"
        "Trains a model on picks that you trust, as a RELION External job; run it in the project folder.",
        formatter_class=HelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )

    def add(group: argparse._ArgumentGroup, name: str, metavar: str, text: str) -> None:
        group.add_argument(f"--{name}", nargs="?", const="", metavar=metavar, help=text)

    main_group = parser.add_argument_group("Required")
    add(main_group, "o", "DIR", "folder of the job")
    add(main_group, "in_mics", "STAR", "micrographs of an Import, MotionCorr, CtfFind or Select job")
    add(main_group, "in_coords", "STAR", "picks: of a picking job, or a particles STAR file")
    add(main_group, "particle_diameter", "Å", "longest extent of the particle")
    training = parser.add_argument_group("Training")
    add(training, "invert", "Yes/No", "protein is bright on the micrographs: invert them, here and to pick")
    add(training, "complete", "Yes/No", "all without a pick is background (default: not where one may be)")
    add(training, "from_scratch", "Yes/No", "start from random weights")
    add(training, "initial", "FILE", "model to start from (default: the one in the package)")
    add(training, "architecture", "NAME", "see cryoseg train --help")
    add(training, "loss", "NAME", "see cryoseg train --help")
    add(training, "steps", "N", "most steps (default: 600, from scratch 1500)")
    add(training, "j", "N", "processor threads (default: 1)")
    add(training, "gpu", "ID", "use a GPU, any or the one with this number")
    other = parser.add_argument_group("Accepted because RELION may give them; not used")
    for name in _UNUSED:
        add(other, name, "X", "")
    return parser
