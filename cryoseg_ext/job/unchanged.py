"""What a run of a job has read and written, so that the next one sees at once that there is nothing to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import file_stamp, remove, replace_text
from cryoseg_ext.model.file import ModelFile
from cryoseg_ext.model.weights import DEFAULT_MODEL

if TYPE_CHECKING:
    from cryoseg_ext.job.host import Host
    from cryoseg_ext.job.result import JobResult
    from cryoseg_ext.options.job import JobOptions

NAME = ".cryoseg-last-run.json"


@dataclass(frozen=True)
class Record:
    """The record in the folder of a job.

    Parameters
    ----------
    path : Path
        Its file.
    key : str
        Digest of all that decides about the job except the images: options, model, list of micrographs.
    options : JobOptions
        What the user decided.
    """

    path: Path
    key: str
    options: JobOptions

    @classmethod
    def of(cls, directory: Path, source: Path, options: JobOptions, program: str) -> Record | None:
        """Return the record of a job; call it before the list is read.

        Parameters
        ----------
        directory : Path
            The folder of the job.
        source : Path
            The list of micrographs.
        options : JobOptions
            What the user decided.
        program : str
            The version of the program that reads the results.

        Returns
        -------
        Record or None
            None where more than these decides, or something cannot be read, so that the job says it.
        """
        if options.watches or options.pick_on or options.masks_in or options.in_coords:
            # What an earlier run has recorded is written over.
            remove(directory / NAME)
            return None
        try:
            model = ModelFile(options.model or DEFAULT_MODEL, options.architecture).digest
            listed = hashlib.sha256(source.read_bytes()).hexdigest()
            parts = (version("cryoseg"), program, repr(options), model, str(source), listed)
        except (CryosegError, OSError, PackageNotFoundError):
            return None
        return cls(directory / NAME, hashlib.sha256("\n".join(parts).encode()).hexdigest(), options)

    def lines_of_last_run(self) -> list[str] | None:
        """Return what the last run has said, where all is as it was; else None."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            is_same = (
                content["key"] == self.key
                and all(file_stamp(Path(path)) == stamp for path, stamp in content["read"].items())
                and all(_size(Path(path)) == size for path, size in content["written"].items())
            )
            return [str(line) for line in content["lines"]] if is_same else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, host: Host, result: JobResult, lines: Sequence[str]) -> None:
        """Write the record of a run that has just ended; a skipped micrograph is to be tried again.

        Parameters
        ----------
        host : Host
            The program that the job ran in.
        result : JobResult
            What it has made.
        lines : Sequence of str
            What it has said.
        """
        if result.skipped:
            remove(self.path)
            return
        # As the images were when they were read.
        read = {
            str(one.image): result.finished[one.name].settings.partition(":")[2]
            for one in result.listed.micrographs
        }
        # Without times, so that equal jobs leave equal bytes.
        written = {str(path): _size(path) for path in self._written(host, result)}
        content = {"key": self.key, "lines": lines, "read": read, "written": written}
        replace_text(self.path, json.dumps(content))

    def _written(self, host: Host, result: JobResult) -> Iterator[Path]:
        from cryoseg_ext.job.diameter import STORED_NAME

        for files in result.files.values():
            yield from (files.candidates, files.mask)[: 1 + self.options.masks]
        yield from host.promised(result)
        names = [host.report_name, "review.html", "quality.tsv"]
        if self.options.size.largest_A is None:
            # Who removes it wants another estimate.
            names.append(STORED_NAME)
        yield from (host.directory / name for name in names)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
