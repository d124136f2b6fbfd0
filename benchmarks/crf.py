"""The conditional random field: learn it for a network, and compare it with the network alone.

    python benchmarks/crf.py learn --model FILE --out FILE   a CRF for a network, its scores calibrated anew
    python benchmarks/crf.py scores --model FILE --of FILE --out FILE   the CRF of another model, scores anew
    python benchmarks/crf.py test [--model FILE]    the network alone, the model's CRF, parts of it, Potts
    python benchmarks/crf.py table [--model FILE]   solver, filter and reference: quality and time

`learn` is the end of `cryoseg train` again, with the seeds of that training; `scores` is only its
calibration. The others simulate with the atomic models of --structures. `learn` and `table` leave out the
test structures; `test` sees only these, at four signal-to-noise ratios. Every variant has its own threshold
of the mask and its own calibration of the scores, both chosen on training-like fields (seed 7002), so that
a CRF that only shifts the operating point gains nothing; differences from the first variant are paired by
field, with their 95 % interval over resampled fields. `table` learns the weights of every variant on fields
of seed 7001 and judges on those of seed 7004: it is the search on training data; the test fields have seed
7005, as the form of the field over the candidates was chosen on those of 7003. Prints a table and writes
JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from crf_scores import THRESHOLDS, Outcome, boundary_f1, interval, overlaps, pick_rows, recall_gain, shown
from held_out_structures import HELD_OUT, STRUCTURES
from numpy.typing import NDArray

from cryoseg_ext.crf.refinement import Refined, refine_maps
from cryoseg_ext.evaluation import match_picks
from cryoseg_ext.extract.candidates import Candidates, Maps
from cryoseg_ext.extract.peaks import find_candidates
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.extract.selection import extract_picks
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX, WorkingMicrograph, normalise
from cryoseg_ext.model.checkpoint import Model, load_model, save_model
from cryoseg_ext.model.inference import VIEWS, run_network
from cryoseg_ext.network.classes import CONTAMINANT
from cryoseg_ext.options.crf import (
    FILTERS,
    MILD_POTTS,
    REFERENCES,
    REGULARISERS,
    STEPS,
    CrfOptions,
    Kernel,
    Terms,
)
from cryoseg_ext.simulation import SimulatedMicrograph, draw_conditions, simulate_micrograph
from cryoseg_ext.simulation.structures import specimen_from_file, structure_files
from cryoseg_ext.training.calibrate import calibrate, fit_scores, see_fields
from cryoseg_ext.training.correctness import label_candidates
from cryoseg_ext.training.crf import crf_example
from cryoseg_ext.training.crf_learning import LEARNABLE, CrfExample, GradientDescent, learn_crf
from cryoseg_ext.training.dataset import TRUE_OVER_STATED, load_library, simulate_field
from cryoseg_ext.training.simulated import fit_crf_and_scores

FIELD_PX, LEARN_FIELD_PX = 512, 256
TEST_FIELD_PX = 1024
"""About the size of a micrograph, which is what the field over the candidates is for."""
LEARN_SEED, CHOOSE_SEED, TEST_SEED, JUDGE_SEED = 7001, 7002, 7005, 7004
TEST_SNRS = (0.25, 0.5, 1.0, 2.0)
MATCH_PX = 0.3 * WORKING_DIAMETER_PX
FAINT_SNR, CROWDED_COVERAGE, ICY_SHARE = 0.5, 0.4, 0.1
HARD = ("faint", "crowded", "icy")
"""Hard fields: of weak signal, with many particles, or much of them under ice and other contaminants."""
APPEARANCE = Kernel(0.0, 0.3, 1.5)
PAIRWISE = CrfOptions(
    iterations=1,
    mask=Terms(kernels=tuple(Kernel(0.0, sigma) for sigma in (0.08, 0.25, 0.6))),
    centre=Terms(
        support=tuple(Kernel(0.0, sigma) for sigma in (0.2, 0.5, 1.5)),
        kernels=tuple(Kernel(0.0, sigma) for sigma in (0.08, 0.16, 0.25, 0.4, 0.7)),
    ),
)


@dataclass(frozen=True)
class Field:
    """A simulated field: the network's maps, the truth, the signal-to-noise ratio, and what makes it hard."""

    maps: CrfExample
    contaminant: NDArray[np.float32]
    snr: float
    hard: tuple[str, ...]


