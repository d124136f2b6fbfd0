"""One picking job, whichever program asked for it."""
