"""The conditional random field: learn it, and compare it with the network alone on simulated micrographs.

    python benchmarks/crf.py [test] [--model FILE]    the network alone, the model's CRF and parts of it
    python benchmarks/crf.py table [--model FILE]     solver x filter x reference: quality and time
    python benchmarks/crf.py learn --out model.safetensors [--model FILE]   learn the CRF for a network

Learning uses seed 7001. `test` uses fresh fields of every family with seeds 7003; each variant has its own
threshold and calibration, chosen on fields with seeds 7002, and every difference is paired by field, with its
95 % interval over resampled fields. Each command prints a table and writes JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

from cryoseg_ext.crf import CrfOptions, Refined, Terms, refine_maps
from cryoseg_ext.crf.learn import CrfExample
from cryoseg_ext.crf.options import FILTERS, MILD_POTTS, REFERENCES, REGULARISERS, STEPS
from cryoseg_ext.evaluation import match_picks
from cryoseg_ext.extract import Calibration, Candidates, extract_picks, find_candidates
from cryoseg_ext.network import Model, load_model, save_model, segment
from cryoseg_ext.normalise import WORKING_DIAMETER_PX, WorkingMicrograph
from cryoseg_ext.picks import Picks
from cryoseg_ext.simulation.specimens import FAMILIES
from cryoseg_ext.training.calibrate import calibrate, fit_calibration
from cryoseg_ext.training.crf import crf_example, fit_crf
from cryoseg_ext.training.dataset import simulate_field

FIELD_PX = 256
LEARN_SEED, CHOOSE_SEED, TEST_SEED = 7001, 7002, 7003
THRESHOLDS = np.arange(0.06, 0.9, 0.02)
BOUNDARY_PX = 2
MATCH_PX = 0.3 * WORKING_DIAMETER_PX
PRECISIONS = (0.9, 0.8, 0.7)
SIGNAL = (0.0, 0.3, 0.6, 1.0, np.inf)


@dataclass(frozen=True)
class Field:
    """A simulated field: the network's maps, the truth and the signal-to-noise ratio inside the particles."""

    maps: CrfExample
    contaminant: NDArray[np.float32]
    signal: float


