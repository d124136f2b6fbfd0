"""Where torch computes: the processor, or GPUs that are there."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.words import counted

if TYPE_CHECKING:
    from cryoseg_ext.model.checkpoint import Model
    from cryoseg_ext.model.file import ModelFile


def check_device(device: str) -> None:
    """Check that PyTorch can compute on a device.

    Raises
    ------
    CryosegError
        If not.
    """
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise CryosegError(
            f"--device {device}: PyTorch finds no such device here: give cpu or another"
        ) from error


def choose_devices(options: JobOptions, warn: Callable[[str], None]) -> list[str]:
    """Return the torch devices that a job computes on.

    GPUs that are asked for in RELION's way, ``--gpu``, and are not there cost time, not the job.

    Parameters
    ----------
    options : JobOptions
        With `device` or `gpu`.
    warn : callable
        Called with a sentence where other devices are used than were asked for.

    Raises
    ------
    CryosegError
        If there is no such `device`.
    """
    if options.gpu is None:
        if options.device != "cpu":
            check_device(options.device)
        return [options.device]
    import torch

    if not (n_gpus := torch.cuda.device_count() if torch.cuda.is_available() else 0):
        warn("--gpu was given, but PyTorch finds no GPU here: going on with the processor")
        return ["cpu"]
    if not options.gpu:
        return [f"cuda:{number}" for number in range(n_gpus)]
    # RELION has colons between processes and commas between threads of one: here both are workers.
    wanted = dict.fromkeys(int(number) for number in options.gpu.replace(":", ",").split(","))
    there = [number for number in wanted if number < n_gpus] or [0]
    if len(there) < len(wanted) or there[0] not in wanted:
        numbers = ", ".join(map(str, there))
        warn(
            f"--gpu {options.gpu}: there {'is' if n_gpus == 1 else 'are'} {counted(n_gpus, 'GPU')}, numbered "
            f"from 0: using {numbers}"
        )
    return [f"cuda:{number}" for number in there]


def load_on_device(file: ModelFile, options: JobOptions, warn: Callable[[str], None]) -> Model:
    """Load the model of a job; a host may do so before it starts one, to find what is wrong with it.

    Parameters
    ----------
    file : ModelFile
        The model.
    options : JobOptions
        What the user decided: device, cores and precision.
    warn : callable
        Called with a sentence where another device is used than the user wants.

    Raises
    ------
    CryosegError
        If the model cannot be used, or there is no such device.
    """
    from cryoseg_ext.processes import use_threads

    use_threads(options.workers or 1, warn)
    model = file.load(choose_devices(options, warn)[0], options.precision)
    # What torch has imported lives as long as the process; to look for cycles in it at the end takes long.
    gc.freeze()
    return model
