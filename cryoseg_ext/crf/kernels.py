"""The filters of one micrograph, built from the options."""

from __future__ import annotations

from torch import Tensor

from cryoseg_ext.crf.filters import PairwiseFilter
from cryoseg_ext.crf.gaussian import gaussian_filter
from cryoseg_ext.crf.grid import BilateralGridFilter
from cryoseg_ext.crf.references import reference_map
from cryoseg_ext.crf.window import WindowFilter
from cryoseg_ext.options.crf import CrfOptions, FilterName, Kernel, require_filter


class KernelBank:
    """The filters of one micrograph, each built once even if several terms use it.

    Parameters
    ----------
    options : CrfOptions
        Kernels, filter and reference.
    micrograph, particle_logit, centre_logit : Tensor
        ``(y, x)`` maps that the reference is made of; no gradient flows into it.
    diameter_px : float
        Particle diameter in pixels.
    """

    def __init__(
        self,
        options: CrfOptions,
        micrograph: Tensor,
        particle_logit: Tensor,
        centre_logit: Tensor,
        diameter_px: float,
    ) -> None:
        terms = (options.mask, options.centre)
        kernels = [kernel for energy in terms for kernel in (*energy.support, *energy.kernels)]
        reference = None
        if any(kernel.reference_sigma for kernel in kernels):
            image, mask, centre = (map_.detach() for map_ in (micrograph, particle_logit, centre_logit))
            reference = reference_map(options.reference, image, mask, centre, diameter_px)
        ny, nx = micrograph.shape
        self._filters: dict[tuple[float, float | None], PairwiseFilter] = {}
        for kernel in kernels:
            key = (kernel.sigma, kernel.reference_sigma)
            if key in self._filters:
                continue
            sigma_px = kernel.sigma * diameter_px
            if reference is None or kernel.reference_sigma is None:
                self._filters[key] = gaussian_filter((ny, nx), micrograph.dtype, micrograph.device, sigma_px)
            else:
                self._filters[key] = build_filter(options.filter, reference, sigma_px, kernel.reference_sigma)

    def __getitem__(self, kernel: Kernel) -> PairwiseFilter:
        """Return the filter of `kernel`."""
        return self._filters[kernel.sigma, kernel.reference_sigma]


def build_filter(
    name: FilterName, reference: Tensor, sigma_px: float, reference_sigma: float
) -> PairwiseFilter:
    """Return an appearance kernel.

    Parameters
    ----------
    name : {"grid", "window", "permutohedral"}
        Kind of filter, see `cryoseg_ext.options.crf.CrfOptions`.
    reference : Tensor
        ``(c, y, x)`` maps that steer the kernel, finite.
    sigma_px : float
        Spatial standard deviation in pixels.
    reference_sigma : float
        Standard deviation on each channel, in units of `reference`.

    Raises
    ------
    CryosegError
        If the package of the filter is not installed.
    """
    if name == "window":
        return WindowFilter(reference, sigma_px, reference_sigma)
    if name == "permutohedral":
        require_filter(name)
        from cryoseg_ext.crf.permutohedral import PermutohedralFilter

        return PermutohedralFilter(reference, sigma_px, reference_sigma)
    return BilateralGridFilter(reference, sigma_px, reference_sigma)
