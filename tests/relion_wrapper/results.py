"""What a job wrote, as RELION reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import starfile

if TYPE_CHECKING:
    import pandas as pd

    from tests.relion_wrapper.conftest import Project


def coordinates(project: Project, number: int = 0) -> list[tuple[float, float]]:
    table = starfile.read(project.job / f"Movies/mic.{number}_autopick.star", always_dict=True)[""]
    columns = [
        "rlnCoordinateX",
        "rlnCoordinateY",
        "rlnAutopickFigureOfMerit",
        "rlnClassNumber",
        "rlnAnglePsi",
    ]
    assert list(table.columns) == columns
    return list(zip(table["rlnCoordinateX"], table["rlnCoordinateY"], strict=True))


def names(path: Path, table: str) -> list[str]:
    return list(starfile.read(path, always_dict=True)[table]["rlnMicrographName"])


def qualities(project: Project) -> pd.DataFrame:
    return starfile.read(project.job / "micrographs.star", always_dict=True)["micrographs"]
