"""Micrographs STAR files as RELION writes them."""

from __future__ import annotations

MODERN = """
# version 50001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnMicrographPixelSize #4
_rlnVoltage #5
fine 1 0.427000 0.854000 300.000000
007  3 0.667000 1.334000 200.000000


# version 50001

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
_rlnCtfImage #3
_rlnDefocusU #4
_rlnDefocusV #5
_rlnDefocusAngle #6
_rlnCtfMaxResolution #7
MotionCorr/job002/a.mrc  1 a.ctf:mrc 10234.567 10001.25 45.1 3.5
MotionCorr/job002/b.mrc  3 b.ctf:mrc 20234.567 20001.25 -5.1 4.5
"12 34.mrc" 9 c.ctf:mrc 1 2 3 nan
"""
"""Of RELION 3.1 to 5; the last row's optics group is not there."""

RELION_3_0 = """
data_

loop_
_rlnMicrographName #1
_rlnMagnification #2
_rlnDetectorPixelSize #3
_rlnDefocusU #4
MotionCorr/job002/a.mrc 10000.0 5.0 12000.0
MotionCorr/job002/b.mrc 50000.0 14.0 13000.0
"12 34.mrc" 10000.0 5.0 12000.0
"""

SINGLE_ROW_BLOCK = """
data_optics

_rlnOpticsGroup 1
_rlnMicrographPixelSize 1.5

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
a.mrc 1
"""
