"""The map that simulated particles are projections of, in RELION's symmetry frame, with its mask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gemmi
import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.spatial.transform import Rotation
from torch_fourier_rescale import fourier_rescale_3d

from cryoseg_ext.arrays import FloatArray, Image
from cryoseg_ext.files import write_mrc
from cryoseg_ext.simulation.session_files import density_map
from cryoseg_ext.simulation.specimens import Specimen
from cryoseg_ext.simulation.structures import specimen_from_file

FINER = 3
"""The map is drawn on voxels so many times finer, which then are cropped in Fourier space."""
REFERENCE_A = 30.0
"""Resolution of the reference that every refinement starts from."""
MASK_A, MASK_LEVEL = 15.0, 0.1
"""The mask is where the map, at this resolution, has more than this share of its maximum."""
MASK_WIDER_PX, MASK_EDGE_PX = 3, 5
# A five-fold axis of RELION's I1, as `relion_refine --sym I1 --print_symmetry_ops` prints it.
_FIVE_FOLD_I1 = np.array([[0.80902, -0.5, -0.30902], [0.5, 0.30902, 0.80902], [-0.30902, -0.80902, 0.5]])


def write_truth(folder: Path, structure: Path, symmetry: str, box_px: int, pixel_size_A: float) -> None:
    """Write ``truth.mrc``, ``reference.mrc`` and ``mask.mrc`` of a structure.

    Parameters
    ----------
    folder : Path
        Where the maps go.
    structure : Path
        The atomic model.
    symmetry : str
        RELION's point group, in whose frame the maps are: C1, Cn or I1.
    box_px : int
        Box of the maps in voxels, even.
    pixel_size_A : float
        Width of a voxel in Å.
    """
    specimen, diameter_A = specimen_from_file(structure)
    frame = symmetry_frame(structure, specimen, symmetry)
    turned = replace(specimen, positions=frame.apply(specimen.positions))
    fine = fitted(density_map(turned, diameter_A, pixel_size_A / FINER), FINER * box_px)
    truth = fourier_rescale_3d(torch.from_numpy(fine), target_shape=(box_px,) * 3)[0].numpy()
    write_mrc(folder / "truth.mrc", truth, pixel_size_A)
    write_mrc(folder / "reference.mrc", low_passed(truth, REFERENCE_A / pixel_size_A), pixel_size_A)
    write_mrc(folder / "mask.mrc", soft_mask(truth, pixel_size_A), pixel_size_A)


def fitted(density: Image, box_px: int) -> Image:
    """Return a cubic map with its voxel ``n // 2`` in a box of another size."""
    short = max(box_px - len(density), 0)
    padded = np.pad(density, (short + 1) // 2)
    first = len(padded) // 2 - box_px // 2
    window = slice(first, first + box_px)
    return padded[window, window, window]


def low_passed(density: Image, resolution_px: float) -> Image:
    """Return a map whose amplitudes at the resolution, in voxels, are those of a Gaussian of one sigma."""
    return gaussian_filter(density, resolution_px / (2 * np.pi), mode="wrap")


def soft_mask(density: Image, pixel_size_A: float) -> Image:
    """Return 1 on the map and near it, falling to 0 as a cosine."""
    smooth = low_passed(density, MASK_A / pixel_size_A)
    distance_px = distance_transform_edt(smooth < MASK_LEVEL * smooth.max())
    outside = np.clip((distance_px - MASK_WIDER_PX) / MASK_EDGE_PX, 0, 1)
    return (0.5 + 0.5 * np.cos(np.pi * outside)).astype(np.float32)


def symmetry_frame(structure: Path, specimen: Specimen, symmetry: str) -> Rotation:
    """Return the rotation of a structure's own frame into the one that RELION has for its symmetry.

    Parameters
    ----------
    structure : Path
        The atomic model.
    specimen : Specimen
        The same as beads.
    symmetry : str
        RELION's point group.
    """
    if symmetry == "C1":
        return Rotation.identity()
    if symmetry == "I1":
        return _icosahedral_frame(structure)
    return long_axis_frame(specimen)


def long_axis_frame(specimen: Specimen) -> Rotation:
    """Return the rotation that lays the axis of inertia unlike the other two, as of a rod, along z."""
    weights, positions = specimen.weights, specimen.positions
    moments, axes = np.linalg.eigh((positions * weights[:, None]).T @ positions)
    last = 2 if moments[2] - moments[1] > moments[1] - moments[0] else 0
    rows = axes.T[[axis for axis in range(3) if axis != last] + [last]]
    rows[0] *= np.sign(np.linalg.det(rows))
    return Rotation.from_matrix(rows)


def _icosahedral_frame(structure: Path) -> Rotation:
    """Return the rotation that lays three of the assembly's two-fold axes along x, y and z, as in I1."""
    assembly = gemmi.read_structure(str(structure)).assemblies[0]
    operators = [
        np.array(one.transform.mat.tolist()) for part in assembly.generators for one in part.operators
    ]
    two_fold = [_axis(one) for one in operators if np.isclose(np.trace(one), -1, atol=1e-2)]
    x = two_fold[0]
    y = next(one for one in two_fold if abs(one @ x) < 1e-2)
    rows, _ = np.linalg.qr(np.stack([x, y, np.cross(x, y)], axis=1))
    frame = rows.T * np.sign(np.linalg.det(rows))
    if any(np.allclose(frame @ one @ frame.T, _FIVE_FOLD_I1, atol=1e-2) for one in operators):
        return Rotation.from_matrix(frame)
    return Rotation.from_euler("z", 90, degrees=True) * Rotation.from_matrix(frame)


def _axis(matrix: FloatArray) -> FloatArray:
    """Return the axis of a half turn."""
    return np.linalg.eigh(matrix + matrix.T)[1][:, 2]
