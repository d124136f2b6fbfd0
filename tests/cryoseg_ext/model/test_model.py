"""The network over a micrograph, and models on disk."""

import os
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.extract.consensus import Consensus
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.model import inference
from cryoseg_ext.model.checkpoint import Model, load_model, save_model
from cryoseg_ext.model.inference import ONE_VIEW, run_network
from cryoseg_ext.network.architectures import build_network


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    architecture = {"name": "residual_unet", "base": 8}
    consensus = Consensus(0.9, 0.1, 0.3, ((0.1, 0.2, 0.3),), ((0.5, 0.6),), (((1.0, 0.5), (0.5, 2.0)),))
    calibration = Calibration(0.5, (1.0, 2.0, -3.0, -2.0), consensus)
    return Model(build_network(architecture).eval(), architecture, calibration, 0.4)


def test_a_saved_model_gives_the_same_maps(model: Model, tmp_path: Path) -> None:
    save_model(model, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors", precision="float32")
    assert (loaded.calibration, loaded.threshold) == (model.calibration, model.threshold)
    assert len(loaded.fingerprint) == 16
    image = np.random.default_rng(0).normal(size=(70, 95)).astype(np.float32)
    for before, after in zip(
        vars(run_network(image, model)).values(), vars(run_network(image, loaded)).values(), strict=True
    ):
        assert before.shape == image.shape
        np.testing.assert_allclose(before, after, rtol=1e-4, atol=1e-5)


def test_tiles_agree_with_one_pass(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(1).normal(size=(300, 420)).astype(np.float32)
    whole = run_network(image, model)
    monkeypatch.setattr(inference, "_TILE_PX", 256)
    tiled = run_network(image, model)
    np.testing.assert_allclose(whole.centre, tiled.centre, atol=1e-3)
    np.testing.assert_allclose(whole.particle_logit, tiled.particle_logit, atol=5e-3)


class _Pixelwise(nn.Module):
    """A network whose answer at a pixel is the pixel itself, whatever the view."""

    stride = 16

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return torch.cat([-image, image, 0 * image], dim=1), image


def test_all_views_are_of_the_same_place() -> None:
    noise = np.random.default_rng(2).normal(size=(150, 211))
    image = np.ascontiguousarray(20 * gaussian_filter(noise, 5), np.float32)
    model = Model(_Pixelwise(), {}, Calibration(0.0, (1.0, 0.0, 0.0, 0.0)), 0.5)
    one, views = run_network(image, model, ONE_VIEW), run_network(image, model)
    inside = np.s_[4:-4, 4:-4]
    np.testing.assert_allclose(one.centre, 1 / (1 + np.exp(-image)), atol=1e-6)
    np.testing.assert_allclose(views.centre[inside], one.centre[inside], atol=0.02)
    np.testing.assert_allclose(views.contaminant[inside], one.contaminant[inside], atol=0.02)
    np.testing.assert_allclose(views.particle_logit[inside], one.particle_logit[inside], atol=0.2)


@pytest.mark.parametrize(
    "content", [b"", b"not safetensors at all", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "]
)
def test_a_file_that_is_no_model_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(CryosegError, match=r"bad\.safetensors: not a model") as error:
        load_model(path)
    assert "\n" not in str(error.value)


def test_a_large_file_of_another_kind_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "stack.mrcs"
    path.write_bytes(bytes([255] * 1024))
    os.truncate(path, 1 << 40)
    with pytest.raises(CryosegError, match=r"stack\.mrcs: not a model .*no safetensors"):
        load_model(path)


@pytest.mark.parametrize("key", ["threshold", "calibration", "training", "features", "architecture"])
def test_a_description_without_one_of_its_parts_is_refused(model: Model, tmp_path: Path, key: str) -> None:
    path = tmp_path / "model.safetensors"
    save_model(model, path)
    path.write_bytes(path.read_bytes().replace(key.encode(), b"x" * len(key)))
    with pytest.raises(CryosegError, match=f"not a model .*{key}"):
        load_model(path)


@pytest.mark.parametrize("threshold", [np.nan, np.inf, -0.1, 1.1])
def test_a_threshold_that_would_pick_nothing_is_refused(
    model: Model, tmp_path: Path, threshold: float
) -> None:
    path = tmp_path / "model.safetensors"
    save_model(replace(model, threshold=threshold), path)
    with pytest.raises(CryosegError, match=r"not a model .*threshold"):
        load_model(path)


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration(np.nan, (1.0, 2.0, 3.0, 4.0)),
        Calibration(0.5, (1.0, np.inf, 3.0, 4.0)),
        Calibration(0.5, (1.0, 2.0)),
        Calibration(0.5, (1.0,) * 4, Consensus(0.9, np.nan, 0.0, ((0.1,) * 3,), ((0.5,),), (((1.0,),),))),
        Calibration(0.5, (1.0,) * 4, Consensus(0.9, 0.1, 0.0, ((0.1,) * 3,), ((0.5,),), (((1.0, 2.0),),))),
    ],
)
def test_a_calibration_that_scores_nothing_is_refused(
    model: Model, tmp_path: Path, calibration: Calibration
) -> None:
    path = tmp_path / "model.safetensors"
    save_model(replace(model, calibration=calibration), path)
    with pytest.raises(CryosegError, match="not a model"):
        load_model(path)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_no_numbers_are_refused(model: Model, tmp_path: Path, value: float) -> None:
    path = tmp_path / "model.safetensors"
    network = deepcopy(model.network)
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = value
    save_model(replace(model, network=network), path)
    with pytest.raises(CryosegError, match=r"not a model .*finite"):
        load_model(path)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(CryosegError, match=r"absent\.safetensors: no such model"):
        load_model(tmp_path / "absent.safetensors")
