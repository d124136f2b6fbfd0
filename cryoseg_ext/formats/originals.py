"""The pixel size of micrographs whose extracted particles say only that of the movies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cryoseg_ext.formats.micrographs import ListedMicrograph, MicrographList
from cryoseg_ext.formats.scaling import count_beyond, field_shape
from cryoseg_ext.formats.star import optics_column
from cryoseg_ext.formats.table import LocatedPicks

_ORIGINAL = "rlnMicrographOriginalPixelSize"
# So many picks do not all lie in a quarter of their micrograph by chance.
_ENOUGH_PICKS = 5


def with_original_sizes(
    located: Mapping[str, LocatedPicks], targets: Mapping[str, ListedMicrograph], micrographs: MicrographList
) -> tuple[dict[str, LocatedPicks], str]:
    """Return picks with the pixel size that follows from the movies', where no other is known, and a remark.

    RELION's Extract writes the pixel sizes of the movies and of the particle images, not the micrographs'. It
    is that of the movies times the binning of motion correction, which is taken from the other side's list
    if that says both; otherwise there is none, unless all of several picks lie inside as they are.

    Parameters
    ----------
    located : Mapping[str, LocatedPicks]
        The picks by name.
    targets : Mapping[str, ListedMicrograph]
        The micrograph that each is brought to, by the same names.
    micrographs : MicrographList
        Their list.
    """
    unknown = {
        name: (located[name].original_A or 0.0, target)
        for name, target in targets.items()
        if located[name].original_A and not located[name].pixel_size_A and name != target.name
    }
    if not unknown:
        return dict(located), ""
    binning_of = _binnings(micrographs)
    fit_as_they_are = _fit_as_they_are({name: located[name] for name in unknown}, targets)
    sized = dict(located)
    for name, (original_A, target) in unknown.items():
        if (binning := binning_of.get(target.name)) is not None:
            sized[name] = replace(located[name], pixel_size_A=original_A * binning)
        elif not fit_as_they_are:
            sized[name] = replace(located[name], pixel_size_A=original_A)
    sizes_A = {one.pixel_size_A for name in unknown if (one := sized[name]).pixel_size_A}
    if not sizes_A:
        return sized, "the pixel size of the picked micrographs is not known, and coordinates are kept"
    sizes = " and ".join(f"{size_A:g}" for size_A in sorted(sizes_A)[:2])
    return sized, (
        f"the pixel size of the picked micrographs is taken as {sizes} Å/px, from {_ORIGINAL}: give "
        "--pixel_size if that is wrong"
    )


def _fit_as_they_are(located: Mapping[str, LocatedPicks], targets: Mapping[str, ListedMicrograph]) -> bool:
    if sum(len(one.picks) for one in located.values()) < _ENOUGH_PICKS:
        return False
    shapes = {name: field_shape(targets[name]) for name in located}
    return all(shape and not count_beyond(located[name].picks, shape) for name, shape in shapes.items())


def _binnings(micrographs: MicrographList) -> dict[str, float]:
    """Return by how much motion correction binned each micrograph of a list of RELION, where it says so."""
    table, optics = micrographs.table, micrographs.optics
    if table is None or optics is None:
        return {}
    originals_A = optics_column(table, optics, _ORIGINAL)
    names = table["rlnMicrographName"].map(str)
    return {
        name: size_A / original_A
        for name, original_A in zip(names, originals_A.tolist(), strict=True)
        if (one := micrographs.by_name.get(name)) and (size_A := one.pixel_size_A) and original_A > 0
    }
