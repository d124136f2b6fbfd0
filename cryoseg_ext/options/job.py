"""All that a user decides about a picking job, whichever program runs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryoseg_ext.options.crf import CrfChoice
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.options.size import ParticleSize

PRECISIONS = ("auto", "float32", "bfloat16", "int8")
"""Numbers that a network can compute with."""


@dataclass(frozen=True)
class JobOptions:
    """What a user decides about a picking job; `cryoseg_ext.options.table` has the option of each field.

    Parameters
    ----------
    size : ParticleSize
        The size of the particles.
    threshold : float, optional
        Lowest score of a pick, 0 to 1; None is the model's calibrated default.
    extraction : ExtractionOptions
        How picks are made of the network's maps.
    crf : CrfChoice
        Changes of the conditional random field that the model brings.
    invert : bool
        Whether protein is bright on the micrographs.
    model : Path, optional
        Model file; None is the default model.
    architecture : str, optional
        The user's own network class ``module:Class`` that the model was trained with.
    pixel_size_A : float, optional
        Å/px of all micrographs, in place of what lists and headers say.
    pick_on : str, optional
        Other images of the same fields to pick on, matched by name.
    masks_in : Path, optional
        Folder of masks: picks where the mask of their micrograph is 0 are dropped.
    in_coords : Path, optional
        What was decided by hand: picks that replace those of their micrographs, and micrographs to leave out.
    masks : bool
        Whether the segmentations are written too.
    workers : int, optional
        Processes that pick, each on one processor core; None is one, or with GPUs four for each.
    device : str
        Torch device.
    gpu : str, optional
        RELION's spelling of devices: "" all GPUs, "0", "0,1" or "0:1" the numbers of GPUs.
    precision : str
        Numbers that the network computes with, one of `PRECISIONS`; "auto" is the fastest that the device
        has.
    cluster : str, optional
        Cluster whose workers pick: address or file of a dask scheduler, or the name of a batch system.
    only_do_unfinished : bool
        Keep every finished micrograph, even one that was picked with other settings.
    watch : bool
        Pick micrographs as they appear, until the job is ended.
    watch_until_idle_min : float, optional
        The same, until nothing new has appeared for so many minutes.
    """

    size: ParticleSize
    threshold: float | None = None
    extraction: ExtractionOptions = ExtractionOptions()
    crf: CrfChoice = CrfChoice()
    invert: bool = False
    model: Path | None = None
    architecture: str | None = None
    pixel_size_A: float | None = None
    pick_on: str | None = None
    masks_in: Path | None = None
    in_coords: Path | None = None
    masks: bool = False
    workers: int | None = None
    device: str = "cpu"
    gpu: str | None = None
    precision: str = "auto"
    cluster: str | None = None
    only_do_unfinished: bool = False
    watch: bool = False
    watch_until_idle_min: float | None = None

    @property
    def watches(self) -> bool:
        """Whether the job waits for micrographs to come."""
        return self.watch or self.watch_until_idle_min is not None

    def picking(self, diameter_A: float) -> PickingOptions:
        """Return what decides about the picks of a micrograph, with the (largest) diameter in Å."""
        return PickingOptions(diameter_A, self.extraction, self.crf, self.size.min_diameter_A, self.invert)
