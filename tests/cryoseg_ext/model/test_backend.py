"""The network in OpenVINO against torch, in float32 and with integers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from cryoseg_ext.arrays import Image
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.model import backend
from cryoseg_ext.model.backend import choose_precision, logits_of
from cryoseg_ext.model.checkpoint import Model, load_model, save_model
from cryoseg_ext.model.inference import run_network, with_ranges
from cryoseg_ext.network.architectures import build_network

PLAIN = Calibration(0.0, (1.0, 0.0, 0.0, 0.0))


def _field(seed: int, shape: tuple[int, int] = (160, 208)) -> Image:
    noise = np.random.default_rng(seed).normal(size=shape)
    return np.asarray(3 * gaussian_filter(noise, 3) / 0.1 + noise, np.float32).clip(-6, 6)


@pytest.fixture(scope="module", params=[8, 24])
def network(request: pytest.FixtureRequest) -> nn.Module:
    """Return a network whose batch normalisation does something."""
    torch.manual_seed(request.param)
    network = build_network({"name": "residual_unet", "base": request.param})
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.eval()


@pytest.mark.parametrize("shape", [(16, 16), (160, 208), (48, 400)])
def test_the_graph_is_the_network(network: nn.Module, shape: tuple[int, int]) -> None:
    image = torch.from_numpy(_field(0, shape))[None, None]
    with torch.inference_mode():
        expected = torch.cat(network(image), dim=1).numpy()
        found = logits_of(network, "cpu", "float32", None)(image).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-4 * max(1, np.abs(expected).max()))


def test_integers_are_close_on_fields_that_the_ranges_were_not_measured_on(network: nn.Module) -> None:
    model = with_ranges(Model(network, {}, PLAIN, 0.5), [_field(seed) for seed in range(1, 4)])
    exact = run_network(_field(9), model)
    rounded = run_network(_field(9), replace(model, precision="int8"))
    for name in ("particle_logit", "centre", "contaminant"):
        before, after = (getattr(output, name) for output in (exact, rounded))
        assert (before != after).any()
        assert np.sqrt(np.mean((before - after) ** 2)) < 0.1 * before.std()


def test_the_default_model_computes_with_integers_where_the_processor_has_them() -> None:
    if not backend.computes("int8", "cpu"):
        pytest.skip("this processor has no fast integers")
    model = load_model()
    assert model.precision == "int8"
    exact = load_model(precision="float32")
    image = _field(5, (300, 300))
    after, before = run_network(image, model), run_network(image, exact)
    assert np.abs(after.particle_logit - before.particle_logit).mean() < 0.2
    assert np.corrcoef(after.centre.ravel(), before.centre.ravel())[0, 1] > 0.99


def test_ranges_are_kept_in_the_file(tmp_path: Path) -> None:
    architecture = {"name": "residual_unet", "base": 8}
    model = with_ranges(Model(build_network(architecture).eval(), architecture, PLAIN, 0.5), [_field(1)])
    save_model(model, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors", precision="int8")
    assert (loaded.ranges, loaded.precision) == (model.ranges, "int8")


@pytest.mark.parametrize("damage", ["missing", "nan", "text", "one end"])
def test_damaged_ranges_are_refused_in_one_sentence(tmp_path: Path, damage: str) -> None:
    network = build_network({"name": "residual_unet", "base": 8}).eval()
    model = with_ranges(Model(network, {"name": "residual_unet", "base": 8}, PLAIN, 0.5), [_field(1)])
    assert model.ranges
    values: dict[str, object] = {"nan": [0.0, float("nan")], "text": ["a", "b"], "one end": [1.0]}
    ranges = {**model.ranges, "stem": values[damage]} if damage in values else {"image": (-6.0, 6.0)}
    path = tmp_path / "model.safetensors"
    save_model(replace(model, ranges=json.loads(json.dumps(ranges))), path)
    with pytest.raises(CryosegError, match=r"model\.safetensors: not a model") as error:
        load_model(path, precision="int8")
    assert "\n" not in str(error.value)


def test_other_networks_run_on_torch_and_have_no_integers() -> None:
    network = build_network({"name": "fcn", "base": 8}).eval()
    model = with_ranges(Model(network, {"name": "fcn", "base": 8}, PLAIN, 0.5), [_field(1)])
    assert model.ranges is None
    assert choose_precision("auto", network, "cpu", None) in ("float32", "bfloat16")
    image = _field(2)
    exact, half = (run_network(image, replace(model, precision=name)) for name in ("float32", "bfloat16"))
    np.testing.assert_allclose(exact.particle_logit, half.particle_logit, atol=0.1)
    with pytest.raises(CryosegError, match="--precision int8 is for models of the default architecture"):
        choose_precision("int8", network, "cpu", None)


def test_without_openvino_torch_computes(network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "find_spec", lambda _: None)
    monkeypatch.setattr(backend, "build_graph", lambda *_: pytest.fail("there is no OpenVINO"))
    assert choose_precision("auto", network, "cpu", {"image": (0.0, 1.0)}) in ("float32", "bfloat16")
    image = torch.from_numpy(_field(0))[None, None]
    with torch.inference_mode():
        expected = torch.cat(network(image), dim=1)
        assert torch.allclose(logits_of(network, "cpu", "float32", None)(image), expected, atol=1e-4)


def test_as_many_threads_as_one_wants_give_the_same_bytes() -> None:
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(run_network(_field(3, (300, 300)), load_model()).particle_logit)
    finally:
        torch.set_num_threads(before)
    assert (found[0] == found[1]).all()
