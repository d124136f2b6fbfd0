"""Files of other programs: STAR, picks, lists of micrographs, results groups, masks, and their names."""
