"""Files of picks or masks, each beside its truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
from cryoseg_ext.formats.scaling import doubts, scale_to
from cryoseg_ext.image.reading import read_micrograph
from cryoseg_ext.picks import Picks

Classes = NDArray[np.int8]
# More is another sampling, for which a length in Å is another number of pixels.
_SAME_PIXEL_SIZE = 0.01


@dataclass(frozen=True)
class PickPairs:
    """Picks and their truth, in pixels of the truth.

    Parameters
    ----------
    by_name : Mapping[str, TruthAndPicks]
        The truth and the picks of each micrograph of the truth.
    scored : bool
        Whether the picks have scores.
    pixel_sizes_A : tuple of float
        The pixel sizes of the truth's micrographs in Å/px, as far as the files know them.
    remarks : tuple of str
        A sentence on each row that could not be read, and on picks that are outside or there twice.
    """

    by_name: Mapping[str, TruthAndPicks]
    scored: bool
    pixel_sizes_A: tuple[float, ...] = ()
    remarks: tuple[str, ...] = ()

    def to_px(self, length_A: float, pixel_size_A: float | None = None) -> float:
        """Return a length in pixels of the truth.

        Parameters
        ----------
        length_A : float
            The length in Å.
        pixel_size_A : float, optional
            Å/px of the truth, in place of what the files say.

        Raises
        ------
        CryosegError
            If the pixel size is not known, or micrographs have different ones.
        """
        sizes_A = (pixel_size_A,) if pixel_size_A else self.pixel_sizes_A
        if not sizes_A:
            raise CryosegError(
                "neither the truth nor the picks say the pixel size: give --pixel_size, or --diameter in "
                "pixels of --truth"
            )
        if max(sizes_A) > min(sizes_A) * (1 + _SAME_PIXEL_SIZE):
            raise CryosegError(
                f"the micrographs of the truth have pixel sizes from {min(sizes_A):g} to {max(sizes_A):g} "
                "Å/px: evaluate those of one size at a time"
            )
        return length_A / sizes_A[0]


def read_pairs(
    truth: Path,
    picks: Path,
    inside: tuple[float, float, float, float] | None = None,
    *,
    ignore_extra: bool = False,
) -> PickPairs:
    """Read picks and their truth.

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
    matched = match_names(list(located), list(true))
    # A file without a pick has none without truth, whatever its name.
    located = {name: one for name, one in located.items() if len(one.picks) or name in matched}
    micrographs = picked_micrographs(truth, true)
    brought = bring_picks(located, micrographs, None, flip_y=False)
    if brought.skipped and not ignore_extra:
        raise CryosegError(f"{picks} has picks without truth ({brought.skipped[0]}): give --ignore_extra")
    scored = {one.scored for one in located.values() if len(one.picks)}
    if len(scored) > 1:
        raise CryosegError(f"some files of {picks} have scores and some do not: compare them one by one")
    none = Picks(np.zeros(0), np.zeros(0), np.zeros(0))
    pairs: dict[str, TruthAndPicks] = {}
    remarks = [*brought.remarks]
    for name, one in true.items():
        reference, found = one.picks, brought.picks.get(name, none)
        remarks += [*one.remarks, *filter(None, [doubts(f"the truth of {name}", reference, one.shape)])]
        if inside:
            reference, found = reference.inside(*inside), found.inside(*inside)
        pairs[name] = np.stack([reference.x_px, reference.y_px], axis=1), found
    sizes_A = {name: one.pixel_size_A for name, one in true.items() if one.pixel_size_A}
    for name, of_truth in matched.items():
        size_A = located[name].pixel_size_A
        if size_A and of_truth in brought.picks:
            _, scale_x = scale_to(name, located[name], micrographs.by_name[of_truth], None)
            sizes_A.setdefault(of_truth, size_A / scale_x)
    return PickPairs(pairs, scored == {True}, tuple(sizes_A.values()), tuple(remarks))


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
        true, predicted = find_class_masks(truth), find_class_masks(masks)
        matched = match_names(list(predicted), list(true))
        extra = [name for name in predicted if name not in matched]
        if not matched or (extra and not ignore_extra):
            raise CryosegError(f"{masks} has masks without truth ({extra[0]}): give --ignore_extra")
        self._files = [(true[of_truth], predicted[name]) for name, of_truth in matched.items()]

    def __iter__(self) -> Iterator[tuple[Classes, Classes]]:
        """Yield ``(y, x)`` class numbers of the truth and of the prediction, of one size."""
        for true, predicted in self._files:
            yield _same_size(_read(true), _read(predicted))

    @property
    def n_classes(self) -> int:
        """3 where a mask has contaminants, else 2."""
        return 3 if any(bool((_read(predicted) == 2).any()) for _, predicted in self._files) else 2


def _read(path: Path) -> Classes:
    image = read_micrograph(path).image
    if image.min() < -1 or image.max() > len(CLASSES) - 1:
        raise CryosegError(f"{path} is no mask: its values must be 0, 1 or 2, or -1 for not known")
    # A soft mask is more particle than not from one half on.
    return np.rint(image).astype(np.int8)


def _same_size(true: Classes, predicted: Classes) -> tuple[Classes, Classes]:
    """Return two masks of one field on the pixels of the smaller one."""
    shape = tuple(map(min, true.shape, predicted.shape))

    def sampled(mask: Classes) -> Classes:
        # Fourier rescaling keeps the pixel (n + 1) // 2 in place, see `WorkingMicrograph.to_source_px`.
        rows, columns = (
            np.clip(np.rint((np.arange(m) - (m + 1) // 2) * n / m + (n + 1) // 2).astype(int), 0, n - 1)
            for m, n in zip(shape, mask.shape, strict=True)
        )
        return mask[np.ix_(rows, columns)]

    return sampled(true), sampled(predicted)
