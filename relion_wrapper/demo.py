"""``make demo``: a small simulated RELION project, picked by the real command, scored and drawn."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import click
import numpy as np

from cryoseg_ext.arrays import FloatArray
from cryoseg_ext.evaluation import PickScores, match_picks, score_picks
from cryoseg_ext.evaluation.matching import MATCH_DIAMETERS
from cryoseg_ext.files import replacing
from cryoseg_ext.formats.reading import read_picks
from cryoseg_ext.options.commands import CONTEXT
from cryoseg_ext.picks import Picks
from cryoseg_ext.progress import on_terminal
from cryoseg_ext.report.canvas import Canvas
from cryoseg_ext.report.pixels import as_png, draw_pixels
from cryoseg_ext.report.preview import GREY_LEVELS, Preview, load_preview
from cryoseg_ext.simulation.session import SessionOptions
from cryoseg_ext.simulation.session_files import write_session

N_MICROGRAPHS = 4
SHAPE = (1024, 1080)
PIXEL_SIZE_A = 3.0
DIAMETER_A = 180.0
JOB = "External/job002/"
MARK = ".cryoseg-demo"
"""Only a folder with this file in it is made anew."""
PICTURE = "picks_and_truth.png"
RIGHT_COLOUR, WRONG_COLOUR, TRUTH_COLOUR = "#ffd92f", "#ff5c5c", "#33a0ff"
_LEGEND = (
    ("yellow: right picks", RIGHT_COLOUR),
    ("red: no particle there", WRONG_COLOUR),
    ("blue: true centres", TRUTH_COLOUR),
)
_MATCH_PX = MATCH_DIAMETERS * DIAMETER_A / PIXEL_SIZE_A
_PT_PER_PX = 0.5
"""Points of the picture for each pixel of the micrograph."""

Truth = dict[str, FloatArray]


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
    """Simulate a small RELION project in FOLDER, pick it with cryoseg-relion and show how well that went.

    FOLDER is demo if it is not given; that of an earlier demo is made anew.
    """
    folder = folder.resolve()
    if folder.exists():
        if not (folder / MARK).exists():
            raise click.ClickException(f"{folder} exists and is no earlier demo: give another folder")
        shutil.rmtree(folder)
    ny, nx = SHAPE
    click.echo(
        f"Step 1 of 4: simulate {N_MICROGRAPHS} micrographs of {nx} x {ny} px at {PIXEL_SIZE_A:g} Å/px with "
        f"particles of {DIAMETER_A:g} Å\n  in {folder}"
    )
    with on_terminal():
        truth = make_project(folder)
    arguments = ["--in_mics", "micrographs.star", "--o", JOB]
    arguments += ["--particle_diameter", f"{DIAMETER_A:g}", "--j", "2"]
    click.echo("\nStep 2 of 4: pick them by the command that RELION's External job runs, in that folder:")
    click.echo(f"  cryoseg-relion {' '.join(arguments)}\n")
    command = [sys.executable, "-m", "relion_wrapper", *arguments]
    if (status := subprocess.run(command, cwd=folder, check=False).returncode) != 0:
        sys.exit(status)
    picks = read_picks(folder / JOB / "autopick.star")
    click.echo("\nStep 3 of 4: compare the picks with the truth, which cryoseg-relion has not seen")
    click.echo(f"  {_verdict(score_picks([(xy, picks[name]) for name, xy in truth.items()], _MATCH_PX))}")
    click.echo("\nStep 4 of 4: draw the picks and the truth on the first micrograph")
    name, xy = next(iter(truth.items()))
    write_picture(folder / PICTURE, folder / JOB / name, xy, picks[name])
    click.echo("\nOpen in any viewer of pictures, or in a browser:")
    click.echo(f"  {folder / PICTURE}")
    click.echo(f"  {folder / JOB / 'review.html'}")
    click.echo(f"The picks, for RELION's Particle extraction:\n  {folder / JOB / 'autopick.star'}")


def write_picture(path: Path, micrograph: Path, truth_xy_px: FloatArray, picks: Picks) -> None:
    """Write a PNG of a micrograph, without and with its picks and the true centres.

    Parameters
    ----------
    path : Path
        The file to write.
    micrograph : Path
        Where the job keeps its files of the micrograph, with the micrograph's own name.
    truth_xy_px : NDArray[np.float64]
        ``(m, 2)`` true centres (x, y).
    picks : Picks
        The picks.
    """
    preview = load_preview(micrograph.with_name(f"{micrograph.stem}_preview.npz"))
    assert preview is not None
    draw = partial(_draw, preview=preview, truth_xy_px=truth_xy_px, picks=picks)
    ny, nx = preview.source_shape
    with replacing(path) as temporary:
        pixels = draw_pixels(draw, (2 * _PT_PER_PX * nx + 30, _PT_PER_PX * ny + 45), dpi=110)
        temporary.write_bytes(as_png(pixels))


def _draw(canvas: Canvas, preview: Preview, truth_xy_px: FloatArray, picks: Picks) -> None:
    ny, nx = preview.source_shape
    width, height = _PT_PER_PX * nx, _PT_PER_PX * ny
    greys = np.repeat(np.linspace(0, 255, GREY_LEVELS).round().astype(np.uint8)[:, None], 3, axis=1)
    left, right = ((x, 10.0, width, height) for x in (10.0, width + 20))
    for box in (left, right):
        canvas.picture(box, preview.image, greys)

    def placed(x_px: FloatArray, y_px: FloatArray) -> FloatArray:
        return np.stack([right[0] + _PT_PER_PX * (x_px + 0.5), 10 + _PT_PER_PX * (ny - 0.5 - y_px)], axis=1)

    is_right = match_picks(truth_xy_px, picks, _MATCH_PX)
    for some, colour in ((picks.at(is_right), RIGHT_COLOUR), (picks.at(~is_right), WRONG_COLOUR)):
        diameters = np.full(len(some), _PT_PER_PX * DIAMETER_A / PIXEL_SIZE_A)
        canvas.circles(placed(some.x_px, some.y_px), diameters, colour, right)
    centres = placed(*truth_xy_px.T).tolist()
    canvas.bars([(x - 4, y - 0.75, 8, 1.5) for x, y in centres], TRUTH_COLOUR)
    canvas.bars([(x - 0.75, y - 4, 1.5, 8) for x, y in centres], TRUTH_COLOUR)
    canvas.text(left[0], height + 22, "The micrograph, low-passed", 12)
    for number, (words, colour) in enumerate(_LEGEND):
        x = right[0] + number * width / len(_LEGEND)
        canvas.bars([(x, height + 22, 9, 9)], colour)
        canvas.text(x + 13, height + 22, words, 10)


def _verdict(scores: PickScores) -> str:
    return (
        f"{scores.n_truth} particles, {scores.n_picks} picks: precision {scores.precision:.3f}, recall "
        f"{scores.recall:.3f} (centres within {MATCH_DIAMETERS} of the diameter)"
    )


if __name__ == "__main__":
    main(prog_name="python -m relion_wrapper.demo")
