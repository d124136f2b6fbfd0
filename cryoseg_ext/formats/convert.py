"""Bringing picks to the micrographs of another program: names, sampling and the direction of y."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.coordinates import CONVERTED_DECIMALS
from cryoseg_ext.formats.micrographs import ListedMicrograph, MicrographList, read_micrographs
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.formats.picks import PICK_FORMATS, FileOptions, PickFormat
from cryoseg_ext.formats.picks.format import even_px
from cryoseg_ext.formats.reading import read_located_picks
from cryoseg_ext.formats.table import LocatedPicks
from cryoseg_ext.formats.tubes import axis_deg, wrapped_deg
from cryoseg_ext.formats.writing import write_folder, write_single_file
from cryoseg_ext.image.reading import read_shape
from cryoseg_ext.picks import Picks

# Closer pixel sizes are two calibrations of one sampling; programs bin by 1.25 or more.
_SAME_SAMPLING = 0.05

SCALE_RULE = (
    "Where both sides know the size of a micrograph in pixels, coordinates are scaled by it; else by the "
    f"ratio of the pixel sizes, if they differ by more than {_SAME_SAMPLING:.0%} (less is another "
    "calibration of the same pixels); else they are kept."
)


@dataclass(frozen=True)
class ConvertOptions:
    """How picks are converted.

    Parameters
    ----------
    micrographs : tuple of str
        The micrographs that the picks are brought to, as `read_micrographs` takes them; those that were
        picked when there are none.
    pixel_size_A : float, optional
        Å/px of the micrographs that were picked; by default what the picks' file says.
    flip_y : bool
        As in `bring_picks`.
    format_name : str, optional
        The name of a `PickFormat`; by default that of the extension, and RELION STAR for a folder.
    box_size_px : int, optional
        Side of the boxes in pixels; by default the median diameter, where picks have one.
    """

    micrographs: tuple[str, ...] = ()
    pixel_size_A: float | None = None
    flip_y: bool = False
    format_name: str | None = None
    box_size_px: int | None = None


@dataclass(frozen=True)
class BroughtPicks:
    """Picks on the micrographs of the other program.

    Parameters
    ----------
    picks : Mapping[str, Picks]
        The picks by the other program's name of the micrograph, in its pixels.
    skipped : tuple[str, ...]
        A sentence on each micrograph whose picks could not be brought there.
    left_out : str
        A sentence on what the written format cannot hold; empty where it holds everything.
    """

    picks: Mapping[str, Picks]
    skipped: tuple[str, ...]
    left_out: str = ""


def convert(source: Path, out: Path, options: ConvertOptions) -> BroughtPicks:
    """Convert a file or folder of picks.

    Parameters
    ----------
    source : Path
        Anything that `read_picks` reads.
    out : Path
        A file with the extension of a format: ``.star`` and ``.txt`` hold all picks in one table, ``.cs`` or
        ``.csg`` are particles of CryoSPARC (both files are written), and the others hold one micrograph. Any
        other name is a folder with a file for each micrograph.
    options : ConvertOptions
        How.

    Raises
    ------
    CryosegError
        If something cannot be read, or no micrograph is left.
    """
    of_format = _format_of(out, options.format_name)
    located = read_located_picks(source)
    micrographs = (
        read_micrographs(options.micrographs)
        if options.micrographs
        else picked_micrographs(source, located, options.pixel_size_A)
    )
    brought = bring_picks(located, micrographs, options.pixel_size_A, flip_y=options.flip_y)
    if located and not brought.picks:
        raise CryosegError(
            f"none of the {len(located)} micrographs of {source} is in {micrographs.path}: "
            f"{brought.skipped[0]}"
        )
    box_px = options.box_size_px or _box_size_px(brought.picks, micrographs)
    file_options = FileOptions(box_size_px=box_px, decimals=CONVERTED_DECIMALS)
    if out.suffix.lower() in of_format.suffixes:
        write_single_file(of_format, out, brought.picks, micrographs, file_options)
    elif of_format.write_file is None:
        path = out / f"particles{of_format.suffixes[0]}"
        write_single_file(of_format, path, brought.picks, micrographs, file_options)
    else:
        write_folder(of_format, out, brought.picks, micrographs, file_options)
    left_out = of_format.left_out(
        brought.picks.values(),
        pixel_size_known=all(micrographs.by_name[name].pixel_size_A for name in brought.picks),
    )
    return replace(brought, left_out=left_out)


def bring_picks(
    located: Mapping[str, LocatedPicks],
    micrographs: MicrographList,
    pixel_size_A: float | None,
    *,
    flip_y: bool,
) -> BroughtPicks:
    """Bring picks to other micrographs.

    Parameters
    ----------
    located : Mapping[str, LocatedPicks]
        The picks by the name of the micrograph in their file.
    micrographs : MicrographList
        The other program's micrographs.
    pixel_size_A : float, optional
        Å/px of the micrographs that were picked; by default what the picks' file says.
    flip_y : bool
        Whether y is counted from the last stored row, as in a viewer that shows it at the top. It becomes
        ``ny - 1 - y``: the first row is 0 and the last one ``ny - 1``; psi changes its sign.

    Raises
    ------
    CryosegError
        If a name fits two micrographs, or two names one.
    """
    matched = match_names(list(located), list(micrographs.by_name))
    picks: dict[str, Picks] = {}
    skipped: list[str] = []
    for name, source in located.items():
        if name not in matched:
            skipped.append(f"{name}: no micrograph in {micrographs.path} has this name")
            continue
        target = micrographs.by_name[matched[name]]
        try:
            picks[matched[name]] = _brought(name, source, target, pixel_size_A, flip_y=flip_y)
        except CryosegError as error:
            skipped.append(str(error))
    return BroughtPicks(picks, tuple(skipped))


def picked_micrographs(
    path: Path, located: Mapping[str, LocatedPicks], pixel_size_A: float | None = None
) -> MicrographList:
    """Return what the file of the picks says about its own micrographs.

    Parameters
    ----------
    path : Path
        The file.
    located : Mapping[str, LocatedPicks]
        Its picks.
    pixel_size_A : float, optional
        Å/px, in place of what the file says.
    """
    by_name = {
        name: ListedMicrograph(name, Path(name), pixel_size_A or one.pixel_size_A, one.shape)
        for name, one in located.items()
    }
    return MicrographList(path, by_name)


def scale_to(
    name: str, source: LocatedPicks, target: ListedMicrograph, pixel_size_A: float | None
) -> tuple[float, float]:
    """Return the factors (y, x) that bring coordinates to a micrograph; see `SCALE_RULE`.

    Parameters
    ----------
    name : str
        The micrograph's name, for messages.
    source : LocatedPicks
        The picks.
    target : ListedMicrograph
        The micrograph.
    pixel_size_A : float, optional
        Å/px of the micrograph that was picked; by default what the picks' file says.

    Raises
    ------
    CryosegError
        If the two are not the same field.
    """
    if source.shape and target.shape:
        scale_y, scale_x = (theirs / ours for theirs, ours in zip(target.shape, source.shape, strict=True))
        if abs(scale_y / scale_x - 1) > _SAME_SAMPLING:
            raise CryosegError(
                f"{name} has {source.shape[0]} rows and {source.shape[1]} columns where it was picked and "
                f"{target.shape[0]} and {target.shape[1]} now: it was turned or cropped, its picks do not fit"
            )
        return scale_y, scale_x
    source_A = pixel_size_A or source.pixel_size_A
    if source_A and target.pixel_size_A and abs(source_A / target.pixel_size_A - 1) > _SAME_SAMPLING:
        return source_A / target.pixel_size_A, source_A / target.pixel_size_A
    return 1.0, 1.0


def _format_of(out: Path, name: str | None) -> PickFormat:
    suffix = out.suffix.lower()
    of_suffix = next((one for one in PICK_FORMATS.values() if suffix in one.suffixes), None)
    if of_suffix and name not in (None, of_suffix.name):
        raise CryosegError(f"{out} has the extension of --format {of_suffix.name}: leave out --format {name}")
    return of_suffix or PICK_FORMATS[name or "star"]


def _brought(
    name: str, source: LocatedPicks, target: ListedMicrograph, pixel_size_A: float | None, *, flip_y: bool
) -> Picks:
    scale_y, scale_x = scale_to(name, source, target, pixel_size_A)
    source_A = pixel_size_A or source.pixel_size_A
    if source_A is None and target.pixel_size_A is not None:
        source_A = target.pixel_size_A * scale_x
    picks = source.in_angstrom(source_A)
    brought = replace(picks, x_px=picks.x_px * scale_x, y_px=picks.y_px * scale_y)
    if not flip_y:
        return brought
    ny, _ = target.shape or read_shape(target.path)
    brought = replace(brought, y_px=ny - 1 - brought.y_px)
    if brought.psi_deg is None:
        return brought
    # Filaments have a direction, other long axes have none.
    fold = axis_deg if brought.tube_id is None else wrapped_deg
    return replace(brought, psi_deg=fold(-brought.psi_deg))


def _box_size_px(picks: Mapping[str, Picks], micrographs: MicrographList) -> int | None:
    """Return one size for the boxes of all micrographs: the median diameter; None where it is not known."""
    diameters_px = [
        some.diameter_A / size_A
        for name, some in picks.items()
        if some.diameter_A is not None and (size_A := micrographs.by_name[name].pixel_size_A)
    ]
    every = np.concatenate([np.zeros(0), *diameters_px])
    every = every[np.isfinite(every)]
    return even_px(float(np.median(every))) if len(every) else None
