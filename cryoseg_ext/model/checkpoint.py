"""A trained network on disk: safetensors weights with a JSON description in the same file."""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, dataclass, field, replace
from functools import cached_property
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
from cryoseg_ext.model.backend import Logits, choose_precision, logits_of
from cryoseg_ext.model.file import ModelFile, no_model_message, reason_of
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
    ranges : dict, optional
        Ranges of the network's maps, see `cryoseg_ext.model.graph.measure_ranges`.
    precision : str
        Numbers that it computes with, from `cryoseg_ext.model.backend.choose_precision`.
    """

    network: nn.Module
    architecture: dict[str, Any]
    calibration: Calibration
    threshold: float
    training: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    fingerprint: str = ""
    crf: CrfOptions = CrfOptions()
    ranges: dict[str, tuple[float, float]] | None = None
    precision: str = "float32"

    @cached_property
    def logits(self) -> Logits:
        """What computes the logits of images with the network as it is now."""
        return logits_of(self.network, self.device, self.precision, self.ranges)


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
        "ranges": model.ranges,
    }
    weights = {name: value.contiguous() for name, value in model.network.state_dict().items()}
    with replacing(path) as temporary:
        temporary.write_bytes(save(weights, metadata={"cryoseg": json.dumps(description)}))


def load_model(
    path: Path | None = None, device: str = "cpu", architecture: str | None = None, precision: str = "auto"
) -> Model:
    """Read a model; nothing in the file is executed, and nothing that it names is imported.

    Parameters
    ----------
    path : Path, optional
        A file written by `save_model`; the shipped default model when not given.
    device : str
        Torch device the network is put on.
    architecture : str, optional
        The user's own class ``package.module:Class``, for a model that was trained with it.
    precision : str
        One of `cryoseg_ext.options.job.PRECISIONS`; ``auto`` is the fastest that the machine and the model
        have.

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
    return load_content(ModelFile(path or DEFAULT_MODEL, architecture), device, precision)


def load_content(file: ModelFile, device: str, precision: str) -> Model:
    """Return the model in a file.

    Parameters
    ----------
    file : ModelFile
        The file, and the class that may be imported for it.
    device, precision : str
        As for `load_model`.
    """
    try:
        model = _read_model(file, device)
        chosen = choose_precision(precision, model.network, device, model.ranges)
        model = replace(model, precision=chosen)
        if chosen == "int8":
            # Compiled at once, so that what is wrong with the ranges is said of the file.
            _ = model.logits
    except CryosegError as error:
        raise error.about(file.path) from error
    except Exception as error:
        raise CryosegError(no_model_message(file.path, reason_of(error))) from error
    # A third faster on CPUs.
    model.network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def _read_model(file: ModelFile, device: str) -> Model:
    """Return the model in a file, whose network is not on the device yet."""
    description = file.description
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
        _ranges(description.get("ranges")),
    )


def _check_fit(description: dict[str, Any]) -> None:
    expected = {
        "format": FORMAT_VERSION,
        "working_diameter_px": WORKING_DIAMETER_PX,
        "features": list(FEATURES),
    }
    for key, value in expected.items():
        if description[key] != value:
            raise ValueError(f"its {key} is {description[key]}, expected {value}")


def _ranges(stored: dict[str, Any] | None) -> dict[str, tuple[float, float]] | None:
    """Return the ranges of the maps; models of versions before 0.4 have none."""
    if stored is None:
        return None
    ranges = {str(name): (float(low), float(high)) for name, (low, high) in stored.items()}
    if not np.isfinite(list(ranges.values())).all():
        raise ValueError("its ranges are not all finite numbers")
    return ranges


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
        tables += astuple(consensus)
        n_maps, n_rings = np.shape(consensus.mean)
        shapes = np.shape(consensus.weights), np.shape(consensus.whitening)
        fits = fits and shapes == ((n_maps, 3), (n_maps, n_rings, n_rings))
    if not fits or not all(np.isfinite(table).all() for table in tables):
        raise ValueError("its calibration is damaged")
