"""Matching the micrograph names of one program with those of another."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from cryoseg_ext.errors import CryosegError

EXTENSIONS = (
    *(".mrc", ".mrcs", ".map", ".tif", ".tiff", ".eer", ".dm4", ".gz", ".bz2"),
    *(".png", ".jpg", ".jpeg", ".star", ".csv", ".cs", ".box", ".cbox", ".txt"),
)
SUFFIXES = (
    *("_doseweighted", "_DW", "_noDW", "_patch_aligned", "_rigid_aligned", "_aligned"),
    *("_motion_corrected", "_motioncorrected", "_fractions", "_EER", "_denoised"),
)
_CRYOSPARC_UID = re.compile(r"\d{15,21}_(?=.)")

NAME_RULE = (
    "Micrograph names are compared whole; where that finds nothing, without folders; then also without "
    f"extensions ({' '.join(EXTENSIONS)}) and the suffixes that motion correction adds "
    f"({' '.join(SUFFIXES)}, in any case, any number of them); then also without CryoSPARC's uid in front "
    "(15 to 21 digits and '_'). The first comparison that finds a micrograph decides; of several files of "
    "the same name it is the one in the same folder."
)


def match_names(names: Sequence[str], micrographs: Sequence[str]) -> dict[str, str]:
    """Match the names in a file of picks to micrographs.

    Names are compared whole; where that finds nothing, without folders; then also without `EXTENSIONS` and
    `SUFFIXES`, in any case and any number of them; then also without CryoSPARC's uid in front (15 to 21
    digits and ``_``). The first comparison that finds a micrograph decides; of several files of the same name
    it is the one in the same folder.

    Parameters
    ----------
    names : Sequence[str]
        Names in a file of picks.
    micrographs : Sequence[str]
        Names of the micrographs.

    Returns
    -------
    dict[str, str]
        The micrograph of each name, in the order of `names`; a name without a micrograph is absent.

    Raises
    ------
    CryosegError
        If two micrographs fit a name, or two names fit a micrograph.
    """
    steps: tuple[Callable[[str], str], ...] = (_whole, _without_folders, _bare, _without_uid)
    lookups = [_lookup(micrographs, step) for step in steps]
    found: dict[str, _Match] = {}
    best_of: dict[str, list[_Match]] = defaultdict(list)
    for name in dict.fromkeys(names):
        fitting = next(
            (
                [_Match(name, one, -level, _common_folders(name, one)) for one in fits]
                for level, (step, at) in enumerate(zip(steps, lookups, strict=True))
                if (fits := at(step(name)))
            ),
            [],
        )
        best = _best(fitting)
        if len(best) > 1:
            raise CryosegError(
                f"the picks of {name} fit both {best[0].micrograph} and {best[1].micrograph}: convert one of "
                "them at a time or rename the files"
            )
        for match in best:
            found[name] = match
            best_of[match.micrograph].append(match)
    for micrograph, matches in best_of.items():
        best = _best(matches)
        if len(best) > 1:
            raise CryosegError(
                f"the picks of both {best[0].name} and {best[1].name} fit {micrograph}: remove or rename one"
            )
        best_of[micrograph] = best
    return {name: match.micrograph for name, match in found.items() if match in best_of[match.micrograph]}


@dataclass(frozen=True)
class _Match:
    """A name and a micrograph that it may mean; a larger level and more common folders are a better match."""

    name: str
    micrograph: str
    level: int
    common_folders: int


def _best(matches: Sequence[_Match]) -> list[_Match]:
    """Return the best matches: of the same names in several folders, those of the same folders."""
    most = max(((one.level, one.common_folders) for one in matches), default=None)
    return [one for one in matches if (one.level, one.common_folders) == most]


def _common_folders(name: str, micrograph: str) -> int:
    """Return how many folders are the same, counted from the file upwards."""
    pairs = zip(*(_whole(path).split("/")[-2::-1] for path in (name, micrograph)), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def stem_of(name: str) -> str:
    """Return the name of a file without folders and its extension, so that ``a.mrc.gz`` is ``a``."""
    bare = _without_folders(name).removesuffix(".gz").removesuffix(".bz2")
    return bare.rpartition(".")[0] or bare


def without_extensions(name: str) -> str:
    """Return a micrograph's name without folders and extensions."""
    return _strip_ends(_without_folders(name), EXTENSIONS)


def distinct_names(names: Sequence[str], shorten: Callable[[str], str]) -> dict[str, str]:
    """Return the short name of each micrograph.

    Raises
    ------
    CryosegError
        If two micrographs have the same.
    """
    shortened = {name: shorten(name) for name in names}
    owner: dict[str, str] = {}
    for name, short in shortened.items():
        if owner.setdefault(short, name) != name:
            raise CryosegError(f"{owner[short]} and {name} would share the name {short}: convert them apart")
    return shortened


def _lookup(micrographs: Sequence[str], step: Callable[[str], str]) -> Callable[[str], list[str]]:
    by_key: defaultdict[str, list[str]] = defaultdict(list)
    for micrograph in dict.fromkeys(micrographs):
        by_key[step(micrograph)].append(micrograph)
    return lambda key: by_key.get(key, [])


def _whole(name: str) -> str:
    return name.removeprefix(">")


def _without_folders(name: str) -> str:
    return _whole(name).rsplit("/", 1)[-1]


def _bare(name: str) -> str:
    """Return a name without folders, extensions and suffixes."""
    return _strip_ends(without_extensions(name), SUFFIXES)


def _without_uid(name: str) -> str:
    return _CRYOSPARC_UID.sub("", _bare(name), count=1)


def _strip_ends(name: str, ends: Sequence[str]) -> str:
    """Remove any of `ends` again and again, but never the whole name."""
    length, lower = len(name), name.lower()
    if len(lower) != length:
        # A letter that is two in lower case; then the ends alone are compared.
        lower = name
    while end := next(
        (end for end in ends if length > len(end) and lower.endswith(end.lower(), 0, length)), ""
    ):
        length -= len(end)
    return name[:length]
