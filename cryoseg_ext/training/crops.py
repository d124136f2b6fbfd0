"""Crops of labelled micrographs, varied as micrographs vary, and their mixture with simulated fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter
from torch import Tensor
from torch.utils.data import Dataset

from cryoseg_ext.arrays import FloatArray, Image, Mask
from cryoseg_ext.image.scale import CLIP_SIGMA
from cryoseg_ext.network.classes import UNKNOWN
from cryoseg_ext.options.training import FineTuningOptions
from cryoseg_ext.training.dataset import SimulatedFields, centre_map
from cryoseg_ext.training.micrographs import LabelledMicrograph
from cryoseg_ext.training.targets import TrainingExample

Sample = tuple[Tensor, Tensor, Tensor]

MAX_SCALE = 1.1
"""Largest factor of scale: the diameter that a user states is inexact, and so is the magnification."""


class MixedFields(Dataset[Sample]):
    """Endless crops and simulated fields; item `index` is the same whatever the number of workers.

    The simulated fields keep the network from losing its ability on other specimens.

    Parameters
    ----------
    examples : Sequence[TrainingExample]
        Micrographs to cut from, each as often as the others.
    options : FineTuningOptions
        The recipe: batch, share of the simulated fields, size of an item and random seed.
    n : int
        Number of items.
    """

    def __init__(self, examples: Sequence[TrainingExample], options: FineTuningOptions, n: int) -> None:
        self.examples, self.options, self.n = examples, options, n
        self.simulated = SimulatedFields(n, options.field_px, options.seed)

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Sample:
        """Return image ``(1, y, x)``, labels ``(y, x)`` and centre map ``(y, x)``; see `training_loss`."""
        options = self.options
        if index % options.batch < int(options.simulated_share * options.batch):
            return self.simulated[index]
        rng = np.random.default_rng([options.seed, index])
        return cut(rng, self.examples[int(rng.integers(len(self.examples)))], options.field_px)


@dataclass(frozen=True)
class Placement:
    """Where a crop lies: pixel ``p`` of it shows the point ``matrix @ (p - middle) + centre``, in (y, x).

    Parameters
    ----------
    matrix : NDArray[np.float64]
        ``(2, 2)`` rotation, mirroring and scale.
    centre : NDArray[np.float64]
        ``(2,)`` point (y, x) of the micrograph in the middle of the crop.
    field_px : int
        Width and height of the crop in working pixels.
    """

    matrix: FloatArray
    centre: FloatArray
    field_px: int

    @property
    def offset(self) -> FloatArray:
        """The point that the crop's pixel (0, 0) shows."""
        middle = np.full(2, (self.field_px - 1) / 2)
        return self.centre - self.matrix @ middle

    def into_crop(self, xy_px: FloatArray) -> FloatArray:
        """Return where points ``(n, 2)`` (x, y) of the micrograph lie in the crop, as (x, y)."""
        return ((xy_px[:, ::-1] - self.offset) @ np.linalg.inv(self.matrix).T)[:, ::-1]


def cut(rng: np.random.Generator, example: TrainingExample, field_px: int) -> Sample:
    """Return a random crop, turned, mirrored, slightly scaled and varied in noise, contrast and focus.

    Parameters
    ----------
    rng : np.random.Generator
        Decides everything.
    example : TrainingExample
        The micrograph with its targets.
    field_px : int
        Width and height of the crop in working pixels.
    """
    micrograph, shape = example.micrograph, (field_px, field_px)
    placement = place(rng, micrograph, field_px)

    def sample(array: NDArray[np.float32 | np.int8], order: int, outside: float) -> Image:
        matrix, offset = placement.matrix, placement.offset
        return affine_transform(
            array.astype(np.float32), matrix, offset, shape, order=order, mode="constant", cval=outside
        )

    valid = sample(micrograph.working.valid.astype(np.int8), 0, 0) > 0
    image = vary(rng, sample(micrograph.working.image, 1, 0), valid)
    labels = sample(example.labels, 0, UNKNOWN).astype(np.int64)
    # The expected map: a possible particle without a pick is as high as it is probable.
    possible = example.possible
    x_px, y_px = placement.into_crop(np.concatenate([micrograph.xy_px, example.unpicked_xy_px[possible]])).T
    height = np.concatenate([np.ones(len(micrograph.xy_px)), example.probability[possible]])
    shown = (x_px > -0.5) & (x_px < field_px - 0.5) & (y_px > -0.5) & (y_px < field_px - 0.5)
    centres = centre_map(x_px[shown], y_px[shown], shape, height[shown])
    return torch.from_numpy(image)[None], torch.from_numpy(labels), torch.from_numpy(centres)


def place(rng: np.random.Generator, micrograph: LabelledMicrograph, field_px: int) -> Placement:
    """Return where to cut: half of the crops around a pick, the others anywhere.

    Parameters
    ----------
    rng : np.random.Generator
        Decides everything.
    micrograph : LabelledMicrograph
        The micrograph with its picks.
    field_px : int
        Width and height of the crop in working pixels.
    """
    shape = np.array(micrograph.working.image.shape)
    low = (field_px - 1) / 2
    if rng.uniform() < 0.5 and len(micrograph.xy_px):
        pick = micrograph.xy_px[rng.integers(len(micrograph.xy_px)), ::-1]
        wanted = pick + rng.uniform(-0.4, 0.4, 2) * field_px
    else:
        wanted = rng.uniform(0, shape)
    # Whole pixels off the middle, so that an unscaled crop needs no interpolation.
    free = np.maximum(shape - field_px, 0)
    centre = np.clip(np.floor(wanted - low), 0, free) + low
    turn = np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), int(rng.integers(4)))
    mirror = np.diag([1.0, rng.choice([-1.0, 1.0])])
    scale = MAX_SCALE ** rng.uniform(-1, 1) if rng.uniform() < 0.5 else 1.0
    return Placement(scale * turn @ mirror, centre, field_px)


def vary(rng: np.random.Generator, image: Image, valid: Mask) -> Image:
    """Return `image` as another exposure or another preparation of the file might have it.

    A little more noise, or a low-pass filter (denoised files, a thicker ice), each followed by the division
    by the standard deviation that `normalise` does; then a small error of that.

    Parameters
    ----------
    rng : np.random.Generator
        Decides everything.
    image : NDArray[np.float32]
        ``(y, x)`` crop.
    valid : NDArray[np.bool_]
        ``(y, x)``, False in dead areas and outside the micrograph.
    """
    if not valid.any():
        return image
    spread = float(image[valid].std())
    varied = image
    if rng.uniform() < 0.4:
        varied = varied + rng.uniform(0, 0.6) * rng.standard_normal(image.shape).astype(np.float32)
    if rng.uniform() < 0.3:
        varied = gaussian_filter(varied, rng.uniform(0.3, 1.0))
    gain = np.exp(rng.uniform(-0.15, 0.15)) * spread / max(float(varied[valid].std()), 1e-6)
    clipped: Image = np.clip(varied * gain + rng.uniform(-0.1, 0.1), -CLIP_SIGMA, CLIP_SIGMA)
    return np.where(valid, clipped, 0).astype(np.float32)
