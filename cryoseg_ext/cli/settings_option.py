"""``--settings FILE``: what ``cryoseg select`` chose, for every command that picks, RELION's job too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from cryoseg_ext.cli.extraction_options import EXTRACTION_OPTIONS
from cryoseg_ext.errors import CryosegError

SETTINGS = (
    *("particle_diameter", "threshold", "invert", "no_crf"),
    *("crf_solver", "crf_filter", "crf_reference", "crf_iterations"),
    *(option.name for option in EXTRACTION_OPTIONS),
)
"""What may stand in the file: the options of these names, without their dashes."""
_KEY = "settings"


def write_settings(path: Path, settings: Mapping[str, Any], search: Mapping[str, Any]) -> None:
    """Write a file for ``--settings``; `search` tells how they were found, and is not read."""
    from cryoseg_ext.files import replace_text

    replace_text(path, json.dumps({_KEY: settings, "search": search}, indent=1) + "\n")


def read_settings(path: Path) -> dict[str, Any]:
    """Return the settings in a file, by the name of the option.

    Raises
    ------
    CryosegError
        If it cannot be read, or something in it is no setting.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CryosegError(f"{path} cannot be read ({error.strerror}): check the path") from None
    except ValueError as error:
        raise CryosegError(f"{path} is not JSON ({error}): give a file that `cryoseg select` wrote") from None
    settings = content.get(_KEY) if isinstance(content, dict) else None
    if not isinstance(settings, dict):
        raise CryosegError(f"{path} has no {_KEY!r}: give a file that `cryoseg select` wrote")
    for name, value in settings.items():
        if name not in SETTINGS:
            raise CryosegError(f"{path}: {name} is no setting: those are {', '.join(SETTINGS)}")
        if not isinstance(value, str | int | float):
            raise CryosegError(f"{path}: {name} is {json.dumps(value)}: give a word or a number")
    return settings


def settings_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--settings`` to a command; its values become defaults, so options that are given win."""
    return click.option(
        "--settings",
        type=click.Path(dir_okay=False, path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=_become_defaults,
        help="File of `cryoseg select`; options given here win over it.",
    )(command)


def _become_defaults(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:  # noqa: ARG001
    if path is None:
        return
    settings = read_settings(path)
    known = {parameter.name: parameter for parameter in ctx.command.params}
    if settings.pop("no_crf", False):
        # Commands with a choice of solvers have "none" among them.
        settings |= {"crf_solver": "none"} if "crf_solver" in known else {"no_crf": True}
    for name, value in settings.items():
        if name in known:
            try:
                known[name].type_cast_value(ctx, value)
            except click.BadParameter as error:
                raise CryosegError(f"{path}: {name}: {error.message}") from None
    ctx.default_map = {name: value for name, value in settings.items() if name in known}
