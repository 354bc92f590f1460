"""HELIOS: a PES budget flow from the finance software to the DGFiP, and back, and into the archive."""
