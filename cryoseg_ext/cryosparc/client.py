"""Connecting to CryoSPARC; what goes wrong in a request becomes one sentence."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError

from cryoseg_ext.cryosparc import versions
from cryoseg_ext.errors import CryosegError

_MISMATCH = re.compile(r"with version (v(\d+\.\d+)\S*)\s+may not be compatible")


class ServerGoneError(CryosegError):
    """The server does not answer, so that the job cannot be marked either."""


@dataclass(frozen=True)
class Login:
    """Address of CryoSPARC and credentials of the user; see `find_login`.

    Parameters
    ----------
    url : str
        Address as in the browser, such as ``http://localhost:39000``.
    email, password : str, optional
        The user's; version 5 also takes the token that ``python -m cryosparc.tools login`` saved.
    license_id : str, optional
        Licence of the instance; version 4 needs it.
    """

    url: str
    email: str | None = None
    password: str | None = field(default=None, repr=False)
    license_id: str | None = field(default=None, repr=False)


def find_login(
    url: str | None = None,
    email: str | None = None,
    password: str | None = None,
    license_id: str | None = None,
) -> Login:
    """Return a login whose missing parts are taken from the environment variables of cryosparc-tools.

    Parameters
    ----------
    url : str, optional
        Address as in the browser, such as ``http://localhost:39000``.
    email, password : str, optional
        Credentials of the user.
    license_id : str, optional
        Licence of a CryoSPARC of version 4.
    """
    # The client reads them too, but when it is imported, and takes no host together with a URL.
    variables = os.environ
    if not url:
        host = variables.get("CRYOSPARC_MASTER_HOSTNAME", "localhost")
        port = variables.get("CRYOSPARC_BASE_PORT", "39000")
        url = variables.get("CRYOSPARC_BASE_URL") or f"http://{host}:{port}"
    return Login(
        (url if "://" in url else f"http://{url}").rstrip("/"),
        email or variables.get("CRYOSPARC_EMAIL"),
        password or variables.get("CRYOSPARC_PASSWORD"),
        license_id or variables.get("CRYOSPARC_LICENSE_ID"),
    )


def connect(login: Login) -> tuple[Any, str | None]:
    """Connect to CryoSPARC.

    Returns
    -------
    client : cryosparc.tools.CryoSPARC
        The connected client.
    mismatch : str or None
        One sentence, if the instance has another major or minor version than the client.

    Raises
    ------
    CryosegError
        If nobody answers, the credentials are refused, or the server is none that this client can talk to.
    """
    from cryosparc.tools import CryoSPARC

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            client = CryoSPARC(
                **versions.client_arguments(login.url, login.email, login.password, login.license_id)
            )
    except Exception as error:
        raise _no_connection(login, error) from error
    for warning in caught:
        if found := _MISMATCH.search(str(warning.message)):
            return client, (
                f"CryoSPARC at {login.url} is {found[1]} and the client here is cryosparc-tools "
                f"{versions.CLIENT_VERSION}: install the matching one with: {_install_command(found[2])}"
            )
    return client, None


def _no_connection(login: Login, error: Exception) -> CryosegError:
    chain = list(_chain(error))
    if known := next((cause for cause in chain if isinstance(cause, CryosegError)), None):
        return known
    if _nobody_answers(error):
        return ServerGoneError(
            f"no CryoSPARC answers at {login.url}: check --url and that CryoSPARC runs (cryosparcm status)"
        )
    if "authentication not provided" in str(error):
        return CryosegError(
            f"there are no credentials for {login.url}: set CRYOSPARC_EMAIL and CRYOSPARC_PASSWORD, or run "
            f"once: python -m cryosparc.tools login --url {login.url}"
        )
    codes = {code for cause in chain if isinstance(code := getattr(cause, "code", None), int)}
    if codes & {400, 401, 403, 422} or "authentication with given credentials" in str(error):
        return CryosegError(
            f"CryoSPARC at {login.url} refused the login: check the e-mail address, {versions.SECRETS}"
        )
    return CryosegError(
        f"{login.url} gives no answer that cryosparc-tools {versions.CLIENT_VERSION} understands "
        f"({_reason(chain[-1])}): check --url, and install the client of your CryoSPARC's version, as in: "
        f"{_install_command(versions.OTHER_SERIES)}"
    )


def _install_command(version: str) -> str:
    return f"pip install 'cryosparc-tools~={version}.0'"


@contextmanager
def requesting(what: str, remedy: str) -> Iterator[None]:
    """Make requests of the server; what goes wrong becomes one sentence.

    Parameters
    ----------
    what : str
        What is requested, as in "find project P3".
    remedy : str
        What the user can do when it is refused.

    Raises
    ------
    ServerGoneError
        If the server does not answer.
    CryosegError
        If it refuses.
    """
    try:
        with warnings.catch_warnings():
            # The client warns at each attempt.
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        if _nobody_answers(error):
            raise ServerGoneError(
                f"CryoSPARC does not answer when asked to {what}: check that it runs (cryosparcm status)"
            ) from error
        raise CryosegError(f"CryoSPARC could not {what} ({_reason(error)}): {remedy}") from error


def _nobody_answers(error: BaseException) -> bool:
    """Return whether the connection failed, and not the request."""
    return any(
        (isinstance(cause, versions.transport_errors()) and not isinstance(cause, HTTPError))
        # The client of version 4 keeps only the text.
        or re.search(r"\bURL Error\b|\bTimeout Error\b", str(cause))
        for cause in _chain(error)
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _reason(error: BaseException) -> str:
    data = getattr(error, "data", None)
    detail = data.get("detail") if isinstance(data, dict) else None
    code = getattr(error, "code", None)
    return versions.shortened(f"code {code}: {detail}" if detail else str(error).removeprefix("*** "))