Variant = tuple[str, CrfOptions, bool]
"""Its name, what is done to the maps, and whether the candidates have a field of their own."""


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["learn", "scores", "test", "table"])
    parser.add_argument("--model", type=Path, help="default: the one in the package")
    parser.add_argument("--of", type=Path, help="of `scores`: the model whose CRF is taken")
    parser.add_argument("--structures", type=Path, default=STRUCTURES)
    parser.add_argument(
        "--fields", type=int, default=300, help="to learn and choose on, and about as many to judge on"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = load_model(args.model)
    seed = int(model.training.get("seed", LEARN_SEED))
    if args.command == "scores":
        before = load_model(args.of) if args.of else model
        save_model(scored_anew(replace(model, crf=before.crf), seed), args.out or Path("model.safetensors"))
        return
    if args.command == "learn":
        learned = fit_crf_and_scores(model, LEARN_FIELD_PX, seed, load_library(args.structures, HELD_OUT))
        print(json.dumps(learned.crf.as_dict(), indent=1))
        save_model(learned, args.out or Path("model.safetensors"))
        return
    choose = list(training_fields(model, args.structures, args.fields, CHOOSE_SEED))
    if args.command == "test":
        judge = list(test_fields(model, args.structures, args.fields))
        variants = parts(model.crf)
    else:
        judge = list(training_fields(model, args.structures, args.fields, JUDGE_SEED))
        fields = training_fields(model, args.structures, args.fields, LEARN_SEED, LEARN_FIELD_PX)
        examples = [field.maps for field in fields]
        variants = searched(examples)
    out = args.out or Path(f"benchmarks/results/crf_{args.command}.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(compare(variants, choose, judge), indent=1) + "\n")


def scored_anew(model: Model, seed: int) -> Model:
    """Return a model with its scores and threshold fitted anew; print how many of a score are right."""
    fitted = calibrate(model, LEARN_FIELD_PX, seed + 1)
    fields = see_fields(fitted, LEARN_FIELD_PX, seed + 4, VIEWS)
    labelled = [label_candidates(one.candidates, one.centres_px, MATCH_PX) for one in fields]
    score = np.concatenate([fitted.calibration(found) for found, _ in labelled])
    right = np.concatenate([labels for _, labels in labelled])
    for low, high in ((0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.0)):
        chosen = (score >= low) & (score <= high)
        print(f"score {low} to {high}: mean {score[chosen].mean():.3f}, right {right[chosen].mean():.3f}")
    return fitted


def parts(crf: CrfOptions) -> Iterator[Variant]:
    """Yield the network alone, the model's CRF, what is left of it without some part, and classical ones."""
    strong = tuple(replace(kernel, weight=3 * kernel.weight) for kernel in MILD_POTTS.kernels)
    yield "network", replace(crf, solver="none"), False
    yield "CRF", crf, True
    yield "maps only", crf, False
    yield "candidates only", replace(crf, solver="none"), True
    yield "mild Potts", CrfOptions(mask=MILD_POTTS), False
    yield "strong Potts", CrfOptions(iterations=5, mask=Terms(kernels=strong)), False


def searched(examples: Sequence[CrfExample]) -> Iterator[Variant]:
    """Yield the variants of the search, each with weights learned on `examples`."""

    def learned(options: CrfOptions, descent: GradientDescent | None = None) -> CrfOptions:
        return learn_crf(examples, WORKING_DIAMETER_PX, options, descent)

    default = learned(PAIRWISE)
    unary = learned(LEARNABLE)
    yield "network", replace(default, solver="none"), False
    yield "the default: unary terms, candidates", unary, True
    yield "unary terms", unary, False
    yield "learned, mean_field", default, False
    yield "learned, 3 iterations", learned(replace(PAIRWISE, iterations=3), GradientDescent(epochs=1)), False
    for regulariser in REGULARISERS:
        for step in STEPS:
            solver = replace(default, solver="frank_wolfe", regulariser=regulariser, step=step, steps=(0.5,))
            yield f"learned, frank_wolfe {regulariser} {step}", replace(solver, iterations=3), False
    appearance = Terms(kernels=(*PAIRWISE.mask.kernels, APPEARANCE))
    for name in FILTERS:
        for reference in REFERENCES if name == "grid" else REFERENCES[:2]:
            one = replace(PAIRWISE, mask=appearance, filter=name, reference=reference)
            yield f"learned, with {name} {reference}", learned(one), False


def training_fields(
    model: Model, structures: Path, n: int, seed: int, field_px: int = FIELD_PX
) -> Iterator[Field]:
    """Yield `n` fields as the network was trained on."""
    library = load_library(structures, HELD_OUT)
    for index in range(n):
        yield looked_at(
            simulate_field(np.random.default_rng([seed, index]), field_px, library=library), model
        )


def test_fields(model: Model, structures: Path, n: int) -> Iterator[Field]:
    """Yield about `n` fields of the structures left out, as many of each at each signal-to-noise ratio."""
    files = [path for path in structure_files(structures) if path.name.startswith(HELD_OUT)]
    for number, path in enumerate(files):
        specimen, _ = specimen_from_file(path, WORKING_DIAMETER_PX)
        for level, snr in enumerate(TEST_SNRS):
            for repeat in range(-(-n // (len(files) * len(TEST_SNRS)))):
                rng = np.random.default_rng([TEST_SEED, number, level, repeat])
                stated_A = float(np.exp(rng.uniform(np.log(70), np.log(400))))
                pixel_size_A, diameter_A = (
                    stated_A / WORKING_DIAMETER_PX,
                    stated_A * rng.uniform(*TRUE_OVER_STATED),
                )
                conditions = replace(draw_conditions(rng), snr=snr)
                shape = (TEST_FIELD_PX, TEST_FIELD_PX)
                yield looked_at(
                    simulate_micrograph(rng, shape, pixel_size_A, specimen, diameter_A, conditions), model
                )


def looked_at(field: SimulatedMicrograph, model: Model) -> Field:
    """Return what the network says of a simulated field, and the truth."""
    micrograph = normalise(field.image, np.ones(field.image.shape, np.bool_))
    output = run_network(micrograph, model)
    maps, conditions = crf_example(field, micrograph, output), field.conditions
    hard = {
        "faint": conditions.snr <= FAINT_SNR,
        "crowded": conditions.coverage >= CROWDED_COVERAGE,
        "icy": (field.labels == CONTAMINANT).mean() >= ICY_SHARE,
    }
    return Field(maps, output.contaminant, conditions.snr, tuple(name for name in HARD if hard[name]))


def compare(
    variants: Iterator[Variant], choose: Sequence[Field], judge: Sequence[Field]
) -> list[dict[str, Any]]:
    """Print and return the scores of every variant and its differences from the first."""
    rows: list[dict[str, Any]] = []
    base: Outcome | None = None
    n_truth = np.array([len(field.maps.xy_px) for field in judge])
    snr = np.array([field.snr for field in judge])
    levels = [one for one in TEST_SNRS if (snr == one).any()]
    for name, crf, joined in variants:
        outcome = evaluate(crf, joined, choose, judge)
        base = base or outcome
        gain = outcome.iou - base.iou
        row: dict[str, Any] = {"variant": name, "ms": 1000 * outcome.seconds}
        row |= {"iou": float(np.nanmean(outcome.iou)), "d_iou": interval(gain, np.nanmean)}
        row |= {f"d_iou at {level:g}": interval(gain[snr == level], np.nanmean) for level in levels}
        row |= {"boundary_f1": float(np.nanmean(outcome.boundary))}
        row |= {"d_boundary_f1": interval(outcome.boundary - base.boundary, np.nanmean)}
        row |= pick_rows(outcome, base, n_truth)
        for kind in HARD:
            chosen = np.flatnonzero([kind in field.hard for field in judge])
            row[f"d_mean_recall, {len(chosen)} {kind}"] = recall_gain(outcome, base, n_truth, chosen)
        print(
            f"{name}\n    " + "\n    ".join(f"{k} {shown(v)}" for k, v in row.items() if k != "variant"),
            flush=True,
        )
        rows.append(row)
    return rows


def evaluate(crf: CrfOptions, joined: bool, choose: Sequence[Field], judge: Sequence[Field]) -> Outcome:
    """Score one variant at the threshold and calibration that suit it best on the fields to choose on."""
    overlap, found = [], []
    for field in choose:
        maps = refined(field, crf)
        overlap.append(overlaps(maps.particle, field.maps.particle))
        found.append(label_candidates(candidates(field, maps), field.maps.xy_px, MATCH_PX))
    threshold = THRESHOLDS[np.nanmean(overlap, axis=0).argmax()]
    calibration = fit_scores(found)
    if not joined:
        calibration = replace(calibration, consensus=None)
    iou, boundary, picks, seconds = [], [], [], 0.0
    for field in judge:
        start = time.perf_counter()
        maps = refined(field, crf)
        seconds += time.perf_counter() - start
        mask, truth = maps.particle >= threshold, field.maps.particle
        iou.append((mask & truth).sum() / (mask | truth).sum() if truth.any() else np.nan)
        boundary.append(boundary_f1(mask, truth))
        picks.append(picked(field, maps, calibration))
    return Outcome(np.array(iou), np.array(boundary), picks, seconds / len(judge))


def refined(field: Field, crf: CrfOptions) -> Refined:
    """Return the maps after the CRF."""
    maps = field.maps
    return refine_maps(maps.particle_logit, maps.centre, maps.micrograph, WORKING_DIAMETER_PX, crf)


def candidates(field: Field, maps: Refined) -> Candidates:
    """Return the candidates that are in the maps."""
    no_ice = np.zeros(maps.centre.shape, np.bool_)
    return find_candidates(Maps(field.maps.micrograph, maps.centre, maps.particle, field.contaminant, no_ice))


def picked(
    field: Field, maps: Refined, calibration: Calibration
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which picks are right, and their scores."""
    shape = field.maps.micrograph.shape
    working = WorkingMicrograph(field.maps.micrograph, np.ones(shape, np.bool_), shape)
    picks = extract_picks(candidates(field, maps), working, calibration)
    return match_picks(field.maps.xy_px, picks, MATCH_PX), picks.score


if __name__ == "__main__":
    main()
