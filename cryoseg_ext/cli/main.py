"""The group of commands; a sub-command is imported when it is called, so that ``--help`` is instant."""

from __future__ import annotations

import errno
import importlib
from typing import Any

import click

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import described
from cryoseg_ext.options.commands import CONTEXT, version_option
from cryoseg_ext.words import printable

# The help stands here too: taking it from the sub-commands would import them.
_COMMANDS = {
    "compare": "Train and score architectures and losses on the same data.",
    "convert": "Convert picks between RELION, CryoSPARC, CSV, EMAN, crYOLO and Topaz.",
    "cryosparc": "Jobs in a CryoSPARC workspace.",
    "evaluate": "Compare picks and masks with the truth.",
    "labels": "Label the pixels of particles: from a 3D map and poses, or from coordinates.",
    "pick": "Pick particles on micrographs, without a RELION project.",
    "segment": "Mark the particle pixels of micrographs, before and after the CRF.",
    "select": "Choose how to pick, on a few micrographs.",
    "simulate": "Simulate micrographs with exact truth.",
    "train": "Train a model on your own micrographs and picks, or on simulated ones.",
}


class LazyGroup(click.Group):
    """A group whose sub-command NAME is the object `NAME` in ``cryoseg_ext.cli.NAME``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the sub-commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a sub-command."""
        if cmd_name not in _COMMANDS:
            return None
        return getattr(importlib.import_module(f"cryoseg_ext.cli.{cmd_name}"), cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the sub-commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a sub-command; a problem the user can fix ends it with one sentence."""
        try:
            return super().invoke(ctx)
        except CryosegError as error:
            raise click.ClickException(printable(str(error))) from None
        except MemoryError:
            raise click.ClickException(
                "the memory is not enough: run the command where there is more; what is finished is kept"
            ) from None
        except OSError as error:
            # Output into a pipe that was closed is click's own affair.
            if error.errno in (None, errno.EPIPE):
                raise
            what = printable(described(error))
            raise click.ClickException(
                f"{what}: correct this and run the command again; what is finished is kept"
            ) from None


@click.group(cls=LazyGroup, context_settings=CONTEXT, params=[version_option()])
def main() -> None:
    """Find particles in cryo-EM micrographs.

    In RELION, use cryoseg-relion as the program of an External job.
    """
