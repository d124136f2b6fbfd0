"""Class averages of picks on simulated 300 kV micrographs of molecules that the default model has never seen.

    python benchmarks/class_averages.py [--model FILE] [--micrographs 10] [--threshold 0.1] [--structures DIR]

For each atomic model left out of the training, micrographs with contaminants are simulated and picked as in
``held_out_structures.py``, and the picks are averaged as at the end of a job. Each average is compared with
projections of the model in 400 views, all rotations and shifts up to 3 px, by the correlation of the pixels
of a disk of 1.25 diameters; the projections are filtered to the resolution of the averages, and not by a CTF.
The atomic models are those of ``../shared`` of the project's workplace. Prints a table, writes
``class_averages.json``, and ``class_averages.png`` with the classes and the best view of each below.

=========  =================================================================================================
picks      in the averages
false      picks that are no particle
classes    number of classes
best       correlation of the class that fits best
fit        classes with a correlation of 0.8 or more
in_fit     share of the right picks that is in them
junk       share of the false picks in the class that has most of them
of         share of all picks in that class
junk_2     share of the false picks in the two classes that have most of them
of_2       share of all picks in these
seconds    processor time of the averages
=========  =================================================================================================
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from held_out_structures import DIAMETER_PX, HELD_OUT, MATCH_DIAMETERS, STRUCTURES, sessions
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cryoseg_ext.averages import sort_into_classes
from cryoseg_ext.averages.classes import disk_of
from cryoseg_ext.evaluation import match_picks
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX
from cryoseg_ext.model.checkpoint import Model, load_model
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.pipeline import pick_micrograph
from cryoseg_ext.report.pages import average_levels
from cryoseg_ext.report.particle_boxes import BOX_PX
from cryoseg_ext.report.preview import make_preview, with_boxes, with_even_boxes
from cryoseg_ext.simulation.placement import project
from cryoseg_ext.simulation.session import SessionOptions, load_specimens, simulate_session_micrograph
from cryoseg_ext.simulation.specimens import Specimen

N_VIEWS, N_ANGLES, MOST_SHIFT_PX = 400, 72, 3
FITS = 0.8


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--micrographs", type=int, default=10)
    parser.add_argument("--threshold", type=float, help="least score of a pick; default: the model's")
    parser.add_argument("--structures", type=Path, default=STRUCTURES, help="folder of the atomic models")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(args.model)
    threshold = model.threshold if args.threshold is None else args.threshold
    every = sessions(SessionOptions(shape=(1536, 1536), contaminants=True), args.structures)
    rows, pictures = {}, []
    for name in (name for name in HELD_OUT if name in every):
        picked = [pick(every[name], k, model, threshold) for k in range(args.micrographs)]
        boxes, right = (np.concatenate(parts) for parts in zip(*picked, strict=True))
        started_s = time.process_time()
        images, labels = sort_into_classes(boxes)
        seconds = time.process_time() - started_s
        correlation, views = compare(images, load_specimens(every[name])[0][0])
        rows[name] = describe(labels, right, correlation) | {"seconds": seconds}
        pictures += [images, views]
        if len(rows) == 1:
            print(f"{'':6s}" + "".join(f"{column:>9s}" for column in rows[name]))
        print(f"{name:6s}" + "".join(f"{value:9.3g}" for value in rows[name].values()), flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "class_averages.json").write_text(json.dumps(rows, indent=1) + "\n")
    if pictures:
        write_picture(args.out / "class_averages.png", pictures)


def pick(
    session: SessionOptions, index: int, model: Model, threshold: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the boxes of picks on a simulated micrograph that a job would average, and which are right."""
    session = replace(session, seed=session.seed + index)
    specimens = load_specimens(session)
    diameter_A = specimens[0][1]
    session = replace(session, pixel_size_A=diameter_A / DIAMETER_PX)
    simulated = simulate_session_micrograph(session, specimens, 0)
    result = pick_micrograph(simulated.image, session.pixel_size_A, model, PickingOptions(diameter_A))
    working, candidates = result.working, result.candidates
    x_px, y_px = working.from_source_px(candidates.x_px, candidates.y_px)
    preview = make_preview(working.image, result.mask, working.source_shape)
    preview = with_boxes(preview, working.image, replace(candidates, x_px=x_px, y_px=y_px))
    preview = with_even_boxes(preview, len(candidates))
    # Particles that the truth leaves out, as under ice, are no false picks.
    right = match_picks(simulated.placed.centres_px, candidates, MATCH_DIAMETERS * DIAMETER_PX)
    picked = candidates.score[preview.box_candidates] >= threshold
    return preview.boxes[picked], right[preview.box_candidates[picked]]


