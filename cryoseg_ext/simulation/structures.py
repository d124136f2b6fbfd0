"""Specimens from files: atomic models (PDB, mmCIF) and density maps (MRC)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.extras import require
from cryoseg_ext.image.volume import read_map
from cryoseg_ext.simulation.specimens import Specimen

_MODEL_SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif", ".pdb.gz", ".ent.gz", ".cif.gz", ".mmcif.gz")
_MAP_SUFFIXES = (".mrc", ".map", ".mrc.gz", ".map.gz", ".mrc.bz2")


def structure_files(folder: Path, leave_out: Sequence[str] = ()) -> list[Path]:
    """Return the atomic models and maps of a folder in the order of their names.

    Parameters
    ----------
    folder : Path
        Folder with the files.
    leave_out : sequence of str
        Beginnings of the names of files to leave out, such as ``"3j9i"``.

    Raises
    ------
    CryosegError
        If no file is left, or a package that reads them is not installed.
    """
    suffixes = _MODEL_SUFFIXES + _MAP_SUFFIXES
    files = [path for path in sorted(folder.glob("*")) if path.name.lower().endswith(suffixes)]
    kept = [path for path in files if not path.name.startswith(tuple(leave_out))]
    if not kept:
        raise CryosegError(f"{folder}: no atomic model or map (PDB, mmCIF, MRC) to use: check the folder")
    check_packages(kept)
    return kept


def check_packages(files: Iterable[Path]) -> None:
    """Check, before the work begins, that the package that reads atomic models is there if one is needed.

    Raises
    ------
    CryosegError
        If it is not installed.
    """
    for path in files:
        if path.name.lower().endswith(_MODEL_SUFFIXES):
            _gemmi(path)


@lru_cache(maxsize=128)
def specimen_from_file(path: Path, beads_across: int = 40) -> tuple[Specimen, float]:
    """Return the macromolecule in a file and its maximum extent in Å.

    An atomic model gives the heavy atoms of its first biological assembly, weighted by their atomic numbers.
    A map gives the voxels more than two standard deviations above the mean, weighted by their excess.

    Parameters
    ----------
    path : Path
        PDB, mmCIF or MRC file, compressed or not.
    beads_across : int
        Number of beads along the maximum extent, into which atoms or voxels are pooled.

    Raises
    ------
    CryosegError
        If the file is missing, of another kind, damaged or empty.
    """
    if not path.is_file():
        raise CryosegError(f"{path}: no such file: give an atomic model (PDB, mmCIF) or a map (MRC)")
    name = path.name.lower()
    if name.endswith(_MODEL_SUFFIXES):
        positions_A, weights = _read_atoms(path)
    elif name.endswith(_MAP_SUFFIXES):
        positions_A, weights = _read_voxels(path)
    else:
        raise CryosegError(f"{path}: neither an atomic model nor a map: give PDB, mmCIF or MRC")
    return pool(positions_A, weights, path.name.split(".")[0], beads_across)


def _read_atoms(path: Path) -> tuple[FloatArray, FloatArray]:
    """Return positions (x, y, z) in Å and atomic numbers of the heavy atoms of the first assembly."""
    gemmi = _gemmi(path)
    try:
        structure = gemmi.read_structure(str(path))
    except (OSError, RuntimeError, ValueError) as error:
        raise CryosegError(f"{path}: cannot be read as an atomic model: {error}") from error
    structure.setup_entities()
    if structure.assemblies:
        structure.transform_to_assembly(structure.assemblies[0].name, gemmi.HowToNameCopiedChain.Dup)
    structure.remove_alternative_conformations()
    structure.remove_hydrogens()
    structure.remove_waters()
    atoms = [
        (*atom.pos.tolist(), atom.element.atomic_number)
        for chain in (structure[0] if len(structure) else ())
        for residue in chain
        for atom in residue
    ]
    if not atoms:
        raise CryosegError(f"{path}: has no atoms: give another model")
    table = np.array(atoms, np.float64)
    return table[:, :3], table[:, 3]


def _gemmi(path: Path) -> ModuleType:
    require("simulation", f"{path}: an atomic model", ", or give a map (MRC)")
    import gemmi

    return gemmi


def _read_voxels(path: Path) -> tuple[FloatArray, FloatArray]:
    """Return positions (x, y, z) in Å and excess densities of the voxels above the solvent."""
    density, sizes_A = read_map(path)
    data: FloatArray = density.astype(np.float64)
    z, y, x = np.nonzero(data > data.mean() + 2 * data.std())
    if not len(x):
        raise CryosegError(f"{path}: is flat: give the map of a reconstruction")
    positions_A: FloatArray = np.stack([x, y, z], axis=1) * np.array(sizes_A)
    return positions_A, data[z, y, x] - data.mean()


def pool(
    positions_A: FloatArray, weights: FloatArray, name: str, beads_across: int
) -> tuple[Specimen, float]:
    """Pool weighted points into beads on a cubic grid.

    Parameters
    ----------
    positions_A : NDArray[np.float64]
        ``(n, 3)`` positions (x, y, z) in Å.
    weights : NDArray[np.float64]
        ``(n,)`` masses.
    name : str
        Name of the specimen, stored as its family.
    beads_across : int
        Number of cells of the grid along the maximum extent.

    Returns
    -------
    specimen : Specimen
        The beads.
    extent_A : float
        Their maximum extent in Å.
    """
    centred = positions_A - np.average(positions_A, axis=0, weights=weights)
    extent_A = max(2 * float(np.percentile(np.linalg.norm(centred, axis=1), 98)), 1e-3)
    cells = np.floor(centred / extent_A * beads_across).astype(np.int64)
    _, bead = np.unique(cells, axis=0, return_inverse=True)
    mass = np.bincount(bead, weights)
    where = np.stack([np.bincount(bead, weights * centred[:, axis]) for axis in range(3)], axis=1)
    beads = where / mass[:, None] / extent_A
    sigma = 0.6 / beads_across
    return Specimen(beads * (1 - 2 * sigma), mass / mass.mean(), sigma, name), extent_A
