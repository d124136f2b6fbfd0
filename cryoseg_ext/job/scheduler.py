"""The scheduler of a cluster: one that runs already, or one here whose workers are jobs of a batch system."""

from __future__ import annotations

import json
import logging
import math
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.extras import require

QUEUES = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster", "sge": "SGECluster"}
"""The class of dask-jobqueue for each batch system."""
CONNECT_S = 10.0
"""How long a scheduler may take to answer."""
CLOSE_S = 5.0
"""How long it may take to let go of it."""
MEMORY_GB = 4
"""Memory of each process of a job, where the user's configuration has none."""
LOGS = "cluster"
"""Folder within that of the picking job for the logs of a queue's jobs, unless the configuration has one."""
_CONFIGURATION = "~/.config/dask/jobqueue.yaml"
_LOGS = ("asyncio", "dask", "dask_jobqueue", "distributed", "tornado")


def require_dask() -> None:
    """Check that the packages of clusters are installed, and keep their logs from the user.

    Raises
    ------
    CryosegError
        If they are not.
    """
    require("cluster", "--cluster")
    import dask_jobqueue  # noqa: F401 - with all the loggers that it makes
    import distributed  # noqa: F401

    for name in (*_LOGS, *logging.root.manager.loggerDict):
        if name.partition(".")[0] in _LOGS:
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [logging.NullHandler()], name not in _LOGS


@contextmanager
def connected(cluster: str, queue: Any) -> Iterator[Any]:
    """Connect to the scheduler of a cluster.

    Raises
    ------
    CryosegError
        If there is none, or its Python is another one.
    """
    from distributed import Client
    from distributed.versions import VersionMismatchWarning

    class Connection(Client):
        async def _ensure_connected(self, timeout: float | None = None) -> None:
            try:
                await super()._ensure_connected(timeout=timeout)  # type: ignore[no-untyped-call]
            except Exception as error:
                # Anything may come from a program that is no scheduler; so the client knows it as a failure.
                raise OSError(str(error)) from error

    with warnings.catch_warnings():
        # What matters of the versions is checked for each worker.
        warnings.simplefilter("ignore", VersionMismatchWarning)
        try:
            client: Any = Connection(  # type: ignore[no-untyped-call]
                queue or _address(cluster), timeout=CONNECT_S, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise CryosegError(
                f"--cluster {cluster}: no dask scheduler answers there: start it, or correct the address"
            ) from error
    try:
        _check_python(client)
        yield client
    finally:
        with suppress(Exception):
            client.close(timeout=CLOSE_S)


@contextmanager
def job_queue(cluster: str, workers: int, directory: Path) -> Iterator[Any]:
    """Submit the jobs of a batch system that are the workers, and cancel them at the end.

    Parameters
    ----------
    cluster : str
        Batch system of `QUEUES`, or the name of another configuration for one, as in ``slurm-gpu``; whatever
        else it is, there are no jobs.
    workers : int
        Number of worker processes.
    directory : Path
        The folder of the picking job, for their logs.

    Raises
    ------
    CryosegError
        If the configuration is wrong, or the batch system refuses.
    """
    from distributed import Status

    system = cluster.partition("-")[0]
    if system not in QUEUES:
        yield None
        return
    queue, n_processes = _queue(cluster, system, directory)
    try:
        for _ in range(math.ceil(workers / n_processes)):
            queue.worker_spec.update(queue.new_worker_spec())
        try:
            # `scale` would neither wait for the submission nor raise.
            queue.sync(queue._correct_state)
        except (OSError, RuntimeError, ValueError) as error:
            for job in queue.workers.values():
                # It would not close with a job that has not started.
                job.status = Status.failed
            raise _refused(cluster, error) from error
        yield queue
    finally:
        with suppress(Exception):
            queue.close(timeout=CLOSE_S)


def _queue(cluster: str, system: str, directory: Path) -> tuple[Any, int]:
    """Return the queue without jobs, and the number of worker processes of each job to come."""
    import dask
    import dask_jobqueue

    given = dask.config.get(f"jobqueue.{cluster}", None)
    if given is None:
        raise CryosegError(f"--cluster {cluster}: {_CONFIGURATION} has no configuration of this name: add it")
    settings = dask.config.merge(dask.config.get(f"jobqueue.{system}"), given)
    # The jobs read it again when they are submitted.
    dask.config.set({f"jobqueue.{cluster}": settings})
    cores = settings["cores"] or 1
    processes = settings["processes"] or cores
    try:
        queue = getattr(dask_jobqueue, QUEUES[system])(
            config_name=cluster,
            cores=cores,
            processes=processes,
            memory=settings["memory"] or f"{MEMORY_GB * processes}GB",
            log_directory=settings["log-directory"] or str((directory / LOGS).resolve()),
            scheduler_options={"dashboard": False, "dashboard_address": ":0"} | settings["scheduler-options"],
        )
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise _refused(cluster, error) from error
    return queue, processes


def _refused(cluster: str, error: Exception) -> CryosegError:
    # A command that fails is followed by what it wrote.
    text = str(error).partition("stderr:\n")[2].strip() or str(error) or type(error).__name__
    what = "; ".join(line for line in text.splitlines() if line)
    return CryosegError(
        f"--cluster {cluster}: {what}: correct {_CONFIGURATION}, or run the job where jobs can be submitted"
    )


def _address(cluster: str) -> str:
    if cluster.endswith(".json"):
        try:
            return str(json.loads(Path(cluster).read_text(encoding="utf-8"))["address"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise CryosegError(f"{cluster} is no scheduler file of dask: check the path") from error
    if ":" not in cluster:
        raise CryosegError(
            f"--cluster {cluster}: give the address of a dask scheduler such as tcp://host:8786, its file "
            f"(.json), or one of {', '.join(QUEUES)}"
        )
    return cluster


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _check_python(client: Any) -> None:
    for address, found in client.get_versions()["workers"].items():
        there = ".".join(found["host"]["python"].split(".")[:2])
        if there != _python():
            raise CryosegError(
                f"the worker at {address} runs Python {there} and the job {_python()}: start the workers "
                "from the Python environment of the job"
            )
