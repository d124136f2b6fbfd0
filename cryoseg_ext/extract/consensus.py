"""A fully connected conditional random field over the candidates of a micrograph.

Particles of a micrograph resemble each other, and so do the objects that are mistaken for them. The nodes are
the candidates, each particle or not, and every pair of them is joined by linear kernels on their radial
profiles, which cost no more than the mean profile of each class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from cryoseg_ext.arrays import FloatArray, Image

ITERATIONS = 2
"""Mean-field iterations; a third one has no measurable effect."""
_PRIOR_CANDIDATES = 3.0
"""Candidates of average profile that are added to each class, so that the mean of few stays near average."""


@dataclass(frozen=True)
class Consensus:
    """The energy of the field and its mean-field solution (Krähenbühl & Koltun 2011, arXiv:1210.5644).

    With the standardised profile ``f_i`` of a candidate and the means ``m+`` and ``m-`` of the profiles,
    weighted by the probabilities q and 1 - q of the previous iteration, the log odds are
    ``scale u_i + bias + g_i - sum(q g) / sum(q)``, where u are the unary log odds and
    ``g_i = a |f_i|^2 + b f_i m+ + c f_i m-``, summed over the maps that have profiles. Subtracting the mean
    leaves the expected number of particles to the unary terms: the field only ranks candidates.

    Parameters
    ----------
    scale, bias : float
        Factor and offset of the unary log odds.
    weights : tuple of tuple of float
        (a, b, c) for each map.
    mean, spread : tuple of tuple of float
        Mean and standard deviation of the profiles, for each map and ring.
    """

    scale: float
    bias: float
    weights: tuple[tuple[float, ...], ...]
    mean: tuple[tuple[float, ...], ...]
    spread: tuple[tuple[float, ...], ...]

    def __call__(self, log_odds: FloatArray, profiles: Image) -> FloatArray:
        """Return the ``(n,)`` log odds of the candidates of a micrograph.

        Parameters
        ----------
        log_odds : NDArray[np.float64]
            ``(n,)`` unary log odds, those of each candidate alone.
        profiles : NDArray[np.float32]
            ``(n, maps, rings)`` profiles, see `cryoseg_ext.extract.candidates.profiles_at`.
        """
        unary = self.scale * log_odds + self.bias
        refined = unary
        for _ in range(ITERATIONS):
            refined = unary + self.similarity(expit(refined), profiles) @ np.ravel(self.weights)
        return refined

    def similarity(self, q: FloatArray, profiles: Image) -> FloatArray:
        """Return the ``(n, 3 maps)`` similarities of each candidate that the weights multiply.

        Parameters
        ----------
        q : NDArray[np.float64]
            ``(n,)`` probabilities that the candidates are particles.
        profiles : NDArray[np.float32]
            ``(n, maps, rings)`` profiles.
        """
        standardised = (profiles - np.asarray(self.mean)) / np.asarray(self.spread)
        particle, background = (
            np.tensordot(p, standardised, 1) / (p.sum() + _PRIOR_CANDIDATES) for p in (q, 1 - q)
        )
        terms = np.stack(
            [(standardised * mean).mean(axis=2) for mean in (standardised, particle, background)], axis=2
        )
        terms = terms.reshape(len(q), 3 * terms.shape[1])
        return terms - q @ terms / (q.sum() + _PRIOR_CANDIDATES)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Consensus:
        """Return the field from the result of `dataclasses.asdict`, also after a round trip through JSON.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the values come from another version.
        """
        tables = {name: tuple(map(tuple, values[name])) for name in ("weights", "mean", "spread")}
        return cls(float(values["scale"]), float(values["bias"]), **tables)
