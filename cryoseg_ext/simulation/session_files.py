"""Writing of a simulated session: micrographs with truth, and STAR files as RELION 3.1 to 5 write them.

================================  ============================================================
``Micrographs/NAME.mrc``          the micrograph, or ``NAME.tif``
``Truth/NAME_clean.mrc``          the same without noise
``Truth/NAME_labels.mrc``         0 background, 1 particle, 2 contaminant
``Truth/NAME_instances.mrc``      k on the k-th particle, 0 elsewhere
``Truth/NAME.json``               conditions; centres (pixels) and RELION's angles (degrees)
``Truth/structure_1.mrc`` ...     maps whose projections the particles are
``Coordinates/NAME.star, .csv``   the centres, to the nearest pixel for RELION, and unrounded
``micrographs.star``              optics and CTF
``particles.star``                optics, CTF, coordinates and angles
``labels.star``                   the labels and instances, for ``cryoseg train --in_labels``
``simulation.json``               the options
================================  ============================================================
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cryoseg_ext.arrays import Image
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.files import replace_text, replacing, write_mrc
from cryoseg_ext.formats.coordinates import write_coordinates_star
from cryoseg_ext.formats.picks.csv_table import write_coordinates_csv
from cryoseg_ext.formats.poses import to_relion_angles
from cryoseg_ext.picks import Picks
from cryoseg_ext.processes import in_processes
from cryoseg_ext.progress import tell
from cryoseg_ext.simulation.session import SessionOptions, load_specimens, simulate_session_micrograph
from cryoseg_ext.simulation.session_star import BOX_DIAMETERS, write_labels_list, write_lists
from cryoseg_ext.simulation.specimens import Specimen

LARGEST_BOX_PX = 160
"""Largest box of a map in voxels; for a large structure they are larger than the micrographs' pixels."""
GREY_VALUES_PER_SIGMA = {"int16": 1000, "int8": 30}
"""Integer steps per standard deviation of the micrograph, whose mean becomes 0."""
_SIMULATING = "Simulating micrographs"


def write_session(
    folder: Path,
    options: SessionOptions,
    n: int,
    *,
    first: int = 0,
    workers: int = 1,
) -> None:
    """Simulate micrographs `first` to ``first + n - 1`` of a session and write them to `folder`.

    Micrographs that an earlier, interrupted call finished are kept. The files do not depend on `workers`.

    Parameters
    ----------
    folder : Path
        Folder to write to, made if needed.
    options : SessionOptions
        Everything that decides the micrographs.
    n : int
        Number of micrographs.
    first : int
        Index of the first micrograph.
    workers : int
        Number of processes.

    Raises
    ------
    CryosegError
        If `folder` holds a simulation with other options, or the options cannot be met.
    """
    specimens = load_specimens(options)
    _check_fingerprint(folder / "simulation.json", options.fingerprint())
    for number, (specimen, diameter_A) in enumerate(specimens, start=1):
        voxel_A = max(options.pixel_size_A, BOX_DIAMETERS * diameter_A / LARGEST_BOX_PX)
        density = density_map(specimen, diameter_A, voxel_A)
        write_mrc(folder / "Truth" / f"structure_{number}.mrc", density, voxel_A)
    indices = range(first, first + n)
    missing = [index for index in indices if not _record_path(folder, index).exists()]
    kept = n - len(missing)
    tell(_SIMULATING, kept, n)
    write = partial(_write_micrograph, folder, options, specimens)
    for done, _ in enumerate(in_processes(write, missing, workers), start=kept + 1):
        tell(_SIMULATING, done, n)
    records = [json.loads(_record_path(folder, index).read_text(encoding="utf-8")) for index in indices]
    write_lists(folder, records, options.pixel_size_A)
    write_labels_list(folder, records)


def _name(index: int) -> str:
    return f"mic_{index + 1:04d}"


def _record_path(folder: Path, index: int) -> Path:
    """Return the path of the file that is written last for a micrograph, after all others."""
    return folder / "Truth" / f"{_name(index)}.json"


def _check_fingerprint(path: Path, fingerprint: dict[str, Any]) -> None:
    fingerprint = json.loads(json.dumps(fingerprint))
    if not path.exists():
        replace_text(path, json.dumps(fingerprint, indent=1) + "\n")
        return
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        earlier = {}
    changed = [key for key, value in fingerprint.items() if earlier.get(key) != value]
    if changed:
        raise CryosegError(
            f"{path.parent} holds a simulation with other settings ({', '.join(changed)}): "
            "give the same ones to continue it, or another folder"
        )


