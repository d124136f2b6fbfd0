"""cryoseg: pick particles in cryo-EM micrographs by segmenting them.

Use from a notebook::

    import cryoseg_ext

    result = cryoseg_ext.pick("micrograph.mrc", particle_diameter_A=180)
    result.picks.x_px, result.picks.y_px, result.picks.score
    result.mask

The names stand in ``__init__.pyi`` and are imported when first used, so that the commands answer ``--help``
at once.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
