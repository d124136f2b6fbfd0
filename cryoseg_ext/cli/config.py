"""``--config``: options from a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cryoseg_ext.errors import CryosegError


def _read(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Make what is in the file the defaults of the command: options that are given themselves win."""
    if path is None:
        return
    options = {
        name.removeprefix("--"): option
        for option in ctx.command.params
        if isinstance(option, click.Option)
        for name in option.opts
    }
    defaults = {}
    for key, value in _load(path).items():
        option = options.get(key)
        if option is None or key == "config":
            raise CryosegError(f"{path}: there is no option {key}: see --help, and write it without dashes")
        # One name where several are possible must not be taken for a list of letters.
        given = [value] if option.multiple and isinstance(value, str) else value
        try:
            defaults[str(option.name)] = option.type_cast_value(ctx, given)
        except click.BadParameter as error:
            raise CryosegError(f"{path}: {key}: {error.message}") from error
    ctx.default_map = defaults


def _load(path: Path) -> dict[str, Any]:
    import yaml

    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CryosegError(f"{path}: is no YAML file: {' '.join(str(error).split())}") from error
    if not isinstance(loaded, dict):
        raise CryosegError(f"{path}: has no options: write lines such as 'steps: 7000'")
    return {str(key): value for key, value in loaded.items()}


config_option = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_read,
    help="YAML file with any of these options, such as 'steps: 7000'; what is given here as well wins.",
)
