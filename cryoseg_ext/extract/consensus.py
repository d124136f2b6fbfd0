"""A fully connected conditional random field over the candidates of a micrograph.

Particles of a micrograph resemble each other, and so do the objects that are mistaken for them. The nodes are
the candidates, each particle or not, and every pair of them is joined by linear kernels on their radial
profiles, which cost no more than the mean profile of each class. A potential of all of them together says
that what may be a particle is more likely one beside sure particles than where nothing is sure.
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
_PRIOR_CANDIDATES = 10.0
"""Candidates of average profile that are added to each class, so that the mean of few stays near average."""
_LONGEST = 2.0
"""Root mean square to which longer whitened profiles are shortened: in strong signal, those of particles are
so long that one beside a contaminant, half as sure, would count as another kind of object."""
_PRIOR_BLANKS = 1.0
"""Candidates of probability 0 that are added for the confidence, so that one candidate proves little."""


@dataclass(frozen=True)
class Consensus:
    """The energy of the field and its mean-field solution (Krähenbühl & Koltun 2011, arXiv:1210.5644).

    With the whitened profile ``f_i`` of a candidate, shortened where it is long, and the means ``m+`` and
    ``m-`` of the profiles, weighted by the probabilities q and 1 - q of the previous iteration, the log odds
    are ``scale u_i + bias + g_i - sum(q g) / sum(q) + trust sum(q^2) / sum(q)``, where u are the unary log
    odds and ``g_i = a |f_i|^2 + b f_i m+ + c f_i m-``, summed over the maps that have profiles. Subtracting
    the mean leaves the expected number of particles to the other terms: looks only rank candidates. The last
    term is the confidence of the micrograph, the mean probability of what is picked.

    Parameters
    ----------
    scale, bias : float
        Factor and offset of the unary log odds.
    trust : float
        Weight of the confidence.
    weights : tuple of tuple of float
        (a, b, c) for each map.
    mean : tuple of tuple of float
        Mean profile, for each map and ring.
    whitening : tuple of tuple of tuple of float
        ``(maps, rings, rings)``: what a profile less the mean is multiplied by, so that the profiles of one
        class on one micrograph have a unit covariance (Fisher 1936).
    """

    scale: float
    bias: float
    trust: float
    weights: tuple[tuple[float, ...], ...]
    mean: tuple[tuple[float, ...], ...]
    whitening: tuple[tuple[tuple[float, ...], ...], ...]

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
        weights = [*np.ravel(self.weights), self.trust]
        refined = unary
        for _ in range(ITERATIONS):
            refined = unary + self.terms(expit(refined), profiles) @ weights
        return refined

    def terms(self, q: FloatArray, profiles: Image) -> FloatArray:
        """Return the ``(n, 3 maps + 1)`` terms that the weights multiply.

        Parameters
        ----------
        q : NDArray[np.float64]
            ``(n,)`` probabilities that the candidates are particles.
        profiles : NDArray[np.float32]
            ``(n, maps, rings)`` profiles, see `cryoseg_ext.extract.candidates.profiles_at`.
        """
        looks = np.einsum("nmr,mrs->nms", profiles - np.asarray(self.mean), self.whitening)
        length = np.sqrt((looks**2).mean(axis=2, keepdims=True))
        looks = looks * (_LONGEST / np.maximum(length, _LONGEST))
        particle, background = (np.tensordot(p, looks, 1) / (p.sum() + _PRIOR_CANDIDATES) for p in (q, 1 - q))
        terms = np.stack([(looks * mean).mean(axis=2) for mean in (looks, particle, background)], axis=2)
        terms = terms.reshape(len(q), 3 * terms.shape[1])
        terms = terms - q @ terms / (q.sum() + _PRIOR_CANDIDATES)
        return np.column_stack([terms, np.full(len(q), q @ q / (q.sum() + _PRIOR_BLANKS))])

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Consensus:
        """Return the field from the result of `dataclasses.asdict`, also after a round trip through JSON.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the values come from another version.
        """
        weights, mean = (tuple(map(tuple, values[name])) for name in ("weights", "mean"))
        whitening = tuple(tuple(map(tuple, matrix)) for matrix in values["whitening"])
        scale, bias, trust = (float(values[name]) for name in ("scale", "bias", "trust"))
        return cls(scale, bias, trust, weights, mean, whitening)
