"""The command ``cryoseg-relion``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cryoseg_ext.errors import CryosegError
from relion_wrapper.arguments import help_text, output_directory, parse_arguments
from relion_wrapper.job import FAILURE_CODE, relion_job


def main(argv: Sequence[str] | None = None) -> None:
    """Run a RELION External job.

    Parameters
    ----------
    argv : Sequence[str], optional
        The arguments without the program's name; those of the process when not given.

    Raises
    ------
    SystemExit
        With RELION's exit code, when the job did not succeed.
    """
    argv = sys.argv[1:] if argv is None else argv
    if not argv or "--help" in argv or "-h" in argv:
        sys.stdout.write(help_text())
        return
    try:
        directory = output_directory(argv)
    except CryosegError as error:
        sys.stderr.write(f"cryoseg-relion: {error}\n")
        raise SystemExit(FAILURE_CODE) from None
    with relion_job(directory) as job:
        arguments = parse_arguments(argv)
        # Imported inside the job: whatever fails here must leave its exit file, and --help stays quick.
        from relion_wrapper.run import run

        run(arguments, job)
