"""Files of picks or masks, each beside its truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.evaluation.picks import TruthAndPicks
from cryoseg_ext.evaluation.summary import CLASSES
from cryoseg_ext.formats.convert import bring_picks, picked_micrographs
from cryoseg_ext.formats.masks import find_class_masks, read_truth
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.formats.reading import read_located_picks
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.picks import Picks

Classes = NDArray[np.int8]


def read_pairs(
    truth: Path, picks: Path, inside: tuple[float, float, float, float] | None, *, ignore_extra: bool
) -> tuple[dict[str, TruthAndPicks], bool]:
    """Return the truth and the picks of each micrograph of the truth, and whether the picks have scores.

    Parameters
    ----------
    truth, picks : Path
        See `read_truth` and `read_located_picks`; both come out in pixels of the truth.
    inside : tuple of float, optional
        x0, y0, x1, y1 of the rectangle outside which nothing counts.
    ignore_extra : bool
        Whether there may be picks on micrographs without truth.

    Raises
    ------
    CryosegError
        If something cannot be read, or picks have no truth.
    """
    true, located = read_truth(truth), read_located_picks(picks)
    brought = bring_picks(located, picked_micrographs(truth, true), None, flip_y=False)
    if brought.skipped and not ignore_extra:
        raise CryosegError(f"{picks} has picks without truth ({brought.skipped[0]}): give --ignore-extra")
    scored = {one.scored for one in located.values() if len(one.picks)}
    if len(scored) > 1:
        raise CryosegError(f"some files of {picks} have scores and some do not: compare them one by one")
    none = Picks(np.zeros(0), np.zeros(0), np.zeros(0))
    pairs: dict[str, TruthAndPicks] = {}
    for name, one in true.items():
        reference, found = one.picks, brought.picks.get(name, none)
        if inside:
            reference, found = reference.inside(*inside), found.inside(*inside)
        pairs[name] = np.stack([reference.x_px, reference.y_px], axis=1), found
    return pairs, scored == {True}


class MaskPairs:
    """Masks with those of the truth that have the same name, read one pair after another.

    Parameters
    ----------
    truth, masks : str
        See `find_class_masks`.
    ignore_extra : bool
        Whether there may be masks without truth.

    Raises
    ------
    CryosegError
        If there are none, or masks have no truth.
    """

    def __init__(self, truth: str, masks: str, *, ignore_extra: bool) -> None:
        true, said = find_class_masks(truth), find_class_masks(masks)
        matched = match_names(list(said), list(true))
        extra = [name for name in said if name not in matched]
        if not matched or (extra and not ignore_extra):
            raise CryosegError(f"{masks} has masks without truth ({extra[0]}): give --ignore-extra")
        self._files = [(true[of_truth], said[name]) for name, of_truth in matched.items()]

    def __iter__(self) -> Iterator[tuple[Classes, Classes]]:
        """Yield ``(y, x)`` classes that are true and that are said, of one size."""
        for true, said in self._files:
            yield _same_size(_read(true), _read(said))

    @property
    def n_classes(self) -> int:
        """3 where a mask says contaminant, else 2."""
        return 3 if any(bool((_read(said) == 2).any()) for _, said in self._files) else 2


def _read(path: Path) -> Classes:
    image = read_micrograph(path).image
    if image.min() < -1 or image.max() > len(CLASSES) - 1:
        raise CryosegError(f"{path} is no mask: its values must be 0, 1 or 2, or -1 for not known")
    # A soft mask is more particle than not from one half on.
    return np.rint(image).astype(np.int8)


def _same_size(one: Classes, other: Classes) -> tuple[Classes, Classes]:
    """Return two masks of one field on the pixels of the smaller one."""
    shape = tuple(map(min, one.shape, other.shape))

    def sampled(mask: Classes) -> Classes:
        # Fourier rescaling keeps the pixel (n + 1) // 2 in place, see `WorkingMicrograph.to_source_px`.
        rows, columns = (
            np.clip(np.rint((np.arange(m) - (m + 1) // 2) * n / m + (n + 1) // 2).astype(int), 0, n - 1)
            for m, n in zip(shape, mask.shape, strict=True)
        )
        return mask[np.ix_(rows, columns)]

    return sampled(one), sampled(other)
