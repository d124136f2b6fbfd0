"""A trained network on disk: safetensors weights with a JSON description in the same file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.extract.score import FEATURES, Calibration
from cryoseg_ext.files import replacing
from cryoseg_ext.image.scale import WORKING_DIAMETER_PX
from cryoseg_ext.model.file import ModelFile, no_model_message
from cryoseg_ext.model.weights import DEFAULT_MODEL
from cryoseg_ext.network.architectures import build_network
from cryoseg_ext.options.crf import CrfOptions

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Model:
    """A network with all that is needed to use it.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, on `device`.
    architecture : dict
        Name and arguments the network was built from.
    calibration : Calibration
        From a candidate's features to its score.
    threshold : float
        Default score from which a candidate counts as a pick.
    training : dict
        What it was trained on; for people, not read by the program.
    device : str
        Torch device.
    fingerprint : str
        Hexadecimal digest of the file, empty for a model that was never saved.
    crf : CrfOptions
        The conditional random field that the calibration counts on.
    """

    network: nn.Module
    architecture: dict[str, Any]
    calibration: Calibration
    threshold: float
    training: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    fingerprint: str = ""
    crf: CrfOptions = CrfOptions()


def save_model(model: Model, path: Path) -> None:
    """Write `model` to `path`, which appears only when it is complete."""
    description = {
        "format": FORMAT_VERSION,
        "architecture": model.architecture,
        "working_diameter_px": WORKING_DIAMETER_PX,
        "features": FEATURES,
        "calibration": asdict(model.calibration),
        "threshold": model.threshold,
        "training": model.training,
        "crf": model.crf.as_dict(),
    }
    weights = {name: value.contiguous() for name, value in model.network.state_dict().items()}
    with replacing(path) as temporary:
        temporary.write_bytes(save(weights, metadata={"cryoseg": json.dumps(description)}))


def load_model(path: Path | None = None, device: str = "cpu", architecture: str | None = None) -> Model:
    """Read a model; nothing in the file is executed, and nothing that it names is imported.

    Parameters
    ----------
    path : Path, optional
        A file written by `save_model`; the shipped default model when not given.
    device : str
        Torch device the network is put on.
    architecture : str, optional
        The user's own class ``package.module:Class``, for a model that was trained with it.

    Raises
    ------
    CryosegError
        If the file is missing, is no cryoseg model, or does not fit this version.

    Examples
    --------
    >>> from cryoseg_ext import load_model
    >>> model = load_model()
    >>> model.device, 0 < model.threshold < 1
    ('cpu', True)
    """
    return load_content(ModelFile(path or DEFAULT_MODEL, architecture), device)


def load_content(file: ModelFile, device: str) -> Model:
    """Return the model in a file; see `load_model`."""
    try:
        model = _read_model(file, device)
    except CryosegError as error:
        raise error.about(file.path) from error
    except Exception as error:
        # A file of others may have anything in any place.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if isinstance(error, KeyError):
            reason = f"it lacks {reason}"
        raise CryosegError(no_model_message(file.path, reason)) from error
    # A third faster on CPUs.
    model.network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def _read_model(file: ModelFile, device: str) -> Model:
    """Return the model in a file, whose network is not on the device yet."""
    description = _description(file.content)
    _check_fit(description)
    network = build_network(description["architecture"], allowed=file.architecture)
    weights = load(file.content)
    _check_weights(weights)
    network.load_state_dict(weights)
    calibration = Calibration.from_dict(description["calibration"])
    _check_calibration(calibration)
    threshold = float(description["threshold"])
    if not 0 <= threshold <= 1:
        raise ValueError(f"its threshold is {threshold}, expected 0 to 1")
    # Models of version 0.1 have none and were calibrated with the default one.
    crf = CrfOptions.from_dict(description["crf"]) if "crf" in description else CrfOptions()
    return Model(
        network,
        description["architecture"],
        calibration,
        threshold,
        dict(description["training"]),
        device,
        file.digest[:16],
        crf,
    )


def _description(content: bytes) -> dict[str, Any]:
    """Return the JSON description in the header of a safetensors file (8 bytes of length, then JSON)."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return json.loads(header["__metadata__"]["cryoseg"])


def _check_fit(description: dict[str, Any]) -> None:
    expected = {
        "format": FORMAT_VERSION,
        "working_diameter_px": WORKING_DIAMETER_PX,
        "features": list(FEATURES),
    }
    for key, value in expected.items():
        if description[key] != value:
            raise ValueError(f"its {key} is {description[key]}, expected {value}")


def _check_weights(weights: dict[str, Tensor]) -> None:
    """Refuse weights of NaN or infinity, with which nothing would be picked, without a word."""
    for name, values in weights.items():
        if not torch.isfinite(values).all():
            raise ValueError(f"its weights {name} are not all finite numbers")


def _check_calibration(calibration: Calibration) -> None:
    """Refuse a calibration that scores nothing, or of another shape than that of the candidates."""
    tables: list[Any] = [calibration.intercept, calibration.weights]
    fits = np.shape(calibration.weights) == (len(FEATURES),)
    if consensus := calibration.consensus:
        tables += [consensus.scale, consensus.bias, consensus.weights, consensus.mean, consensus.spread]
        n_maps, _ = shape = np.shape(consensus.mean)
        fits = fits and (np.shape(consensus.spread), np.shape(consensus.weights)) == (shape, (n_maps, 3))
    if not fits or not all(np.isfinite(table).all() for table in tables):
        raise ValueError("its calibration is damaged")
