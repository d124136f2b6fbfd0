"""What the terminal shows of a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cryoseg_ext.progress import on_terminal, write

if TYPE_CHECKING:
    from cryoseg_ext.training import Callbacks, Epoch


@contextmanager
def training_on_terminal() -> Iterator[Callbacks]:
    """Show how far the body is, and yield callbacks that write validation scores after each epoch.

    Of several processes that train together, the main one does.
    """
    from cryoseg_ext.training import Callbacks
    from cryoseg_ext.training.distributed import is_main_process

    def epoch(finished: Epoch) -> None:
        if finished.average_precision is not None:
            write(str(finished))

    if is_main_process():
        with on_terminal():
            yield Callbacks(epoch, write)
    else:
        yield Callbacks()
