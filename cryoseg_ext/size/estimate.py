"""The diameter at which the network is surest, and how sure it is.

Told a diameter far from the true one, the network finds parts of particles, noise, or clusters, and none of
them with confidence. Near the true one it is surest, and outlines hardly grow with the stated diameter: their
longest extents there are the estimate. Where faint or blurred particles are round, outlines are too long,
but the mean of all particles has a sharp edge, which is seen at the same place at any stated diameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.errors import CryosegError

LEAST_PARTICLES = 8
RINGS_PER_DIAMETER = 24
"""Rings of a profile to the stated diameter."""
EXTENT_QUANTILE = 0.9
"""Of the outlines' longest extents: most particles are seen foreshortened."""
USUAL_WIDTH = (0.6, 1.35)
"""Pieces of other widths, in units of the median, are fragments, or aggregates and touching particles."""
CONFIDENCE_SCALE = 0.08
"""A stated diameter counts 1/e as much as the surest one where the network is by so much less confident."""
ROUND_FROM, ROUND_AT = 0.68, 0.78
"""Where the mean particle has half its contrast, in units of where it ends: nearer to its centre for long or
odd shapes, whose views differ, than for spheres and shells. In between both estimates count."""
ROUND_LESS = 0.2
"""Of that is taken off for each extent of a round particle that the outlines are longer: long ones may be."""
ROUND_EDGE = 0.9
"""Where the mean of simulated spheres and shells ends, in units of their extent: their rims are thin."""
MODEL_SPREAD = 0.08
"""Relative error that remains with any number of particles, see ``benchmarks/auto_diameter.py``."""
SURE_WITHIN = 0.25
SURE_SCORE = 0.65
_PRIOR_PARTICLES = 5
"""A diameter at which only two particles are found must not win by their scores."""
_NORMAL_90 = 1.645
_RESAMPLES = 200


@dataclass(frozen=True)
class Measurement:
    """The isolated particles of a micrograph at one stated diameter.

    Parameters
    ----------
    stated_A : float
        The stated diameter in Å.
    extent_A, width_A : NDArray[np.float64]
        ``(n,)`` longest extents of the particles' outlines in Å, and diameters of discs of the same areas.
    score : NDArray[np.float64]
        ``(n,)`` calibrated probabilities that they are particles.
    profile : NDArray[np.float32]
        ``(n, ring)`` mean grey values at 0, 1, 2, ... rings from their centres; background is 0, and protein
        dark.
    """

    stated_A: float
    extent_A: NDArray[np.float64]
    width_A: NDArray[np.float64]
    score: NDArray[np.float64]
    profile: NDArray[np.float32]


@dataclass(frozen=True)
class DiameterEstimate:
    """The longest extent of the particles.

    Parameters
    ----------
    diameter_A : float
        In Å, rounded to whole ones.
    low_A, high_A : float
        An interval that should hold the true one in nine of ten cases.
    n_particles, n_micrographs : int
        How many were measured.
    mean_score : float
        Mean calibrated probability that what was measured are particles.
    """

    diameter_A: float
    low_A: float
    high_A: float
    n_particles: int
    n_micrographs: int
    mean_score: float

    @property
    def sure(self) -> bool:
        """Whether the interval is narrow, and what was measured looks like particles."""
        wide = max(self.high_A / self.diameter_A, self.diameter_A / self.low_A) > 1 + SURE_WITHIN
        return not wide and self.mean_score >= SURE_SCORE

    def __str__(self) -> str:
        """Return a line for the user."""
        line = (
            f"Particle diameter: {self.diameter_A:.0f} Å (between {self.low_A:.0f} and {self.high_A:.0f} Å; "
            f"{self.n_micrographs} micrographs, {self.n_particles} particles)"
        )
        return line if self.sure else f"{line}; this is UNSURE: check the picks, or give --particle_diameter"


def estimate_diameter(measured: Sequence[Sequence[Measurement]]) -> DiameterEstimate:
    """Return the longest extent of the particles from what `measure` found on some micrographs.

    The interval is a bootstrap over micrographs and over the particles of each, widened by what the network
    may be wrong by.

    Parameters
    ----------
    measured : sequence
        One per micrograph, of those at its stated diameters.

    Raises
    ------
    CryosegError
        If there are too few particles to measure.
    """
    everything = [one for one in measured if one]
    best = _settle(everything)
    if best is None:
        raise CryosegError(
            f"no particle diameter can be estimated from {len(measured)} micrographs, because too few "
            "particles were found at any diameter: give --particle_diameter in Å"
        )
    rng = np.random.default_rng(0)
    redone = [_settle(_resampled(everything, rng)) for _ in range(_RESAMPLES)]
    spread = np.std([np.log(one.diameter_A) for one in redone if one is not None] or [0.0])
    factor = float(np.exp(_NORMAL_90 * np.hypot(spread, MODEL_SPREAD)))
    diameter_A = best.diameter_A
    return DiameterEstimate(
        round(diameter_A),
        diameter_A / factor,
        diameter_A * factor,
        best.n_particles,
        len(everything),
        best.mean_score,
    )


