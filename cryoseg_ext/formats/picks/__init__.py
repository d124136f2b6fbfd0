"""The formats of picks: one module each, and the list of them."""

from cryoseg_ext.formats.picks.cryolo import CBOX
from cryoseg_ext.formats.picks.cryosparc import CRYOSPARC
from cryoseg_ext.formats.picks.csv_table import CSV
from cryoseg_ext.formats.picks.eman import BOX
from cryoseg_ext.formats.picks.format import FileOptions, NoPicksError, PickFormat
from cryoseg_ext.formats.picks.relion import STAR
from cryoseg_ext.formats.picks.topaz import TOPAZ

PICK_FORMATS: dict[str, PickFormat] = {one.name: one for one in (CSV, STAR, CBOX, BOX, TOPAZ, CRYOSPARC)}
"""The formats by name, in the order in which a folder is searched for their files.

CSV files are not rounded, and crYOLO writes ``.box`` files beside ``.cbox`` files, which know more.
"""

__all__ = ["PICK_FORMATS", "FileOptions", "NoPicksError", "PickFormat"]
