"""What makes a worker of a cluster ready for a job."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import WorkerPlugin

_PACKAGES = ("cryoseg", "numpy", "openvino", "scikit-image", "scipy", "torch", "torch-fourier-rescale")
"""What the digits of a result depend on."""


def call_prepared(name: str, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Return ``function(state, *args)`` in a worker, with the state of a job.

    Parameters
    ----------
    name : str
        Of the job.
    function : callable
        What to call.
    args : tuple
        Its further arguments.
    """
    from distributed import get_worker

    ready: Any = get_worker().plugins[name]
    return function(ready.state, *args)


def _version(package: str) -> str | None:
    return next((found.version for found in distributions(name=package)), None)


def preparation(name: str, setup: Callable[[], Any], image: Path | None) -> WorkerPlugin:
    """Return what prepares a worker: it makes the state of the job, or reports why it cannot.

    It travels as code and uses nothing of this module, because a worker may have no cryoseg or another one.

    Parameters
    ----------
    name : str
        Of the job. A worker that is ready has a resource of this name, as many as it has threads; another one
        logs an event of this topic: its address, its machine, and what is wrong.
    setup : callable
        Makes the state, in each worker process.
    image : Path, optional
        An image that the worker must see.
    """
    from distributed import WorkerPlugin
    from distributed.protocol.pickle import dumps

    class Preparation(WorkerPlugin):
        name: str
        pickled: bytes
        image: str | None
        versions: dict[str, str | None]
        state: Any
        task: Any

        async def setup(self, worker: Any) -> None:
            import asyncio

            self.task = asyncio.create_task(self.make_ready(worker))

        async def make_ready(self, worker: Any) -> None:
            import asyncio
            import socket

            from distributed import Status

            # A worker that died before it has started would not be started again.
            await worker
            try:
                # In a thread, because the worker must go on answering while it loads the model.
                problem = await asyncio.get_running_loop().run_in_executor(None, self.prepare)
            except Exception as error:
                is_ours = type(error).__name__ == "CryosegError"
                problem = str(error) if is_ours else f"{type(error).__name__}: {error}"[:300]
            if problem:
                worker.log_event(self.name, (worker.address, socket.gethostname(), problem))
                return
            await worker.set_resources(**{self.name: worker.state.nthreads})
            if worker.status == Status.running:
                # Only for a worker that begins to run, the scheduler looks again at calls that none could do.
                worker.status = Status.paused
                worker.status = Status.running

        def prepare(self) -> str:
            import os
            import pickle
            from importlib.metadata import distributions

            for package, of_job in self.versions.items():
                here = next((found.version for found in distributions(name=package)), None)
                if here != of_job:
                    return (
                        f"their {package} is {here or 'missing'} and that of the job {of_job or 'missing'}: "
                        "start them from the Python environment of the job"
                    )
            if self.image and not os.access(self.image, os.R_OK):
                return f"they do not see {self.image}: the job's folders must have the same paths there"
            self.state = pickle.loads(self.pickled)()
            return ""

    # Set from here: the class must not hold the setup itself, which may need packages that the worker lacks.
    made = Preparation()
    made.name, made.pickled, made.image = name, dumps(setup), str(image) if image else None
    made.versions = {package: _version(package) for package in _PACKAGES}
    return made
