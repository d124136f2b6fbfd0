"""A trained model: network, random field, calibration and threshold, on disk and at work."""
