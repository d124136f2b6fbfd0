"""``cryoseg train`` from the command line."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from cryoseg_ext.cli import main
from cryoseg_ext.files import locked
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.model.weights import DEFAULT_MODEL
from cryoseg_ext.training import TrainingOptions, calibrate
from cryoseg_ext.training.dataset import simulate_field

SIDE_PX, PIXEL_SIZE_A, DIAMETER_A = 160, 7.0, 168.0


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["train", *map(str, arguments)], catch_exceptions=False)


def _train(out: Path, *options: object) -> str:
    result = _run("--out", out, "--steps", "1", "--batch", "1", "--workers", "0", *options)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return a folder of two micrographs with masks and a folder `picks` of CSV files."""
    rows = ""
    for index in range(2):
        field = simulate_field(np.random.default_rng([7, index]), SIDE_PX, "shell")
        instances = np.zeros(field.labels.shape, np.float32)
        for number, (x, y) in enumerate(zip(field.x_px, field.y_px, strict=True), start=1):
            instances[int(max(y, 0)) : int(y) + 3, int(max(x, 0)) : int(x) + 3] = number
        for name, image in (("", field.image), ("_labels", field.labels), ("_instances", instances)):
            mrcfile.write(tmp_path / f"mic{index}{name}.mrc", image, voxel_size=PIXEL_SIZE_A)
        (tmp_path / "picks").mkdir(exist_ok=True)
        lines = (f"{x},{y}\n" for x, y in zip(field.x_px, field.y_px, strict=True))
        (tmp_path / "picks" / f"mic{index}.csv").write_text("x,y\n" + "".join(lines))
        rows += f"mic{index}.mrc {tmp_path}/mic{index}_labels.mrc {tmp_path}/mic{index}_instances.mrc\n"
    columns = "_rlnMicrographName #1\n_cryosegLabelName #2\n_cryosegInstanceName #3\n"
    (tmp_path / "labels.star").write_text(f"data_labels\n\nloop_\n{columns}{rows}\n")
    return tmp_path


def test_a_device_that_is_not_there_is_named_in_one_sentence(tmp_path: Path) -> None:
    result = _run("--out", tmp_path, "--device", "nonsense")
    assert result.exit_code == 1
    assert result.output.startswith("Error: --device nonsense: PyTorch finds no such device")


