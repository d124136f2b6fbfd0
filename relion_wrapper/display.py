"""The commands of RELION that show the picks well.

A list of coordinate files has no pixel size, so RELION's own Display button may draw circles of the wrong
size; these commands say it all. The flags are those of 3.1.3, and 4.0 and 5.0 know them too.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from relion_wrapper.outputs import JobResult
from relion_wrapper.paths import PICK_NAME

_PARTICLE_ON_SCREEN_PX = 25
_LOWPASS_PER_DIAMETER = 0.1


def display_commands(job_directory: Path, result: JobResult) -> list[str]:
    """Return the commands that show all micrographs, per pixel size, and the first one with its picks.

    Parameters
    ----------
    job_directory : Path
        The picking job's folder.
    result : JobResult
        What was picked.
    """
    first = result.planned[0]
    diameter_A = result.options.particle_diameter_A
    pixel_size_A = first.pixel_size_A
    folder = f"{job_directory.as_posix()}/"
    shown = [
        *("--scale", f"{min(1.0, _PARTICLE_ON_SCREEN_PX * pixel_size_A / diameter_A):.2g}"),
        *("--lowpass", f"{diameter_A * _LOWPASS_PER_DIAMETER:.3g}"),
        *("--angpix", f"{pixel_size_A:g}"),
        # From blue, surely a particle, to red, hardly one.
        *("--color_label", "rlnAutopickFigureOfMerit", "--blue", "1", "--red", f"{result.threshold:g}"),
    ]
    everything = [
        *("relion_manualpick", "--i", f"{folder}micrographs.star", "--odir", folder, "--pickname", PICK_NAME),
        *("--particle_diameter", f"{diameter_A:g}", *shown),
    ]
    one = [
        *("relion_display", "--pick", "--i", first.name, "--coords", first.files.coordinates.as_posix()),
        *("--particle_radius", f"{diameter_A / pixel_size_A / 2:.0f}", *shown),
    ]
    return [shlex.join(everything), shlex.join(one)]
