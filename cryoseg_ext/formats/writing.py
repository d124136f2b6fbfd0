"""Writing picks for RELION, CryoSPARC and others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.micrographs import ListedMicrograph, MicrographList
from cryoseg_ext.formats.names import distinct_names, without_extensions
from cryoseg_ext.formats.paths import after_job_folder
from cryoseg_ext.formats.picks import PICK_FORMATS, FileOptions, PickFormat
from cryoseg_ext.picks import Picks
from cryoseg_ext.progress import tracked

FILE_FORMATS = tuple(name for name, one in PICK_FORMATS.items() if one.write_file)
"""The formats that have a file for each micrograph."""
_WHOLE_PIXELS = FileOptions()


def write_micrograph(
    format_name: str, without_suffix: Path, picks: Picks, options: FileOptions = _WHOLE_PIXELS
) -> Path:
    """Write the picks of one micrograph and return the file.

    Parameters
    ----------
    format_name : str
        One of `FILE_FORMATS`.
    without_suffix : Path
        The file without its extension; Topaz's ``image_name`` is its name.
    picks : Picks
        The picks, in pixels of the micrograph.
    options : FileOptions
        The pixel size, the size of a box, and digits.

    Raises
    ------
    CryosegError
        If there is no such format, or it has boxes and their size is not known.
    """
    path = micrograph_path(format_name, without_suffix)
    _write_file(PICK_FORMATS[format_name], path, picks, options)
    return path


def micrograph_path(format_name: str, without_suffix: Path) -> Path:
    """Return the file that `write_micrograph` writes.

    Raises
    ------
    CryosegError
        If there is no such format.
    """
    if format_name not in FILE_FORMATS:
        raise CryosegError(f"--format {format_name} is not known: give one of {', '.join(FILE_FORMATS)}")
    return without_suffix.with_name(without_suffix.name + PICK_FORMATS[format_name].suffixes[0])


def write_single_file(
    of_format: PickFormat,
    path: Path,
    picks: Mapping[str, Picks],
    micrographs: MicrographList,
    options: FileOptions,
) -> None:
    """Write picks to a file, of all micrographs where the format can hold them.

    Parameters
    ----------
    of_format : PickFormat
        The format.
    path : Path
        The file.
    picks : Mapping[str, Picks]
        The picks by the name of their micrograph.
    micrographs : MicrographList
        The micrographs.
    options : FileOptions
        As in `write_micrograph`.

    Raises
    ------
    CryosegError
        If there are several micrographs and the format holds one, or it cannot hold these micrographs.
    """
    if of_format.write_table:
        of_format.write_table(path, picks, micrographs)
    elif len(picks) != 1:
        raise CryosegError(
            f"{path} holds one micrograph and there are {len(picks)}: give a folder and --format "
            f"{of_format.name}"
        )
    else:
        ((name, some),) = picks.items()
        _write_file(of_format, path, some, _with_pixel_size(options, micrographs.by_name[name]))


def write_folder(
    of_format: PickFormat,
    folder: Path,
    picks: Mapping[str, Picks],
    micrographs: MicrographList,
    options: FileOptions,
) -> None:
    """Write a file for each micrograph.

    For micrographs of RELION a STAR file lies where RELION looks for it, and the lists that Extract takes are
    written: ``autopick.star`` for RELION 4 and 5, ``coords_suffix_autopick.star`` for 3.1.

    Parameters
    ----------
    of_format : PickFormat
        The format.
    folder : Path
        The folder.
    picks : Mapping[str, Picks]
        The picks by the name of their micrograph.
    micrographs : MicrographList
        The micrographs.
    options : FileOptions
        As in `write_micrograph`; where a micrograph has a pixel size, that counts.

    Raises
    ------
    CryosegError
        If two micrographs would share a file.
    """
    in_job = micrographs.of_relion and of_format.write_lists is not None
    stems = distinct_names(list(picks), _path_in_job if in_job else without_extensions)
    end = of_format.folder_end or of_format.suffixes[0]
    paths = {name: folder / f"{stem}{end}" for name, stem in stems.items()}
    for name, path in tracked(list(paths.items()), "Writing files of picks", quick=True):
        _write_file(of_format, path, picks[name], _with_pixel_size(options, micrographs.by_name[name]))
    if in_job and of_format.write_lists:
        of_format.write_lists(folder, micrographs.path, paths)


def _with_pixel_size(options: FileOptions, micrograph: ListedMicrograph) -> FileOptions:
    return replace(options, pixel_size_A=micrograph.pixel_size_A or options.pixel_size_A)


def _write_file(of_format: PickFormat, path: Path, picks: Picks, options: FileOptions) -> None:
    if of_format.write_file is None:
        raise CryosegError(f"{path}: {of_format.title} has no file for a single micrograph")
    of_format.write_file(path, picks, options)


def _path_in_job(name: str) -> str:
    relative = PurePosixPath(after_job_folder(name).lstrip("/"))
    # A path that leaves the project must not leave the folder too.
    return relative.stem if ".." in relative.parts else str(relative.with_suffix(""))
