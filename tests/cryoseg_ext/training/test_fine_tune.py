"""Fine-tuning goes on after a kill, keeps what is better, and ends in a calibrated model."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.evaluation import score_picks
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.extract.selection import extract_picks
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.picks import Picks
from cryoseg_ext.progress import showing
from cryoseg_ext.training import Callbacks, Epoch, FineTuningOptions, fine_tune, fine_tuning_options
from cryoseg_ext.training.blend import blend
from cryoseg_ext.training.calibrate import fit_calibration
from cryoseg_ext.training.loop import Validation
from cryoseg_ext.training.micrographs import LabelledMicrograph
from cryoseg_ext.training.recalibrate import best_threshold, recalibrate
from cryoseg_ext.training.targets import make_examples, predict
from cryoseg_ext.training.validate import SCORED_RADIUS_PX
from tests.told import Told, interrupt_training

OPTIONS = FineTuningOptions(steps=4, steps_per_epoch=2, batch=2, simulated_share=0.5, field_px=64, patience=0)


def test_a_killed_run_loses_at_most_an_epoch_and_ends_like_an_uninterrupted_one(
    labelled: list[LabelledMicrograph], tmp_path: Path
) -> None:
    whole = load_model(fine_tune(labelled, OPTIONS, tmp_path / "whole", workers=0))

    with pytest.raises(KeyboardInterrupt), showing(interrupt_training(at=3)):
        fine_tune(labelled, OPTIONS, tmp_path / "cut", workers=0)
    with showing(told := Told()):
        cut = load_model(fine_tune(labelled, OPTIONS, tmp_path / "cut", workers=0))
    assert told.steps("Training") == [2, 3, 4]
    # After the training, not in the midst of it.
    assert told.finished.index("Training") < told.finished.index("Scoring the validation micrographs")
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(cut.network.state_dict()[name], value, atol=2e-3, rtol=0)
    assert cut.threshold == pytest.approx(whole.threshold, abs=0.05)

    log = list(csv.DictReader((tmp_path / "cut" / "training.csv").read_text().splitlines()))
    assert [row["step"] for row in log] == ["0", "2", "4"]
    assert all(0.5 < float(row["average_precision"]) <= 1 for row in log)
    assert (tmp_path / "cut" / "report.pdf").read_bytes().startswith(b"%PDF")
    split = list(csv.DictReader((tmp_path / "cut" / "split.csv").read_text().splitlines()))
    assert sorted(row["set"] for row in split) == ["training", "training", "validation"]
    assert len(cut.training["data_fingerprint"]) == 16

    fewer = [replace(micrograph, xy_px=micrograph.xy_px[1:]) for micrograph in labelled]
    with pytest.raises(CryosegError, match=r"checkpoint\.pt: .* other data"):
        fine_tune(fewer, OPTIONS, tmp_path / "cut", workers=0)


def test_a_training_that_makes_it_worse_is_stopped_and_thrown_away(
    labelled: list[LabelledMicrograph], tmp_path: Path
) -> None:
    epochs: list[Epoch] = []
    options = replace(OPTIONS, steps=40, learning_rate=0.3, average_decay=0.0, patience=2)
    callbacks = Callbacks(epoch=epochs.append)
    model = load_model(fine_tune(labelled, options, tmp_path, workers=0, callbacks=callbacks))
    best = max(range(len(epochs)), key=lambda k: epochs[k].average_precision or 0.0)
    assert len(epochs) == best + 3
    if best == 0:
        for name, value in load_model().network.state_dict().items():
            torch.testing.assert_close(model.network.state_dict()[name], value)


@pytest.mark.parametrize(("n_particles", "expected"), [(0, 0.5), (150, 0.6875), (10**9, 0.75)])
def test_few_validation_particles_leave_the_network_half_way(n_particles: int, expected: float) -> None:
    network, first = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    torch.nn.init.constant_(first.weight, 1.0)
    torch.nn.init.constant_(network.weight, 3.0)

    def score(trial: torch.nn.Module) -> dict[str, float]:
        return {"average_precision": -abs(float(trial.weight.item()) - 2.5)}  # type: ignore[operator]

    share = blend(network, first.state_dict(), Validation(score), n_particles)
    assert share == pytest.approx(expected, abs=1e-6)
    assert network.weight.item() == pytest.approx(1 + 2 * expected, abs=1e-6)


def test_from_scratch_and_another_architecture_go_together(
    labelled: list[LabelledMicrograph], tmp_path: Path
) -> None:
    with pytest.raises(CryosegError, match=r"--architecture fcn:8: .* give --from_scratch"):
        fine_tune(labelled, replace(OPTIONS, architecture="fcn:8"), tmp_path, workers=0)
    options = fine_tuning_options(
        from_scratch=True, architecture="fcn:8", loss="lovasz+focal", steps=2, field_px=64, batch=2
    )
    model = load_model(fine_tune(labelled, options, tmp_path, workers=0))
    assert model.architecture == {"name": "fcn", "base": 8}


def test_a_prior_holds_a_calibration_of_few_candidates() -> None:
    prior = load_model().calibration
    features = torch.randn(3, len(prior.weights), generator=torch.Generator().manual_seed(0)).double().numpy()
    fitted = fit_calibration(features, features[:, 0] > 0, prior=prior, ridge=0.5)
    assert abs(fitted.intercept - prior.intercept) < 1
    assert max(abs(a - b) for a, b in zip(fitted.weights, prior.weights, strict=True)) < 1


def test_with_few_picks_faint_candidates_keep_a_score_and_the_threshold_fits_all_particles(
    labelled: list[LabelledMicrograph],
) -> None:
    model = load_model()
    few = [replace(micrograph, xy_px=micrograph.xy_px[::4]) for micrograph in labelled]
    scored = [(example, predict(example.micrograph.working, model)) for example in make_examples(few, model)]
    calibration, threshold = recalibrate(scored[:2], scored[2:], model.calibration, model.threshold)

    def picks(scores: Calibration) -> list[Picks]:
        return [
            extract_picks(prediction.candidates, example.micrograph.working, scores)
            for example, prediction in scored
        ]

    assert sum(map(len, picks(calibration))) > 0.9 * sum(map(len, picks(model.calibration)))
    truth = [
        np.stack(micrograph.working.to_source_px(*micrograph.xy_px.T), axis=1) for micrograph in labelled
    ]
    scores = score_picks(zip(truth, picks(calibration), strict=True), SCORED_RADIUS_PX, threshold)
    assert scores.f1 > scores.best_f1 - 0.05


def test_a_pick_or_two_hardly_move_the_threshold(labelled: list[LabelledMicrograph]) -> None:
    model = load_model()
    few = [replace(micrograph, xy_px=micrograph.xy_px[:1]) for micrograph in labelled]
    examples = make_examples(few, model, complete=True)
    scored = [(example, predict(example.micrograph.working, model)) for example in examples]
    _, threshold = recalibrate(scored[:2], scored[2:], model.calibration, model.threshold)
    assert threshold == pytest.approx(model.threshold, abs=0.03)


def test_the_threshold_is_where_the_expected_f1_is_highest() -> None:
    first = (np.array([0.9, 0.7]), np.array([1.0, 0.9]), 2.0)
    second = (np.array([0.8, 0.6]), np.array([0.1, 0.0]), 1.0)
    assert 0.6 < best_threshold([first, second]) < 0.7
    assert best_threshold([(np.zeros(0), np.zeros(0), 3.0)]) == 1.0


_TWO_PROCESSES = """
import sys, hashlib, torch
from pathlib import Path
from cryoseg_ext.network.architectures import build_network
from cryoseg_ext.options.training import TrainingOptions
from cryoseg_ext.training.dataset import SimulatedFields
from cryoseg_ext.training.distributed import process_group
from cryoseg_ext.training.loop import TrainingRun, optimise

options = TrainingOptions(steps=2, steps_per_epoch=1, batch=1, field_px=64, average_decay=0.0)
with process_group("cpu") as processes:
    torch.manual_seed(processes.rank)
    network = build_network({"name": "residual_unet", "base": 8})
    fields = SimulatedFields(4, 64, seed=1)
    run = TrainingRun(Path(sys.argv[1]), "test", processes, workers=0)
    history = optimise(network, fields, options, run)
    digest = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in network.parameters())).hexdigest()
    (Path(sys.argv[1]) / f"rank{processes.rank}").write_text(f"{processes.size} {len(history)} {digest}")
"""


def test_two_processes_train_one_network(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_TWO_PROCESSES)
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run([*run, str(script), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = {(tmp_path / f"rank{rank}").read_text() for rank in range(2)}
    assert len(written) == 1
    assert written.pop().startswith("2 2 ")
