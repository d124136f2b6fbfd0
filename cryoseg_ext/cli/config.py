"""``--config``: options from a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.text import read_yaml
from cryoseg_ext.words import shown


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
            raise CryosegError(
                f"{path}: there is no option {shown(key)}: see --help, and write it without dashes"
            )
        try:
            defaults[str(option.name)] = option.type_cast_value(ctx, _given(option, value))
        except click.BadParameter as error:
            raise CryosegError(f"{path}: {shown(key)}: {error.message[:300]}") from error
        except (TypeError, ValueError, AttributeError, LookupError, OverflowError, OSError) as error:
            raise CryosegError(f"{path}: {shown(key)}: {shown(value)} is no value of this option") from error
    ctx.default_map = defaults


def _load(path: Path) -> dict[str, Any]:
    loaded = read_yaml(path)
    if not isinstance(loaded, dict):
        raise CryosegError(f"{path}: has no options: write lines such as 'steps: 7000'")
    return {key if isinstance(key, str) else shown(key): value for key, value in loaded.items()}


def _given(option: click.Option, value: Any) -> Any:
    """Return a value as the command line would give it: a file called 0 is no number of an open file."""
    if isinstance(option.type, click.Path) and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    # One name where several are possible must not be taken for a list of letters.
    return [value] if option.multiple and isinstance(value, str) else value


config_option = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_read,
    help="YAML file with any of these options, such as 'steps: 7000'; what is given here as well wins.",
)
