"""All commands of the package."""

from __future__ import annotations

from collections.abc import Iterator

import click

from cryoseg_ext.cli import main

RELION = "cryoseg-relion"


def _contexts(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """Yield the context of a command and of all below it."""
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below
            info_name = f"{context.info_name} {name}"
            yield from _contexts(below, below.make_context(info_name, [], context, resilient_parsing=True))


def given_nothing(command: click.Command, name: str) -> click.Context:
    """Return the context of a command that is given nothing."""
    return command.make_context(name, [], resilient_parsing=True)


ALL = {str(one.info_name): one for one in _contexts(main, given_nothing(main, "cryoseg"))}
"""The contexts of ``cryoseg`` and of all below it, by what a user types."""
