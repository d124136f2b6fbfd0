"""`cryoseg-relion`: particle picking as a RELION External job."""
