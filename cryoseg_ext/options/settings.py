"""Files of settings: what ``cryoseg select`` chose, for every command that picks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text
from cryoseg_ext.options.table import BY_NAME, SETTINGS

_KEY = "settings"


def write_settings(path: Path, settings: Mapping[str, Any], search: Mapping[str, Any]) -> None:
    """Write a file for ``--settings``.

    Parameters
    ----------
    path : Path
        The file.
    settings : Mapping[str, Any]
        Values by the name of the option.
    search : Mapping[str, Any]
        How they were found; it is not read again.
    """
    replace_text(path, json.dumps({_KEY: settings, "search": search}, indent=1) + "\n")


def read_settings(path: Path) -> dict[str, Any]:
    """Return the checked settings in a file, by the name of the option.

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
    return {name: _checked(path, name, value) for name, value in settings.items()}


def _checked(path: Path, name: str, value: Any) -> Any:
    if name not in SETTINGS:
        raise CryosegError(f"{path}: {name} is no setting: those are {', '.join(SETTINGS)}")
    if not isinstance(value, str | int | float):
        raise CryosegError(f"{path}: {name} is {json.dumps(value)}: give a word or a number")
    try:
        return BY_NAME[name].kind.read(value)
    except ValueError as error:
        raise CryosegError(f"{path}: {name}: {value} {error}") from None
