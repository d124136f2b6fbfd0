"""The refinement stage: dense conditional random fields applied to the maps of the network."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cryoseg_ext.arrays import Image
from cryoseg_ext.crf.kernels import KernelBank
from cryoseg_ext.crf.layer import CrfLayer
from cryoseg_ext.options.crf import CrfOptions


@dataclass(frozen=True)
class Refined:
    """The maps after the CRF.

    Parameters
    ----------
    particle, centre : NDArray[np.float32]
        ``(y, x)`` particle probability and centre map, in [0, 1].
    energies : list of float
        Energies of the field of the mask, see `cryoseg_ext.crf.solvers.Solution`.
    """

    particle: Image
    centre: Image
    energies: list[float]


def refine_maps(
    particle_logit: Image,
    centre: Image,
    micrograph: Image,
    diameter_px: float,
    options: CrfOptions,
    device: str = "cpu",
) -> Refined:
    """Refine the particle mask and the centre map with dense conditional random fields.

    Parameters
    ----------
    particle_logit : NDArray[np.float32]
        ``(y, x)`` log odds of particle against all other classes, finite.
    centre : NDArray[np.float32]
        ``(y, x)`` centre map in [0, 1].
    micrograph : NDArray[np.float32]
        ``(y, x)`` normalised micrograph; its scale and offset do not matter.
    diameter_px : float
        Particle diameter in pixels of the maps.
    options : CrfOptions
        Form and weights of the fields, and their solver.
    device : str
        Torch device to compute on.

    Raises
    ------
    ValueError
        If the maps differ in shape or `diameter_px` is not positive.
    """
    if particle_logit.ndim != 2 or not particle_logit.shape == centre.shape == micrograph.shape:
        shapes = f"{particle_logit.shape}, {centre.shape} and {micrograph.shape}"
        raise ValueError(f"the maps must be 2-D and of one shape, not {shapes}")
    if diameter_px <= 0:
        raise ValueError(f"diameter_px must be positive, not {diameter_px}")
    with torch.inference_mode():
        logit, centre_map, image = (
            torch.as_tensor(values, dtype=torch.float32, device=device)
            for values in (particle_logit, centre, micrograph)
        )
        centre_logit = torch.logit(centre_map, eps=1e-6)
        bank = KernelBank(options, image, logit, centre_logit, diameter_px)
        mask, peaks = CrfLayer(options)(logit, centre_logit, bank)
        particle, refined_centre = (
            torch.sigmoid(solution.log_odds).cpu().numpy() for solution in (mask, peaks)
        )
        return Refined(particle, refined_centre, mask.energies)
