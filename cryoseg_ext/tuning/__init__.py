"""Choosing how to pick a data set: with true particles of a few micrographs, or by self-consistency."""
