"""The commands of RELION that show the picks well.

A list of coordinate files has no pixel size, so RELION's own Display button may draw circles of the wrong
size; these commands say it all. The flags are those of 3.1.3, and 4.0 and 5.0 know them too.
"""

from __future__ import annotations

import shlex

from cryoseg_ext.job.result import JobResult
from relion_wrapper.host import RelionHost
from relion_wrapper.outputs import PICK_NAME

_PARTICLE_ON_SCREEN_PX = 25
_LOWPASS_PER_DIAMETER = 0.1


def display_commands(host: RelionHost, result: JobResult) -> list[str]:
    """Return the commands that show all micrographs, and the first one with its picks.

    Parameters
    ----------
    host : RelionHost
        The picking job.
    result : JobResult
        What was picked.
    """
    name, first = next(iter(result.finished.items()))
    diameter_A, pixel_size_A = result.options.particle_diameter_A, first.pixel_size_A
    folder = f"{host.directory.as_posix()}/"
    shown = [
        *("--scale", f"{min(1.0, _PARTICLE_ON_SCREEN_PX * pixel_size_A / diameter_A):.2g}"),
        *("--lowpass", f"{diameter_A * _LOWPASS_PER_DIAMETER:.3g}"),
        *("--angpix", f"{pixel_size_A:g}"),
        # From blue, surely a particle, to red, hardly one.
        *("--color_label", "rlnAutopickFigureOfMerit", "--blue", "1", "--red", f"{result.threshold:g}"),
    ]
    all_of_them = [
        *("relion_manualpick", "--i", f"{folder}micrographs.star", "--odir", folder, "--pickname", PICK_NAME),
        *("--particle_diameter", f"{diameter_A:g}", *shown),
    ]
    coordinates = host.coordinates(name, PICK_NAME).as_posix()
    first_one = [
        *("relion_display", "--pick", "--i", name, "--coords", coordinates),
        *("--particle_radius", f"{diameter_A / pixel_size_A / 2:.0f}", *shown),
    ]
    return [shlex.join(all_of_them), shlex.join(first_one)]
