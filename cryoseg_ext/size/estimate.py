"""Estimation of the particle diameter from picks at several stated diameters, with an interval.

At a stated diameter far from the true one, the network finds parts of particles, noise, or clusters, and none
of them with confidence. Near the true one its confidence is highest, and outlines hardly grow with the stated
diameter: their longest extents there are the estimate. Outlines of faint or blurred particles are too long;
if the particles are round, their mean has a sharp edge, which is at the same place for any stated diameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cryoseg_ext.arrays import FloatArray, Image
from cryoseg_ext.errors import CryosegError

LEAST_PARTICLES = 8
"""Smallest number of particles at a stated diameter that is used."""
RINGS_PER_DIAMETER = 24
"""Rings of a radial profile per stated diameter."""
EXTENT_QUANTILE = 0.9
"""Quantile of the outlines' longest extents: most particles are seen foreshortened."""
USUAL_WIDTH = (0.6, 1.35)
"""Range of the widths of single particles, in units of the median; others are fragments or aggregates."""
CONFIDENCE_SCALE = 0.08
"""Confidence drop at which a diameter's weight falls to 1/e."""
ROUND_FROM, ROUND_AT = 0.68, 0.78
"""Roundness from which the edge of the mean particle starts to count, and from which it alone counts.

Roundness is the radius of half contrast over that of the edge, less a reduction (`ROUND_LESS`). It is smaller
for long or irregular particles, whose views differ, than for spheres and shells.
"""
ROUND_LESS = 0.2
"""Roundness is reduced by this factor times the relative excess of the outline's extent over that of a round
particle."""
ROUND_EDGE = 0.9
"""Edge of the mean of spheres and shells, as a fraction of their extent: their outer parts are thin."""
MODEL_SPREAD = 0.08
"""Relative error that remains with any number of particles, see ``benchmarks/auto_diameter.py``."""
SURE_WITHIN = 0.25
"""Largest relative distance of the interval's ends from a sure estimate."""
SURE_SCORE = 0.65
"""Smallest mean score of the particles of a sure estimate."""
_PRIOR_PARTICLES = 5
"""Particles of score 0 added to the confidence, which lowers that of a diameter with few particles."""
_NORMAL_90 = 1.645
"""Half width of the central 90 % of a normal distribution, in standard deviations."""
_RESAMPLES = 200
"""Bootstrap samples."""


@dataclass(frozen=True)
class Measurement:
    """The isolated particles of a micrograph at one stated diameter.

    Parameters
    ----------
    stated_A : float
        The stated diameter in Å.
    extent_A, width_A : NDArray[np.float64]
        ``(n,)`` longest extents of the particles' outlines in Å, and diameters in Å of discs of equal areas.
    score : NDArray[np.float64]
        ``(n,)`` calibrated probabilities that they are particles.
    profile : NDArray[np.float32]
        ``(n, ring)`` mean grey values at 0, 1, 2, ... rings from the particles' centres; background is 0 and
        protein dark.
    n_expected : float
        Expected number of particles, those that touch others or the edge too.
    """

    stated_A: float
    extent_A: FloatArray
    width_A: FloatArray
    score: FloatArray
    profile: Image
    n_expected: float = 0.0


@dataclass(frozen=True)
class DiameterEstimate:
    """The estimated longest extent of the particles.

    Parameters
    ----------
    diameter_A : float
        Estimate in Å, rounded to whole Å.
    low_A, high_A : float
        90 % interval in Å.
    n_particles, n_micrographs : int
        Numbers of measured particles and micrographs.
    mean_score : float
        Mean calibrated probability that the measured objects are particles.
    contrast : str
        What to do about the contrast of protein if it seems to be the other one; empty if not.
    """

    diameter_A: float
    low_A: float
    high_A: float
    n_particles: int
    n_micrographs: int
    mean_score: float
    contrast: str = ""

    @property
    def sure(self) -> bool:
        """Whether the contrast seems right, the interval is narrow and the mean score is high."""
        wide = max(self.high_A / self.diameter_A, self.diameter_A / self.low_A) > 1 + SURE_WITHIN
        return not self.contrast and not wide and self.mean_score >= SURE_SCORE

    def __str__(self) -> str:
        """Return the estimate as a line for the user."""
        line = (
            f"Particle diameter: {self.diameter_A:.0f} Å (between {self.low_A:.0f} and {self.high_A:.0f} Å; "
            f"{self.n_micrographs} micrographs, {self.n_particles} particles)"
        )
        doubt = self.contrast or "check the picks, or give --particle_diameter"
        return line if self.sure else f"{line}; this is UNSURE: {doubt}"


