"""Files of settings: what ``cryoseg select`` chose, for every command that picks."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text
from cryoseg_ext.options.table import BY_NAME, SETTINGS
from cryoseg_ext.options.text import read_json
from cryoseg_ext.words import shown

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
    content = read_json(path)
    settings = content.get(_KEY) if isinstance(content, dict) else None
    if not isinstance(settings, dict):
        raise CryosegError(f"{path} has no {_KEY!r}: give a file that `cryoseg select` wrote")
    return {name: _checked(path, name, value) for name, value in settings.items()}


def _checked(path: Path, name: str, value: Any) -> Any:
    if name not in SETTINGS:
        raise CryosegError(f"{path}: {shown(name)} is no setting: those are {', '.join(SETTINGS)}")
    if not isinstance(value, str | int | float):
        raise CryosegError(f"{path}: {name} is {shown(json.dumps(value))}: give a word or a number")
    try:
        checked = BY_NAME[name].kind.read(value)
    except (ValueError, OverflowError, TypeError) as error:
        raise CryosegError(f"{path}: {name}: {shown(value)} {error}") from None
    if isinstance(checked, float) and math.isnan(checked):
        raise CryosegError(f"{path}: {name} is no number: give a number")
    return checked
