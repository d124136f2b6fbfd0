"""A plain folder as the host of a job: files of each micrograph, and reports."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.files import remove
from cryoseg_ext.formats.coordinates import write_tubes_star
from cryoseg_ext.formats.groups import write_particle_group
from cryoseg_ext.formats.names import stem_of
from cryoseg_ext.formats.particles import PickedExposure, particle_dataset
from cryoseg_ext.formats.picks.format import FileOptions, even_px
from cryoseg_ext.formats.writing import micrograph_path, write_micrograph
from cryoseg_ext.job.advice import advise, cryosparc_step
from cryoseg_ext.job.host import Host
from cryoseg_ext.job.maps import map_files, write_maps
from cryoseg_ext.progress import write
from cryoseg_ext.words import counted, printable

if TYPE_CHECKING:
    from cryoseg_ext.formats.micrographs import ListedMicrograph
    from cryoseg_ext.job.micrograph import MicrographResult
    from cryoseg_ext.job.result import JobResult
    from cryoseg_ext.picks import Picks

GROUP_NAME = "picked_particles"
_FORMATS = ("star", "csv")
_MOST_SOURCES = 20
"""A shell makes thousands of words of a pattern without quotes, which nobody would read."""


class FolderHost(Host):
    """Writes the picks of each micrograph into a folder.

    Parameters
    ----------
    directory : Path
        The folder.
    formats : Sequence of str
        Names of the formats of the coordinate files.
    maps : bool
        Whether probability maps, masks and a picture are written of each micrograph too.
    sources : Sequence of str
        The words of the command line that name the micrographs.
    """

    def __init__(
        self,
        directory: Path,
        formats: Sequence[str] = _FORMATS,
        *,
        maps: bool = False,
        sources: Sequence[str] = (),
    ) -> None:
        super().__init__(directory)
        if 0 < len(sources) <= _MOST_SOURCES:
            written = [word for name in formats for word in ("--format", name) if formats != _FORMATS]
            words = ["cryoseg", "segment" if maps else "pick", *sources, "--out", str(directory), *written]
            self.command = shlex.join(words)
        if len(sources) == 1:
            self.in_mics = shlex.quote(sources[0])
        self._formats, self.keeps_maps = formats, maps
        # Refused before anything is picked.
        for name in formats:
            micrograph_path(name, directory / "x")

    def write_picks(self, micrograph: ListedMicrograph, picks: Picks) -> None:
        """Write a file in each format, and the ends of filaments."""
        size_A, box_px = micrograph.pixel_size_A, None
        if size_A and self.picking:
            box_px = even_px(self.picking.particle_diameter_A / size_A)
        for name in self._formats:
            write_micrograph(name, self._path(micrograph, ""), picks, FileOptions(size_A, box_px))
        tubes = self._path(micrograph, "_tubes.star")
        if picks.tube_id is None:
            # An earlier run may have picked along filaments.
            tubes.unlink(missing_ok=True)
        else:
            write_tubes_star(tubes, picks)

    def forget(self, micrograph: ListedMicrograph) -> None:
        """Remove the files of an earlier run; where there was none, they are the user's own."""
        if not self.files(micrograph).candidates.exists():
            return
        stem = self._path(micrograph, "")
        coordinates = [micrograph_path(name, stem) for name in self._formats]
        for path in (*coordinates, self._path(micrograph, "_tubes.star"), *map_files(stem)):
            remove(path)

    def keep(self, micrograph: ListedMicrograph, result: MicrographResult) -> None:
        """Write the maps, if they are wanted."""
        if self.keeps_maps:
            write_maps(self._path(micrograph, ""), result)

    def has_all(self, micrograph: ListedMicrograph) -> bool:
        """Return whether the maps are there, if they are wanted."""
        return not self.keeps_maps or all(path.exists() for path in map_files(self._path(micrograph, "")))

    def promised(self, result: JobResult) -> Iterable[Path]:
        """Return the coordinate files, and the maps if they are wanted."""
        for micrograph in result.listed.micrographs:
            stem = self._path(micrograph, "")
            yield from (micrograph_path(name, stem) for name in self._formats)
            yield from map_files(stem) if self.keeps_maps else ()

    def write_outputs(self, result: JobResult) -> None:
        """Write the particles of CryoSPARC's exposures as a results group."""
        picked = [
            PickedExposure(one.exposure, result.picks[one.name])
            for one in result.listed.micrographs
            if one.exposure
        ]
        if picked:
            path = self.directory / f"{GROUP_NAME}.csg"
            particles = particle_dataset(picked, result.options.min_distance_A)
            write_particle_group(path, particles, "Picked particles", result.listed.version)
            files = f"{path} and {path.with_suffix('.cs')}"
            self.say(f"For CryoSPARC's Import Result Group, in the project folder: {files}")

    def say(self, text: str) -> None:
        """Write a line to standard output."""
        write(printable(text))

    def warn(self, text: str) -> None:
        """Write a line to standard error."""
        write(printable(text), err=True)

    def note_done(self, micrograph: ListedMicrograph, n_picks: int | None) -> None:
        """Write a line for each micrograph that is picked."""
        if n_picks is not None:
            self.say(f"{micrograph.path}: {counted(n_picks, 'particle')}")

    def _path(self, micrograph: ListedMicrograph, end: str) -> Path:
        return self.directory / f"{stem_of(micrograph.name)}{end}"


def next_steps(directory: Path, result: JobResult) -> Iterator[str]:
    """Yield advice on what to do with the picks, a line each.

    Parameters
    ----------
    directory : Path
        The folder of the job.
    result : JobResult
        What was picked.
    """
    advice, listed = advise(result), result.listed
    yield from advice.lines
    if not result.n_picks:
        return
    if any(one.exposure for one in listed.micrographs):
        group = directory / f"{GROUP_NAME}.csg"
        yield cryosparc_step(advice.boxes, "the exposures", f"the particles of Import Result Group ({group})")
    elif listed.table is not None:
        out = f"{directory.as_posix()}_relion"
        command = ["cryoseg", "convert", directory.as_posix(), out, "--micrographs", listed.path.as_posix()]
        yield f"Next in RELION: {shlex.join(command)}"
        yield (
            f"Then: Particle extraction with micrograph STAR file: {listed.path}, Input coordinates: "
            f"{out}/autopick.star (RELION 3.1: coords_suffix_autopick.star)"
        )
    else:
        yield "Next: bring them to RELION or CryoSPARC; `cryoseg convert --help` says how"
