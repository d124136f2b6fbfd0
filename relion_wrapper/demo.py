"""``make demo``: a small simulated RELION project, picked by the real command and scored."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np

from cryoseg_ext.evaluation import score_picks
from cryoseg_ext.evaluation.matching import MATCH_DIAMETERS
from cryoseg_ext.formats.reading import read_picks
from cryoseg_ext.options.commands import CONTEXT
from cryoseg_ext.simulation.session import SessionOptions
from cryoseg_ext.simulation.session_files import write_session

N_MICROGRAPHS = 4
SHAPE = (1024, 1080)
PIXEL_SIZE_A = 3.0
DIAMETER_A = 180.0
JOB = "External/job002/"
MARK = ".cryoseg-demo"
"""Only a folder with this file in it is made anew."""

Truth = dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]


def make_project(folder: Path) -> Truth:
    """Write a RELION project of simulated micrographs; return each one's ``(n, 2)`` true centres (x, y)."""
    options = SessionOptions(SHAPE, PIXEL_SIZE_A, family="symmetric", diameter_A=DIAMETER_A, seed=7)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    write_session(folder, options, N_MICROGRAPHS)
    return {
        f"Micrographs/{path.stem}.mrc": np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)[:, :2]
        for path in sorted((folder / "Coordinates").glob("*.csv"))
    }


@click.command(context_settings=CONTEXT)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="demo")
def main(folder: Path) -> None:
    """Simulate a small RELION project in FOLDER, pick it with cryoseg-relion and print how well that went.

    FOLDER is demo if it is not given; that of an earlier demo is made anew.
    """
    folder = folder.resolve()
    if folder.exists():
        if not (folder / MARK).exists():
            raise click.ClickException(f"{folder} exists and is no earlier demo: give another folder")
        shutil.rmtree(folder)
    click.echo(f"Simulating {N_MICROGRAPHS} micrographs of {SHAPE[1]} x {SHAPE[0]} px in {folder} ...")
    truth = make_project(folder)
    arguments = ["--in_mics", "micrographs.star", "--o", JOB]
    arguments += ["--particle_diameter", f"{DIAMETER_A:g}", "--j", "2"]
    click.echo("Running: cryoseg-relion " + " ".join(arguments))
    command = [sys.executable, "-m", "relion_wrapper", *arguments]
    if (status := subprocess.run(command, cwd=folder, check=False).returncode) != 0:
        sys.exit(status)
    picks = read_picks(folder / JOB / "autopick.star")
    scores = score_picks(
        [(xy, picks[name]) for name, xy in truth.items()], MATCH_DIAMETERS * DIAMETER_A / PIXEL_SIZE_A
    )
    click.echo(
        f"\nAgainst the truth: {scores.n_truth} particles, {scores.n_picks} picks, "
        f"precision {scores.precision:.3f}, recall {scores.recall:.3f} "
        f"(centres within {MATCH_DIAMETERS} of the diameter)"
    )
    click.echo(f"Overlays and histograms: {folder / JOB / 'logfile.pdf'}")
    click.echo(f"Picks for RELION:        {folder / JOB / 'autopick.star'}")
    click.echo(f"All candidates:          {folder / JOB / 'candidates.star'}")


if __name__ == "__main__":
    main(prog_name="python -m relion_wrapper.demo")
