"""Picks in CryoSPARC's files of particles, ``.cs`` and ``.csg``; see `cryoseg_ext.formats.particles`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import read_results, write_particle_group
from cryoseg_ext.formats.micrographs import GROUP_SUFFIXES, MicrographList
from cryoseg_ext.formats.particles import READ_SLOTS, PickedExposure, located_picks, particle_dataset
from cryoseg_ext.formats.picks.format import LocatedByName, PickFormat
from cryoseg_ext.picks import Picks


def write_particles_cs(path: Path, picks: Mapping[str, Picks], micrographs: MicrographList) -> None:
    """Write picks as CryoSPARC's particles, ``.cs`` and ``.csg`` side by side.

    Parameters
    ----------
    path : Path
        Either of the two files.
    picks : Mapping[str, Picks]
        The picks by the name of their micrograph.
    micrographs : MicrographList
        CryoSPARC's exposures.

    Raises
    ------
    CryosegError
        If the micrographs are not those of CryoSPARC, which knows them by number.
    """
    picked: list[PickedExposure] = []
    for name, some in picks.items():
        exposure = micrographs.by_name[name].exposure
        if exposure is None:
            raise CryosegError(
                f"{path}: CryoSPARC knows micrographs by number: give its exposures (.csg) as --micrographs"
            )
        picked.append(PickedExposure(exposure, some))
    table = particle_dataset(picked, min_distance_A=0)
    write_particle_group(path.with_suffix(".csg"), table, "Converted picks", micrographs.version)


def read_particles_cs(path: Path) -> LocatedByName:
    """Read the picks of the micrographs in a particle file ``.cs`` or a results group ``.csg``.

    Raises
    ------
    CryosegError
        If it cannot be read or has no locations.
    """
    return located_picks(path, read_results(path, READ_SLOTS))


CRYOSPARC = PickFormat(
    name="cs",
    title="CryoSPARC",
    suffixes=GROUP_SUFFIXES,
    columns=frozenset({"score", "psi_deg", "tube_id", "track_length_A"}),
    read=read_particles_cs,
    in_folders=False,
    write_table=write_particles_cs,
)
