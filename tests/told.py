"""Displays of progress that tests look at."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryoseg_ext.progress import Progress
from cryoseg_ext.training.loop import TRAINING


@dataclass
class Told:
    """A display that keeps what it is told."""

    calls: list[tuple[str, int, int, str]] = field(default_factory=list)

    def __call__(self, what: str, done: int, total: int, note: str) -> None:
        self.calls.append((what, done, total, note))

    def steps(self, what: str) -> list[int]:
        """Return the numbers of steps that were told of some work."""
        return [done for name, done, *_ in self.calls if name == what]

    @property
    def finished(self) -> list[str]:
        """The work that came to its end, in this order."""
        return [what for what, done, total, _ in self.calls if done == total]


def interrupt_training(at: int) -> Progress:
    """Return a display that ends a training at a step, as Ctrl-C does."""

    def interrupt(what: str, done: int, total: int, note: str) -> None:
        if (what, done) == (TRAINING, at):
            raise KeyboardInterrupt

    return interrupt
