"""The micrographs that a job leaves out, and why, and those of which something seems wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryoseg_ext.files import file_stamp
from cryoseg_ext.words import counted

if TYPE_CHECKING:
    from cryoseg_ext.formats.micrographs import ListedMicrograph, MicrographList


@dataclass
class Skipped:
    """What is wrong with micrographs, and the files in which it was found."""

    sentences: dict[str, str] = field(default_factory=dict, init=False)
    """What is wrong, by name."""
    _stamps: dict[str, str | None] = field(default_factory=dict, init=False)

    def add(self, name: str, sentence: str, micrograph: ListedMicrograph | None) -> bool:
        """Leave a micrograph out, and return whether that is new.

        Parameters
        ----------
        name : str
            Its name.
        sentence : str
            What is wrong with it.
        micrograph : ListedMicrograph, optional
            The micrograph, where the list has it.
        """
        if name in self.sentences:
            return False
        self.sentences[name] = sentence
        self._stamps[name] = file_stamp(micrograph.image) if micrograph else None
        return True

    def forgive(self, listed: MicrographList) -> None:
        """Forget what is wrong with micrographs whose files have changed since: they are tried again."""
        for name in list(self.sentences):
            micrograph = listed.by_name.get(name)
            if micrograph and file_stamp(micrograph.image) != self._stamps[name]:
                del self.sentences[name], self._stamps[name]


@dataclass
class Notes:
    """What seems wrong with files that were picked: said once, and then counted."""

    warn: Callable[[str], None]
    _count: Counter[str] = field(default_factory=Counter, init=False)

    def add(self, micrograph: ListedMicrograph, notes: Iterable[str]) -> None:
        """Say what is new."""
        for text in notes:
            if not self._count[text]:
                self.warn(f"{micrograph.image}: {text}")
            self._count[text] += 1

    def summarise(self) -> None:
        """Say of how many more micrographs each holds."""
        for text, count in self._count.items():
            if count > 1:
                self.warn(f"The same of {counted(count - 1, 'more micrograph')}: {text}")
