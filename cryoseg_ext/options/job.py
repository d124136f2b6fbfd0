"""All that a user decides about a picking job, whichever program runs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryoseg_ext.options.crf import CrfChoice
from cryoseg_ext.options.extraction import ExtractionOptions
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.options.size import ParticleSize


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
    masks : bool
        Whether the segmentations are written too.
    threads : int
        Processor threads.
    device : str
        Torch device.
    gpu : str, optional
        RELION's spelling of a device: "" any GPU, "0" or "0:1" the numbers of GPUs.
    only_do_unfinished : bool
        Keep every finished micrograph, even one that was picked with other settings.
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
    masks: bool = False
    threads: int = 1
    device: str = "cpu"
    gpu: str | None = None
    only_do_unfinished: bool = False

    def picking(self, diameter_A: float) -> PickingOptions:
        """Return what decides about the picks of a micrograph, with the (largest) diameter in Å."""
        return PickingOptions(diameter_A, self.extraction, self.crf, self.size.min_diameter_A, self.invert)
