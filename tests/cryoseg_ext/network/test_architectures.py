"""Every architecture learns and picks, and a model file cannot make the program run code."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cryoseg_ext
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.model.checkpoint import Model, load_model, save_model
from cryoseg_ext.network.architectures import ARCHITECTURES, build_network, parse_architecture, stride_of
from cryoseg_ext.training.losses import parse_loss, training_loss

OWN = f"{__name__}:OwnNetwork"
MONAI = ("unetpp:8", "attention_unet:8", "flexible_unet:b0", "segresnet:8")


class OwnNetwork(nn.Module):
    """A user's class."""

    stride = 2

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)


class WithATuple(OwnNetwork):
    stride = (2, 2)  # type: ignore[assignment]


class OfAnotherSize(nn.Linear):
    def __init__(self) -> None:
        super().__init__(3, 4)


@pytest.mark.parametrize("text", ["residual_unet:8", "deeplabv3:8", "fcn:8", *MONAI, OWN])
def test_an_architecture_learns_is_stored_and_picks(text: str, tmp_path: Path) -> None:
    if text in MONAI:
        pytest.importorskip("monai", reason="MONAI is not installed: pip install '.[networks]'")
    torch.manual_seed(0)
    architecture = parse_architecture(text)
    network = build_network(architecture, allowed=text)
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    image = torch.randn(2, 1, 64, 64)
    labels = (image[:, 0] > 0.5).long()
    values = []
    for _ in range(4):
        classes, centre = network(image)
        loss = training_loss(classes, centre, labels, (labels == 1).float(), parse_loss("dice_ce"))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        values.append(loss.item())
    assert values[-1] < values[0]

    path = tmp_path / "model.safetensors"
    save_model(Model(network.eval(), architecture, Calibration(0.0, (1.0, 0.0, 0.0, 0.0)), 0.5), path)
    model = load_model(path, architecture=text)
    # Sides that are no multiples of any stride.
    field = np.random.default_rng(0).normal(size=(101, 75)).astype(np.float32)
    result = cryoseg_ext.pick(field, pixel_size_A=1.0, particle_diameter_A=24.0, model=model)
    assert result.probability.shape == (101, 75)
    assert np.isfinite(result.probability).all()
    side = 2 * stride_of(network)
    with torch.no_grad():
        for maps, again in zip(
            network(torch.ones(1, 1, side, side)), model.network(torch.ones(1, 1, side, side)), strict=True
        ):
            torch.testing.assert_close(maps, again)


def test_a_class_that_a_file_names_is_imported_only_when_the_user_names_it(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    own = Model(build_network({"name": "own", "path": OWN}, OWN), {"name": "own", "path": OWN}, _PLAIN, 0.5)
    save_model(own, path)
    for named in (None, "os:getcwd"):
        with pytest.raises(CryosegError, match=r"model\.safetensors: .*OwnNetwork.* only when named"):
            load_model(path, architecture=named)


_PLAIN = Calibration(0.0, (1.0, 0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "residual_unet:31",
        "flexible_unet:b9",
        "no_such_module:Class",
        "os:getcwd",
        "torch.nn:ReLU",
        f"{__name__}:WithATuple",
        f"{__name__}:OfAnotherSize",
    ],
)
def test_what_is_no_architecture_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(CryosegError, match=f"--architecture {text}") as error:
        build_network(parse_architecture(text), allowed=text)
    assert "\n" not in str(error.value)


def test_a_width_from_a_file_is_checked() -> None:
    with pytest.raises(ValueError, match="unknown variant"):
        build_network({"name": "residual_unet", "base": 10**9})
    assert {parse_architecture(name)["name"] for name in ARCHITECTURES} == set(ARCHITECTURES)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "monai", None)
    with pytest.raises(CryosegError, match="pip install monai"):
        build_network(parse_architecture("segresnet"))
