"""The factor that brings coordinates to another sampling of the same field, and what lies outside of it."""

from __future__ import annotations

import numpy as np

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.headers import Shape, read_header
from cryoseg_ext.formats.micrographs import ListedMicrograph
from cryoseg_ext.formats.table import LocatedPicks
from cryoseg_ext.picks import Picks

# Closer pixel sizes are two calibrations of one sampling; programs bin by 1.25 or more.
_SAME_SAMPLING = 0.05
# Half a pixel beyond the border is rounding.
_ROUNDING_PX = 0.5

SCALE_RULE = (
    "Where both sides know the size of a micrograph in pixels, coordinates are scaled by it; else by the "
    f"ratio of the pixel sizes, if they differ by more than {_SAME_SAMPLING:.0%} (less is another "
    "calibration of the same pixels); else they are kept. What --micrographs does not say is taken from the "
    "headers of its files. Where the size stays unknown and picks lie outside of the field, it stops."
)


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
    header = read_header(target.path)
    shape = target.shape or header.shape
    by_shape = _ratio(name, source.shape, shape) if source.shape and shape else None
    if by_shape and target.shape:
        return by_shape
    source_A, target_A = pixel_size_A or source.pixel_size_A, target.pixel_size_A
    if source_A and not target_A and name != target.name:
        target_A = header.pixel_size_A
    if source_A and target_A:
        differ = abs(source_A / target_A - 1) > _SAME_SAMPLING
        return (source_A / target_A, source_A / target_A) if differ else (1.0, 1.0)
    return by_shape or (1.0, 1.0)


def scale_is_known(source: LocatedPicks, target: ListedMicrograph, pixel_size_A: float | None) -> bool:
    """Return whether both sides say how large a pixel or the field is.

    Parameters
    ----------
    source, target, pixel_size_A
        As for `scale_to`.
    """
    header = read_header(target.path)
    if source.shape and (target.shape or header.shape):
        return True
    return bool((pixel_size_A or source.pixel_size_A) and (target.pixel_size_A or header.pixel_size_A))


def field_shape(target: ListedMicrograph) -> Shape | None:
    """Return ``(ny, nx)`` of a micrograph as its list or its file says it; None where neither does."""
    return target.shape or read_header(target.path).shape


def count_beyond(picks: Picks, shape: Shape) -> int:
    """Return how many picks lie beyond the last row or column of a field."""
    ny, nx = shape
    return int(np.count_nonzero((picks.x_px > nx + _ROUNDING_PX) | (picks.y_px > ny + _ROUNDING_PX)))


def doubts(name: str, picks: Picks, shape: Shape | None) -> str:
    """Return a sentence on picks that are outside of a field, or there twice; empty where none is.

    Parameters
    ----------
    name : str
        The micrograph.
    picks : Picks
        Its picks.
    shape : tuple of int, optional
        ``(ny, nx)``, where it is known.
    """
    words = []
    if negative := int(np.count_nonzero((picks.x_px < -_ROUNDING_PX) | (picks.y_px < -_ROUNDING_PX))):
        words.append(f"{negative} at negative coordinates")
    if shape and (beyond := count_beyond(picks, shape)):
        words.append(f"{beyond} outside of its {shape[1]} x {shape[0]} px")
    if doubled := len(picks) - len(np.unique(np.stack([picks.x_px, picks.y_px]), axis=1).T):
        words.append(f"{doubled} at the place of another one")
    return f"{name}: of its {len(picks)} picks {', '.join(words)}: check them" if words else ""


def _ratio(name: str, source: Shape, target: Shape) -> tuple[float, float]:
    scale_y, scale_x = (theirs / ours for theirs, ours in zip(target, source, strict=True))
    if abs(scale_y / scale_x - 1) > _SAME_SAMPLING:
        raise CryosegError(
            f"{name} has {source[0]} rows and {source[1]} columns where it was picked and "
            f"{target[0]} and {target[1]} now: it was turned or cropped, its picks do not fit"
        )
    return scale_y, scale_x
