"""Command lines made from the table of options."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import click

from cryoseg_ext.options.kinds import File, Kind
from cryoseg_ext.options.settings import read_settings
from cryoseg_ext.options.table import BY_NAME, OPTIONS, Option, job_options

Command = Callable[..., Any]
CONTEXT = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 110,
    "show_default": True,
    # Hyphens and underscores are alike.
    "token_normalize_func": lambda name: name.replace("-", "_"),
}


class GroupedCommand(click.Command):
    """A command whose ``--help`` has the options of the table under their headings, after its own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options."""
        group_of = {option.name: option.group for option in OPTIONS}
        groups: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                groups.setdefault(group_of.get(str(parameter.name), "Options"), []).append(record)
        for heading, rows in groups.items():
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows, col_max=32)


def with_job_options(command: Command, without: Collection[str] = ()) -> Command:
    """Add all options of the table and ``--settings``; the command gets them as `JobOptions` named `options`.

    Parameters
    ----------
    command : callable
        To be wrapped by `click.command`.
    without : Collection of str
        Names of options that mean nothing to this command.
    """
    options = [option for option in OPTIONS if option.name not in without]

    @functools.wraps(command)
    def packed(*args: Any, settings: Path | None, **kwargs: Any) -> Any:
        given = {option.name: kwargs.pop(option.name) for option in options}
        return command(
            *args, options=job_options(given, read_settings(settings) if settings else None), **kwargs
        )

    return add_options(packed, [*map(click_option, options), SETTINGS_OPTION])


def click_option(option: Option) -> click.Option:
    """Return an option of the table for click; it is None where it is not given."""
    # A flag, or --gpu, may stand without a value.
    bare: dict[str, Any] = (
        {"is_flag": option.kind.is_flag, "flag_value": ""} if option.kind.may_be_bare else {}
    )
    metavar = None if option.kind.is_flag else option.kind.name
    return click.Option([f"--{option.name}"], type=option.kind, help=option.text, metavar=metavar, **bare)


def table_option(name: str, argument: str = "") -> Callable[[Command], Command]:
    """Return a decorator that adds one option of the table; where it is not given it has its default.

    Parameters
    ----------
    name : str
        Of the option.
    argument : str
        What the command gets it as; the same by default.
    """

    def decorate(command: Command) -> Command:
        option = click_option(BY_NAME[name])
        option.name = argument or name
        option.default = BY_NAME[name].default
        return add_options(command, [option])

    return decorate


def add_options(command: Command, options: Iterable[click.Option]) -> Command:
    """Add options to a function that `click.command` will wrap, in the order given."""
    # click reads the list from its end.
    params = [*getattr(command, "__click_params__", []), *reversed(list(options))]
    command.__click_params__ = params  # type: ignore[attr-defined]
    return command


def optional_value(option: click.Option) -> click.Option:
    """Return an option as RELION writes it: bare, with an empty value, or with one, in any place.

    An empty value is none, but for flags, which it sets.
    """
    kind = option.type
    assert isinstance(kind, Kind)
    empty = "" if kind.may_be_bare else None
    return click.Option(
        option.opts,
        type=_Relion(kind, empty),
        is_flag=False,
        flag_value="",
        help=option.help,
        hidden=option.hidden,
        metavar="Yes/No" if kind.is_flag else kind.name,
    )


def version_option() -> click.Option:
    """Return ``--version``."""

    def show(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            from importlib.metadata import version

            click.echo(f"cryoseg {version('cryoseg')}")
            ctx.exit()

    return click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show the version and exit.",
    )


class _Relion(Kind):
    """A kind whose value may be empty."""

    def __init__(self, kind: Kind, empty: str | None) -> None:
        super().__init__(kind.name)
        self._kind, self._empty = kind, empty

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value, without white space around it."""
        return super().convert(value.strip() if isinstance(value, str) else value, param, ctx)

    def read(self, value: Any) -> Any:
        """Return the value; None where it is empty and means nothing."""
        return self._empty if value == "" and self._empty is None else self._kind.read(value)


SETTINGS_OPTION = click.Option(
    ["--settings"], type=File("FILE"), help="file of `cryoseg select`; options given here win over it"
)
