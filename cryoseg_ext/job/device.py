"""Where torch computes: the processor, or a GPU that is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.job import JobOptions

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


def choose_device(options: JobOptions, warn: Callable[[str], None]) -> str:
    """Return the torch device that a job computes on.

    A GPU that is asked for in RELION's way, ``--gpu``, and is not there costs time, not the job.

    Parameters
    ----------
    options : JobOptions
        With `device` or `gpu`.
    warn : callable
        Called with a sentence where another device is used than was asked for.

    Raises
    ------
    CryosegError
        If there is no such `device`.
    """
    if options.gpu is None:
        if options.device != "cpu":
            check_device(options.device)
        return options.device
    import torch

    if not torch.cuda.is_available():
        warn("--gpu was given, but PyTorch finds no GPU here: going on with the processor")
        return "cpu"
    number = int(options.gpu.replace(":", ",").split(",")[0]) if options.gpu else 0
    if number >= (n_gpus := torch.cuda.device_count()):
        warn(f"--gpu {options.gpu}: there are {n_gpus} GPUs, numbered from 0: using number 0")
        number = 0
    if options.gpu and not options.gpu.isdecimal():
        warn(f"--gpu {options.gpu}: one GPU is used, number {number}")
    return f"cuda:{number}"


def load_on_device(file: ModelFile, options: JobOptions, warn: Callable[[str], None]) -> Model:
    """Load the model of a job; a host may do so before it starts one, to find what is wrong with it.

    Parameters
    ----------
    file : ModelFile
        The model.
    options : JobOptions
        What the user decided: device and threads.
    warn : callable
        Called with a sentence where another device is used than the user wants.

    Raises
    ------
    CryosegError
        If the model cannot be used, or there is no such device.
    """
    from cryoseg_ext.processes import use_threads

    use_threads(options.threads, warn)
    return file.load(choose_device(options, warn))
