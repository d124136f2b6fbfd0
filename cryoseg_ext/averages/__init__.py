"""Averages of particles in a few classes: a glance at what was picked, no 2D classification."""

from cryoseg_ext.averages.classes import ClassAverage, class_averages, sort_into_classes

__all__ = ["ClassAverage", "class_averages", "sort_into_classes"]
