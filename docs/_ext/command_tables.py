"""Pages made of the commands themselves: the table of options, and what each command takes beside it.

``{option-table}`` and ``{command-tables}`` are the directives.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click
from sphinx.util.docutils import SphinxDirective

from cryoseg_ext.cli import main
from cryoseg_ext.options.kinds import Word
from cryoseg_ext.options.table import BY_NAME, OPTIONS, Option
from relion_wrapper.command import PICK
from relion_wrapper.train import TRAIN

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx


class OptionTable(SphinxDirective):
    """The options of every command that picks, under their headings."""

    def run(self) -> list[nodes.Node]:
        """Return the tables."""
        # They come from modules, so that the page is made anew each time.
        self.env.note_reread()
        return self.parse_text_to_nodes("\n".join(_option_lines()))


class CommandTables(SphinxDirective):
    """Every command: what it says of itself, and its own options."""

    def run(self) -> list[nodes.Node]:
        """Return the tables."""
        self.env.note_reread()
        return self.parse_text_to_nodes("\n".join(_command_lines()), allow_section_headings=True)


def _option_lines() -> Iterator[str]:
    for group, options in groupby(OPTIONS, lambda option: option.group):
        yield f"\n:::{{rubric}} {group}\n:::\n"
        rows = [(f"`--{one.name}`", _value(one), one.text) for one in options]
        yield from _table(("option", "value", "meaning (default)"), rows)


def _value(option: Option) -> str:
    if isinstance(option.kind, Word):
        return "one of those named"
    return "" if option.kind.is_flag else option.kind.name


def _command_lines() -> Iterator[str]:
    for name, command in _commands():
        yield f"\n## {name}\n\n```text\n{_usage(name, command)}\n```\n\n{_paragraphs(command)}\n"
        params = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
        # Those that pick have the whole table, and a file of settings for it.
        picks = any(one.name == "settings" for one in params)
        rows = [row for one in params if not (picks and one.name in BY_NAME) and (row := _row(one))]
        if rows:
            yield from _table(("option", "value", "meaning"), rows)
        if picks:
            yield "\nand the [options of picking](options.md) that `--help` lists.\n"


def _commands() -> Iterator[tuple[str, click.Command]]:
    yield from (("cryoseg-relion", PICK), ("cryoseg-relion-train", TRAIN))
    yield from _below("cryoseg", main)


def _below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for one in command.list_commands(context):
        below = command.get_command(context, one)
        assert below
        yield from _below(f"{name} {one}", below)


def _usage(name: str, command: click.Command) -> str:
    return command.get_usage(click.Context(command, info_name=name)).removeprefix("Usage: ")


def _paragraphs(command: click.Command) -> str:
    text = "\n\n".join(part for part in (command.help, command.epilog) if part)
    # Names of files and the like stand in a command's help as they are.
    return text.replace("*", "\\*").replace("_", "\\_").replace("<", "\\<").replace("`", "")


def _row(option: click.Option) -> tuple[str, str, str] | None:
    record = option.get_help_record(click.Context(click.Command("")))
    if record is None or option.name == "help":
        return None
    names = [*option.opts, *option.secondary_opts]
    value = "" if option.is_flag else record[0].rpartition(f"{option.opts[-1]} ")[2]
    return ", ".join(f"`{name}`" for name in names), value, record[1]


def _table(head: tuple[str, ...], rows: list[tuple[str, str, str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for name, value, text in rows:
        cells = (one.replace("|", "\\|").replace("<", "\\<") for one in (value, text.replace("*", "\\*")))
        yield f"| {name} | {' | '.join(cells)} |"


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives."""
    app.add_directive("option-table", OptionTable)
    app.add_directive("command-tables", CommandTables)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
