"""Packages that only some options need; pyproject.toml has them as extras."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from shlex import quote

from cryoseg_ext.errors import CryosegError

EXTRAS = {
    "cluster": {"dask_jobqueue": "dask-jobqueue", "distributed": "distributed"},
    "extraction": {"trackpy": "trackpy"},
    "networks": {"monai": "monai"},
    "pydensecrf": {"pydensecrf": "pydensecrf2"},
    "simulation": {"gemmi": "gemmi"},
}
"""The packages of each extra, by the name under which they are imported."""


def require(extra: str, wanted: str, otherwise: str = "") -> None:
    """Check that the packages of an extra are installed.

    Parameters
    ----------
    extra : str
        A name of `EXTRAS`.
    wanted : str
        What the user asked for, as the subject of a sentence.
    otherwise : str
        What the user can do without them, with the words that join it to the remedy.

    Raises
    ------
    CryosegError
        If one is missing.
    """
    missing = [package for module, package in EXTRAS[extra].items() if find_spec(module) is None]
    if missing:
        packages = f"package{'s' if len(missing) > 1 else ''} {' and '.join(missing)}"
        # With its path, because a job of RELION runs where no environment is activated.
        remedy = f"{quote(sys.executable)} -m pip install {' '.join(missing)}"
        raise CryosegError(f"{wanted} needs the {packages}: {remedy}{otherwise}")
