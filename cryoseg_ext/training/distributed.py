"""Several processes, one per GPU, as torch's own ``torchrun`` starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train one network together.

    Parameters
    ----------
    rank : int
        Number of this process, from 0.
    size : int
        Number of processes.
    device : str
        Torch device of this process.
    """

    rank: int
    size: int
    device: str

    @property
    def is_main(self) -> bool:
        """Whether this is the process that validates and writes files."""
        return self.rank == 0

    def wrap(self, network: nn.Module) -> nn.Module:
        """Return a network whose gradients are the mean over the processes."""
        return network if self.size == 1 else DistributedDataParallel(network)

    def broadcast(self, value: Any) -> Any:
        """Return the `value` that the main process passed."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box)
        return box[0]


def is_main_process() -> bool:
    """Return whether this is the first process that ``torchrun`` started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def process_group(device: str) -> Iterator[ProcessGroup]:
    """Join the processes that ``torchrun`` started; without it this process is the only one.

    Parameters
    ----------
    device : str
        Torch device; with ``cuda`` each process takes the GPU of its number.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ProcessGroup(0, 1, device)
        return
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield ProcessGroup(distributed.get_rank(), size, device)
        # Leaving while another process still communicates can end this one with an abort.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