def compare(
    images: NDArray[np.float32], specimen: Specimen
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return the correlation of each image with the projection most alike, and that projection."""
    basis = disk_of(BOX_PX)
    inside = np.abs(basis.functions[0]) > 0
    turns = basis.rotations(2 * np.pi * np.arange(N_ANGLES) / N_ANGLES)
    reach = range(-MOST_SHIFT_PX, MOST_SHIFT_PX + 1)
    shifted = np.stack([np.roll(images, (y, x), (1, 2)) for y in reach for x in reach], axis=1)
    ours = normalised(shifted[..., inside])
    best = np.full(len(images), -1.0)
    views = np.zeros_like(images)
    for coefficients in basis.coefficients(projections(specimen)):
        turned = basis.images(coefficients * turns)
        alike = np.einsum("isp,tp->ist", ours, normalised(turned[:, inside]), optimize=True)
        highest = alike.max(axis=1)
        better = highest.max(axis=1) > best
        best[better] = highest.max(axis=1)[better]
        views[better] = turned[highest.argmax(axis=1)[better]]
    return best, views


def normalised(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values along the last axis with mean 0 and norm 1."""
    centred = pixels - pixels.mean(axis=-1, keepdims=True)
    return centred / np.linalg.norm(centred, axis=-1, keepdims=True)


def projections(specimen: Specimen) -> NDArray[np.float32]:
    """Return ``(views, BOX_PX, BOX_PX)`` projections of a molecule in evenly random views."""
    views = Rotation.random(N_VIEWS, rng=np.random.default_rng(0))
    x_px = BOX_PX * np.arange(N_VIEWS) + BOX_PX // 2.0
    centres = np.stack([x_px, np.full(N_VIEWS, BOX_PX // 2.0)], axis=1)
    row = project(specimen, views, centres, (BOX_PX, BOX_PX * N_VIEWS), WORKING_DIAMETER_PX)
    return row.reshape(BOX_PX, N_VIEWS, BOX_PX).transpose(1, 0, 2)


def describe(
    labels: NDArray[np.int64], right: NDArray[np.bool_], correlation: NDArray[np.float64]
) -> dict[str, float]:
    """Return the columns of the table but the last."""
    fits, n_false = correlation >= FITS, int(np.sum(~right))
    picks, false = (np.bincount(labels, weights, len(fits)) for weights in (None, ~right))
    # Without a false pick there is no share of them.
    junk = np.argsort(-false, kind="stable")
    share = np.cumsum(false[junk]) / (n_false or np.nan)
    of = np.cumsum(picks[junk]) / len(right)
    return {
        "picks": len(right),
        "false": n_false,
        "classes": len(fits),
        "best": float(correlation.max()),
        "fit": int(fits.sum()),
        "in_fit": float((picks - false)[fits].sum() / right.sum()),
        "junk": share[0],
        "of": of[0],
        "junk_2": share[:2][-1],
        "of_2": of[:2][-1],
    }


def write_picture(path: Path, rows: list[NDArray[np.float32]]) -> None:
    """Write rows of images as one PNG file."""
    from PIL import Image

    most = max(map(len, rows))
    lines = [np.concatenate([average_levels(one) for one in row], axis=1) for row in rows]
    width = lines[0].shape[0] * most
    padded = [np.pad(line, ((0, 4), (0, width - line.shape[1]))) for line in lines]
    Image.fromarray((np.concatenate(padded) * 8).astype(np.uint8)).save(path)


if __name__ == "__main__":
    main()