def estimate_diameter(measured: Sequence[Sequence[Measurement]]) -> DiameterEstimate:
    """Estimate the longest extent of the particles from the measurements of some micrographs.

    The interval is a bootstrap over micrographs and over the particles of each (Efron 1979), widened by the
    error of the network.

    Parameters
    ----------
    measured : sequence of sequence of Measurement
        For each micrograph, the result of `cryoseg_ext.size.measure.measure`.

    Raises
    ------
    CryosegError
        If there are too few particles to measure.
    """
    micrographs = [measurements for measurements in measured if measurements]
    best = _combine(micrographs)
    if best is None:
        raise CryosegError(
            f"no particle diameter can be estimated from {len(measured)} micrographs, because too few "
            "particles were found at any diameter: give --particle_diameter in Å"
        )
    rng = np.random.default_rng(0)
    resampled = [_combine(_resampled(micrographs, rng)) for _ in range(_RESAMPLES)]
    spread = np.std([np.log(sample.diameter_A) for sample in resampled if sample is not None] or [0.0])
    factor = float(np.exp(_NORMAL_90 * np.hypot(spread, MODEL_SPREAD)))
    diameter_A = best.diameter_A
    return DiameterEstimate(
        round(diameter_A),
        diameter_A / factor,
        diameter_A * factor,
        best.n_particles,
        len(micrographs),
        best.mean_score,
    )


@dataclass(frozen=True)
class _StatedDiameter:
    """Summary of all isolated particles at one stated diameter.

    `longest_A` is the extent of the outlines; the mean particle has half its contrast at a diameter of
    `half_A` and none at `edge_A`.
    """

    stated_A: float
    longest_A: float
    half_A: float
    edge_A: float
    confidence: float
    n_particles: int
    mean_score: float


@dataclass(frozen=True)
class _Combined:
    diameter_A: float
    n_particles: int
    mean_score: float


def _combine(measured: Sequence[Sequence[Measurement]]) -> _Combined | None:
    """Return the extent of the outlines, or of the mean particle if it is round, at the best diameters."""
    diameters = _pooled(measured)
    if not diameters:
        return None
    confidence = np.array([diameter.confidence for diameter in diameters])
    weight = np.exp((confidence - confidence.max()) / CONFIDENCE_SCALE)
    # All sizes from here on are logarithms.
    stated, *sizes = np.log([(d.stated_A, d.longest_A, d.half_A, d.edge_A) for d in diameters]).T
    best = weight @ stated / weight.sum()
    longest, half, edge = (np.interp(best, stated, size) for size in sizes)
    if_round = edge - np.log(ROUND_EDGE)
    roundness = np.exp(half - edge) - ROUND_LESS * (np.exp(longest - if_round) - 1)
    is_round = np.clip((roundness - ROUND_FROM) / (ROUND_AT - ROUND_FROM), 0, 1)
    combined = (1 - is_round) * longest + is_round * if_round
    nearest = min(diameters, key=lambda diameter: abs(np.log(diameter.stated_A) - combined))
    return _Combined(float(np.exp(combined)), nearest.n_particles, nearest.mean_score)


def _pooled(measured: Sequence[Sequence[Measurement]]) -> list[_StatedDiameter]:
    """Pool the micrographs at each stated diameter; leave out diameters with too few particles."""
    pooled: dict[float, list[Measurement]] = {}
    for measurements in measured:
        for measurement in measurements:
            pooled.setdefault(measurement.stated_A, []).append(measurement)
    diameters = []
    for stated_A, parts in sorted(pooled.items()):
        extent_A, width_A, score, profile = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("extent_A", "width_A", "score", "profile")
        )
        mean = -(score @ profile)
        # Protein is dark, so objects that are not dark on average are not particles.
        if (n := len(score)) < LEAST_PARTICLES or mean.max() <= 0:
            continue
        usual = width_A / _weighted_quantile(width_A, score, 0.5)
        kept = (usual >= USUAL_WIDTH[0]) & (usual <= USUAL_WIDTH[1])
        ring_A = stated_A / RINGS_PER_DIAMETER
        diameters.append(
            _StatedDiameter(
                stated_A,
                longest_A=_weighted_quantile(extent_A[kept], score[kept], EXTENT_QUANTILE),
                half_A=2 * ring_A * _radius_px(mean, 0.5),
                edge_A=2 * ring_A * _radius_px(mean, 0.0),
                confidence=float(score.sum()) / (n + _PRIOR_PARTICLES),
                n_particles=n,
                mean_score=float(score.mean()),
            )
        )
    return diameters


def _radius_px(profile: FloatArray, fraction: float) -> float:
    """Return where a radial profile falls to a fraction of its maximum, which is above 0, outside of it."""
    top = int(profile.argmax())
    least = fraction * profile[top]
    lower = np.flatnonzero(profile[top + 1 :] <= least)
    if len(lower) == 0:
        return float(len(profile) - 1)
    outside = top + 1 + int(lower[0])
    inner, outer = profile[outside - 1], profile[outside]
    return float(outside - (least - outer) / (inner - outer))


def _weighted_quantile(values: FloatArray, weights: FloatArray, quantile: float) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, quantile * total[-1])])


def _resampled(
    measured: Sequence[Sequence[Measurement]], rng: np.random.Generator
) -> list[list[Measurement]]:
    """Draw micrographs with replacement, and the particles of each."""
    drawn = []
    for index in rng.integers(len(measured), size=len(measured)):
        micrograph = []
        for found in measured[index]:
            n = len(found.score)
            kept = rng.integers(n, size=n) if n else np.zeros(0, np.int64)
            columns = (found.extent_A[kept], found.width_A[kept], found.score[kept], found.profile[kept])
            micrograph.append(Measurement(found.stated_A, *columns))
        drawn.append(micrograph)
    return drawn
