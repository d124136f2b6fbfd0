"""2D averages of cryoseg's picks and of the experts' on the real micrographs of EMPIAR-10017, side by side.

    python benchmarks/real_averages.py [--model FILE] [--out FOLDER]

Boxes at the working scale are averaged as at the end of a job, without a reference and without a CTF, of five
kinds of places: those of the experts, our picks at the default threshold, those of ours at which no expert
has a pick within 0.3 diameters, the reverse, and, for comparison, what scores from 0.05 to 0.25 where no
expert has a pick. Needs the folder ``../shared`` of the project's workplace.
Prints the number of particles in each class; writes ``real_averages.json`` and ``real_averages.png``, a row
for each kind.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from class_averages import write_picture
from numpy.typing import NDArray
from real_micrographs import SETS, SHARED, unpack
from scipy.spatial import cKDTree

from cryoseg_ext.averages import class_averages
from cryoseg_ext.evaluation.matching import MATCH_DIAMETERS
from cryoseg_ext.formats.reading import read_picks
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.picks import Picks
from cryoseg_ext.pipeline import pick_micrograph
from cryoseg_ext.report.particle_boxes import cut_boxes

SET = SETS[0]
PIXEL_SIZE_A = 1.77
KINDS = ("experts", "cryoseg", "cryoseg alone", "experts alone", "low scores")
LOW_SCORES = (0.05, 0.25)


def main() -> None:
    """Print the classes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    if not SHARED.is_dir():
        sys.exit(f"{SHARED} is not there: the real micrographs are kept outside the repo")
    torch.set_num_threads(1)
    model = load_model(args.model)
    with tempfile.TemporaryDirectory() as scratch:
        unpack(Path(scratch), SET.name)
        paths = sorted((Path(scratch) / SET.folder / "Micrographs").glob("*.mrc"))
        of_each = [boxes_of(path, model) for path in paths]
    rows, pictures = {}, []
    for kind, boxes in zip(KINDS, zip(*of_each, strict=True), strict=True):
        classes = class_averages(np.concatenate(boxes))
        rows[kind] = [one.n_particles for one in classes]
        pictures.append(np.stack([one.image for one in classes]))
        print(f"{kind:14s}{sum(rows[kind]):6d} particles, in classes of {rows[kind]}", flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "real_averages.json").write_text(json.dumps(rows, indent=1) + "\n")
    write_picture(args.out / "real_averages.png", pictures)


def boxes_of(path: Path, model: Model) -> list[NDArray[np.float32]]:
    """Return the boxes of each of `KINDS` on a micrograph, at the working scale."""
    result = pick_micrograph(
        read_micrograph(path).image, PIXEL_SIZE_A, model, PickingOptions(SET.particle_diameter_A)
    )
    found, (lowest, highest) = result.candidates, LOW_SCORES
    marked = next(iter(read_picks(path.parents[1] / "coordinates" / f"{path.stem}_manualpick.star").values()))
    low = found.at((found.score >= lowest) & (found.score < highest))
    experts, ours, low_xy = (inside(one) for one in (marked, found.above(model.threshold), low))
    kinds = (experts, ours, far(ours, experts), far(experts, ours), far(low_xy, experts))
    from_source_px = result.working.from_source_px
    return [cut_boxes(result.working.image, *from_source_px(*xy.T)) for xy in kinds]


def far(xy: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the positions that are none of the others."""
    return xy[cKDTree(others).query(xy)[0] > MATCH_DIAMETERS * SET.scored_diameter_px]


def inside(picks: Picks) -> NDArray[np.float64]:
    """Return ``(n, 2)`` the positions (x, y) that are scored."""
    xy = np.stack([picks.x_px, picks.y_px], axis=1)
    return xy[((xy >= SET.inside[:2]) & (xy <= SET.inside[2:])).all(axis=1)]


if __name__ == "__main__":
    main()
