"""YAML and JSON of users and other programs, bounded: no file may fill the memory or take minutes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryoseg_ext.errors import CryosegError

_MOST_BYTES = 256_000
_MOST_VALUES = 20_000
# What the parsers raise on damaged text, beside their own errors.
_DAMAGED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def read_yaml(path: Path) -> Any:
    """Return what is in a YAML file.

    Raises
    ------
    CryosegError
        If it cannot be read, is no YAML, or unfolds to more than a file of options or of results can hold.
    """
    import yaml

    text = _read(path)
    try:
        # Merge keys multiply what they repeat before it can be counted, and no file that is meant has them.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)) and "<<" in text:
            raise CryosegError(f"{path}: has merge keys ('<<'): write the values out")
        content = yaml.safe_load(text)
    except (yaml.YAMLError, *_DAMAGED) as error:
        raise CryosegError(f"{path}: is no YAML file: {_reason(error)}") from None
    _check_size(path, content)
    return content


def read_json(path: Path) -> Any:
    """Return what is in a JSON file.

    Raises
    ------
    CryosegError
        If it cannot be read or is no JSON.
    """
    text = _read(path)
    try:
        content = json.loads(text)
    except _DAMAGED as error:
        raise CryosegError(f"{path} is not JSON ({_reason(error)}): write it again") from None
    _check_size(path, content)
    return content


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise CryosegError(
                f"{path} is longer than {_MOST_BYTES} bytes: that is no file of settings or results"
            )
        return content.decode("utf-8-sig")
    except OSError as error:
        raise CryosegError(f"{path} cannot be read ({error.strerror}): check the path") from None
    except UnicodeDecodeError:
        raise CryosegError(f"{path} is not text in UTF-8: write it again as UTF-8") from None


def _check_size(path: Path, content: Any) -> None:
    """Count the values as they unfold: an alias stands for all that it repeats."""
    waiting, count = [content], 0
    while waiting:
        count += 1
        if count > _MOST_VALUES:
            raise CryosegError(f"{path} unfolds to more than {_MOST_VALUES} values: write what is meant")
        value = waiting.pop()
        if isinstance(value, int) and abs(value) >= 2**63:
            raise CryosegError(f"{path} has a whole number of over 18 digits: write what is meant")
        if isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list | tuple | set):
            waiting += value


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
