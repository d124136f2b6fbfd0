"""Estimation of the particle diameter from a sample of micrographs."""
