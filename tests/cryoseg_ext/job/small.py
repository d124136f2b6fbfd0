"""A host of a few lines, and a job in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cryoseg_ext.formats.micrographs import ListedMicrograph, read_micrographs
from cryoseg_ext.job.host import Host
from cryoseg_ext.job.result import JobResult
from cryoseg_ext.job.run import Job
from cryoseg_ext.options.job import JobOptions
from cryoseg_ext.options.size import ParticleSize
from tests.engine import CENTRES_PX, DIAMETER_A

if TYPE_CHECKING:
    from cryoseg_ext.picks import Picks
    from cryoseg_ext.report.content import Overlay

SIZE = ParticleSize(DIAMETER_A)
BY_DEFAULT = JobOptions(SIZE)
ABOVE, ALL = list(CENTRES_PX[:2]), list(CENTRES_PX)


class SmallHost(Host):
    """It writes the picks as text, and remembers what it is told."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.said: list[str] = []
        self.warned: list[str] = []
        self.shown: list[Overlay] = []

    def write_picks(self, micrograph: ListedMicrograph, picks: Picks) -> None:
        np.savetxt(self._path(micrograph), np.stack([picks.x_px, picks.y_px], axis=1))

    def forget(self, micrograph: ListedMicrograph) -> None:
        self._path(micrograph).unlink(missing_ok=True)

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def show(self, overlay: Overlay) -> None:
        self.shown.append(overlay)

    def _path(self, micrograph: ListedMicrograph) -> Path:
        return self.directory / f"{micrograph.path.stem}.txt"


def run(options: JobOptions = BY_DEFAULT, *sources: str) -> tuple[JobResult, SmallHost]:
    """Run a job in the folder ``job``, by default on the micrographs in ``in``."""
    host = SmallHost(Path("job"))
    return Job(options, host).run(read_micrographs(sources or ["in"], options.pixel_size_A)), host


def picks_of(name: str) -> list[tuple[int, int]]:
    """Return the (x, y) that stand in the folder."""
    lines = Path(f"job/{name}.txt").read_text().splitlines()
    return [(round(float(x)), round(float(y))) for x, y in map(str.split, lines)]