def _write_micrograph(
    folder: Path, options: SessionOptions, specimens: Sequence[tuple[Specimen, float]], index: int
) -> None:
    simulated = simulate_session_micrograph(options, specimens, index)
    name, pixel_size_A = _name(index), options.pixel_size_A
    truth = folder / "Truth"
    path = Path("Micrographs", f"{name}.{options.extension}")
    write = write_mrc if options.extension == "mrc" else write_tiff
    write(folder / path, as_stored(simulated.image, options.file_mode), pixel_size_A)
    write_mrc(truth / f"{name}_clean.mrc", simulated.clean, pixel_size_A)
    write_mrc(truth / f"{name}_labels.mrc", simulated.labels, pixel_size_A)
    # MRC has no 32-bit integers; 32-bit floats hold all the numbers there can be.
    numbers = np.int16 if len(simulated.x_px) <= np.iinfo(np.int16).max else np.float32
    write_mrc(truth / f"{name}_instances.mrc", simulated.instances.astype(numbers), pixel_size_A)
    picks = Picks(simulated.x_px, simulated.y_px, np.ones(len(simulated.x_px)))
    write_coordinates_star(folder / "Coordinates" / f"{name}.star", picks)
    write_coordinates_csv(folder / "Coordinates" / f"{name}.csv", picks)
    structure = index % len(specimens)
    record = {
        "micrograph": path.as_posix(),
        "conditions": asdict(simulated.conditions),
        "structure": structure + 1,
        "diameter_A": specimens[structure][1],
        "x_px": simulated.x_px.tolist(),
        "y_px": simulated.y_px.tolist(),
        "angles_deg": to_relion_angles(simulated.orientations).tolist(),
    }
    replace_text(_record_path(folder, index), json.dumps(record) + "\n")


def density_map(specimen: Specimen, diameter_A: float, voxel_A: float) -> Image:
    """Return the density of a specimen in a cubic box.

    Parameters
    ----------
    specimen : Specimen
        The molecule.
    diameter_A : float
        Its maximum extent in Å.
    voxel_A : float
        Width of a voxel in Å.

    Returns
    -------
    NDArray[np.float32]
        ``(z, y, x)`` density, whose centre of mass lies at the voxel ``n // 2`` of each axis.
    """
    diameter_px = diameter_A / voxel_A
    # A few beads lie outside the maximum extent, which is a percentile.
    radius = np.linalg.norm(specimen.positions, axis=1).max() + 3 * specimen.bead_sigma
    n = 2 * int(np.ceil(max(BOX_DIAMETERS / 2, radius) * diameter_px))
    beads = np.rint(specimen.positions * diameter_px).astype(int) + n // 2
    density = np.zeros((n, n, n), np.float32)
    np.add.at(density, tuple(beads[:, ::-1].T), specimen.weights)
    return gaussian_filter(density, specimen.bead_sigma * diameter_px)


def as_stored(image: Image, file_mode: str) -> NDArray[Any]:
    """Return grey values in the type `file_mode`; integers are scaled by `GREY_VALUES_PER_SIGMA`."""
    dtype = np.dtype(file_mode)
    if file_mode not in GREY_VALUES_PER_SIGMA:
        return image.astype(dtype)
    scaled = (image - image.mean()) * (GREY_VALUES_PER_SIGMA[file_mode] / image.std())
    limits = np.iinfo(dtype)
    return np.rint(scaled).clip(limits.min, limits.max).astype(dtype)


def write_tiff(path: Path, image: NDArray[Any], pixel_size_A: float) -> None:
    """Write one micrograph as TIFF, with its pixel size as the resolution.

    The last row is written first, as RELION expects: see `cryoseg_ext.image.reading.read_micrograph`.

    Parameters
    ----------
    path : Path
        File to write.
    image : NDArray
        ``(y, x)`` micrograph.
    pixel_size_A : float
        Å/px.
    """
    import tifffile

    per_cm = 1e8 / pixel_size_A
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary, image[::-1], resolution=(per_cm, per_cm), resolutionunit="CENTIMETER", metadata=None
        )
