"""Particles from the segmentation and the centre map, one file for each method."""
