"""Files of picks, of this and other programs, and the matching of their micrograph names."""

from cryoseg_ext.pickfiles.names import match_names
from cryoseg_ext.pickfiles.reading import read_located_picks, read_picks
from cryoseg_ext.pickfiles.table import LocatedPicks

__all__ = ["LocatedPicks", "match_names", "read_located_picks", "read_picks"]
