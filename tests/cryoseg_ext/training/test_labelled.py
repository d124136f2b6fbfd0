"""Labelled micrographs at the working scale."""

from pathlib import Path

import mrcfile
import numpy as np

from cryoseg_ext.formats.micrographs import ListedMicrograph
from cryoseg_ext.image.repair import RepairedMicrograph
from cryoseg_ext.image.scale import to_working_scale
from cryoseg_ext.picks import Picks
from cryoseg_ext.training.labelled import read_labelled, rescale_classes

PIXEL_SIZE_A, DIAMETER_A, SHAPE = 3.1, 180.0, (300, 412)
CENTRES_PX = {1: (120.3, 88.8), 2: (290.7, 180.1), -1: (210.0, 230.0)}


def test_classes_have_their_outlines_where_the_rescaled_image_has_them() -> None:
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    radius_px = 0.45 * DIAMETER_A / PIXEL_SIZE_A
    classes = np.zeros(SHAPE, np.float32)
    for label, (x0, y0) in CENTRES_PX.items():
        classes[np.hypot(x - x0, y - y0) < radius_px] = label
    small = rescale_classes(classes, PIXEL_SIZE_A, DIAMETER_A)

    working = to_working_scale(
        RepairedMicrograph(classes, np.ones(SHAPE, np.bool_)), PIXEL_SIZE_A, DIAMETER_A
    )
    assert small.shape == working.image.shape
    assert set(np.unique(small)) == {-1, 0, 1, 2}
    rows, columns = (np.indices(small.shape, dtype=np.float64)[axis] for axis in (0, 1))
    x_px, y_px = working.to_source_px(columns, rows)
    for label, (x0, y0) in CENTRES_PX.items():
        disc = np.hypot(x_px - x0, y_px - y0) < radius_px
        assert ((small == label) & disc).sum() / ((small == label) | disc).sum() > 0.97


def test_bright_protein_is_made_dark(tmp_path: Path) -> None:
    image = np.random.default_rng(3).normal(size=SHAPE).astype(np.float32)
    labels = {name: Picks(np.array([50.0]), np.array([60.0]), np.ones(1)) for name in ("one", "two")}
    read = {}
    for sign in (1, -1):
        listed = [ListedMicrograph(name, tmp_path / f"{name}{sign}.mrc", PIXEL_SIZE_A) for name in labels]
        for micrograph in listed:
            mrcfile.write(micrograph.path, sign * image)
        read[sign] = read_labelled(listed, labels, DIAMETER_A, print, invert=sign < 0)
    for dark, bright in zip(read[1], read[-1], strict=True):
        np.testing.assert_array_equal(bright.working.image, dark.working.image)
        np.testing.assert_array_equal(bright.xy_px, dark.xy_px)
