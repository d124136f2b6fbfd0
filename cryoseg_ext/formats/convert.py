"""Bringing picks to the micrographs of another program: names, sampling and the direction of y."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.micrographs import (
    KnownMicrograph,
    KnownMicrographs,
    image_shape,
    read_known_micrographs,
)
from cryoseg_ext.formats.names import match_names
from cryoseg_ext.formats.reading import read_located_picks
from cryoseg_ext.formats.table import LocatedPicks
from cryoseg_ext.formats.writing import (
    write_csv_folder,
    write_particles_cs,
    write_particles_star,
    write_star_folder,
)
from cryoseg_ext.picks import Picks

# Closer pixel sizes are two calibrations of one sampling; programs bin by 1.25 or more.
_SAME_SAMPLING = 0.05

SCALE_RULE = (
    "Where both sides know the size of a micrograph in pixels, coordinates are scaled by it; else by the "
    f"ratio of the pixel sizes, if they differ by more than {_SAME_SAMPLING:.0%} (less is another "
    "calibration of the same pixels); else they are kept."
)


@dataclass(frozen=True)
class BroughtPicks:
    """Picks on the micrographs of the other program.

    Parameters
    ----------
    picks : Mapping[str, Picks]
        The picks by the other program's name of the micrograph, in its pixels.
    skipped : tuple[str, ...]
        A sentence on each micrograph whose picks could not be brought there.
    """

    picks: Mapping[str, Picks]
    skipped: tuple[str, ...]


def convert(
    source: Path,
    out: Path,
    micrographs: Path | None,
    pixel_size_A: float | None,
    *,
    flip_y: bool,
    as_csv: bool,
) -> BroughtPicks:
    """Convert a file or folder of picks.

    Parameters
    ----------
    source : Path
        Anything that `read_picks` reads.
    out : Path
        ``.star``: one table of all picks; ``.cs`` or ``.csg``: particles of CryoSPARC, both files; else a
        folder with a file for each micrograph.
    micrographs : Path, optional
        The micrographs that the picks are brought to; those that were picked when None.
    pixel_size_A, flip_y
        As in `bring_picks`.
    as_csv : bool
        Whether a folder gets CSV files instead of RELION's coordinate files.

    Raises
    ------
    CryosegError
        If something cannot be read, or no micrograph is left.
    """
    located = read_located_picks(source)
    known = read_known_micrographs(micrographs) if micrographs else picked_micrographs(source, located)
    brought = bring_picks(located, known, pixel_size_A, flip_y=flip_y)
    if located and not brought.picks:
        raise CryosegError(
            f"none of the {len(located)} micrographs of {source} is in {known.path}: {brought.skipped[0]}"
        )
    if out.suffix.lower() in (".cs", ".csg"):
        write_particles_cs(out, brought.picks, known)
    elif out.suffix.lower() == ".star":
        write_particles_star(out, brought.picks, known)
    elif as_csv:
        write_csv_folder(out, brought.picks)
    else:
        write_star_folder(out, brought.picks, known)
    return brought


def bring_picks(
    located: Mapping[str, LocatedPicks], known: KnownMicrographs, pixel_size_A: float | None, *, flip_y: bool
) -> BroughtPicks:
    """Bring picks to other micrographs.

    Parameters
    ----------
    located : Mapping[str, LocatedPicks]
        The picks by the name of the micrograph in their file.
    known : KnownMicrographs
        The other program's micrographs.
    pixel_size_A : float, optional
        Å/px of the micrographs that were picked; by default what the picks' file says.
    flip_y : bool
        Whether y is counted from the last stored row, as in a viewer that shows it at the top. It becomes
        ``ny - 1 - y``: the first row is 0 and the last one ``ny - 1``.

    Raises
    ------
    CryosegError
        If a name fits two micrographs, or two names one.
    """
    matched = match_names(list(located), list(known.by_name))
    picks: dict[str, Picks] = {}
    skipped: list[str] = []
    for name, source in located.items():
        if name not in matched:
            skipped.append(f"{name}: no micrograph in {known.path} has this name")
            continue
        target = known.by_name[matched[name]]
        try:
            picks[matched[name]] = _brought(name, source, target, pixel_size_A, flip_y=flip_y)
        except CryosegError as error:
            skipped.append(str(error))
    return BroughtPicks(picks, tuple(skipped))


def picked_micrographs(path: Path, located: Mapping[str, LocatedPicks]) -> KnownMicrographs:
    """Return what the file of the picks says about its own micrographs."""
    by_name = {
        name: KnownMicrograph(Path(name), one.pixel_size_A, one.shape) for name, one in located.items()
    }
    return KnownMicrographs(path, by_name)


def _brought(
    name: str, source: LocatedPicks, target: KnownMicrograph, pixel_size_A: float | None, *, flip_y: bool
) -> Picks:
    scale_y, scale_x = _scale(name, source, target, pixel_size_A)
    x_px, y_px = source.picks.x_px * scale_x, source.picks.y_px * scale_y
    if flip_y:
        ny, _ = target.shape or image_shape(target.file)
        y_px = ny - 1 - y_px
    return Picks(x_px, y_px, source.picks.score)


def _scale(
    name: str, source: LocatedPicks, target: KnownMicrograph, pixel_size_A: float | None
) -> tuple[float, float]:
    """Return by what y and x are multiplied; see `SCALE_RULE`."""
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
