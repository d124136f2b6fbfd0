"""``cryoseg cryosparc``: jobs in a CryoSPARC workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cryoseg_ext.cli.common_options import (
    POSITIVE,
    architecture_option,
    device_option,
    invert_option,
    threads_option,
    threshold_option,
)
from cryoseg_ext.cli.extraction_options import extraction_options
from cryoseg_ext.cli.settings_option import settings_option
from cryoseg_ext.cli.size_options import size_options
from cryoseg_ext.cli.train import train as train_on_files

if TYPE_CHECKING:
    from cryoseg_ext.options.extraction import ExtractionOptions
    from cryoseg_ext.options.size import StatedSize


@click.group()
def cryosparc() -> None:
    """Jobs in a CryoSPARC workspace; run them on the master or a worker.

    Where no option says otherwise, the address is that of CRYOSPARC_BASE_URL, or of CRYOSPARC_MASTER_HOSTNAME
    and CRYOSPARC_BASE_PORT, and the login that of CRYOSPARC_EMAIL and CRYOSPARC_PASSWORD, with
    CRYOSPARC_LICENSE_ID for version 4; version 5 also takes the token of `python -m cryosparc.tools login`.
    """


@cryosparc.command()
@click.option("--project", required=True, metavar="P", help="Project, such as P3.")
@click.option("--workspace", metavar="W", help="Workspace for the new job, such as W1.")
@click.option("--exposures", metavar="J:OUTPUT", help="Job and output, such as J12:exposures_accepted.")
@click.option("--job", metavar="J", help="Go on with this job of cryoseg instead of making a new one.")
@size_options
@threshold_option
@click.option(
    "--model", metavar="FILE|J", help="Model file or training job, as J45; default: the one in the package."
)
@architecture_option
@invert_option
@click.option(
    "--image_slot",
    default="micrograph_blob",
    show_default=True,
    metavar="SLOT",
    help="The image of each exposure, such as micrograph_blob_denoised; picks refer to the micrographs.",
)
@click.option("--no_crf", is_flag=True, help="Leave out the conditional random field.")
@click.option("--masks", is_flag=True, help="Also write the masks as MRC to the folder masks of the job.")
@click.option(
    "--masks_in",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    metavar="DIR",
    help="Remove picks where the mask of their micrograph (MRC of any size, the micrograph's name) is 0.",
)
@click.option("--watch", is_flag=True, help="Pick exposures as they appear, until their job ends or Ctrl-C.")
@click.option(
    "--watch_interval",
    type=POSITIVE,
    default=30,
    show_default=True,
    metavar="S",
    help="Seconds from one look for new exposures to the next.",
)
@threads_option
@device_option
@click.option("--url", help="CryoSPARC's address as in the browser, such as http://localhost:39000.")
@click.option("--email", help="Your e-mail address in CryoSPARC.")
@click.option("--password", help="Your password; other users of the machine may see it here.")
@click.option("--license", "license_id", help="The licence of a CryoSPARC of version 4.")
@extraction_options
@settings_option
def pick(
    project: str,
    workspace: str | None,
    exposures: str | None,
    job: str | None,
    size: StatedSize,
    threshold: float | None,
    model: str | None,
    architecture: str | None,
    invert: bool,
    image_slot: str,
    no_crf: bool,
    masks: bool,
    masks_in: Path | None,
    watch: bool,
    watch_interval: float,
    threads: int,
    device: str,
    url: str | None,
    email: str | None,
    password: str | None,
    license_id: str | None,
    extraction: ExtractionOptions,
) -> None:
    """Pick exposures as an External job, whose particles Inspect Picks and Extract take.

    Run the same command again with --job to go on with a job that was stopped.
    """
    from cryoseg_ext.cryosparc.client import find_login
    from cryoseg_ext.cryosparc.pick import pick_exposures
    from cryoseg_ext.options.crf import CrfChoice
    from cryoseg_ext.options.size import AUTO
    from cryoseg_ext.processes import use_threads

    use_threads(threads)
    pick_exposures(
        project,
        workspace,
        exposures,
        particle_diameter_A=size.diameter_A or AUTO,
        smallest_diameter_A=size.smallest_A,
        job=job,
        threshold=threshold,
        extraction=extraction,
        crf=None if no_crf else CrfChoice(),
        model=model,
        architecture=architecture,
        invert=invert,
        device=device,
        image_slot=image_slot,
        masks=masks,
        masks_in=masks_in,
        watch=watch,
        watch_interval_s=watch_interval,
        login=find_login(url, email, password, license_id),
        tell=click.echo,
    )


_AS_PICK = ("project", "workspace", "exposures", "job", "image_slot", "invert")
_RECIPE = (
    *("complete", "from_scratch", "architecture", "loss", "steps", "batch", "learning_rate", "seed"),
    *("device", "threads", "workers"),
)
_LOGIN = ("url", "email", "password", "license_id")


def _options_of(command: click.Command, names: tuple[str, ...]) -> list[click.Parameter]:
    return [parameter for parameter in command.params if parameter.name in names]


@cryosparc.command(
    "train",
    params=[
        *_options_of(pick, _AS_PICK),
        *_options_of(train_on_files, _RECIPE),
        *_options_of(pick, _LOGIN),
    ],
)
@click.option(
    "--particle_diameter", type=POSITIVE, required=True, metavar="Å", help="Longest extent of the particle."
)
@click.option("--particles", metavar="J:OUTPUT", help="Particles that you trust, such as J20:particles.")
@click.option(
    "--volume",
    metavar="J:OUTPUT",
    help="Map that --particles were refined against, such as J31:volume: its projections are then learnt.",
)
@click.option(
    "--initial",
    metavar="FILE|J",
    help="Model file or training job to start from; default: the package's.",
)
@click.option(
    "--micrographs",
    "n_micrographs",
    type=click.IntRange(min=2),
    default=20,
    show_default=True,
    help="Most micrographs to use, drawn from those with particles.",
)
def train(
    project: str,
    workspace: str | None,
    exposures: str | None,
    particles: str | None,
    volume: str | None,
    job: str | None,
    particle_diameter: float,
    image_slot: str,
    invert: bool,
    n_micrographs: int,
    device: str,
    threads: int | None,
    workers: int,
    url: str | None,
    email: str | None,
    password: str | None,
    license_id: str | None,
    **recipe: Any,
) -> None:
    """Train a model on exposures and particles as an External job, which keeps the model in its folder.

    Pick with it by --model and the number of the job. Run the same command again with --job to go on with a
    job that was stopped.
    """
    from cryoseg_ext.cryosparc.client import find_login
    from cryoseg_ext.cryosparc.train import train_on_exposures
    from cryoseg_ext.processes import use_threads
    from cryoseg_ext.training import fine_tuning_options

    if threads:
        use_threads(threads)
    train_on_exposures(
        project,
        workspace,
        exposures,
        particles,
        volume,
        particle_diameter_A=particle_diameter,
        job=job,
        options=fine_tuning_options(**{name: value for name, value in recipe.items() if value is not None}),
        n_micrographs=n_micrographs,
        image_slot=image_slot,
        invert=invert,
        device=device,
        workers=workers,
        login=find_login(url, email, password, license_id),
        tell=click.echo,
    )
