"""What options take: from the text of a command line, or a value of a file, to a checked value."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cryoseg_ext.options.size import AUTO
from cryoseg_ext.words import shown

if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    # Only newer versions of click have it with a type.
    _ParamType = click.ParamType


class Kind(_ParamType):
    """A kind of value.

    Parameters
    ----------
    name : str
        What stands for the value in ``--help``.
    """

    is_flag = may_be_bare = False

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value; refuse what is none with a sentence.

        Parameters
        ----------
        value : Any
            Text of a command line, or a value of a file.
        param, ctx
            Of click, for the sentence.
        """
        try:
            return self.read(value)
        except ValueError as error:
            self.fail(f"{shown(value)} {error}", param, ctx)

    def read(self, value: Any) -> Any:
        """Return the value; raise a ValueError that says what is wrong and what to give."""
        return value


class Number(Kind):
    """A finite number.

    Parameters
    ----------
    name : str
        Its unit.
    condition : str
        What it must be, in words.
    low, high : float
        Its limits.
    above : bool
        Whether `low` itself is refused.
    whole : bool
        Whether it counts something.
    """

    def __init__(
        self,
        name: str,
        condition: str,
        low: float = 0.0,
        high: float = math.inf,
        *,
        above: bool = False,
        whole: bool = False,
    ) -> None:
        super().__init__(name)
        self._condition, self._low, self._high, self._above, self._whole = condition, low, high, above, whole

    def read(self, value: Any) -> float | int:
        """Return the number."""
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"is not a number: give {self._condition}") from None
        fits = self._low < number <= self._high if self._above else self._low <= number <= self._high
        if not fits or not math.isfinite(number) or (self._whole and number != int(number)):
            raise ValueError(f"is not {self._condition}")
        return int(number) if self._whole else number


class Diameter(Number):
    """A length in Å, or ``auto``."""

    def read(self, value: Any) -> Any:
        """Return the length or `AUTO`."""
        return AUTO if value == AUTO else super().read(value)


class Word(Kind):
    """One of several words.

    Parameters
    ----------
    words : Sequence of str
        Those that are known.
    """

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__("NAME")
        self.words = words

    def read(self, value: Any) -> str:
        """Return the word; hyphens and underscores are alike."""
        for word in self.words:
            if str(value).replace("-", "_") == word:
                return word
        raise ValueError(f"is not known: give one of {', '.join(self.words)}")


class Flag(Kind):
    """Yes or no."""

    is_flag = may_be_bare = True

    def read(self, value: Any) -> bool:
        """Return whether it is on: bare, or yes and no as RELION's GUI writes them."""
        text = str(value).lower()
        if text in ("", "yes", "true", "1"):
            return True
        if text in ("no", "false", "0"):
            return False
        raise ValueError("is neither Yes nor No: give one of them, or nothing for Yes")


class Constant(Flag):
    """A flag that stands for a value of its field.

    Parameters
    ----------
    value : str
        The value.
    """

    def __init__(self, value: str) -> None:
        super().__init__("")
        self.value = value

    def read(self, value: Any) -> Any:
        """Return the value, or False where the flag is off."""
        return self.value if super().read(value) else False


class Folder(Kind):
    """A folder that is there."""

    def read(self, value: Any) -> Path:
        """Return its path."""
        if not Path(value).is_dir():
            raise ValueError("is no folder: check the path and the current folder")
        return Path(value)


class File(Kind):
    """A file; what is wrong with it is found when it is read."""

    def read(self, value: Any) -> Path:
        """Return its path."""
        return Path(value)


class Gpu(Kind):
    """Numbers of GPUs as RELION writes them; nothing for any."""

    may_be_bare = True

    def read(self, value: Any) -> str:
        """Return them as they stand."""
        if not re.fullmatch(r"(\d+([,:]\d+)*)?", str(value)):
            raise ValueError("is not the number of a GPU: give one such as 0, or nothing for any")
        return str(value)


LENGTH = Number("Å", "a positive length in Å", above=True)
DISTANCE = Number("Å", "a distance in Å, 0 or more")
PIXEL_SIZE = Number("Å/px", "a pixel size in Å/px, above 0", above=True)
FRACTION = Number("P", "between 0 and 1", high=1.0)
AREA = Number("X", "an area in particle discs, 0 or more")
LEAST_ZERO = Number("X", "a number, 0 or more")
ABOVE_ZERO = Number("X", "a number above 0", above=True)
SCORE = Number("SCORE", "a number", low=-math.inf)
MINUTES = Number("MINUTES", "a positive number of minutes", above=True)
COUNT = Number("N", "a whole number, 1 or more", low=1, whole=True)
NUMBER = Number("N", "a whole number, 0 or more", whole=True)
DIAMETER = Diameter("Å|auto", "a positive length in Å, or auto", above=True)
FLAG = Flag("")
TEXT = Kind("TEXT")
