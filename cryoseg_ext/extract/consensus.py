"""A fully connected conditional random field over the candidates of a micrograph.

Particles of one micrograph look alike, and so does what is mistaken for them. The nodes are the candidates,
each particle or not, and every pair of them is joined by linear kernels on how they look, which cost no more
than the mean look of either class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.float64]

ITERATIONS = 2
"""A third one changes nothing that can be measured."""
_FEW = 3.0
"""The mean of a class is pulled to that of all candidates of the training as if by so many more."""


@dataclass(frozen=True)
class Consensus:
    """The energy of the field and its mean-field solution (Krähenbühl & Koltun 2011, arXiv:1210.5644).

    With the standardised profile ``f_i`` of a candidate and the means ``m+`` and ``m-`` of the profiles,
    weighted by the probabilities q and 1 - q of the iteration before, the log odds are
    ``scale u_i + bias + g_i - sum(q g) / sum(q)``, where u are the unary ones and
    ``g_i = a |f_i|^2 + b f_i m+ + c f_i m-``, summed over the maps that profiles are taken of. Taking the
    mean off leaves the expected number of particles to the unary terms: the field ranks the candidates of one
    micrograph, it does not say how many of them are right.

    Parameters
    ----------
    scale, bias : float
        Of the unary log odds.
    weights : tuple
        (a, b, c) for each of the maps.
    mean, spread : tuple
        Of the profiles, for each of the maps and rings.
    """

    scale: float
    bias: float
    weights: tuple[tuple[float, ...], ...]
    mean: tuple[tuple[float, ...], ...]
    spread: tuple[tuple[float, ...], ...]

    def __call__(self, log_odds: Array, profiles: NDArray[np.float32]) -> Array:
        """Return the ``(n,)`` log odds of candidates.

        Parameters
        ----------
        log_odds : NDArray[np.float64]
            ``(n,)``, each candidate by itself.
        profiles : NDArray[np.float32]
            ``(n, maps, rings)``, see `cryoseg_ext.extract.candidates.profiles_at`.
        """
        unary = self.scale * log_odds + self.bias
        refined = unary
        for _ in range(ITERATIONS):
            refined = unary + self.likeness(expit(refined), profiles) @ np.ravel(self.weights)
        return refined

    def likeness(self, q: Array, profiles: NDArray[np.float32]) -> Array:
        """Return ``(n, 3 maps)``: what the weights multiply, where candidates are particles with odds `q`."""
        looks = (profiles - np.asarray(self.mean)) / np.asarray(self.spread)
        particle, other = (np.tensordot(p, looks, 1) / (p.sum() + _FEW) for p in (q, 1 - q))
        terms = np.stack([(looks * to).mean(axis=2) for to in (looks, particle, other)], axis=2)
        terms = terms.reshape(len(q), 3 * terms.shape[1])
        centred: Array = terms - q @ terms / (q.sum() + _FEW)
        return centred

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Consensus:
        """Return what `dataclasses.asdict` described, also after a trip through JSON.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is of another version.
        """
        tables = {name: tuple(map(tuple, values[name])) for name in ("weights", "mean", "spread")}
        return cls(float(values["scale"]), float(values["bias"]), **tables)
