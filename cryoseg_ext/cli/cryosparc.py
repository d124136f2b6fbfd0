"""``cryoseg cryosparc``: jobs in a CryoSPARC workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoseg_ext.cli.extraction_options import extraction_options
from cryoseg_ext.cli.settings_option import settings_option
from cryoseg_ext.cli.size_options import size_options

if TYPE_CHECKING:
    from cryoseg_ext.extract import ExtractionOptions
    from cryoseg_ext.size.stated import StatedSize


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
@click.option("--exposures", metavar="J:OUTPUT", help="What to pick, such as J12:exposures_accepted.")
@click.option("--job", metavar="J", help="Go on with this job of cryoseg instead of making a new one.")
@size_options
@click.option(
    "--threshold", type=click.FloatRange(0, 1), metavar="P", help="Lowest score; default: the model's own."
)
@click.option(
    "--model", type=click.Path(path_type=Path), help="Model to pick with; default: the one in the package."
)
@click.option("--no_crf", is_flag=True, help="Leave out the conditional random field.")
@click.option("--masks", is_flag=True, help="Also write the masks as MRC to the folder masks of the job.")
@click.option("--watch", is_flag=True, help="Pick exposures as they appear, until their job ends or Ctrl-C.")
@click.option(
    "--watch_interval",
    type=click.FloatRange(min=0, min_open=True),
    default=30,
    show_default=True,
    metavar="S",
    help="Seconds from one look for new exposures to the next.",
)
@click.option("--j", "threads", type=click.IntRange(min=1), default=1, help="Processor threads.")
@click.option("--device", default="cpu", show_default=True, help="Torch device: cpu, cuda, cuda:1 ...")
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
    model: Path | None,
    no_crf: bool,
    masks: bool,
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
    import torch

    from cryoseg_ext.crf import CrfChoice
    from cryoseg_ext.cryosparc.client import find_login
    from cryoseg_ext.cryosparc.pick import pick_exposures
    from cryoseg_ext.size.stated import AUTO

    torch.set_num_threads(threads)
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
        device=device,
        masks=masks,
        watch=watch,
        watch_interval_s=watch_interval,
        login=find_login(url, email, password, license_id),
        tell=click.echo,
    )
