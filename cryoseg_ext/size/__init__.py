"""How large the particles are, estimated from a sample of micrographs."""
