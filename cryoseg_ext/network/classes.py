"""The classes of pixels, as label maps number them and as the channels of a network are ordered."""

from __future__ import annotations

UNKNOWN = -1
"""Label of a pixel whose class is not known."""
BACKGROUND = 0
"""Label of ice without anything in it, and channel of the background."""
PARTICLE = 1
"""Label and channel of intact particles."""
CONTAMINANT = 2
"""Label and channel of everything else, such as ice crystals, aggregates and carbon film."""
N_CLASSES = 3
"""Number of classes, without `UNKNOWN`."""
CLASS_NAMES = ("background", "particle", "contaminant")
"""Name of each class, in the order of their numbers."""
