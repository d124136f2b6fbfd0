"""The micrographs, particles and labels of a simulated session as RELION's STAR files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cryoseg_ext.files import replace_text
from cryoseg_ext.formats.star import to_text, write_table

if TYPE_CHECKING:
    import pandas as pd

BOX_DIAMETERS = 1.5
"""Width of the box of a particle or of its map, in particle diameters."""


def write_lists(folder: Path, records: Sequence[dict[str, Any]], pixel_size_A: float) -> None:
    """Write ``micrographs.star`` and ``particles.star`` of RELION 3.1 and later.

    The particles have everything but images. Their class is the number of the structure.

    Parameters
    ----------
    folder : Path
        Folder of the session, to which the micrographs' names are relative.
    records : sequence of dict
        Contents of ``Truth/NAME.json`` of each micrograph.
    pixel_size_A : float
        Pixel size of the micrographs in Å/px.
    """
    import pandas as pd

    conditions = records[0]["conditions"]
    optics = {
        "rlnOpticsGroupName": "opticsGroup1",
        "rlnOpticsGroup": 1,
        "rlnMicrographOriginalPixelSize": pixel_size_A,
        "rlnVoltage": conditions["voltage_kV"],
        "rlnSphericalAberration": conditions["spherical_aberration_mm"],
        "rlnAmplitudeContrast": conditions["amplitude_contrast"],
        "rlnMicrographPixelSize": pixel_size_A,
    }
    largest_A = max(record["diameter_A"] for record in records)
    image_optics = {
        "rlnImagePixelSize": pixel_size_A,
        "rlnImageSize": 2 * int(np.ceil(BOX_DIAMETERS * largest_A / pixel_size_A / 2)),
        "rlnImageDimensionality": 2,
    }
    micrographs = pd.DataFrame([_micrograph_row(record) for record in records])
    particles = pd.concat([_particle_rows(record) for record in records])
    for path, tables in (
        ("micrographs.star", {"optics": pd.DataFrame([optics]), "micrographs": micrographs}),
        ("particles.star", {"optics": pd.DataFrame([optics | image_optics]), "particles": particles}),
    ):
        # The first line holds the time, but a session written again must be the same.
        replace_text(folder / path, to_text(tables))


def write_labels_list(folder: Path, records: Sequence[dict[str, Any]]) -> None:
    """Write ``labels.star`` for ``cryoseg train --in_labels``; the parameters are those of `write_lists`."""
    names = [record["micrograph"] for record in records]
    rows = (
        f"{name} Truth/{Path(name).stem}_labels.mrc Truth/{Path(name).stem}_instances.mrc" for name in names
    )
    columns = ("rlnMicrographName", "cryosegLabelName", "cryosegInstanceName")
    write_table(folder / "labels.star", "labels", columns, rows)


def _micrograph_row(record: dict[str, Any]) -> dict[str, Any]:
    conditions = record["conditions"]
    mean_A, half_A = 1e4 * conditions["defocus_um"], 1e4 * conditions["astigmatism_um"]
    return {
        "rlnMicrographName": record["micrograph"],
        "rlnOpticsGroup": 1,
        "rlnDefocusU": mean_A + half_A,
        "rlnDefocusV": mean_A - half_A,
        "rlnDefocusAngle": conditions["astigmatism_angle_deg"],
        "rlnPhaseShift": conditions["phase_shift_deg"],
    }


def _particle_rows(record: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    rot, tilt, psi = np.reshape(record["angles_deg"], (-1, 3)).T
    return pd.DataFrame(
        {
            "rlnCoordinateX": record["x_px"],
            "rlnCoordinateY": record["y_px"],
            "rlnAngleRot": rot,
            "rlnAngleTilt": tilt,
            "rlnAnglePsi": psi,
            "rlnOriginXAngst": 0.0,
            "rlnOriginYAngst": 0.0,
            "rlnClassNumber": record["structure"],
            **_micrograph_row(record),
        }
    )