@dataclass(frozen=True)
class Outcome:
    """One variant on the test fields: IoU and boundary F1 of each, and its picks (right, score)."""

    iou: NDArray[np.float64]
    boundary: NDArray[np.float64]
    picks: list[tuple[NDArray[np.bool_], NDArray[np.float64]]]
    seconds: float


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", nargs="?", choices=["learn", "test", "table"], default="test")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--fields", type=int, default=400, help="to choose on, and as many to test on")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = load_model(args.model)
    if args.command == "learn":
        learned = fit_crf(model, FIELD_PX, LEARN_SEED)
        print(json.dumps(learned.crf.as_dict(), indent=1))
        save_model(calibrate(learned, FIELD_PX, CHOOSE_SEED), args.out or Path("model.safetensors"))
        return
    variants = parts(model.crf) if args.command == "test" else grid_of_settings(model.crf)
    choose, test = (make_fields(model, args.fields, seed) for seed in (CHOOSE_SEED, TEST_SEED))
    rows = compare(variants, choose, test)
    out = args.out or Path(f"benchmarks/results/crf_{args.command}.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(rows, indent=1) + "\n")


def parts(crf: CrfOptions) -> dict[str, CrfOptions]:
    """Return the model's CRF, what is left of it without some part, and classical ones."""
    mask, centre = crf.mask, crf.centre
    plain = replace(crf, mask=Terms(), centre=Terms())
    strong = tuple(replace(kernel, weight=3 * kernel.weight) for kernel in MILD_POTTS.kernels)
    return {
        "network": replace(crf, solver="none"),
        "unary terms only": replace(crf, mask=replace(mask, kernels=()), centre=replace(centre, kernels=())),
        "no context": replace(crf, mask=replace(mask, context=0.0)),
        "mask only": replace(crf, centre=Terms()),
        "centre map only": replace(crf, mask=Terms()),
        "all": crf,
        "all, 3 iterations": replace(crf, iterations=3),
        "mild Potts": replace(plain, iterations=3, mask=MILD_POTTS),
        "strong Potts": replace(plain, iterations=5, mask=Terms(kernels=strong)),
    }


def grid_of_settings(crf: CrfOptions) -> dict[str, CrfOptions]:
    """Return a Potts model on the mask, over solvers, filters and references."""
    start = replace(crf, iterations=5, mask=MILD_POTTS, centre=Terms())
    variants = {"network": replace(start, solver="none"), "mean_field grid micrograph": start}
    for regulariser in REGULARISERS:
        for step in STEPS:
            one = replace(start, solver="frank_wolfe", regulariser=regulariser, step=step, steps=(0.5,))
            variants[f"frank_wolfe {regulariser} {step}"] = one
    variants |= {f"mean_field {name}": replace(start, filter=name) for name in FILTERS[1:]}
    variants |= {f"mean_field grid {name}": replace(start, reference=name) for name in REFERENCES[1:]}
    return variants


def make_fields(model: Model, n: int, seed: int) -> list[Field]:
    """Return `n` fields, the families in turn."""
    fields, families = [], list(FAMILIES)
    for index in range(n):
        rng = np.random.default_rng([seed, index])
        simulated = simulate_field(rng, FIELD_PX, families[index % len(families)])
        maps = crf_example(simulated, model)
        contaminant = segment(maps.micrograph, model).contaminant
        inside = simulated.clean[maps.particle]
        fields.append(Field(maps, contaminant, float(inside.std()) if inside.size else 0.0))
    return fields


def compare(
    variants: dict[str, CrfOptions], choose: Sequence[Field], test: Sequence[Field]
) -> list[dict[str, Any]]:
    """Print and return the scores of every variant and its differences from the first."""
    rows: list[dict[str, Any]] = []
    base: Outcome | None = None
    n_truth = np.array([len(field.maps.xy_px) for field in test])
    signal = np.array([field.signal for field in test])
    for name, crf in variants.items():
        outcome = evaluate(crf, choose, test)
        base = base or outcome
        gain = outcome.iou - base.iou
        row: dict[str, Any] = {"variant": name, "ms": 1000 * outcome.seconds}
        row |= {"iou": float(np.nanmean(outcome.iou)), "d_iou": interval(gain, np.nanmean)}
        row |= {"boundary_f1": float(np.nanmean(outcome.boundary))}
        row |= {"d_boundary_f1": interval(outcome.boundary - base.boundary, np.nanmean)}
        row |= {
            f"d_iou at signal {low:g}-{high:g}": float(np.nanmean(gain[(low <= signal) & (signal < high)]))
            for low, high in pairwise(SIGNAL)
        }
        row |= pick_rows(outcome, base, n_truth)
        print(f"{name:28s} " + "  ".join(f"{k} {shown(v)}" for k, v in row.items() if k != "variant"))
        rows.append(row)
    return rows


def shown(value: Any) -> str:
    """Return a number, or a difference with its interval."""
    return f"{value:.4f}" if isinstance(value, float) else "{:+.4f} [{:+.4f}, {:+.4f}]".format(*value)


def interval(
    values: NDArray[np.float64] | int, statistic: Callable[[Any], Any], n_resamples: int = 300
) -> tuple[float, float, float]:
    """Return a statistic of `values`, or of the indices below a number, and its 95 % bootstrap interval."""
    rng = np.random.default_rng(0)
    sample = np.arange(values) if isinstance(values, int) else values
    draws = [statistic(rng.choice(sample, len(sample))) for _ in range(n_resamples)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(statistic(sample)), float(low), float(high)


def evaluate(crf: CrfOptions, choose: Sequence[Field], test: Sequence[Field]) -> Outcome:
    """Score one variant at the threshold and calibration that suit it best on the fields to choose on."""
    chosen = [refined(field, crf) for field in choose]
    truths = [field.maps.particle for field in choose]
    overlap = [
        [iou(maps.particle >= t, truth) for t in THRESHOLDS]
        for maps, truth in zip(chosen, truths, strict=True)
    ]
    threshold = THRESHOLDS[np.nanmean(overlap, axis=0).argmax()]
    candidates = [find(field, maps) for field, maps in zip(choose, chosen, strict=True)]
    features = np.concatenate([found.features for found, _ in candidates])
    calibration = fit_calibration(features, np.concatenate([right for _, right in candidates]))
    start = time.perf_counter()
    tested = [refined(field, crf) for field in test]
    seconds = (time.perf_counter() - start) / len(test)
    masks = [maps.particle >= threshold for maps in tested]
    return Outcome(
        np.array([iou(mask, field.maps.particle) for mask, field in zip(masks, test, strict=True)]),
        np.array([boundary_f1(mask, field.maps.particle) for mask, field in zip(masks, test, strict=True)]),
        [picked(field, maps, calibration) for field, maps in zip(test, tested, strict=True)],
        seconds,
    )


def refined(field: Field, crf: CrfOptions) -> Refined:
    """Return the maps after the CRF."""
    maps = field.maps
    return refine_maps(maps.particle_logit, maps.centre, maps.micrograph, WORKING_DIAMETER_PX, crf)


def iou(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return the overlap; not a number without a particle."""
    return float((mask & truth).sum() / (mask | truth).sum()) if truth.any() else np.nan


def boundary_f1(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return the F1 of boundary pixels within 2 px of one another (Csurka et al. 2013)."""
    if not truth.any():
        return np.nan
    edges = [one & ~binary_erosion(one, border_value=1) for one in (mask, truth)]
    if not edges[0].any() or not edges[1].any():
        return 0.0
    precision, recall = (
        float((distance_transform_edt(~other)[one] <= BOUNDARY_PX).mean())
        for one, other in (edges, edges[::-1])
    )
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def find(field: Field, maps: Refined) -> tuple[Candidates, NDArray[np.bool_]]:
    """Return the candidates, best first, and which are right."""
    found = find_candidates(maps.centre, maps.particle, field.contaminant)
    order = np.argsort(-found.features[:, 0], kind="stable")
    found = Candidates(found.x_px[order], found.y_px[order], found.features[order])
    ranked = Picks(found.x_px, found.y_px, found.features[:, 0])
    return found, match_picks(field.maps.xy_px, ranked, MATCH_PX)


def picked(
    field: Field, maps: Refined, calibration: Calibration
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which picks are right, and their scores."""
    shape = (FIELD_PX, FIELD_PX)
    working = WorkingMicrograph(field.maps.micrograph, np.ones(shape, np.bool_), shape)
    picks = extract_picks(find(field, maps)[0], working, calibration)
    return match_picks(field.maps.xy_px, picks, MATCH_PX), picks.score


def pick_rows(outcome: Outcome, base: Outcome, n_truth: NDArray[np.int64]) -> dict[str, Any]:
    """Return average precision and recall at equal precision, and the paired differences."""
    everything = np.arange(len(n_truth))
    row: dict[str, Any] = {}
    for number, name in enumerate(["ap", *(f"recall@{p}" for p in PRECISIONS)]):
        row[name] = float(pick_scores(outcome, n_truth, everything)[number])
        row[f"d_{name}"] = interval(
            len(n_truth),
            lambda drawn: (
                pick_scores(outcome, n_truth, drawn)[number] - pick_scores(base, n_truth, drawn)[number]
            ),
            100,
        )
    return row


def pick_scores(outcome: Outcome, n_truth: NDArray[np.int64], drawn: NDArray[np.int64]) -> list[float]:
    """Return average precision and the recall at each of `PRECISIONS`, pooled over some fields."""
    right, score = (np.concatenate([outcome.picks[k][part] for k in drawn]) for part in (0, 1))
    found = np.cumsum(right[np.argsort(-score, kind="stable")])
    precision, recall = found / np.arange(1, len(found) + 1), found / n_truth[drawn].sum()
    return [
        float(np.sum(np.diff(recall, prepend=0) * precision)),
        *(float(recall[precision >= p].max(initial=0)) for p in PRECISIONS),
    ]


if __name__ == "__main__":
    main()
