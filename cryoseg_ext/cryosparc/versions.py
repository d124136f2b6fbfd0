"""The one file with two code paths: for cryosparc-tools 5 (REST) and for cryosparc-tools 4.7 (JSON-RPC)."""

from __future__ import annotations

from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cryosparc

from cryoseg_ext.errors import CryosegError

CLIENT_VERSION: str = cryosparc.__version__
IS_V5 = int(CLIENT_VERSION.split(".")[0]) >= 5

PROGRESS_INTERVAL_S = 2.0 if IS_V5 else 60.0
"""Version 5 replaces one line of the event log; version 4 can only add lines, so there are few."""

ALL_SLOTS: str | list[str] = "all" if IS_V5 else []
"""What the client takes for all slots of an input, those that are only passed through too."""

OTHER_SERIES = "4.7" if IS_V5 else "5.0"
SECRETS = "the password or the saved token" if IS_V5 else "the password and the licence"
_REASON_LENGTH = 300


def client_arguments(
    url: str, email: str | None, password: str | None, license_id: str | None
) -> dict[str, Any]:
    """Return the arguments of ``cryosparc.tools.CryoSPARC`` for a login.

    Parameters
    ----------
    url, email, password, license_id : str
        As in `cryoseg_ext.cryosparc.Login`.

    Raises
    ------
    CryosegError
        If version 4 needs something that is missing.
    """
    if IS_V5:
        # The host and the port are named, because the client would take them from the environment.
        return {"base_url": url, "host": None, "base_port": None, "email": email, "password": password}
    if not (email and password and license_id):
        raise CryosegError(
            f"cryosparc-tools {CLIENT_VERSION} needs an e-mail address, a password and a licence: set "
            "CRYOSPARC_EMAIL, CRYOSPARC_PASSWORD and CRYOSPARC_LICENSE_ID"
        )
    parts = urlsplit(url)
    place = {"host": parts.hostname, "base_port": parts.port or 39000}
    return place | {"license": license_id, "email": email, "password": password}


def transport_errors() -> tuple[type[BaseException], ...]:
    """Return what is raised when the connection fails, and not the request."""
    if IS_V5:
        import httpx

        return OSError, HTTPException, httpx.TransportError
    return OSError, HTTPException


def directory(owner: Any) -> Path:
    """Return the folder of a project or a job, with one request."""
    return Path(owner.dir if IS_V5 else owner.dir())


def slot(name: str, dtype: str) -> str | dict[str, Any]:
    """Return the specification of a slot that must be there."""
    return name if name == dtype else {"name" if IS_V5 else "prefix": name, "dtype": dtype, "required": True}


def input_names(job: Any) -> set[str]:
    """Return the names of a job's inputs."""
    return set(job.inputs) if IS_V5 else {str(group["name"]) for group in job.doc["input_slot_groups"]}


def output_types(job: Any) -> dict[str, str]:
    """Return the type of each of a job's outputs, such as exposure, by name."""
    if IS_V5:
        return {str(name): str(output.type) for name, output in job.outputs.items()}
    return {str(group["name"]): str(group["type"]) for group in job.doc["output_result_groups"]}


def log_in_place(job: Any, name: str, text: str) -> None:
    """Write to the event log: version 5 replaces what has the same name, version 4 adds a line.

    Parameters
    ----------
    job : cryosparc.controllers.job.ExternalJobController
        The client's own job.
    name : str
        By which the text is replaced.
    text : str
        The text.
    """
    if IS_V5:
        job.log(text, name=name)
    else:
        job.log(text)


def set_images(job: Any, image: Path, output: str | None) -> None:
    """Show a picture on the job's tile and its output; version 4 has no way to.

    Parameters
    ----------
    job : cryosparc.controllers.job.ExternalJobController
        The client's own job.
    image : Path
        The picture.
    output : str or None
        Name of the output, if the job has one.
    """
    if IS_V5:
        job.set_tile_image(image)
        if output:
            job.set_output_image(output, image)


def stop(job: Any, error: str = "") -> None:
    """Mark a job completed, or failed for a reason.

    Version 5 sends the reason in a URL, so that it has to be short; version 4 takes none.
    """
    short = shortened(error)
    if IS_V5:
        job.stop(short)
    else:
        if short:
            job.log(short, level="error")
        job.stop(bool(short))


def shortened(text: str) -> str:
    """Return a text as one line that is not too long for a URL."""
    line = " ".join(text.split())
    return line if len(line) <= _REASON_LENGTH else f"{line[: _REASON_LENGTH - 2]} …"