def test_a_folder_that_cannot_be_used_is_named_before_anything_is_read(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cryoseg_ext.training.labelled.read_training_set", None)
    labels = ("--in_mics", own, "--in_coords", own / "picks", "--particle_diameter", DIAMETER_A)
    (own / "file").touch()
    for labelled in (labels, ()):
        result = _run("--out", own / "file/out", *labelled)
        assert result.exit_code == 1
        assert result.output.startswith(f"Error: {own}/file/out: Not a directory: correct this")
        with locked(own / "busy"):
            result = _run("--out", own / "busy", *labelled)
        assert "another job of cryoseg is writing to this folder" in result.output


@pytest.mark.parametrize("slight", [("--learning_rate", "1e-6"), ("--blend_share", "1e-3")])
def test_a_training_ends_in_a_model_that_another_can_start_from(
    slight: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "N_FIELDS", 2)
    monkeypatch.setattr("cryoseg_ext.training.crf.N_EXAMPLES", 4)
    first = tmp_path / "first" / "model.safetensors"
    assert f"--model {first}" in _train(first.parent, "--architecture", "residual_unet:8", "--field_shown", 2)
    _train(tmp_path / "second", "--initial", first, *slight)
    second = load_model(tmp_path / "second" / "model.safetensors")
    assert second.architecture["base"] == 8
    for name, value in load_model(first).network.named_parameters():
        torch.testing.assert_close(second.network.get_parameter(name), value, atol=1e-4, rtol=0)


@pytest.mark.parametrize("labels", [("--in_coords", "picks"), ("--in_labels", "labels.star")])
def test_own_micrographs_are_learnt_from(own: Path, labels: tuple[str, str]) -> None:
    option, name = labels
    out = own / "out"
    mics = [part for index in range(2) for part in ("--in_mics", own / f"mic{index}.mrc")]
    printed = _train(out, *mics, option, own / name, "--particle_diameter", DIAMETER_A)
    assert "step 0: on the validation micrographs average precision" in printed
    for first in (
        "Scoring the validation micrographs: 0 of 1\n",
        "Training: 0 of 1, preparing the first fields",
    ):
        assert first in printed
    assert f"Use it with --model {out / 'model.safetensors'}" in printed
    model = load_model(out / "model.safetensors")
    assert model.training["data"] == "1 micrographs, validated on 1"
    assert (out / "split.csv").read_text().count(str(own)) == 2


NETWORK = """
from torch import nn

class Tiny(nn.Sequential):
    stride = 4
    def __init__(self):
        super().__init__(nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, 4, 5, padding=2))
"""


def test_a_network_of_ones_own_class_is_trained_and_picked_with(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own)
    monkeypatch.syspath_prepend(own)
    (own / "own_network.py").write_text(NETWORK)
    labels = ("--in_mics", "mic0.mrc", "--in_mics", "mic1.mrc", "--in_coords", "picks", "--from_scratch")
    printed = _train(
        Path("out"), *labels, "--particle_diameter", DIAMETER_A, "--architecture", "own_network:Tiny"
    )
    options = printed.partition("Use it with ")[2].split()[:4]
    assert options == ["--model", "out/model.safetensors", "--architecture", "own_network:Tiny"]
    pick = ["pick", "mic0.mrc", "--out", "picked", "--particle_diameter", str(DIAMETER_A)]
    refused = CliRunner().invoke(main, [*pick, *options[:2]])
    assert refused.exit_code == 1
    assert "give --architecture own_network:Tiny" in refused.output
    done = CliRunner().invoke(main, [*pick, *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert (own / "picked" / "mic0.star").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--in_coords", "picks"), "--in_mics is missing"),
        (("--simulated_share", "0"), "--simulated_share is for your own micrographs"),
        (("--in_mics", "mic?.mrc", "--in_coords", "picks"), "--particle_diameter is missing"),
        (("--in_mics", "mic?.mrc", "--particle_diameter", "168"), "either picks, --in_coords, or masks"),
        (("--in_mics", "no*.mrc", "--in_coords", "picks", "--particle_diameter", "168"), "no file matches"),
        (
            ("--in_mics", "mic?.mrc", "--in_coords", "picks/mic0.csv", "--particle_diameter", "168"),
            "1 of 2 micrographs can be read and have labels: at least 2 are needed",
        ),
        (
            ("--in_mics", "mic?_labels.mrc", "--in_coords", "picks", "--particle_diameter", "168"),
            "has nothing for these micrographs",
        ),
        (
            ("--in_mics", "mic?.mrc", "--in_labels", "mic0.mrc", "--particle_diameter", "168"),
            "mic0.mrc",
        ),
    ],
)
def test_wrong_inputs_are_named_in_one_sentence(
    own: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(own)
    result = _run("--out", "out", *options)
    assert result.exit_code == 1
    assert sentence in result.output
    assert result.output.count("\n") <= 2


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> list[TrainingOptions]:
    """Put a training in place that only keeps its recipe."""
    kept: list[TrainingOptions] = []

    def train(options: TrainingOptions, out: Path, **_: object) -> Path:
        kept.append(options)
        return out

    monkeypatch.setattr("cryoseg_ext.training.train", train)
    return kept


@pytest.mark.parametrize(
    ("name", "steps", "batch"),
    [
        ("recipe_gpu.yaml", 28000, 32),
        ("recipe.yaml", 1100, 6),
        ("recipe_gpu_last.yaml", 11000, 32),
        ("recipe_ice.yaml", 5000, 6),
    ],
)
def test_the_shipped_recipes_are_understood(
    tmp_path: Path, recipe: list[TrainingOptions], name: str, steps: int, batch: int
) -> None:
    path = DEFAULT_MODEL.with_name(name)
    assert _run("--config", path, "--out", tmp_path, "--device", "cpu").exit_code == 0
    (options,) = recipe
    assert (options.steps, options.batch) == (steps, batch)
    assert len(options.leave_out) == 7


def test_what_is_given_wins_over_the_config(tmp_path: Path, recipe: list[TrainingOptions]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"out: {tmp_path}\nsteps: 5\nlearning_rate: 2e-3\nleave_out: 1u19\n")
    assert _run("--steps", 7, "--config", config, "--leave_out", "2buk").exit_code == 0
    assert _run("--config", config).exit_code == 0
    assert [(o.steps, o.learning_rate, o.leave_out) for o in recipe] == [
        (7, 2e-3, ("2buk",)),
        (5, 2e-3, ("1u19",)),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("step: 5", "there is no option step"),
        ("steps: many", "steps: 'many' is not a valid integer"),
        ("steps: [", "is no YAML file"),
        ("7000", "has no options"),
    ],
)
def test_a_wrong_config_is_named_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(text)
    result = _run("--out", tmp_path, "--config", config)
    assert result.exit_code == 1
    assert f"Error: {config}: {sentence}" in result.output
    assert result.output.count("\n") == 1
