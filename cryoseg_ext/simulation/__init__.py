"""Physical simulation of micrographs with exact truth."""

from cryoseg_ext.simulation.conditions import Conditions, draw_conditions
from cryoseg_ext.simulation.imaging import Scale
from cryoseg_ext.simulation.micrograph import SimulatedMicrograph, simulate_at, simulate_micrograph
from cryoseg_ext.simulation.specimens import Specimen, draw_specimen

__all__ = [
    "Conditions",
    "Scale",
    "SimulatedMicrograph",
    "Specimen",
    "draw_conditions",
    "draw_specimen",
    "simulate_at",
    "simulate_micrograph",
]
