"""Settings of the conditional random field, in physical terms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

FilterName = Literal["grid", "permutohedral"]


@dataclass(frozen=True)
class CrfOptions:
    """Settings of the two-class conditional random field.

    Lengths are fractions of the particle diameter and grey values are in robust noise units, so one set of
    values serves every specimen, pixel size and detector. The default weights are mild on purpose: a strong
    Potts model sharpens clear particles but wipes out weak ones.

    Parameters
    ----------
    iterations : int
        Mean-field iterations; 0 returns the network's own probability.
    smooth_weight : float
        Weight of the smoothness kernel, a Gaussian on the distance between two pixels; 0 leaves it out.
    bilateral_weight : float
        Weight of the appearance kernel, a Gaussian on distance and on grey value; 0 leaves it out.
    compatibility : float
        Potts penalty of two unlike labels; multiplies both weights.
    smooth_sigma : float
        Standard deviation of the smoothness kernel, as a fraction of the particle diameter.
    bilateral_sigma : float
        Spatial standard deviation of the appearance kernel, as a fraction of the particle diameter.
    reference_sigma : float
        Grey-value standard deviation of the appearance kernel, in robust noise units of the reference
        (1.4826 times its median absolute deviation).
    filter : {"grid", "permutohedral"}
        How the appearance kernel is applied: "grid" is the bilateral grid; "permutohedral" is the lattice of
        pydensecrf, slower and less exact, imported only when chosen.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, a sigma is not positive and finite, `iterations` is negative
        or `filter` is not known.
    """

    iterations: int = 3
    smooth_weight: float = 0.4
    bilateral_weight: float = 0.4
    compatibility: float = 1.0
    smooth_sigma: float = 0.08
    bilateral_sigma: float = 0.3
    reference_sigma: float = 1.5
    filter: FilterName = "grid"

    def __post_init__(self) -> None:
        if self.iterations < 0:
            raise ValueError(f"iterations must be 0 or more, not {self.iterations}")
        for name in ("smooth_weight", "bilateral_weight", "compatibility"):
            if not 0 <= (value := getattr(self, name)) < math.inf:
                raise ValueError(f"{name} must be 0 or more, not {value}")
        for name in ("smooth_sigma", "bilateral_sigma", "reference_sigma"):
            if not 0 < (value := getattr(self, name)) < math.inf:
                raise ValueError(f"{name} must be greater than 0, not {value}")
        if self.filter not in ("grid", "permutohedral"):
            raise ValueError(f'filter must be "grid" or "permutohedral", not {self.filter!r}')
