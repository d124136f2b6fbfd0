"""``cryoseg cryosparc``: jobs in a CryoSPARC workspace."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from cryoseg_ext.cli.common_options import invert_option
from cryoseg_ext.cli.train import train as train_on_files
from cryoseg_ext.formats.groups import EXPOSURE_SLOT
from cryoseg_ext.options.commands import Command, GroupedCommand, add_options, with_job_options
from cryoseg_ext.options.kinds import LENGTH, Number

if TYPE_CHECKING:
    from cryoseg_ext.cryosparc import Login
    from cryoseg_ext.options.job import JobOptions

_RECIPE = (
    *("complete", "from_scratch", "architecture", "loss", "steps", "batch", "learning_rate", "seed"),
    *("device", "threads", "workers"),
)
_PLACE = (
    click.Option(["--project"], required=True, metavar="P", help="Project, such as P3."),
    click.Option(["--workspace"], metavar="W", help="Workspace for the new job, such as W1."),
    click.Option(["--exposures"], metavar="J:OUTPUT", help="Job and output, such as J12:exposures_accepted."),
    click.Option(["--job"], metavar="J", help="Go on with this job of cryoseg instead of making a new one."),
    click.Option(
        ["--image_slot"],
        default=EXPOSURE_SLOT,
        metavar="SLOT",
        help="The image of each exposure, such as micrograph_blob_denoised; coordinates refer to the "
        "micrographs.",
    ),
)
_LOGIN = (
    click.Option(["--url"], help="CryoSPARC's address as in the browser, such as http://localhost:39000."),
    click.Option(["--email"], help="Your e-mail address in CryoSPARC."),
    click.Option(["--password"], help="Your password; other users of the machine may see it here."),
    click.Option(["--license", "license_id"], help="The licence of a CryoSPARC of version 4."),
)


def with_login(command: Command) -> Command:
    """Add the options of the login; the command gets them as `Login` named `login`."""

    @functools.wraps(command)
    def packed(*args: Any, **kwargs: Any) -> Any:
        from cryoseg_ext.cryosparc import find_login

        login = find_login(**{name: kwargs.pop(name) for name in ("url", "email", "password", "license_id")})
        return command(*args, login=login, **kwargs)

    return add_options(packed, _LOGIN)


def with_place(command: Command) -> Command:
    """Add --project, --workspace, --exposures, --job and --image_slot."""
    return add_options(command, _PLACE)


def with_recipe(command: Command) -> Command:
    """Add those options of ``cryoseg train`` that decide how it trains."""
    options = [one for one in train_on_files.params if isinstance(one, click.Option)]
    return add_options(command, [one for one in options if one.name in _RECIPE])


@click.group()
def cryosparc() -> None:
    """Jobs in a CryoSPARC workspace; run them on the master or a worker.

    Where no option says otherwise, the address is that of CRYOSPARC_BASE_URL, or of CRYOSPARC_MASTER_HOSTNAME
    and CRYOSPARC_BASE_PORT, and the login that of CRYOSPARC_EMAIL and CRYOSPARC_PASSWORD, with
    CRYOSPARC_LICENSE_ID for version 4; version 5 also takes the token of `python -m cryosparc.tools login`.
    """


@cryosparc.command(cls=GroupedCommand)
@with_place
@click.option(
    "--watch_interval",
    type=Number("S", "a positive number of seconds", above=True),
    default=30,
    metavar="S",
    help="Seconds from one look for new exposures to the next, with --watch, which ends with their job too.",
)
@with_login
@with_job_options
def pick(*, watch_interval: float, login: Login, options: JobOptions, **place: Any) -> None:
    """Pick exposures as an External job, whose particles Inspect Picks and Extract take.

    A --model may be the number of a training job, as J45. Run the same command again with --job to go on with
    a job that was stopped. The event log shows what happens; review.html, report.pdf, quality.tsv and masks
    are in the folder of the job.
    """
    from cryoseg_ext.cryosparc import pick_exposures

    pick_exposures(**place, options=options, watch_interval_s=watch_interval, login=login)


@cryosparc.command()
@with_place
@click.option("--particles", metavar="J:OUTPUT", help="Particles that you trust, such as J20:particles.")
@click.option(
    "--volume", metavar="J:OUTPUT", help="Their refined map, such as J31:volume: learn its projections."
)
@click.option(
    "--particle_diameter", type=LENGTH, required=True, metavar="Å", help="Longest extent of the particle."
)
@click.option(
    "--micrographs",
    "n_micrographs",
    type=click.IntRange(min=2),
    default=20,
    help="Most micrographs to use, drawn from those with particles.",
)
@invert_option
@click.option(
    "--initial", metavar="FILE|J", help="Model file or training job to start from; default: the package's."
)
@with_recipe
@with_login
def train(*, project: str, workspace: str | None, particle_diameter: float, **given: Any) -> None:
    """Train a model on exposures and particles as an External job, which keeps the model in its folder.

    Pick with it by --model and the number of the job. Run the same command again with --job to go on with a
    job that was stopped.
    """
    from cryoseg_ext.cryosparc import TrainingInputs, train_on_exposures
    from cryoseg_ext.processes import use_threads
    from cryoseg_ext.training import fine_tuning_options

    if threads := given.pop("threads"):
        use_threads(threads)
    settings = {name: given.pop(name) for name in ("job", "login", "device", "workers")}
    names = ("exposures", "particles", "volume", "image_slot", "invert", "n_micrographs")
    inputs = TrainingInputs(particle_diameter, **{name: given.pop(name) for name in names})
    recipe = fine_tuning_options(**{name: value for name, value in given.items() if value is not None})
    train_on_exposures(project, workspace, inputs, recipe, **settings)
