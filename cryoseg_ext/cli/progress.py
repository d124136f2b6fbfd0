"""What the terminal shows of a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryoseg_ext.training import Callbacks, Epoch


@contextmanager
def progress_bar(steps: int) -> Iterator[Callbacks]:
    """Yield callbacks that draw a bar with the loss and write validation scores after each epoch."""
    import tqdm

    from cryoseg_ext.training import Callbacks

    with tqdm.tqdm(total=steps, desc="training", unit="step", smoothing=0.05) as bar:

        def step(number: int, loss: float) -> None:
            bar.update(number - bar.n)
            bar.set_postfix(loss=f"{loss:.3f}")

        def epoch(finished: Epoch) -> None:
            if finished.average_precision is not None:
                bar.write(str(finished))

        yield Callbacks(step, epoch, bar.write)
