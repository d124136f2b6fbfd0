"""The command ``cryoseg-relion``."""

from __future__ import annotations

from collections.abc import Sequence

from relion_wrapper.command import PICK, main_of, parse_picking
from relion_wrapper.job import RelionJob


def main(argv: Sequence[str] | None = None) -> None:
    """Run a RELION External job.

    Parameters
    ----------
    argv : Sequence of str, optional
        The arguments without the program's name; those of the process when not given.

    Raises
    ------
    SystemExit
        With RELION's exit code, when the job did not succeed.
    """
    main_of(PICK, _run, argv)


def _run(argv: Sequence[str], job: RelionJob) -> None:
    arguments = parse_picking(argv)
    # Imported inside the job: whatever fails here must leave its exit file, and --help stays quick.
    from relion_wrapper.run import run

    run(arguments, job)
