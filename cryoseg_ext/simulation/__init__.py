"""Physical simulation of micrographs with exact truth."""

from cryoseg_ext.simulation.conditions import Conditions, draw_conditions
from cryoseg_ext.simulation.micrograph import SimulatedMicrograph, simulate_micrograph
from cryoseg_ext.simulation.specimens import Specimen, draw_specimen

__all__ = [
    "Conditions",
    "SimulatedMicrograph",
    "Specimen",
    "draw_conditions",
    "draw_specimen",
    "simulate_micrograph",
]
