"""The signal-to-noise ratio and the radiation damage that follow from an electron dose."""

from __future__ import annotations

import numpy as np

from cryoseg_ext.arrays import Image
from cryoseg_ext.simulation.specimens import Specimen

POTENTIAL_V = 2.7
"""Mean inner potential of protein less that of the vitreous ice it displaces, in V: about 7.4 - 4.7
(independent-atom model at 1.35 and 0.93 g/cm^3)."""
DETECTIVE_EFFICIENCY = 0.7
"""Detective quantum efficiency of a counting detector at the frequencies of particles."""
_CELLS = 20


def interaction_constant(voltage_kV: float) -> float:
    """Return the phase shift in radians per volt and Å of projected potential (Kirkland 2010, eq. 5.6)."""
    volts, rest_V = 1e3 * voltage_kV, 510998.95
    wavelength_A = 12.2642596 / np.sqrt(volts * (1 + volts / (2 * rest_V)))
    return float(2 * np.pi / (wavelength_A * volts) * (rest_V + volts) / (2 * rest_V + volts))


def solid_volume(specimen: Specimen) -> float:
    """Return the volume that a specimen fills, in cubes of its maximum extent.

    The volume is that of all cells, 1/20 of the extent wide, that hold more than a third of the median mass
    of an occupied cell.
    """
    cells = np.floor((specimen.positions + 0.5) * _CELLS).astype(np.int64)
    _, cell = np.unique(cells, axis=0, return_inverse=True)
    mass = np.bincount(cell, specimen.weights)
    return float(np.count_nonzero(mass > np.median(mass) / 3)) / _CELLS**3


def protein_A_per_density(specimen: Specimen, diameter_A: float, pixel_size_A: float) -> float:
    """Return the thickness of protein along the beam, in Å, that one unit of projected density represents.

    The density of `placement.project` sums to the specimen's weights over each particle, which represent its
    volume of protein.

    Parameters
    ----------
    specimen : Specimen
        The molecule.
    diameter_A : float
        Its maximum extent in Å.
    pixel_size_A : float
        Pixel size of the projected density in Å/px.
    """
    volume_A3 = solid_volume(specimen) * diameter_A**3
    return volume_A3 / float(specimen.weights.sum()) / pixel_size_A**2


def signal_per_protein_A(voltage_kV: float) -> float:
    """Return the relative change of intensity, at unit contrast transfer, per Å of protein along the beam.

    In the weak-phase approximation it is twice the phase shift.
    """
    return 2 * interaction_constant(voltage_kV) * POTENTIAL_V


def mean_over_noise(dose_e_A2: float, ice_noise: float, unit_A: float) -> float:
    """Return the ratio of the mean intensity to the standard deviation of all noise in a pixel.

    Parameters
    ----------
    dose_e_A2 : float
        Electrons per Å^2, which decide the shot noise.
    ice_noise : float
        Share of the variance that is not shot noise, see `cryoseg_ext.simulation.Conditions`.
    unit_A : float
        Width of the pixel in Å.
    """
    return float(np.sqrt(dose_e_A2 * unit_A**2 * DETECTIVE_EFFICIENCY * (1 - ice_noise)))


def dose_weighted_envelope(k2: Image, total_dose_e_A2: float, voltage_kV: float) -> Image:
    """Return the fraction of the amplitudes that radiation damage leaves in dose-weighted micrographs.

    After a dose N an amplitude is ``q = exp(-N / 2 N_c(k))`` of its first value, with the critical doses that
    Grant & Grigorieff (2015, eq. 3) measured at 300 kV, a fifth lower at 200 kV. Programs weight the frames
    by q and divide their sum by the root of the sum of ``q^2``; that keeps the spectrum of the noise, and of
    the signal the root of the mean of ``q^2``.

    Parameters
    ----------
    k2 : NDArray[np.float32]
        Squared spatial frequencies in 1/Å^2, of any shape.
    total_dose_e_A2 : float
        Dose of all frames together in e/Å^2.
    voltage_kV : float
        Accelerating voltage in kV.

    Returns
    -------
    NDArray[np.float32]
        Factor at each frequency, in the shape of `k2`.
    """
    critical_e_A2 = 0.245 * np.maximum(k2, 1e-10) ** (-1.665 / 2) + 2.81
    exposure = total_dose_e_A2 / (critical_e_A2 * (0.8 if voltage_kV <= 200 else 1.0))
    return np.sqrt(-np.expm1(-exposure) / exposure).astype(np.float32)
