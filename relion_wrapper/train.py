"""``cryoseg-relion-train``: training on a project's own picks, as a RELION External job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.commands import click_option
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.kinds import COUNT, FLAG, LENGTH, TEXT, File
from cryoseg_ext.options.size import ParticleSize
from cryoseg_ext.options.table import BY_NAME
from cryoseg_ext.progress import showing
from cryoseg_ext.words import counted
from relion_wrapper.command import FOLDER, MICROGRAPHS, main_of, parse, relion_command
from relion_wrapper.job import RelionJob, say, warn

REPORT_NODE = "logfile.pdf"
_RECIPE = ("architecture", "loss", "initial", "steps", "complete", "from_scratch")
TRAIN = relion_command(
    "cryoseg-relion-train",
    "Train a model on picks that you trust, as a RELION External job; run it in the project folder.",
    [
        FOLDER,
        MICROGRAPHS,
        click.Option(["--in_coords"], type=File("STAR"), help="picks of a picking job, or particles"),
        click.Option(["--particle_diameter"], type=LENGTH, help="longest extent of the particle"),
        click_option(BY_NAME["invert"]),
        click.Option(["--complete"], type=FLAG, help="all without a pick is background"),
        click.Option(["--from_scratch"], type=FLAG, help="start from random weights"),
        click.Option(["--initial"], type=File("FILE"), help="model to start from (the one in the package)"),
        click.Option(["--architecture"], type=TEXT, help="see cryoseg train --help"),
        click.Option(["--loss"], type=TEXT, help="see cryoseg train --help"),
        click.Option(["--steps"], type=COUNT, help="most steps, see cryoseg train --help"),
        click_option(BY_NAME["j"]),
        click_option(BY_NAME["device"]),
        click_option(BY_NAME["gpu"]),
    ],
    used=("in_coords",),
)


@dataclass(frozen=True)
class TrainingArguments:
    """What the user asked for.

    Parameters
    ----------
    in_mics, in_coords : Path
        The micrographs STAR file and the picks to learn from.
    options : JobOptions
        Particle diameter, contrast, threads and device.
    recipe : dict
        Arguments of `cryoseg_ext.training.fine_tuning_options`.
    warnings : tuple of str
        Sentences about arguments that have no effect.
    """

    in_mics: Path
    in_coords: Path
    options: JobOptions
    recipe: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def main(argv: Sequence[str] | None = None) -> None:
    """Run the training job.

    Parameters
    ----------
    argv : Sequence of str, optional
        The arguments without the program's name; those of the process when not given.

    Raises
    ------
    SystemExit
        With RELION's exit code, when the job did not succeed.
    """
    main_of(TRAIN, lambda argv, job: _run(parse_training(argv), job), argv)


def parse_training(argv: Sequence[str]) -> TrainingArguments:
    """Read the command line.

    Raises
    ------
    CryosegError
        If a required option is missing or a value is not what the option takes.
    """
    given, warnings = parse(TRAIN, argv)
    for name, remedy in (
        ("in_mics", "choose the micrographs STAR file as 'Input micrographs' of the job"),
        ("in_coords", "choose the picks to learn from as 'Input coordinates' of the job"),
        ("particle_diameter", "add the parameter particle_diameter, in Å, to the job"),
    ):
        if not given[name]:
            raise CryosegError(f"--{name} is missing: {remedy}")
    names = {"j": "workers", "device": "device", "gpu": "gpu"}
    chosen = {field: given[name] for name, field in names.items() if given[name] is not None}
    options = JobOptions(
        ParticleSize(given["particle_diameter"]),
        invert=bool(given["invert"]),
        **chosen,
    )
    recipe = {
        name: str(value) if isinstance(value, Path) else value
        for name in _RECIPE
        if (value := given[name]) is not None
    }
    return TrainingArguments(given["in_mics"], given["in_coords"], options, recipe, warnings)


def _run(arguments: TrainingArguments, job: RelionJob) -> None:
    # Imported inside the job: whatever fails here must leave its exit file, and --help stays quick.
    from cryoseg_ext.job.device import choose_devices
    from cryoseg_ext.network.architectures import is_own
    from cryoseg_ext.processes import use_threads
    from cryoseg_ext.training import Callbacks, fine_tune, fine_tuning_options
    from cryoseg_ext.training.labelled import TrainingFiles, read_training_set
    from relion_wrapper.nodes import detect_relion_version, write_output_nodes
    from relion_wrapper.progress import RelionProgress

    for warning in arguments.warnings:
        warn(warning)
    use_threads(arguments.options.workers or 1, warn)
    options = fine_tuning_options(**arguments.recipe)
    files = TrainingFiles([str(arguments.in_mics)], arguments.in_coords)
    diameter_A = arguments.options.size.largest_A
    progress = RelionProgress(job)

    def say_below(line: object) -> None:
        progress.break_line()
        say(str(line))

    with showing(progress):
        micrographs = read_training_set(files, diameter_A, warn, invert=arguments.options.invert)
        n_picks = sum(len(one.xy_px) for one in micrographs)
        say(f"Training on {counted(len(micrographs), 'micrograph')} with {counted(n_picks, 'pick')}")
        model = fine_tune(
            micrographs,
            options,
            job.directory,
            device=choose_devices(arguments.options, warn)[0],
            callbacks=Callbacks(say_below, say_below),
        )
    (job.directory / "report.pdf").replace(job.directory / REPORT_NODE)
    write_output_nodes(job.directory, detect_relion_version(job.directory), [REPORT_NODE])
    say(f"Learning curves, precision and recall, and overlays: {job.directory / REPORT_NODE}")
    say(f"To pick with the model, add the parameter model with the value {model} to a cryoseg-relion job")
    if is_own(options.architecture):
        say(f"and the parameter architecture with the value {options.architecture}")
