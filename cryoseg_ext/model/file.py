"""A model file before it is loaded: its digest needs no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.model.weights import DEFAULT_MODEL

if TYPE_CHECKING:
    from cryoseg_ext.model.checkpoint import Model

_LENGTH_BYTES = 8
_LARGE_BYTES = 1 << 26
"""Smaller files are read before it is known whether they are models."""


def no_model_message(path: Path, reason: str) -> str:
    """Return the sentence on a file that is no model."""
    return (
        f"{path}: not a model that this version of cryoseg can use ({reason}); train it again with "
        "`cryoseg train` or leave --model out"
    )


def reason_of(error: Exception) -> str:
    """Return what is wrong with a model file; others may have written anything in any place."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return f"it lacks {reason}" if isinstance(error, KeyError) else reason


@dataclass(frozen=True)
class ModelFile:
    """A model file, read once however often it is asked.

    Parameters
    ----------
    path : Path
        A file that `cryoseg_ext.model.checkpoint.save_model` wrote.
    architecture : str, optional
        The user's own class ``package.module:Class`` that may be imported for it.
    """

    path: Path = DEFAULT_MODEL
    architecture: str | None = None

    @cached_property
    def content(self) -> bytes:
        """Its bytes.

        Raises
        ------
        CryosegError
            If it cannot be read, or is a large file of another kind.
        """
        try:
            if self.path.exists() and not self.path.is_dir():
                self._check_start()
            return self.path.read_bytes()
        except FileNotFoundError:
            raise CryosegError(
                f"{self.path}: no such model file; give --model a file that `cryoseg train` wrote"
            ) from None
        except OSError as error:
            raise CryosegError(
                f"{self.path}: the model cannot be read ({error.strerror}): give another --model"
            ) from None
        except MemoryError:
            raise CryosegError(
                f"{self.path}: the model does not fit into the memory: give another --model"
            ) from None

    def _check_start(self) -> None:
        """Refuse devices, and large files that do not start with the length of their header, 8 bytes."""
        size = self.path.stat().st_size
        if self.path.is_file():
            with self.path.open("rb") as file:
                length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if size < _LARGE_BYTES or length < size:
                return
        raise CryosegError(no_model_message(self.path, "it is no safetensors file"))

    @cached_property
    def digest(self) -> str:
        """A hexadecimal digest of its content."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def description(self) -> dict[str, Any]:
        """What the file says of the model; nothing of it is checked.

        Raises
        ------
        CryosegError
            If it is no model.
        """
        try:
            # A safetensors file has 8 bytes of length, and then a header in JSON.
            length = int.from_bytes(self.content[:_LENGTH_BYTES], "little")
            header = json.loads(self.content[_LENGTH_BYTES : _LENGTH_BYTES + length])
            return dict(json.loads(header["__metadata__"]["cryoseg"]))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise CryosegError(no_model_message(self.path, reason_of(error))) from error

    @cached_property
    def threshold(self) -> float:
        """The calibrated threshold of the model.

        Raises
        ------
        CryosegError
            If it is no model.
        """
        try:
            return float(self.description["threshold"])
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise CryosegError(no_model_message(self.path, reason_of(error))) from error

    def load(self, device: str = "cpu", precision: str = "auto") -> Model:
        """Return the model on a torch device; see `cryoseg_ext.model.checkpoint.load_model`."""
        from cryoseg_ext.model.checkpoint import load_content

        return load_content(self, device, precision)
