"""The PDF a user looks at first: overlays of picks on micrographs, and histograms."""

from cryoseg_ext.report.preview import Preview, load_preview, make_preview, save_preview, stretch

__all__ = ["Preview", "load_preview", "make_preview", "save_preview", "stretch"]
