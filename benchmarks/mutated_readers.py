"""Sound files of every kind that cryoseg reads, and what reads them, for mutations.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Reader:
    """A reader and a sound file for it.

    Parameters
    ----------
    name : str
        Name of the file.
    sound : callable
        Writes a sound file.
    read : callable
        Reads a file.
    is_text : bool
        Whether words and lines are mutated too.
    """

    name: str
    sound: Callable[[Path], object]
    read: Callable[[Path], object]
    is_text: bool = False


def _image() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32)


def _sound_mrc(path: Path) -> None:
    import mrcfile

    mrcfile.write(path, _image(), voxel_size=2.0, overwrite=True)


def _sound_map(path: Path) -> None:
    import mrcfile

    density = np.pad(np.ones((6, 6, 6), np.float32), 5)
    with mrcfile.new(path, density, overwrite=True) as mrc:
        mrc.voxel_size = 2.0


def _sound_tiff(path: Path) -> None:
    import tifffile

    tifffile.imwrite(path, _image(), compression="zlib", resolution=(1e7, 1e7), resolutionunit="CENTIMETER")


def _text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")


def _sound_model(path: Path) -> None:
    from cryoseg_ext.extract.score import Calibration
    from cryoseg_ext.model.checkpoint import Model, save_model
    from cryoseg_ext.network.architectures import build_network

    architecture = {"name": "residual_unet", "base": 8}
    network = build_network(architecture).eval()
    save_model(Model(network, architecture, Calibration(0.0, (0.1, 0.1, 0.1, 0.0)), threshold=0.4), path)


def _sound_preview(path: Path) -> None:
    from cryoseg_ext.report.preview import make_preview, save_preview

    save_preview(path, make_preview(_image(), _image() > 0, (40, 50)))


def _sound_finished(path: Path) -> None:
    from cryoseg_ext.image.areas import AreaShares
    from cryoseg_ext.job.finished import FinishedMicrograph, write_finished
    from cryoseg_ext.picks import Picks

    picks = Picks(np.array([3.0, 9.5]), np.array([4.0, 8.0]), np.array([0.9, 0.1]))
    write_finished(path, FinishedMicrograph("key", 0.5, picks, AreaShares(0.1, 0.0, 0.0), (40, 50), 2.0))


def _sound_particles(path: Path) -> None:
    from cryosparc.dataset import Dataset

    dataset = Dataset(
        {
            "uid": np.arange(1, 4, dtype="u8"),
            "location/micrograph_path": np.array(["J1/a.mrc", "J1/a.mrc", "J1/b.mrc"], object),
            "location/micrograph_shape": np.full((3, 2), 40, "u4"),
            "location/center_x_frac": np.array([0.1, 0.2, 0.3], "f4"),
            "location/center_y_frac": np.array([0.1, 0.2, 0.3], "f4"),
            "pick_stats/ncc_score": np.array([0.9, 0.8, 0.7], "f4"),
        }
    )
    dataset.save(path)


def _sound_group(path: Path) -> None:
    _sound_particles(path.with_suffix(".cs"))
    metafile = f"'>{path.with_suffix('.cs').name}'"
    slots = "".join(f"  {slot}:\n    metafile: {metafile}\n" for slot in ("location", "pick_stats"))
    path.write_text(
        "created: 2026-11-22 20:00:57\ngroup:\n  name: p\n  type: particle\n"
        f"results:\n{slots}version: v4.7.1\n"
    )


def _picks(path: Path) -> object:
    from cryoseg_ext.formats.reading import read_located_picks

    return read_located_picks(path)


def _micrographs(path: Path) -> object:
    from cryoseg_ext.formats.micrographs import read_micrographs

    return read_micrographs([path])


def _read_image(path: Path) -> object:
    from cryoseg_ext.image.reading import read_micrograph, read_shape

    return read_shape(path), read_micrograph(path)


def _read_map(path: Path) -> object:
    from cryoseg_ext.image.volume import read_map

    return read_map(path)


def _read_model(path: Path) -> object:
    from cryoseg_ext.model.checkpoint import load_model

    return load_model(path)


def _read_settings(path: Path) -> object:
    from cryoseg_ext.options.settings import read_settings

    return read_settings(path)


def _read_config(path: Path) -> object:
    import click

    from cryoseg_ext.cli.train import train

    try:
        return train.make_context("train", ["--config", str(path)])
    except click.UsageError as error:
        return error.format_message()


def _read_preview(path: Path) -> object:
    from cryoseg_ext.report.preview import load_preview

    return load_preview(path)


def _read_finished(path: Path) -> object:
    from cryoseg_ext.job.finished import read_finished

    return read_finished(path)


_OPTICS = "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n1 1.5\n2 2.0\n\n"
_COLUMNS = "_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
_COORDINATES = "_rlnCoordinateX #3\n_rlnCoordinateY #4\n_rlnAutopickFigureOfMerit #5\n_rlnAnglePsi #6\n"
_CBOX = "data_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n\nloop_\n" + "".join(
    f"_{name} #{number}\n"
    for number, name in enumerate(
        ("CoordinateX", "CoordinateY", "CoordinateZ", "Width", "Height", "Depth", "EstWidth", "EstHeight"),
        start=1,
    )
)
READERS: dict[str, Reader] = {
    "mrc": Reader("a.mrc", _sound_mrc, _read_image),
    "tiff": Reader("a.tif", _sound_tiff, _read_image),
    "map": Reader("a.map", _sound_map, _read_map),
    "star": Reader(
        "micrographs.star",
        _text(f"{_OPTICS}data_micrographs\n\nloop_\n{_COLUMNS}a.mrc 1\nb.mrc 2\n'c d.mrc' 1\n"),
        _micrographs,
        is_text=True,
    ),
    "particles": Reader(
        "particles.star",
        _text(
            f"{_OPTICS}data_particles\n\nloop_\n{_COLUMNS}{_COORDINATES}"
            "a.mrc 1 10.5 20 0.9 12.5\na.mrc 1 30 40 0.5 0\nb.mrc 2 5 6 0.1 -3\n"
        ),
        _picks,
        is_text=True,
    ),
    "csv": Reader("a.csv", _text("x,y,score\n1,2,0.5\n3.5,4,0.25\n"), _picks, is_text=True),
    "box": Reader("a.box", _text("10\t20\t30\t30\n40\t50\t30\t30\n"), _picks, is_text=True),
    "cbox": Reader(
        "a.cbox", _text(f"{_CBOX}10 20 <NA> 30 30 1 28 29\n40 50 <NA> 30 30 1 27 28\n"), _picks, is_text=True
    ),
    "topaz": Reader(
        "a.txt",
        _text("image_name\tx_coord\ty_coord\tscore\na\t1\t2\t0.5\nb\t3\t4\t-1.5\n"),
        _picks,
        is_text=True,
    ),
    "json": Reader(
        "settings.json",
        _text(
            '{"settings": {"particle_diameter": 180, "threshold": 0.3, "extraction": "centre"}, '
            '"search": {}}\n'
        ),
        _read_settings,
        is_text=True,
    ),
    "yaml": Reader(
        "config.yaml",
        _text("steps: 7000\nbatch: 6\nloss: dice_ce\nleave_out: [a, b]\n"),
        _read_config,
        is_text=True,
    ),
    "safetensors": Reader("model.safetensors", _sound_model, _read_model),
    "npz": Reader("a_preview.npz", _sound_preview, _read_preview),
    "candidates": Reader("a_candidates.star", _sound_finished, _read_finished, is_text=True),
    "cs": Reader("particles.cs", _sound_particles, _picks),
    "csg": Reader("particles.csg", _sound_group, _picks, is_text=True),
}
