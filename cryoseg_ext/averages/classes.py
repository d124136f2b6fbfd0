"""Particles sorted into classes of alike views, aligned and averaged, without a reference.

This is maximum-likelihood alignment (ML2D, Scheres et al. 2005) in a basis in which rotations are phases:
each particle contributes to every class, rotation and shift with its probability. It begins on a sample of
the particles, with random averages that are almost alike and probabilities so flat that the classes part
slowly; in the end they are so sharp that averages of faint particles do not stay round. The contrast transfer
function is ignored, and the resolution is a few pixels of the boxes.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.arrays import FloatArray, Image
from cryoseg_ext.averages.basis import Coefficients, DiskBasis, disk_basis

MOST_CLASSES = 10
PER_CLASS = 50
"""Particles for which there is a class."""
_RADIUS, _FADES, _INSIDE = 14 / 36, 10 / 36, 1 / 3
"""Radii of the disk that is looked at, from where it fades, and of the particle, in sides of a box."""
_MOST_FREQUENCY = 0.28
_BANDS = 6
"""Of frequencies, each with its own noise."""
_SHIFT_SIGMA_PX = 1.5
_MOST_COARSE = 1000
"""Particles on which the classes part."""
_CHUNK = 128
"""Particles that are compared at once, so that the numbers stay in the cache."""
_THREADS = 2


@dataclass(frozen=True)
class ClassAverage:
    """The average of the particles of a class.

    Parameters
    ----------
    image : NDArray[np.float32]
        ``(side, side)`` grey values; the particle is bright, and the background about 0.
    n_particles : int
        Particles of the class.
    """

    image: Image
    n_particles: int


@dataclass(frozen=True)
class _Search:
    """Which shifts and rotations of a particle are tried, and how often.

    Parameters
    ----------
    shifts_px : tuple of tuple of int
        Shifts (y, x).
    n_angles : int
        Rotations, all around.
    sharpness : NDArray[np.float64]
        Of each repetition, the power of the likelihoods: below 1 the probabilities are flatter than they are,
        above 1 sharper.
    is_last : bool
        Whether classes may have any size, and averages are filtered by their signal over noise. Before,
        classes are kept about equally large, as in ISAC (Yang et al. 2012): else a few attract all particles.
    """

    shifts_px: tuple[tuple[int, int], ...]
    n_angles: int
    sharpness: FloatArray
    is_last: bool


_NEAR = tuple((y, x) for y in range(-2, 3) for x in range(-2, 3) if abs(y) + abs(x) <= 2)
_COARSE = _Search(tuple((y, x) for y, x in _NEAR if y % 2 == x % 2 == 0), 24, np.geomspace(0.2, 2, 25), False)
_FINE = _Search(_NEAR, 36, np.ones(3), True)


@dataclass(frozen=True)
class _Classes:
    """What particles are compared with.

    Parameters
    ----------
    averages : NDArray[np.complex64]
        ``(classes, n)`` coefficients.
    noise : NDArray[np.float32]
        ``(n,)`` variance of particles about their class, of each real number of a coefficient.
    log_prior : NDArray[np.float32]
        ``(classes,)`` log probability of each class, but for a constant.
    """

    averages: Coefficients
    noise: Image
    log_prior: Image


def class_averages(boxes: NDArray[np.generic]) -> tuple[ClassAverage, ...]:
    """Return the averages of particles in classes, that of most particles first.

    Parameters
    ----------
    boxes : NDArray
        ``(n, side, side)`` particles, about two thirds of a box wide, protein dark. Below `PER_CLASS` of them
        there is no class.
    """
    images, labels = sort_into_classes(boxes)
    counts = np.bincount(labels, minlength=len(images)).tolist()
    return tuple(ClassAverage(image, n) for image, n in zip(images, counts, strict=True))


def sort_into_classes(boxes: NDArray[np.generic]) -> tuple[Image, NDArray[np.int64]]:
    """Return the average of each class, the largest first, and the class of each particle.

    Parameters
    ----------
    boxes : NDArray
        As in `class_averages`.

    Returns
    -------
    images : NDArray[np.float32]
        ``(classes, side, side)`` averages.
    labels : NDArray[np.int64]
        ``(n,)`` the most probable class of each particle; empty when there is no class.
    """
    n, side = boxes.shape[:2]
    n_classes = min(n // PER_CLASS, MOST_CLASSES)
    if n_classes == 0:
        return np.zeros((0, side, side), np.float32), np.zeros(0, np.int64)
    from threadpoolctl import threadpool_limits

    # Products of small matrices: more threads take longer, and round in another order.
    with threadpool_limits(1, "blas"):
        return _sorted(boxes, n_classes)


@cache
def disk_of(side: int) -> DiskBasis:
    """Return the functions of which averages of a side are made."""
    return disk_basis(side, _RADIUS * side, _FADES * side, _MOST_FREQUENCY)


def _sorted(boxes: NDArray[np.generic], n_classes: int) -> tuple[Image, NDArray[np.int64]]:
    n, side = boxes.shape[:2]
    basis, rng = disk_of(side), np.random.default_rng(0)
    particles = _bright(boxes)
    every = np.stack([basis.coefficients(particles, shift_px) for shift_px in _FINE.shifts_px], axis=1)
    few = every[rng.permutation(n)[:_MOST_COARSE]]
    few = few[:, [_FINE.shifts_px.index(shift_px) for shift_px in _COARSE.shifts_px]]
    middle = few[:, _COARSE.shifts_px.index((0, 0))]
    averages = np.stack([part.mean(axis=0) for part in np.array_split(middle, n_classes)])
    classes = _Classes(averages, _noise(basis, middle.var(axis=0)), np.zeros(n_classes, np.float32))
    for search, found in ((_COARSE, few), (_FINE, every)):
        for sharpness in search.sharpness.tolist():
            classes, shares = _improved(classes, found, basis, search, sharpness)
    labels = shares.argmax(axis=1)
    counts = np.bincount(labels, minlength=n_classes)
    order = np.argsort(-counts, kind="stable")
    kept = order[: np.count_nonzero(counts)]
    return basis.images(classes.averages[kept]), np.argsort(order)[labels]


def _bright(boxes: NDArray[np.generic]) -> Image:
    """Return boxes with bright protein, and 0 as the mean around the particle."""
    images = -boxes.astype(np.float32)
    y, x = np.mgrid[: images.shape[1], : images.shape[2]] - images.shape[1] // 2
    around = np.hypot(y, x) > _INSIDE * images.shape[1]
    return images - images[:, around].mean(axis=1)[:, None, None]


def _noise(basis: DiskBasis, variance: FloatArray) -> Image:
    """Return the variance of coefficients about their class, the mean over a band of frequencies."""
    power = _in_bands(basis, variance)
    return np.maximum(power, max(1e-3 * power.max(), 1e-9)).astype(np.float32)


def _in_bands(basis: DiskBasis, power: FloatArray) -> FloatArray:
    """Return power of coefficients, along the last axis, as the mean of a real number in its band."""
    band = (basis.frequency / _MOST_FREQUENCY * _BANDS).astype(np.int64)
    member = (band == np.arange(_BANDS)[:, None]).astype(np.float64)
    mean = power @ member.T / np.maximum(member @ basis.n_real, 1)
    return mean[..., band]


def _improved(
    classes: _Classes, particles: Coefficients, basis: DiskBasis, search: _Search, sharpness: float
) -> tuple[_Classes, Image]:
    """Return better classes, and ``(particles, classes)`` the probabilities of the former ones.

    Parameters
    ----------
    classes : _Classes
        So far.
    particles : NDArray[np.complex64]
        ``(particles, shifts, n)`` coefficients.
    basis : DiskBasis
        What they are coefficients of.
    search : _Search
        Shifts and rotations.
    sharpness : float
        Power of the likelihoods.
    """
    rotations = basis.rotations(2 * np.pi * np.arange(search.n_angles) / search.n_angles)
    turned = classes.averages[:, None] * rotations
    energy = np.sum(np.abs(classes.averages) ** 2 / classes.noise, axis=1)
    distance_px = np.hypot(*np.transpose(search.shifts_px))
    prior = classes.log_prior - 0.5 * (distance_px / _SHIFT_SIGMA_PX)[:, None] ** 2 - 0.5 * sharpness * energy
    sums, share, power = _compared(particles, turned * (sharpness / classes.noise), prior.astype(np.float32))
    weight = np.maximum(share.sum(axis=0), 1e-6)[:, None]
    averages = np.sum(sums * rotations.conj(), axis=1) / weight
    signal = np.sum(weight / len(particles) * np.abs(averages) ** 2, axis=0)
    log_prior = classes.log_prior - np.log(weight[:, 0] / weight.mean())
    if search.is_last:
        log_prior = np.zeros_like(log_prior)
        of_average = np.maximum(_in_bands(basis, np.abs(averages) ** 2), 1e-12)
        averages *= np.clip(1 - classes.noise / weight / of_average, 0, 1).astype(np.float32)
    return _Classes(averages, _noise(basis, power - signal), log_prior), share


def _compared(
    particles: Coefficients, weighted: Coefficients, prior: Image
) -> tuple[Coefficients, Image, Image]:
    """Return how much of the particles belongs to each class.

    Parameters
    ----------
    particles : NDArray[np.complex64]
        ``(particles, shifts, n)`` coefficients.
    weighted : NDArray[np.complex64]
        ``(classes, angles, n)`` averages over the noise; the log likelihood is their product with a particle.
    prior : NDArray[np.float32]
        ``(shifts, classes)`` log probabilities before a particle is seen.

    Returns
    -------
    sums : NDArray[np.complex64]
        ``(classes, angles, n)`` sum of the particles, each times its probability.
    share : NDArray[np.float32]
        ``(particles, classes)`` probabilities.
    power : NDArray[np.float32]
        ``(n,)`` mean square of the coefficients of the shifted particles.
    """
    turned = weighted.reshape(-1, weighted.shape[-1]).view(np.float32)
    sums, power, shares = np.zeros_like(turned), np.zeros(turned.shape[1], np.float32), []

    def compare(start: int) -> tuple[Image, Image, Image]:
        part = particles[start : start + _CHUNK]
        flat = part.reshape(-1, part.shape[-1]).view(np.float32)
        likelihood = (flat @ turned.T).reshape(*part.shape[:2], *weighted.shape[:2])
        likelihood += prior[:, :, None]
        likelihood -= likelihood.max(axis=(1, 2, 3), keepdims=True)
        # Numbers near the least that there are would make the products many times slower.
        np.maximum(likelihood, -50, out=likelihood)
        np.exp(likelihood, out=likelihood)
        likelihood /= likelihood.sum(axis=(1, 2, 3), keepdims=True)
        product = likelihood.reshape(len(flat), -1).T @ flat
        return product, likelihood.sum(axis=(2, 3)).ravel() @ flat**2, likelihood.sum(axis=(1, 3))

    # The parts come in order whatever the number of threads, so their sum is the same.
    with ThreadPoolExecutor(_THREADS) as pool:
        for product, part_power, share in pool.map(compare, range(0, len(particles), _CHUNK)):
            sums += product
            power += part_power
            shares.append(share)
    power = power.reshape(-1, 2).sum(axis=1) / len(particles)
    return sums.view(np.complex64).reshape(weighted.shape), np.concatenate(shares), power
