"""Bringing picks to the micrographs of another program: names, sampling and the direction of y."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.coordinates import CONVERTED_DECIMALS
from cryoseg_ext.formats.headers import read_header
from cryoseg_ext.formats.micrographs import ListedMicrograph, MicrographList, read_micrographs
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.formats.originals import with_original_sizes
from cryoseg_ext.formats.picks import PICK_FORMATS, FileOptions, PickFormat
from cryoseg_ext.formats.picks.format import even_px
from cryoseg_ext.formats.reading import read_located_picks
from cryoseg_ext.formats.scaling import (
    count_beyond,
    doubts,
    field_shape,
    scale_is_known,
    scale_to,
)
from cryoseg_ext.formats.table import LocatedPicks, shift_remark
from cryoseg_ext.formats.tubes import axis_deg, wrapped_deg
from cryoseg_ext.formats.writing import write_folder, write_single_file
from cryoseg_ext.image.reading import read_shape
from cryoseg_ext.picks import Picks
from cryoseg_ext.progress import tracked


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
    remarks : tuple[str, ...]
        A sentence on each row that could not be read, on picks outside of a field, on shifts that were
        applied, and on a pixel size that was assumed.
    """

    picks: Mapping[str, Picks]
    skipped: tuple[str, ...]
    left_out: str = ""
    remarks: tuple[str, ...] = ()


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
    own = not options.micrographs
    brought = bring_picks(located, micrographs, options.pixel_size_A, flip_y=options.flip_y, own=own)
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
    problems = tuple(micrographs.problems.values())
    return replace(brought, left_out=left_out, remarks=(*problems, *brought.remarks))


def bring_picks(
    located: Mapping[str, LocatedPicks],
    micrographs: MicrographList,
    pixel_size_A: float | None,
    *,
    flip_y: bool,
    own: bool = False,
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
    own : bool
        Whether these are the micrographs that the file of the picks names, so that nothing is scaled.

    Raises
    ------
    CryosegError
        If a name fits two micrographs, or two names one, or if picks of unknown pixel size lie outside of
        their micrograph.
    """
    matched = match_names(list(located), list(micrographs.by_name))
    picks: dict[str, Picks] = {}
    skipped: list[str] = []
    remarks = [remark for source in located.values() for remark in source.remarks]
    targets = {name: micrographs.by_name[found] for name, found in matched.items()}
    if pixel_size_A is None and not own:
        located, remark = with_original_sizes(located, targets, micrographs)
        remarks += [remark] * bool(remark)
    for name, source in tracked(list(located.items()), "Bringing picks to micrographs", quick=True):
        if name not in matched:
            skipped.append(f"{name}: no micrograph in {micrographs.path} has this name")
            continue
        target = targets[name]
        if not own:
            _refuse_unknown_scale(name, source, target, pixel_size_A)
        try:
            brought, remark = _brought(name, source, target, pixel_size_A, flip_y=flip_y)
        except CryosegError as error:
            skipped.append(str(error))
            continue
        picks[matched[name]] = brought
        remarks += [text for text in (remark, doubts(name, brought, field_shape(target))) if text]
    return BroughtPicks(picks, tuple(skipped), remarks=tuple(remarks))


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


def _format_of(out: Path, name: str | None) -> PickFormat:
    suffix = out.suffix.lower()
    of_suffix = next((one for one in PICK_FORMATS.values() if suffix in one.suffixes), None)
    if of_suffix and name not in (None, of_suffix.name):
        raise CryosegError(f"{out} has the extension of --format {of_suffix.name}: leave out --format {name}")
    return of_suffix or PICK_FORMATS[name or "star"]


def _refuse_unknown_scale(
    name: str, source: LocatedPicks, target: ListedMicrograph, pixel_size_A: float | None
) -> None:
    """Stop where picks cannot be of these pixels and nothing says of which."""
    shape = field_shape(target)
    if shape is None or scale_is_known(source, target, pixel_size_A):
        return
    if beyond := count_beyond(source.picks, shape):
        raise CryosegError(
            f"{beyond} of the {len(source.picks)} picks of {name} lie outside of {target.path} ({shape[1]} x "
            f"{shape[0]} px), and the pixel size that they count in is not known: give the --pixel_size of "
            "the picked micrographs to `cryoseg convert`"
        )


def _brought(
    name: str, source: LocatedPicks, target: ListedMicrograph, pixel_size_A: float | None, *, flip_y: bool
) -> tuple[Picks, str]:
    """Return the picks of a micrograph on another one, and a remark on their shifts."""
    scale_y, scale_x = scale_to(name, source, target, pixel_size_A)
    source_A = pixel_size_A or source.pixel_size_A
    if source_A is None and (target_A := target.pixel_size_A or read_header(target.path).pixel_size_A):
        source_A = target_A * scale_x
    remark = ""
    if source.shift_A is not None:
        remark = shift_remark(name, source.shift_A, applied=source_A is not None)
    picks = source.in_angstrom(source_A)
    brought = replace(picks, x_px=picks.x_px * scale_x, y_px=picks.y_px * scale_y)
    if not flip_y:
        return brought, remark
    ny, _ = field_shape(target) or read_shape(target.path)
    brought = replace(brought, y_px=ny - 1 - brought.y_px)
    if brought.psi_deg is None:
        return brought, remark
    # Filaments have a direction, other long axes have none.
    fold = axis_deg if brought.tube_id is None else wrapped_deg
    return replace(brought, psi_deg=fold(-brought.psi_deg)), remark


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
