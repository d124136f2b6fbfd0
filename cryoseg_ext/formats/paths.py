"""Where the paths start that stand in the files of a project."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

_JOB_FOLDER = re.compile(r"(?:^|.*?/)job\d{3}[^/]*/")


def exists(path: Path, is_there: Callable[[Path], bool] = Path.exists) -> bool:
    """Return whether a file is there; a name that is too long or no name at all is nowhere.

    The other check may be `Path.is_file`.
    """
    try:
        return is_there(path)
    except (OSError, ValueError):
        return False


def folder_above(path: Path, inside: str | Path) -> Path | None:
    """Return the nearest folder above `path` that holds `inside`; None where none does.

    RELION and CryoSPARC write paths that start from the project folder, which lies somewhere above their
    files.
    """
    return next((folder for folder in path.absolute().parents if exists(folder / inside)), None)


def after_job_folder(micrograph_name: str) -> str:
    """Return what follows the first ``jobNNN/`` in a path of RELION, looking through a job's alias.

    RELION's ``decomposePipelineSymlinkName``: a micrograph's coordinate file has this path in the folder of
    the picking job.
    """
    top, _, rest = micrograph_name.partition("/")
    alias, _, below = rest.partition("/")
    link = Path(top, alias)
    if below and not alias.startswith("job") and exists(link, Path.is_symlink):
        target = os.readlink(link).removesuffix("/")  # noqa: PTH115 - the text of the link, not a path
        if _JOB_FOLDER.fullmatch(f"{target}/"):
            return below
    # Matched from the start alone: a search from each letter takes quadratic time.
    job = _JOB_FOLDER.match(micrograph_name)
    return micrograph_name[job.end() :] if job else micrograph_name