@dataclass(frozen=True)
class _Rung:
    """All isolated particles at one stated diameter.

    `longest_A` is that of the outlines; the mean particle has half its contrast at a diameter of `half_A` and
    none at `edge_A`.
    """

    stated_A: float
    longest_A: float
    half_A: float
    edge_A: float
    confidence: float
    n_particles: int
    mean_score: float


@dataclass(frozen=True)
class _Settled:
    diameter_A: float
    n_particles: int
    mean_score: float


def _settle(measured: Sequence[Sequence[Measurement]]) -> _Settled | None:
    """Return the extent of the outlines, or of the mean particle if it is round, where picks are surest."""
    rungs = _rungs(measured)
    if not rungs:
        return None
    confidence = np.array([rung.confidence for rung in rungs])
    weight = np.exp((confidence - confidence.max()) / CONFIDENCE_SCALE)
    stated, *sizes = np.log([[rung.stated_A, rung.longest_A, rung.half_A, rung.edge_A] for rung in rungs]).T
    surest = weight @ stated / weight.sum()
    longest, half, edge = (np.interp(surest, stated, size) for size in sizes)
    if_round = edge - np.log(ROUND_EDGE)
    sharpness = np.exp(half - edge) - ROUND_LESS * (np.exp(longest - if_round) - 1)
    is_round = np.clip((sharpness - ROUND_FROM) / (ROUND_AT - ROUND_FROM), 0, 1)
    settled = (1 - is_round) * longest + is_round * if_round
    nearest = min(rungs, key=lambda rung: abs(np.log(rung.stated_A) - settled))
    return _Settled(float(np.exp(settled)), nearest.n_particles, nearest.mean_score)


def _rungs(measured: Sequence[Sequence[Measurement]]) -> list[_Rung]:
    """Pool the micrographs at each stated diameter; leave out those with too few particles."""
    pooled: dict[float, list[Measurement]] = {}
    for measurements in measured:
        for one in measurements:
            pooled.setdefault(one.stated_A, []).append(one)
    rungs = []
    for stated_A, parts in sorted(pooled.items()):
        extent_A, width_A, score, profile = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("extent_A", "width_A", "score", "profile")
        )
        mean = -(score @ profile)
        # What is not even dark on average is no particle.
        if (n := len(score)) < LEAST_PARTICLES or mean.max() <= 0:
            continue
        usual = width_A / _weighted_quantile(width_A, score, 0.5)
        kept = (usual >= USUAL_WIDTH[0]) & (usual <= USUAL_WIDTH[1])
        ring_A = stated_A / RINGS_PER_DIAMETER
        rungs.append(
            _Rung(
                stated_A,
                longest_A=_weighted_quantile(extent_A[kept], score[kept], EXTENT_QUANTILE),
                half_A=2 * ring_A * _radius_px(mean, 0.5),
                edge_A=2 * ring_A * _radius_px(mean, 0.0),
                confidence=float(score.sum()) / (n + _PRIOR_PARTICLES),
                n_particles=n,
                mean_score=float(score.mean()),
            )
        )
    return rungs


def _radius_px(profile: NDArray[np.float64], share: float) -> float:
    """Return where a radial profile first falls to a share of its highest value, which is above 0."""
    top = int(profile.argmax())
    least = share * profile[top]
    lower = np.flatnonzero(profile[top + 1 :] <= least)
    if len(lower) == 0:
        return float(len(profile) - 1)
    outside = top + 1 + int(lower[0])
    inner, outer = profile[outside - 1], profile[outside]
    return float(outside - (least - outer) / (inner - outer))


def _weighted_quantile(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, share * total[-1])])


def _resampled(
    measured: Sequence[Sequence[Measurement]], rng: np.random.Generator
) -> list[list[Measurement]]:
    """Draw micrographs with replacement, and the particles of each."""
    drawn = []
    for index in rng.integers(len(measured), size=len(measured)):
        micrograph = []
        for one in measured[index]:
            n = len(one.score)
            kept = rng.integers(n, size=n) if n else np.zeros(0, np.int64)
            drawn_columns = (one.extent_A[kept], one.width_A[kept], one.score[kept], one.profile[kept])
            micrograph.append(Measurement(one.stated_A, *drawn_columns))
        drawn.append(micrograph)
    return drawn
